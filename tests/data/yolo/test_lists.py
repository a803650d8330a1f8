"""Lists of a YOLO data set's splits: valid ones, broken ones, and images that are elsewhere."""

from __future__ import annotations

import pytest

from gluon_yolo.data.yolo.source import YOLOSource
from gluon_yolo.errors import UserError
from tests.data.yolo.test_source import LABEL, add, names_of, put


@pytest.fixture
def root(tmp_path):
    """Two images and two lists, in a folder called mine."""
    root = tmp_path / "mine"
    for split in ("train", "val"):
        add(root, f"images/{split}/{split}.jpg", LABEL, f"labels/{split}/{split}.txt")
        put(root, f"{split}.txt", f"images/{split}/{split}.jpg\n")
    put(root, "my.names", "cat\ndog\n")
    return root


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the list is empty"),
        (
            b"# mine\nimages/val/val.jpg\n",
            "its first line names no picture, '# mine'; a list names one a line",
        ),
        ("images/val/val.jpg\n".encode("utf-16-le"), "not UTF-8 text; save the file as UTF-8"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "it is a Git LFS pointer: get the file itself with",
        ),
    ],
)
def test_a_broken_list_is_no_missing_split(root, split, content, problem):
    (root / f"{split}.txt").write_bytes(content)
    source = YOLOSource(root)
    assert source.parts() == {"train": "train", "val": "val"}
    with pytest.raises(UserError, match=f"/{split}.txt: .*{problem}"):
        source.open(split)
    for path in (root, root / "train.txt"):
        with pytest.raises(UserError, match=f"/{split}.txt: "):
            YOLOSource(path).open(split)


def test_all_lists_are_broken(root):
    for split in ("train", "val"):
        put(root, f"{split}.txt", "")
    with pytest.raises(UserError, match="/train.txt: the list is empty"):
        YOLOSource(root).splits()


def test_a_text_called_test_is_no_list_where_there_are_none(root):
    for split in ("train", "val"):
        (root / f"{split}.txt").unlink()
    put(root, "test.txt", "all is well\n")
    assert YOLOSource(root).splits() == ("train", "val")


def test_other_texts_are_no_lists(root):
    for name in ("train_log.txt", "notes.txt", "requirements-test.txt"):
        put(root, name, "epoch 1\n")
    assert YOLOSource(root).splits() == ("train", "val")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_encodings_that_a_mark_tells(root, encoding):
    for split in ("train", "val"):
        text = (root / f"{split}.txt").read_text()
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        (root / f"{split}.txt").write_bytes(f"{mark}{text}".encode(encoding))
    assert YOLOSource.recognises(root / "val.txt")
    assert names_of(YOLOSource(root).open("val"), root) == ["images/val/val.jpg"]


@pytest.mark.parametrize("text", ["", "images/test/t.jpg\n"])
def test_a_test_list_that_is_empty_or_whose_images_are_not_there(root, text):
    put(root, "test.txt", text)
    source = YOLOSource(root)
    assert source.parts() == {"train": "train", "val": "val"}
    (remark,) = source.remarks()
    assert remark.startswith(f"test: left out: {root}/test.txt: ")
    with pytest.raises(UserError, match="test.txt: "):
        source.open("test")


def test_two_lists_of_one_name(root):
    put(root, "val.list", "images/val/val.jpg\n")
    with pytest.raises(UserError, match=r"val\.txt: is a list of the split val, and so is .*val\.list"):
        YOLOSource(root).splits()
    assert YOLOSource.recognises(root)


@pytest.mark.parametrize("left", ["val.heic", None])
def test_a_folder_of_nothing_that_is_read(root, left):
    for split in ("train", "val"):
        (root / f"{split}.txt").unlink()
    image = root / "images/val/val.jpg"
    image.rename(image.with_name(left)) if left else image.unlink()
    source = YOLOSource(root)
    assert source.splits() == ("train", "val")
    problem = "no picture in it" + ("; .*left out: 1 .heic, which are not read" if left else "$")
    with pytest.raises(UserError, match=f"images/val: {problem}"):
        source.open("val")


@pytest.fixture
def other(root, monkeypatch):
    """Another data set with images of the same names, in the current folder."""
    other = root.parent / "other"
    for split in ("train", "val"):
        add(other, f"images/{split}/{split}.jpg", LABEL, f"labels/{split}/{split}.txt")
    monkeypatch.chdir(other)
    return other


LISTS = "train: train.txt\nval: val.txt\nnames: [cat, dog]\n"
FOLDERS = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "val.txt: line 1: there is no picture images/val/val.jpg, seen from"),
        (LISTS, "val.txt: line 1: there is no picture images/val/val.jpg, seen from"),
        (FOLDERS, "data.yaml: val: there is no list or folder images/val, seen from"),
        (f"path: images\n{FOLDERS}", "data.yaml: val: there is no list or folder images/val, seen from"),
    ],
)
def test_what_is_missing_is_not_taken_from_the_current_folder(root, other, text, problem):
    (root / "images/val/val.jpg").unlink()
    (root / "images/val").rmdir()
    if text:
        put(root, "data.yaml", text)
    with pytest.raises(UserError, match=problem) as caught:
        YOLOSource(root).open("val")
    assert "current folder" not in str(caught.value)


def test_names_are_not_taken_from_the_current_folder(root, other):
    put(other, "our.names", "dog\ncat\n")
    path = put(root, "my.data", "train = train.txt\nvalid = val.txt\nnames = our.names\n")
    with pytest.raises(UserError, match="names: there is no file our.names"):
        YOLOSource(path).class_names()


def test_where_nothing_lies_beside_the_current_folder_counts(root, other):
    """Darknet's paths are relative to the folder where it runs."""
    path = put(root / "cfg", "my.data", "train = images/train\nvalid = images/val\nnames = our.names\n")
    put(other, "our.names", "dog\ncat\n")
    source = YOLOSource(path)
    assert source.class_names() == ("dog", "cat")
    dataset = source.open("val")
    assert dataset.name(0) == "images/val/val.jpg"
    assert dataset.report.notes == [
        f"{path}: line 1: what it names is not beside it, and was found from the current folder, {other}"
    ]


def test_a_path_that_is_not_there_is_said(root):
    path = put(root / "cfg", "my.yaml", f"path: ../datasets/mine\n{FOLDERS}")
    with pytest.raises(UserError) as caught:
        YOLOSource(path).open("val")
    assert str(caught.value).endswith(f"(path: there is no folder ../datasets/mine, seen from {root}/cfg)")


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/A0.JPG", "labels/train/a0.txt"),
        ("images/train/a0.jpg", "labels/train/A0.TXT"),
        ("Images/Train/a0.jpg", "Labels/Train/a0.txt"),
        ("IMAGES/train/a0.jpg", "labels/train/a0.txt"),
        ("pictures/A0.jpg", "pictures/a0.txt"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_letter_case(tmp_path, image, label, listed):
    add(tmp_path, image, LABEL, label)
    put(tmp_path, "my.names", "cat\ndog\n")
    if listed:
        put(tmp_path, "train.txt", f"{image.lower()}\n")
    assert YOLOSource.recognises(tmp_path)
    source = YOLOSource(tmp_path)
    dataset = source.open(source.parts()["train"])
    assert names_of(dataset, tmp_path) == [image]
    assert dataset.annotations(0).class_ids.tolist() == [1]
    assert source.orphans() == []


def test_a_label_is_of_the_image_that_is_called_so(tmp_path):
    add(tmp_path, "images/A.jpg", None)
    add(tmp_path, "images/a.jpg", LABEL, "labels/a.txt")
    put(tmp_path, "my.names", "cat\ndog\n")
    dataset = YOLOSource(tmp_path).open("train")
    assert [len(dataset.annotations(i)) for i in range(2)] == [0, 1]


@pytest.mark.parametrize("other", [LABEL, "0 0.5 0.5 0.5 0.25\n"])
def test_two_labels_in_other_letter_case(tmp_path, other):
    add(tmp_path, "images/a.jpg", LABEL, "labels/a.txt")
    put(tmp_path / "labels", "a.TXT", other)
    put(tmp_path, "my.names", "cat\ndog\n")
    if other == LABEL:
        assert len(YOLOSource(tmp_path).open("train")) == 1
    else:
        with pytest.raises(
            UserError, match="differs from .*, which is a label of the same picture; remove one"
        ):
            YOLOSource(tmp_path).open("train")
