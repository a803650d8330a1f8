"""Cfg files: what is read, what is rejected, and writing."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.plan import make_plan
from tests.models.darknet.small import BACKBONE, NET, SMALL, YOLO, parsed

CFGS = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-500k", "yoloface-100k", "yoloface-50k", "cfg")


def test_what_counts():
    """AlexeyAB's syntax: spaces anywhere, both kinds of comment, also after values, repeated sections."""
    top = "# top\n[net]\n width = 64 ;wide\nheight=32#high\n\n"
    text = top + "[route]\nlayers = -1, 8\n ; no\n[route]\nlayers=-4,\n"
    net, first, second = parsed(text).sections
    assert (net.get_int("width"), net.get_int("height"), net.get_int("batch", 7)) == (64, 32, 7)
    assert first.get_ints("layers") == (-1, 8)
    assert second.get_ints("layers") == (-4,)
    assert (first.name, first.line, second.line, second.entries["layers"].line) == ("route", 6, 9, 10)


def test_types():
    net = parsed("[net]\nmomentum=.9\nscales=.1,.2\npolicy=steps\nwidth=64\n").sections[0]
    assert net.get_float("momentum") == 0.9
    assert net.get_floats("scales") == (0.1, 0.2)
    assert net.get_text("policy") == "steps"
    assert net.unread() == ("width",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with [net]"),
        ("[yolo]\nmask=1\n", "does not begin with [net]"),
        ("width=3\n", ":1: 'width=3' stands before any section"),
        ("[net]\nwidth=64\n[convol", ":3: '[convol': the closing bracket is missing"),
        ("[net]\nwidth=64\nheigh", ":3: [net] 'heigh': expected key=value; is the file cut short?"),
        ("[net]\nwidth=\n", ":2: [net] 'width=': expected key=value"),
    ],
)
def test_no_cfg(text, message, tmp_path):
    path = tmp_path / "bad.cfg"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_cfg(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.cfg: cannot be read"):
        read_cfg(tmp_path / "none.cfg")


@pytest.mark.parametrize(
    ("method", "value", "message"),
    [
        ("get_int", "3.5", "small.cfg:2: \\[net\\] key=3.5: expected a whole number"),
        ("get_int", "4e5", "small.cfg:2: \\[net\\] key=4e5: expected a whole number"),  # darknet reads 4
        ("get_int", "1_0", "small.cfg:2: \\[net\\] key=1_0: expected a whole number"),
        ("get_float", "nan", "small.cfg:2: \\[net\\] key=nan: expected a number"),
        ("get_float", "1e999", "small.cfg:2: \\[net\\] key=1e999: expected a number"),
        ("get_float", "x", "small.cfg:2: \\[net\\] key=x: expected a number"),
        ("get_ints", "1,x", "small.cfg:2: \\[net\\] key=1,x: expected whole numbers with commas"),
        ("get_floats", "1,,2", "small.cfg:2: \\[net\\] key=1,,2: expected numbers with commas"),
    ],
)
def test_wrong_values_name_their_line(method, value, message):
    net = parsed(f"[net]\nkey={value}\n").sections[0]
    with pytest.raises(UserError, match=message):
        getattr(net, method)("key")
    with pytest.raises(UserError, match=r"small.cfg:1: \[net\] has no other; is the file cut short"):
        getattr(net, method)("other")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "a.cfg").write_bytes(b"\x00\x02[net]\n")
    with pytest.raises(UserError, match="a.cfg: is no text; expected a darknet cfg file"):
        read_cfg(tmp_path / "a.cfg")


TEXT = "[net]\nwidth=64 # 宽\nheight=32\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("gbk"),
        TEXT.encode("utf-8-sig"),  # from Windows' Notepad, with a byte order mark
        TEXT.encode("utf-16"),  # Notepad's "Unicode"
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        "[net] // the input\n\twidth =\u00a064, \n\n  height= 32 // in pixels".encode(),
        b"[net]\nwidth=64.0\nheight=32.\n",
        "[net]\nwidth=64\n# \u2028 and \x0b are no new line\nheight=32".encode(),
    ],
)
def test_any_editors_file(data, tmp_path):
    (tmp_path / "a.cfg").write_bytes(data)
    (net,) = read_cfg(tmp_path / "a.cfg").sections
    assert (net.get_int("width"), net.get_int("height")) == (64, 32)
    assert net.place("height") == f"{tmp_path / 'a.cfg'}:{net.entries['height'].line}: [net]"


@pytest.mark.parametrize("folder", CFGS)
def test_written_again_it_says_the_same(folder, shared_data, tmp_path):
    for path in (shared_data / "darknet" / folder).glob("*.cfg"):
        cfg = read_cfg(path)
        cfg.write(tmp_path / "again.cfg")
        again = read_cfg(tmp_path / "again.cfg")
        assert [(s.name, [(k, e.value) for k, e in s.entries.items()]) for s in cfg.sections] == [
            (s.name, [(k, e.value) for k, e in s.entries.items()]) for s in again.sections
        ]


def test_of_a_key_that_comes_again_the_first_counts():
    """As in darknet, whose published cfgs have batch twice: for testing and for training."""
    net = parsed("[net]\nbatch=1\nbatch=64\nbatch=1\n").sections[0]
    assert net.get_int("batch") == 1
    assert [(key, entry.value, entry.line) for key, entry in net.repeated] == [("batch", "64", 3)]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"least": 0}, "momentum=-1: expected a number of 0 or more"),
        ({"above": 0}, "momentum=-1: expected a number above 0"),
        ({"below": -2}, "momentum=-1: expected a number below -2"),
    ],
)
def test_numbers_out_of_range(limits, message):
    net = parsed("[net]\nmomentum=-1\n").sections[0]
    with pytest.raises(UserError, match=rf"^small.cfg:2: \[net\] {message}$"):
        net.get_float("momentum", **limits)
    assert net.get_float("momentum", least=-1, above=-2, below=0) == -1


def test_replacing_leaves_the_original():
    cfg = parsed(SMALL)
    other = cfg.replaced([(0, {"width": "96"}), (3, {"thresh": "0.1"})])
    assert cfg.sections[0].get_int("width") == 64
    assert other.sections[0].get_int("width") == 96
    assert other.sections[3].get_float("thresh") == 0.1


# Every line after which a file may be cut, except within the keys that only training reads.
CUT = (NET + BACKBONE + YOLO).rstrip().splitlines()


@pytest.mark.parametrize("kept", range(1, len(CUT) - 1))
def test_a_cfg_cut_in_mid_section(kept):
    with pytest.raises(UserError, match=r"small.cfg(:\d+)?: "):
        make_plan(parsed("\n".join(CUT[:kept])))
