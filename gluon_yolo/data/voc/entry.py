"""Entry: one picture of Pascal VOC's, and its annotation."""

from __future__ import annotations

import dataclasses
import os

from gluon_yolo.data.images.files import PictureFolder, StemFolder
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.voc.xml_file import Annotation, read_annotation

XML = ".xml"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One picture that a split names.

    Args:
        stem: its name without extension.
        annotation: path of its XML file, which need not exist.
        pictures: the folder to look for the picture in.
        annotations: the folder of all annotations.
        flat: the stem without folders, where no other annotation has it; a picture may be called so.
    """

    stem: str
    annotation: str
    pictures: PictureFolder
    annotations: StemFolder
    flat: str | None = None

    def pictures_meant(self, filename: str | None = None) -> list[str]:
        """Return its picture's path, called as itself or as its annotation says; several where none decides.

        A picture of another name that has an annotation of its own is not meant: the annotation is a copy.
        """
        paths = self.pictures.find(self.stem, filename)
        if not paths and self.flat:
            paths = self.pictures.find(self.flat, filename)
        if not paths:
            paths = self.pictures.in_any_case(self.stem)
        if not paths:
            return []
        name = os.path.splitext(os.path.basename(paths[0]))[0]
        own = self.annotations.find_all(os.path.join(os.path.dirname(self.stem), name))
        return paths if name == os.path.basename(self.stem) or not own else []

    def read(self) -> Annotation:
        """Return its annotation.

        Raises:
            BadFile: it cannot be read, or differs from another one, such as ``1.XML`` beside ``1.xml``.
        """
        annotation = read_annotation(self.annotation)
        for other in self.annotations.find_all(self.stem):
            if other != self.annotation and read_annotation(other) != annotation:
                problem = f"differs from {other}, which is a label of the same picture; remove one of them"
                raise BadFile(self.annotation, problem, "broken-label")
        return annotation

    def pictures_found(self) -> list[str]:
        """Return its picture's path, by its stem or, failing that, by the name that its annotation gives."""
        pictures = self.pictures_meant()
        if not pictures:
            try:
                return self.pictures_meant(read_annotation(self.annotation).filename)
            except BadFile:
                return []
        return pictures

    def is_there(self) -> bool:
        """Say whether its annotation and a picture are there."""
        return os.path.exists(self.annotation) and bool(self.pictures_found())
