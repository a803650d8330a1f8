"""Names of files: what is refused, and what is made of a folder's name."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.file_names import LONGEST, check_name, check_text, made_name
from gluon_yolo.training.run_dir import RunFolder


@pytest.mark.parametrize(
    "name", ["cells", "My cells (2)", "Zellen-Größe", "細胞", "v1.2", "a" * LONGEST, "conx"]
)
def test_names_that_stay(name):
    assert check_name(name, "--name") == made_name(name) == name


@pytest.mark.parametrize(
    "name, why, made",
    [
        ("", "of one letter or more", ""),
        ("  ", "of one letter or more", ""),
        ("a/b", "without a folder; 'a_b' would do", "a_b"),
        ("..", "that begins with no '-', '.' or blank, and ends with no '.' or blank", ""),
        ("-x", "that begins with no '-', '.' or blank, and ends with no '.' or blank; 'x' would do", "x"),
        ("x.", "that begins with no '-', '.' or blank, and ends with no '.' or blank; 'x' would do", "x"),
        ("a:b?", "without ':'; 'a_b' would do", "a_b"),
        ("a\nb", "without '\\n'; 'a_b' would do", "a_b"),
        ("a\udcffb", "without '\\udcff'; 'a_b' would do", "a_b"),
        ("NUL", "that is none of Windows' devices; 'NUL_' would do", "NUL_"),
        ("ß" * 101, f"of {LONGEST} bytes at most; '{'ß' * 100}' would do", "ß" * 100),
    ],
)
def test_names_that_cannot_be(name, why, made):
    with pytest.raises(UserError) as caught:
        check_name(name, "--name")
    assert str(caught.value) == f"--name {name!r}: expected a plain file name {why}"
    assert made_name(name) == made


def test_a_folder_whose_name_is_no_text(tmp_path):
    check_text(tmp_path / "Zellen ä")
    with pytest.raises(
        UserError, match=r"/d\\udcff: its name is not UTF-8, so that mxnet cannot write there"
    ):
        check_text(tmp_path / "d\udcff")
    with pytest.raises(UserError, match="its name is not UTF-8"):
        RunFolder.create(tmp_path / "d\udcff", "net")
    with pytest.raises(UserError, match="its name is not UTF-8"), locked_folder(tmp_path / "d\udcff"):
        pass
    assert not list(tmp_path.iterdir())
