"""VOCWriter: write a data set in the Pascal VOC layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.voc.source import CLASSES_FILE
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.data.writer import ImageStore, Writer, file_stem


class VOCWriter(Writer):
    """Writes ``JPEGImages/``, ``Annotations/``, ``ImageSets/Main/<split>.txt``, and ``classes.txt``.

    ``classes.txt`` is an addition: VOC has no order of classes, and no names of classes without objects. It
    is not written when a name ends in blanks or contains a line break, which such a file cannot hold.

    Args:
        out: the folder to make.
        class_names: C names.
    """

    format = "voc"

    def __init__(self, out: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        super().__init__(out, class_names)
        self._annotations = self.out / "Annotations"
        self._lists = self.out / "ImageSets" / "Main"
        for folder in (self._annotations, self._lists):
            folder.mkdir(parents=True)
        self._images = ImageStore(self.out / "JPEGImages")

    def write(self, split: str, dataset: Dataset, copy: bool = True) -> None:
        """Write a split's images, their annotations, and its list; see :meth:`Writer.write`."""
        names = self._images.put(dataset, copy, f"writing {split}")
        stems = [os.path.splitext(name)[0] for name in names]

        def write_one(index: int) -> None:
            file, size_hw = self._annotations / f"{stems[index]}.xml", dataset.size_hw(index)
            write_annotation(file, names[index], size_hw, dataset.annotations(index), self.class_names)

        threaded_map(write_one, range(len(names)), f"labelling {split}")
        lines = "".join(f"{stem}\n" for stem in stems)
        (self._lists / f"{file_stem(split)}.txt").write_text(lines, encoding="utf-8")

    def finish(self) -> Path:
        """Write the class names; see :meth:`Writer.finish`."""
        names = "".join(f"{name}\n" for name in self.class_names)
        if [name.rstrip() for name in self.class_names] == names.splitlines():
            (self.out / CLASSES_FILE).write_text(names, encoding="utf-8")
        return super().finish()
