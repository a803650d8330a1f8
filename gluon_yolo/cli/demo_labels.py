"""Labels of ``demo``: the images with what was found in them, as a data set to train on (pseudo-labels)."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.calling import typed
from gluon_yolo.data.classes.read import check_lines
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.file_types import ending_of
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.registry import SOURCES, WRITERS
from gluon_yolo.data.split.lists import is_divided
from gluon_yolo.data.writer import Writer
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.write import write_image
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import free_path
from gluon_yolo.inference.inputs import Source
from gluon_yolo.system.scratch import scratch_folder
from gluon_yolo.text import counted

DATASET = "dataset"
FORMATS = ("yolo", "voc", "coco")
ADVICE = "name another folder with --out"
_PART = "train"
_LEAST_SIDE = 1  # pixels of a box; a reader drops boxes without area


class LabelledImages:
    """Collects images with their detections, and writes them as a data set; a context manager.

    Image files are copied byte by byte. Frames of videos, and images of URLs, wait in a temporary folder
    beside the data set. The data set is written at the end of the block, also after an error or Ctrl-C.

    Args:
        out: the folder of all results.
        format: one of ``FORMATS``; None writes nothing.
        class_names: of the model.

    Raises:
        UserError: at the beginning of the block: the format cannot hold the class names.
    """

    def __init__(self, out: Path, format: str | None, class_names: Sequence[str]) -> None:
        self._out, self._format, self._class_names = out, format, class_names
        self._names: list[str] = []
        self._sizes_hw: list[tuple[int, int]] = []
        self._truths: list[Detections] = []
        self._scratch: Path | None = None
        self._left = contextlib.ExitStack()
        self._writer: Writer | None = None
        self._place: Path | None = None

    @staticmethod
    def check(out: Path, format: str | None) -> dict[str, str | None]:
        """Check that the folder is free, and return it by its flag.

        Raises:
            UserError: it holds something already.
        """
        if format is None:
            return {}
        try:
            WRITERS[format].check_free(out / DATASET)
        except UserError as error:
            text = str(error).partition("; ")[0]
            raise UserError(f"--save-labels: {text}, which stays; {ADVICE}, or remove it") from error
        return {"--save-labels": str(out / DATASET)}

    def add(
        self, stem: str, image: np.ndarray, found: Detections, source: Source | None, frame: int | None
    ) -> None:
        """Add an image.

        Args:
            stem: of the image's result.
            image: (H, W, 3) uint8 RGB.
            found: detections in its pixels.
            source: of an image, whose file is copied; None for a frame.
            frame: number of a video's frame; None for an image.

        Raises:
            NotWritten: a frame cannot be written.
        """
        if self._format is None:
            return
        self._begin()
        if source is not None and source.path is not None:
            name = str(source.path)
        elif source is not None and source.image is not None:
            name = self._keep(f"{stem}{ending_of(source.image)}", source.image)
        else:
            name = self._keep(f"{stem}_{frame or 0:06d}.jpg", image)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        large = found[(sides >= _LEAST_SIDE).all(axis=1)]
        self._names.append(name)
        self._sizes_hw.append((image.shape[0], image.shape[1]))
        self._truths.append(Detections(large.boxes, large.class_ids))

    def _begin(self) -> None:
        """Make the folder of the data set before the first image."""
        if self._writer is None and self._format is not None:
            with writing(self._out / DATASET, ADVICE):
                self._writer = WRITERS[self._format](self._out / DATASET, self._class_names)

    def _keep(self, name: str, image: np.ndarray | bytes) -> str:
        """Write an image that is no file into the temporary folder, and return its path."""
        with writing(self._out, ADVICE):
            if self._scratch is None:
                self._scratch = self._left.enter_context(scratch_folder(self._out, "frames"))
            stem, ending = os.path.splitext(name)
            path = free_path(self._scratch, stem, ending)
            if isinstance(image, bytes):
                path.write_bytes(image)
            else:
                write_image(path, image)
        return str(path)

    def __enter__(self) -> LabelledImages:
        if self._format == "yolo":
            check_lines(self._class_names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writer is not None:
                self._write(self._writer)
        finally:
            self._left.close()

    def _write(self, writer: Writer) -> None:
        report = DatasetReport(str(self._out))
        images = ImageFiles(self._class_names, self._names, self._sizes_hw, self._truths, report)
        with writing(writer.out, ADVICE):
            writer.write(_PART, images)
            self._place = writer.finish()

    def line(self) -> str:
        """Return what was written, and the next command; empty where nothing was."""
        if self._place is None or self._format is None:
            return ""
        boxes = counted(sum(map(len, self._truths)), "box", form=",")
        images = counted(len(self._names), "picture", form=",")
        force = " --force" if is_divided(SOURCES[self._format](self._place)) else ""
        divide = typed(f"gluon-yolo data split {shlex.quote(str(self._place))}{force}")
        title = SOURCES[self._format].title
        return f"{title}, {images} with {boxes}: {self._place}; look at them, then divide them: {divide}"
