"""data.yaml: values and errors."""

from __future__ import annotations

import re

import pytest

from gluon_yolo.data.yolo.data_yaml import is_data_yaml, read_data_yaml
from gluon_yolo.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="data.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_ultralytics(write):
    text = "# COCO8\npath: ../datasets/coco8 # root\ntrain: images/train\nval: images/val\ntest:\n\n"
    content = read_data_yaml(write(f"{text}names:\n  0: person\n  1: traffic light\ndownload: https://x"))
    assert content.root == "../datasets/coco8"
    assert content.places == {"train": ("images/train",), "val": ("images/val",)}
    assert (content.names, content.classes) == (("person", "traffic light"), None)


def test_roboflow(write):
    text = (
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['RBC', 'WBC']"
    )
    content = read_data_yaml(write(text))
    assert content.places["test"] == ("../test/images",)
    assert (content.root, content.names, content.classes) == (None, ("RBC", "WBC"), 2)


def test_several_places(write):
    content = read_data_yaml(write("train: [a, b.txt]\nvalid: c"))
    assert content.places == {"train": ("a", "b.txt"), "val": ("c",)}
    assert (content.names, content.classes) == (None, None)


def test_names_stay_as_written(write):
    content = read_data_yaml(write("train: a\nnames: [no, 010, 1.10, null, 'dog, cat']"))
    assert content.names == ("no", "010", "1.10", "null", "dog, cat")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: a\nnames: [a, b", "line 2: this is no valid YAML: "),
        ("train: a\n\tval: b", "line 2: this is no valid YAML: "),
        ("train: a\nnames: " + "[" * 20_000, "its lists and mappings are nested too deeply"),
        ("just words", "expected keys such as train, val and names"),
        ("train: {a: b}", "train: expected a folder, a list file, or several of them, got {'a': 'b'}"),
        ("val: a\nvalid: b", "valid names the validation data a second time"),
        ("train: a\npath: [b]", "path: expected a folder, got ['b']"),
        ("train: a\nnc: two", "nc: expected the number of classes, got 'two'"),
        pytest.param(  # int() takes 4300 digits
            f"train: a\nnc: {'9' * 5000}", "nc: expected the number of classes, got '99999", id="long nc"
        ),
        ("train: a\nnames: cat", "names: expected a list of names, or names by class id, got 'cat'"),
        ("train: a\nnames: {0: cat, 2: dog}", "names: expected the class ids 0 to 1, got 0, 2"),
        ("train: a\nnames: {a: cat}", "names: expected the class ids 0 to 0, got a"),
        ("train: a\nnames: [cat, '']", "names: expected a list of names"),
        ("train: a\nnames: [cat, dog, cat]", "names: 'cat' is both class 0 and class 2"),
        ("train: a\nkpt_shape: [17, 3]", "kpt_shape: this is a data set of key points"),
    ],
)
def test_refused(write, text, message):
    path = write(text)
    with pytest.raises(UserError, match=re.escape(f"{path}: {message}")):
        read_data_yaml(path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("data.yaml", "train: a", True),
        ("my.YML", "a: b\nnames: [c]", True),
        ("data.yaml", "names: [broken", True),  # broken, but recognisable
        ("compose.yaml", "services:\n  train: a", False),
        ("data.txt", "train: a", False),
    ],
)
def test_is_data_yaml(write, name, text, expected):
    assert is_data_yaml(write(text, name)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "train: t\nval: v\nnames: [cat]\n",
        "  train: t\n  val: v\n  names: [cat]\n",  # all lines indented
        '"train": t\n"val": v\n"names": ["cat"]\n',
        "'train' : t\n'val' : v\n'names' : ['cat']\n",
        "{train: t, val: v, names: [cat]}\n",
        '{"train": "t", "val": "v", "names": {"0": "cat"}}',
        "---\n# mine\ntrain: t\nval: v\nnames:\n- cat\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_way_to_write_it(tmp_path, text, encoding):
    path = tmp_path / "data.yaml"
    path.write_bytes(text.encode(encoding))
    assert is_data_yaml(path)
    content = read_data_yaml(path)
    assert (content.places, content.names) == ({"train": ("t",), "val": ("v",)}, ("cat",))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("model:\n  names: [a]\n  train: x\n", False),  # nested keys
        ("- train\n- val\n", False),
        ('  "train": t\n val: [', True),  # broken, which reading it reports
        ("key: [", False),
    ],
)
def test_what_is_one(tmp_path, text, is_one):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert is_data_yaml(path) is is_one
