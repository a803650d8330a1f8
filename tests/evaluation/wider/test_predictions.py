"""Predictions for WIDER FACE's official tools: what is in their folder after a second run."""

from __future__ import annotations

import logging

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.wider.predictions import write_predictions


class Images:
    """Named images; all that is asked of a data set here."""

    def __init__(self, *names):
        self._names = names

    def __len__(self):
        return len(self._names)

    def name(self, index):
        return self._names[index]


FOUND = Detections(np.array([[1, 2, 4, 6], [0, 0, 9, 9]]), np.array([0, 0]), np.array([0.25, 0.5]))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_folder_has_the_predictions_of_the_last_run(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="gluon_yolo")
    write_predictions(tmp_path, Images("a/one.jpg", "a/two.jpg", "b/three.jpg"), [FOUND] * 3)
    assert (tmp_path / "a" / "one.txt").read_text() == "one\n2\n0 0 9 9 0.5\n1 2 3 4 0.25\n"
    assert files(tmp_path) == ["a", "a/one.txt", "a/two.txt", "b", "b/three.txt"] and not caplog.messages
    # What is no prediction stays: another name in it, another number of boxes, another ending, a link.
    (tmp_path / "a" / "notes.txt").write_text("my notes\n")
    (tmp_path / "a" / "cut.txt").write_text("cut\n2\n0 0 9 9 0.5\n")
    (tmp_path / "a" / "list.csv").write_text("list\n0\n")
    (tmp_path / "a" / "link.txt").symlink_to(tmp_path / "a" / "two.txt")
    write_predictions(tmp_path, Images("a/one.jpg"), [FOUND[:1]])
    assert files(tmp_path) == [
        "a",
        *(f"a/{name}" for name in ("cut.txt", "link.txt", "list.csv", "notes.txt")),
    ] + ["a/one.txt"]
    assert (tmp_path / "a" / "one.txt").read_text() == "one\n1\n1 2 3 4 0.25\n"
    assert caplog.messages == [f"{tmp_path}: 2 files of an earlier run removed"]
