"""The page in a real browser: no request, everything is drawn, at any width, light, dark and printed."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import PROGRAM, Chromium
from tests.report.small_report import NASTY, every_part

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")
if not PROGRAM:
    pytest.skip("no Chromium here: apt-get install chromium", allow_module_level=True)

DRAWN = "document.documentElement.dataset.charts === 'drawn'"
# For each figure: its width and height, and the number of pixels with ink of the canvases in it.
FIGURES = """[...document.querySelectorAll("figure")].map((figure) => {
  const canvases = [];
  const search = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.tagName === "CANVAS") canvases.push(each);
      if (each.shadowRoot) search(each.shadowRoot);
    }
  };
  search(figure);
  const ink = canvases.map((canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.filter((value, place) => place % 4 === 3 && value > 0).length;
  });
  const image = figure.querySelector("img");
  const box = figure.getBoundingClientRect();
  return {
    width: box.width, height: box.height, canvases: canvases.length, ink: Math.max(0, ...ink),
    widest: Math.max(0, ...canvases.map((canvas) => canvas.getBoundingClientRect().right - box.right)),
    image: image && image.complete && image.naturalWidth,
  };
})"""
# The contrast of the charts' text, and of their series, with the panel behind them (WCAG 2's formula).
CONTRASTS = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(
      (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const panel = light(getComputedStyle(document.querySelector(".chart")).backgroundColor);
  const contrast = (colour) => {
    const [low, high] = [light(colour), panel].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const text = [], series = [];
  for (const model of Bokeh.documents[0].all_models) {
    if (model.type.endsWith("Axis")) {
      text.push(contrast(model.axis_label_text_color), contrast(model.major_label_text_color));
    }
    if (model.type === "Line" && model.line_color) series.push(contrast(model.line_color.value));
  }
  return { text: Math.min(...text), series: Math.min(...series), panel };
})()"""


# What Chromium itself asks for, for all of its flags: the time, updates. Requests of a page are events too.
_OWN = re.compile(r"\b(google\.com|googleapis\.com|gvt1\.com|gstatic\.com)\b")


class _Proxy(socketserver.ThreadingTCPServer):
    """Refuses everything, and keeps the first line of what it is asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Refusal)


class _Refusal(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Proxy)
        line = self.rfile.readline().decode(errors="replace").strip()
        if not _OWN.search(line):
            self.server.asked.append(line)
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[_Proxy]:
    with _Proxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def browser(proxy: _Proxy, tmp_path: Path) -> Iterator[Chromium]:
    """Return a browser that reaches the proxy alone."""
    place = f"http://127.0.0.1:{proxy.server_address[1]}"
    flags = (
        f"--proxy-server={place}",
        "--proxy-bypass-list=<-loopback>",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    )
    with Chromium(tmp_path / "profile", *flags) as opened:
        yield opened


def written(folder: Path, **options: object) -> Path:
    every_part(**options).write(folder / "page.html")
    return folder / "page.html"


def assert_drawn(figures: list[dict], charts: int, images: int) -> None:
    """Every figure has a size, a chart has ink and does not reach beyond its figure, an image is decoded."""
    assert len(figures) == charts + images
    for figure in figures:
        assert figure["width"] > 100 and figure["height"] > 50, figure
        assert (figure["ink"] > 500 and figure["widest"] <= 1) if figure["canvases"] else figure["image"], (
            figure
        )
    assert sum(figure["canvases"] > 0 for figure in figures) == charts


def test_nothing_is_requested_and_everything_is_drawn(browser, proxy, tmp_path):
    browser.look(1280)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    assert_drawn(browser.run(FIGURES), charts=6, images=1)
    assert browser.run("document.querySelectorAll('section').length") == 4  # the empty one is left out
    assert browser.run("document.querySelector('#facts dd').textContent") == NASTY[0]
    assert browser.problems == [] and browser.requests == [] and proxy.asked == []


@pytest.mark.parametrize("policy", [True, False], ids=["policy", "no-policy"])
@pytest.mark.parametrize(
    "added",
    [
        '<img src="http://example.com/seen.png">',
        '<script src="https://cdn.example.com/x.js"></script>',
        '<link rel="stylesheet" href="http://127.0.0.1:8099/x.css">',
        '<script>fetch("http://example.com/beacon").catch(() => 0)</script>',
    ],
)
def test_a_request_would_be_seen(browser, proxy, tmp_path, added, policy):
    """What the test above asserts is false as soon as a page asks for anything."""
    page = written(tmp_path)
    text = page.read_text(encoding="utf-8").replace("</body>", f"{added}</body>")
    if not policy:
        text = text.replace('http-equiv="Content-Security-Policy"', 'name="none"')
    page.write_text(text, encoding="utf-8")
    browser.open(page)
    browser.until(DRAWN)
    browser.until("performance.now() > 500")
    assert browser.requests or browser.problems
    assert bool(proxy.asked) != policy  # the policy keeps it within the browser


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_legible_at_any_width_in_light_and_dark(browser, tmp_path, width, dark):
    browser.look(width, dark=dark)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    assert_drawn(browser.run(FIGURES), charts=6, images=1)
    assert browser.run("document.documentElement.scrollWidth") <= width
    contrasts = browser.run(CONTRASTS)
    assert (contrasts["panel"] < 0.05) == dark
    assert contrasts["text"] >= 4.5 and contrasts["series"] >= 3
    assert browser.problems == []


def test_the_colours_follow_while_the_page_is_open(browser, tmp_path):
    browser.look(1000)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    for dark in (True, False):
        browser.look(1000, dark=dark)
        browser.until(f"({CONTRASTS}).text >= 4.5 && (({CONTRASTS}).panel < 0.05) === {str(dark).lower()}")


def test_print(browser, tmp_path):
    browser.look(718, dark=True)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    browser.look(718, dark=True, media="print")
    browser.until(f"({CONTRASTS}).panel > 0.9 && ({CONTRASTS}).text >= 4.5")
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert_drawn(browser.run(FIGURES), charts=6, images=1)
    assert browser.run("document.documentElement.scrollWidth") <= 718
    assert browser.pdf().startswith(b"%PDF")


def test_the_keyboard_reaches_everything(browser, tmp_path):
    browser.look(800)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    browser.press("Tab")
    focus = "document.activeElement"
    assert browser.run(f"{focus}.className") == "skip"
    assert browser.run(f"{focus}.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    browser.until(f"{focus}.id === 'main'")
    seen = []
    while len(seen) < 60:
        browser.press("Tab")
        if browser.run(f"{focus} === document.body"):
            break
        seen.append(browser.run(f"{focus}.tagName"))
        if seen[-1] == "SUMMARY" and seen.count("SUMMARY") == 1:
            browser.press(" ")
            browser.until(f"{focus}.parentElement.open")
            assert (
                browser.run(f"{focus}.parentElement.querySelector('table').getBoundingClientRect().height")
                > 20
            )
    folded = browser.run("document.querySelectorAll('summary').length")
    assert seen.count("SUMMARY") == folded >= 3
    assert "PRE" in seen and "DIV" in seen  # commands and wide tables can be scrolled


def test_the_pointer_shows_numbers(browser, tmp_path):
    browser.look(1000)
    browser.open(written(tmp_path))
    browser.until(DRAWN)
    x, y = browser.run(
        """(() => {
          const plot = [...Bokeh.documents[0].all_models].find((model) => model.type === "Figure");
          const frame = Bokeh.index.find_one(plot).frame;
          const box = document.querySelector(".chart .canvas").getBoundingClientRect();
          return [box.left + frame.x_scale.compute(1), box.top + frame.y_scale.compute(2.0)];
        })()"""
    )
    tip = """(() => {
      let found = "";
      const search = (root) => {
        for (const each of root.querySelectorAll("*")) {
          if (each.classList.contains("bk-tooltip-row-value")) found += each.textContent + " ";
          if (each.shadowRoot) search(each.shadowRoot);
        }
      };
      search(document);
      return found.split(/\\s+/).join(" ").trim();
    })()"""
    browser.move(x - 3, y - 3)
    browser.move(x, y)
    browser.until(f"{tip} === 'total 1 2.0000'")  # the line's loss of 2 at epoch 1


def test_a_running_training_loads_itself_again_and_a_finished_one_does_not(browser, tmp_path):
    refresh = "document.querySelector('meta[http-equiv=refresh]')?.content"
    browser.open(written(tmp_path, running=True))
    assert browser.run(refresh) == "30"
    browser.open(written(tmp_path, error="epoch 0: the loss is not finite"))
    assert browser.run(refresh) is None
    assert "not finite" in browser.run("document.querySelector('[role=alert]').textContent")
