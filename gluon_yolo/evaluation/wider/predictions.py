"""Predictions as WIDER FACE's official tools read them: a text file of each image, in its event's folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.detection_store import DetectionStore
from gluon_yolo.evaluation.wider.ground_truth import GroundTruth
from gluon_yolo.evaluation.wider.metric import stem_of
from gluon_yolo.file_names import is_plain
from gluon_yolo.text import counted

log = logging.getLogger("gluon_yolo")

_NUMBERS = 5  # of a box's line
_LONGEST = 1024  # letters of a line with a name


def write_predictions(
    folder: str | os.PathLike[str],
    dataset: Dataset,
    detections: DetectionStore,
    ground_truth: GroundTruth | None = None,
) -> None:
    """Write ``EVENT/NAME.txt`` for each image: its name, the number of boxes, and a line for each of them.

    Files of this form that are there for other images are of an earlier run: they are removed when all are
    written, since who scores the folder would take them for this run's. Other files stay.

    Args:
        folder: to write to; it is made when missing.
        dataset: the images.
        detections: of each image.
        ground_truth: has the event of an image. None takes the folder that the image is in.

    Raises:
        NotWritten: a file cannot be written.
    """
    written = set()
    for index in range(len(dataset)):
        stem = stem_of(dataset, index)
        event = PurePath(dataset.name(index)).parent.name
        if ground_truth is not None:
            event = ground_truth.events.get(stem, event)
        event = event if is_plain(event) else ""
        path = Path(folder) / event / f"{stem}.txt"
        written.add(path)
        with writing(path, "name another place"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_text("\n".join([stem, *_lines(detections[index])]) + "\n", encoding="utf-8")
    with writing(Path(folder), "name another place"):
        _remove_earlier(Path(folder), written)


def _remove_earlier(folder: Path, written: set[Path]) -> None:
    """Remove the predictions of an earlier run, and folders that are empty then."""
    others = {*folder.glob("*.txt"), *folder.glob("*/*.txt")} - written
    earlier = [path for path in sorted(others) if _is_prediction(path)]
    for path in earlier:
        path.unlink()
        if path.parent != folder and not any(path.parent.iterdir()):
            path.parent.rmdir()
    if earlier:
        log.info("%s: %s of an earlier run removed", folder, counted(len(earlier), "file"))


def _is_prediction(path: Path) -> bool:
    """Return whether a file has the form of :func:`write_predictions`."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8") as file:
            name, count = file.readline(_LONGEST), file.readline(_LONGEST).strip()
            boxes = [line for line in file if len(line.split()) == _NUMBERS]
    except (OSError, UnicodeDecodeError):
        return False
    return name == f"{path.stem}\n" and count == str(len(boxes))


def _lines(found: Detections) -> Iterator[str]:
    """Yield the number of boxes, and ``x y width height score`` of each, best first."""
    assert found.scores is not None
    yield str(len(found))
    order = (-found.scores).argsort(kind="stable")
    for (left, top, right, bottom), score in zip(
        found.boxes[order].astype(float).tolist(), found.scores[order].astype(float).tolist()
    ):
        # Nine digits give a float32 back as it was.
        yield " ".join(f"{value:.9g}" for value in (left, top, right - left, bottom - top, score))
