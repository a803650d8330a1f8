"""Demo outputs: the drawn image, a crop of each object, and a file of predictions."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.demo_labels import DATASET, FORMATS, LabelledImages
from gluon_yolo.cli.demo_written import Written
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.crops import class_folders, write_crops
from gluon_yolo.drawing.draw import draw
from gluon_yolo.drawing.landmarks import draw_landmarks
from gluon_yolo.drawing.write import write_image
from gluon_yolo.errors import UserError
from gluon_yolo.inference.detections_text import format_predictions
from gluon_yolo.inference.inputs import ResultNames, Source
from gluon_yolo.outputs import make_folder

if TYPE_CHECKING:
    from gluon_yolo.inference.face_landmarks import FaceLandmarks

CROPS, LABELS, NAMES = "crops", "labels", "classes.names"


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of drawing and of the other output files."""
    group: Any = parser.add_argument_group("results")
    group.add_argument(
        "--out", default="demo_out", metavar="DIR", help="results go there (default: %(default)s)"
    )
    json_help = (
        'write a list of {"image", "class", "score", "box": [x1, y1, x2, y2]}, boxes in the picture\'s '
        'pixels; with --landmarks also "landmarks": [[x, y], ...]'
    )
    group.add_argument("--json", metavar="FILE", help=json_help)
    crops_help = f"write each object as a picture of its own, DIR/{CROPS}/CLASS/NAME_NUMBER"
    group.add_argument("--save-crops", action="store_true", help=crops_help)
    txt_help = (
        f"write DIR/{LABELS}/NAME.txt, a line for each object, best first: class cx cy w h score, the box as "
        f"shares of the picture; of a video {LABELS}/NAME/FRAME.txt"
    )
    group.add_argument("--save-txt", action="store_true", help=txt_help)
    labels_help = (
        f"write the pictures and what was found in them as a data set to train on, DIR/{DATASET}; of a video "
        "each frame is a picture"
    )
    group.add_argument("--save-labels", choices=FORMATS, help=labels_help)
    group.add_argument("--hide-labels", action="store_true", help="draw the boxes alone")
    group.add_argument("--hide-scores", action="store_true", help="draw the names without the scores")
    width_help = "pixels of the boxes' lines (default: what suits the picture)"
    group.add_argument(
        "--line-width", type=int, action=Within, least=1, most=100, metavar="N", help=width_help
    )


def output_folders(args: argparse.Namespace, written: Written) -> dict[str, str | None]:
    """Return the output folders, by flag.

    Args:
        args: of the command.
        written: the files in the folder that ``demo`` wrote.

    Raises:
        UserError: other files are in the place of the predictions.
    """
    labels = Path(args.out) / LABELS
    stranger = next(written.strangers(labels), None) if args.save_txt else None
    if stranger is not None:
        raise UserError(
            f"--save-txt: {labels} holds label files that no demo wrote, or that were changed since, such as "
            f"{stranger.relative_to(labels)}; they are not touched: name another folder with --out"
        )
    folders = {"--out": args.out, **LabelledImages.check(Path(args.out), args.save_labels)}
    folders.update({"--save-crops": str(Path(args.out) / CROPS)} if args.save_crops else {})
    return {**folders, **({"--save-txt": str(labels)} if args.save_txt else {})}


class Outputs:
    """Draws images, and writes crops and predictions beside them.

    Args:
        class_names: of the detections.
        names: finds free file names.
        out: the folder of all results.
        crops: write each object as an image.
        txt: write predictions.
        labels: draw boxes with their labels.
        scores: labels include the scores.
        line_width: of the boxes, in pixels. None chooses it by the size of the image.
        written: notes the written files. None makes one for the folder of all results.
        labelled: gets each image with its detections. None collects none.
        landmarks: finds points in each detection. None finds none.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        names: ResultNames,
        out: Path,
        crops: bool = False,
        txt: bool = False,
        labels: bool = True,
        scores: bool = True,
        line_width: int | None = None,
        written: Written | None = None,
        labelled: LabelledImages | None = None,
        landmarks: FaceLandmarks | None = None,
    ) -> None:
        self.landmarks = landmarks
        self._labelled = labelled
        self._class_names, self._names, self._out = class_names, names, out
        self._written = written or Written(out)
        self._crops, self._txt = crops, txt
        self._style: dict[str, Any] = {"labels": labels, "scores": scores, "line_width": line_width}
        self._folders = class_folders(class_names)
        self._named = False

    def drawn(self, image: np.ndarray, found: Detections, points: np.ndarray | None = None) -> np.ndarray:
        """Return a copy of an image with its detections, and with the landmarks in them."""
        canvas = draw(image, found, self._class_names, **self._style)
        if points is None or self.landmarks is None:
            return canvas
        return draw_landmarks(canvas, points, self.landmarks.spec.groups)

    def write_drawing(
        self, result: Path, image: np.ndarray, found: Detections, points: np.ndarray | None = None
    ) -> None:
        """Write the drawing of an image.

        Raises:
            UserError: it cannot be written.
        """
        make_folder("--out", result.parent)
        write_image(result, self.drawn(image, found, points))
        self._written.note(result)

    def note_video(self, result: Path) -> None:
        """Note a written video, if it exists."""
        self._written.note(result)

    def write_beside(
        self,
        result: Path,
        image: np.ndarray,
        found: Detections,
        frame: int | None = None,
        source: Source | None = None,
    ) -> None:
        """Write the requested crops, predictions and labels of an image.

        Args:
            result: the drawing; its stem is part of their names.
            image: (H, W, 3) uint8 RGB.
            found: detections in its pixels.
            frame: number of a video's frame, from 0; None for an image.
            source: of an image; None for a frame.

        Raises:
            UserError: they cannot be written.
        """
        if self._labelled is not None:
            self._labelled.add(result.stem, image, found, source, frame)
        if self._txt:
            self._write_predictions(result, format_predictions(found, image.shape[:2]), frame)
        if self._crops:
            stem = result.stem if frame is None else f"{result.stem}_{frame:06d}"
            suffix = result.suffix if frame is None else ".jpg"
            folders = [self._out / CROPS / self._folders[class_id] for class_id in found.class_ids.tolist()]
            place, advice = partial(self._names.place, keep=False), "name another place with --save-crops"
            for path in write_crops(image, found.boxes, folders, stem, suffix, place, advice):
                self._written.note(path)

    def _write_predictions(self, result: Path, lines: str, frame: int | None) -> None:
        """Write the file of an image or a frame; before the first one, write the class names."""
        folder = self._out / LABELS
        path = folder / f"{result.stem}.txt" if frame is None else folder / result.stem / f"{frame:06d}.txt"
        if not self._named:
            self._write_text(folder / NAMES, "".join(f"{name}\n" for name in self._class_names))
            self._named = True
        self._write_text(path, lines)

    def _write_text(self, path: Path, text: str) -> None:
        """Note a file before it gets its name, and write it; after a kill, none looks like a user's file."""
        make_folder("--save-txt", path.parent)
        part = path.with_name(f"{path.name}.part")
        with writing(path, "name another place with --out"):
            part.write_text(text, encoding="utf-8", errors="surrogateescape")
            self._written.note(path, at=part)
            os.replace(part, path)
