"""Input sources: messages about folders without images, or with ignored files."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.inference.inputs import find_sources, left_out_of


def test_a_folder_of_images_of_a_kind_that_is_not_read(tmp_path: Path) -> None:
    for name in ("a.gif", "b.GIF", "c.heic"):
        (tmp_path / name).write_bytes(b"")
    left_out = "left out: 2 .gif, 1 .heic, which are not read: save them as PNG or JPEG"
    sources, problems = find_sources([str(tmp_path)])
    assert (sources, problems) == ([], [f"{tmp_path}: no pictures or videos in this folder; {left_out}"])
    assert left_out_of([str(tmp_path)]) == []  # there is a message already
    (tmp_path / "d.png").write_bytes(b"")
    sources, problems = find_sources([str(tmp_path)])
    assert (len(sources), problems) == (1, [])
    assert left_out_of([str(tmp_path)]) == [f"{tmp_path}: {left_out}"]


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    assert find_sources([str(tmp_path)]) == ([], [f"{tmp_path}: no pictures or videos in this folder"])
