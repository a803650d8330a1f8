"""Entry: one image of a Pascal VOC data set, and its annotation."""

from __future__ import annotations

import dataclasses
import os

from gluon_yolo.data.images.files import ImageFolder, StemFolder
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.voc.xml_file import Annotation, read_annotation

XML = ".xml"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image that a split names.

    Args:
        stem: its name without ending.
        annotation: path of its XML file, which may not exist.
        images: the folder of the image.
        annotations: the folder of all annotations.
        flat: the stem without folders, when no other annotation has it; the image may have this name.
    """

    stem: str
    annotation: str
    images: ImageFolder
    annotations: StemFolder
    flat: str | None = None

    def images_meant(self, filename: str | None = None) -> list[str]:
        """Return the image's path, by the stem or by its annotation's file name; several if it is ambiguous.

        An image of another name that has its own annotation is not returned: this annotation is then a copy.
        """
        paths = self.images.find(self.stem, filename)
        if not paths and self.flat:
            paths = self.images.find(self.flat, filename)
        if not paths:
            paths = self.images.in_any_case(self.stem)
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

    def images_found(self) -> list[str]:
        """Return the image's path, by its stem or otherwise by the file name in its annotation."""
        images = self.images_meant()
        if not images:
            try:
                return self.images_meant(read_annotation(self.annotation).filename)
            except BadFile:
                return []
        return images

    def is_there(self) -> bool:
        """Return whether its annotation and an image exist."""
        return os.path.exists(self.annotation) and bool(self.images_found())
