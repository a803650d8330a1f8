"""The image grid of ``gluon-yolo data check --sheet``: the worst issues, then samples of each class."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import is_image
from gluon_yolo.data.images.read import read_image
from gluon_yolo.data.quality.check import Check
from gluon_yolo.data.quality.report import BadFile, Issue
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import FONT, WHITE, draw, printable
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.visualize.grid import image_grid

WORST = 36
SAMPLES = 48
_MOST_PER_CLASS = 6
_COLUMNS = 6
_TILE_HW = (236, 300)
_LINE = 18  # height of a caption's line in pixels
_LETTERS = 36  # letters that usually fit on a line
_SCALE = 0.42  # of the font
_GREY, _INK, _MARK = 225, (0, 0, 0), (255, 0, 0)


def check_sheet(result: Check) -> np.ndarray:
    """Return one image (H, W, 3) uint8 RGB with the issues of a check, and samples of the data set."""
    tiles = [*_worst(result), *_samples(result.parts)]
    if not tiles:
        tiles = [_tile(None, ("no findings, and no boxes",))]
    return image_grid(tiles, _COLUMNS, _TILE_HW)


def _worst(result: Check) -> Iterator[np.ndarray]:
    """Yield tiles of the images with issues: errors first, the kinds in turn."""
    index = _Index(result.parts)
    cases: dict[str, dict[tuple[str, str], list[Issue]]] = {"error": {}, "warning": {}}
    for issue in result.issues:
        cases[issue.severity].setdefault((issue.kind, index.name(issue)), []).append(issue)
    ordered = [case for severity in cases.values() for case in _in_turn(severity)]
    for issues in ordered[:WORST]:
        first = issues[0]
        place = index.find(first)
        image = _read(first.file) if place is None else place[0].image(place[1])
        if image is not None:
            image = _marked(image, [f.box_xyxy for f in issues if f.box_xyxy is not None])
        count = f" ({len(issues)})" if len(issues) > 1 else ""
        yield _tile(image, (f"{first.severity}: {first.kind}{count}", index.name(first)), first.message)


def _in_turn(cases: Mapping[tuple[str, str], list[Issue]]) -> list[list[Issue]]:
    """Return the cases with the kinds in turn: the first case of each kind, the second of each, and so on."""
    kinds: dict[str, list[list[Issue]]] = defaultdict(list)
    for (kind, _), issues in cases.items():
        kinds[kind].append(issues)
    return [case for row in zip_longest(*kinds.values()) for case in row if case is not None]


class _Index:
    """Finds the image of an issue: the file of the issue, or the image with the stem of its label file.

    Args:
        parts: the data sets to search.
    """

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        self._places: dict[str, tuple[Dataset, int]] = {}
        self._names: dict[str, set[str]] = defaultdict(set)  # key -> names of images that it can mean
        for dataset in parts.values():
            for index in range(len(dataset)):
                name = dataset.name(index)
                self._places.setdefault(name, (dataset, index))
                for key in (name, Path(name).name, Path(name).stem):
                    self._names[key].add(name)

    def find(self, issue: Issue) -> tuple[Dataset, int] | None:
        """Return the data set and the index of the image; None when it is unusable or ambiguous."""
        path = Path(issue.file)
        words = issue.where.split() if path.suffix.lower() == ".json" else [path.stem]
        for key in (issue.file, *(Path(word).name for word in words)):
            if len(self._names.get(key, ())) == 1:  # with two images of one name, either can be meant
                return self._places[min(self._names[key])]
        return None

    def name(self, issue: Issue) -> str:
        """Return the name of the image, or of the issue's file when there is none."""
        place = self.find(issue)
        return issue.file if place is None else place[0].name(place[1])


def _read(file: str) -> np.ndarray | None:
    """Return an image that is in no part; None when the file is no image or cannot be read."""
    try:
        return read_image(file) if is_image(file) else None
    except BadFile:
        return None


def _marked(image: np.ndarray, boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """Return the image in its shown size (h, w, 3) with boxes marked; small boxes get a circle."""
    shown, undo = Preprocess("letterbox")(image, _body_hw())
    shown = np.ascontiguousarray(shown)
    for box in boxes:
        if not np.isfinite(box).all():
            continue
        corners = np.clip(np.array(box), 0, np.tile(image.shape[1::-1], 2)) * np.tile(undo.scale_xy, 2)
        x1, y1, x2, y2 = np.round(corners + np.tile(undo.offset_xy, 2)).astype(int).tolist()
        cv2.rectangle(shown, (x1, y1), (x2, y2), _MARK, 2)
        if abs(x2 - x1) < _LINE or abs(y2 - y1) < _LINE:
            cv2.circle(shown, ((x1 + x2) // 2, (y1 + y2) // 2), _LINE, _MARK, 2, cv2.LINE_AA)
    return shown


def _samples(parts: Mapping[str, Dataset]) -> Iterator[np.ndarray]:
    """Yield tiles of boxes of each class with their surroundings, evenly spread over the data."""
    images = [(dataset, index) for dataset in parts.values() for index in range(len(dataset))]
    truths = [dataset.annotations(index) for dataset, index in images]
    owners = np.repeat(np.arange(len(truths)), [len(truth) for truth in truths])
    class_ids = np.concatenate([np.zeros(0, dtype=np.int64), *(truth.class_ids for truth in truths)])
    used = np.unique(class_ids).tolist()
    each = max(1, min(_MOST_PER_CLASS, SAMPLES // max(1, len(used))))
    for class_id in used[:SAMPLES]:
        found = np.nonzero(class_ids == class_id)[0]
        for box in found[np.linspace(0, len(found) - 1, min(each, len(found)), dtype=int)].tolist():
            dataset, index = images[owners[box]]
            number = box - int(np.searchsorted(owners, owners[box]))  # its index within the image
            name = printable(dataset.class_names[class_id], class_id)
            caption = (f"{name}, boxes: {len(found):,}", dataset.name(index))
            yield _tile(_crop(dataset, index, number), caption)


def _crop(dataset: Dataset, index: int, number: int) -> np.ndarray:
    """Return a crop around one box, with a margin of half its longer side on each side."""
    image, truth = dataset.image(index), dataset.annotations(index)[[number]]
    x1, y1, x2, y2 = truth.boxes[0].tolist()
    margin = max(x2 - x1, y2 - y1, 32) / 2
    left, top = max(0, round(x1 - margin)), max(0, round(y1 - margin))
    part = image[top : round(y2 + margin), left : round(x2 + margin)]
    shown, undo = Preprocess("letterbox")(part, _body_hw())
    box = (truth.boxes - np.tile((left, top), 2)) * np.tile(undo.scale_xy, 2) + np.tile(undo.offset_xy, 2)
    return draw(shown, Detections(box, truth.class_ids), dataset.class_names, labels=False)


def _body_hw() -> tuple[int, int]:
    """Return the (height, width) of a tile without its caption of two lines."""
    return _TILE_HW[0] - 2 * _LINE, _TILE_HW[1]


def _tile(body: np.ndarray | None, caption: Sequence[str], text: str = "") -> np.ndarray:
    """Return a tile: two lines of caption on white, and below them an image, or a text on grey."""
    tile = np.full((*_TILE_HW, 3), WHITE, dtype=np.uint8)
    if body is not None:
        tile[2 * _LINE :] = Preprocess("letterbox")(body, _body_hw())[0]
        text = ""
    else:
        tile[2 * _LINE :] = _GREY
    lines = [*caption, *textwrap.wrap(text, _LETTERS)][: _TILE_HW[0] // _LINE]
    for number, line in enumerate(lines, 1):
        cv2.putText(tile, _fitting(line), (3, number * _LINE - 5), FONT, _SCALE, _INK, 1, cv2.LINE_AA)
    return tile


def _fitting(text: str) -> str:
    """Return the end of a text that fits on a tile, in ASCII; the end of a path is its most useful part."""
    letters = text.encode("ascii", "replace").decode()
    for begin in range(len(letters)):
        shown = f"...{letters[begin + 3 :]}" if begin else letters
        if cv2.getTextSize(shown, FONT, _SCALE, 1)[0][0] <= _TILE_HW[1] - 6:
            return shown
    return letters[:1]
