"""``weights``: what fits a network, and fetching it."""

from __future__ import annotations

import hashlib

import pytest

from gluon_yolo.cli import main
from gluon_yolo.weights import dead_hosts, download, published
from gluon_yolo.weights.download import Checksum
from gluon_yolo.weights.published import Published
from tests.weights.file_server import serving

CONTENT = b"weights" * 1000
FAMILY = "yolo_fastestv2"  # GluonCV has nothing of it


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path))
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))
    monkeypatch.delenv(download.OFFLINE, raising=False)


@pytest.fixture
def served(monkeypatch):
    """Two places: the first has nothing."""
    with serving({"w.pth": CONTENT}) as (url, asked):
        digits = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())
        places = (
            Published("some/absent", FAMILY, "test", "none", f"{url}/gone/w.pth", digits),
            Published("some/there", FAMILY, "test", "BSD", f"{url}/whole/w.pth", digits),
        )
        monkeypatch.setattr(published, "PUBLISHED", places)
        yield asked


def test_all_of_them(capsys):
    assert main(["weights"]) == 0
    header, _, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header == ["network", "weights", "licence", "from", "here"]
    names = [row[1] for row in rows]
    assert {"timm/mobilenetv2_100.ra_in1k", "torchvision/mobilenet_v2.imagenet1k_v1"} <= set(names)
    assert "gluoncv/mobilenet0.25" in names and all(row[-1] == "no" for row in rows)
    assert names.index("gluoncv/mobilenet1.0") == names.index("timm/mobilenetv1_100.ra4_e3600_r224_in1k") + 1


def test_those_of_a_network_in_any_spelling(capsys, tmp_path):
    (tmp_path / "mxnet" / "models").mkdir(parents=True)
    (tmp_path / "mxnet" / "models" / "mobilenet1.0-efbb2ca3.params").write_bytes(b"")
    assert main(["weights", "mobilenet1_0"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert {row[0] for row in rows} == {"yolo3_mobilenet1.0"}
    assert [(row[1], row[-1]) for row in rows] == [
        ("timm/mobilenetv1_100.ra4_e3600_r224_in1k", "no"),
        ("gluoncv/mobilenet1.0", "yes"),
    ]


@pytest.mark.parametrize("name", ["fastestv2", "some/there"])
def test_fetching(served, name, capsys, tmp_path):
    dead_hosts.remember("127.0.0.1")  # it is asked all the same
    assert main(["weights", name, "--fetch"]) == 0
    path = tmp_path / "weights" / "some--there" / "w.pth"
    assert capsys.readouterr().out == f"some/there (BSD): {path}\n"
    assert path.read_bytes() == CONTENT
    assert served == (["/gone/w.pth"] if name == "fastestv2" else []) + ["/whole/w.pth"]
    assert main(["weights", "some/there"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("yes")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fetch"], "--fetch: name a network or weights of the list before it"),
        (["some/absent", "--fetch"], "says 404 Not Found: there is no such file"),
        (["some/ther"], "some/ther: did you mean some/there? there is some/absent, some/there"),
        (["mobilenetv9"], "unknown network 'mobilenetv9'; did you mean"),
    ],
)
def test_mistakes_in_one_line(served, words, message, capsys):
    assert main(["weights", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: ") and message in said[-1]
