"""Pascal VOC annotation files: the XML file of one image, read and written.

VOC counts pixels from one, this package from zero. Only this file converts, as GluonCV does: it subtracts one
from each of the four corners, also from ``xmax`` and ``ymax``.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import xml.etree.ElementTree as ElementTree

from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.detections import Detections

_ONE_BASED = 1.0
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_DECLARATION = re.compile(r"""\s*<\?xml\b[^>]*?(?:encoding\s*=\s*["']([\w.:-]+)["'][^>]*?)?\?>""")
_HEAD = 400  # bytes that contain the whole declaration
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# Files with one of these declared encodings may contain letters of the wider one, as Windows tools write.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "shift_jis": "cp932",
    "iso-8859-1": "cp1252",
}


@dataclasses.dataclass(frozen=True)
class AnnotatedObject:
    """One object as its file gives it, unchecked.

    Args:
        name: class name as written, without line breaks and tabs around it.
        box_xyxy: corners in zero-based pixels; NaN for a missing or invalid number.
        difficult: VOC's mark.
        written: the corners as written, for messages.
    """

    name: str
    box_xyxy: tuple[float, float, float, float]
    difficult: bool
    written: str


@dataclasses.dataclass(frozen=True)
class Annotation:
    """The content of one annotation file.

    Args:
        filename: the image's file name as written, or empty.
        size_hw: the image's (height, width) as written; None when absent or not positive.
        objects: the objects in the order of the file; messages count them from 1.
    """

    filename: str
    size_hw: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]

    def class_names(self) -> set[str]:
        """Return the class names of its objects."""
        return {thing.name for thing in self.objects}


def read_annotation(path: str | os.PathLike[str]) -> Annotation:
    """Read an annotation file.

    Raises:
        BadFile: the file is missing, is not well-formed XML, has a DOCTYPE, or an object without a name.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadFile(
            path, f"cannot read the annotation: {error.strerror or error}", "broken-label"
        ) from error
    root = _parse(path, data)
    objects = tuple(_object(path, number, node) for number, node in enumerate(root.findall("object"), 1))
    return Annotation(root.findtext("filename", "").strip(), _size_hw(root), objects)


def write_annotation(
    path: str | os.PathLike[str],
    filename: str,
    size_hw: tuple[int, int],
    truth: Detections,
    class_names: tuple[str, ...],
) -> None:
    """Write an annotation file, which :func:`read_annotation` reads back within 1e-3 pixels.

    Args:
        path: the file to write.
        filename: the image's file name.
        size_hw: the image's (height, width) in pixels.
        truth: the objects, boxes in zero-based pixels.
        class_names: names in the order of the class ids.
    """
    root = ElementTree.Element("annotation")
    _add(root, "filename", filename)
    size = ElementTree.SubElement(root, "size")
    for tag, value in zip(("width", "height", "depth"), (size_hw[1], size_hw[0], 3)):
        _add(size, tag, str(value))
    difficult = [False] * len(truth) if truth.difficult is None else truth.difficult.tolist()
    for box, class_id, is_difficult in zip(truth.boxes.tolist(), truth.class_ids.tolist(), difficult):
        node = ElementTree.SubElement(root, "object")
        _add(node, "name", class_names[class_id])
        _add(node, "difficult", str(int(is_difficult)))
        corners = ElementTree.SubElement(node, "bndbox")
        for tag, value in zip(_CORNERS, box):
            _add(corners, tag, f"{value + _ONE_BASED:.4f}".rstrip("0").rstrip("."))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8")


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def _parse(path: str, data: bytes) -> ElementTree.Element:
    """Parse without entities: a DOCTYPE is refused, because only a DOCTYPE can declare entities."""
    text = _decode(path, data)
    if "<!DOCTYPE" in text:
        raise BadFile(
            path, "the annotation has a DOCTYPE, which could declare entities; take it out", "broken-label"
        )
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise BadFile(path, f"the annotation is no well-formed XML: {error}", "broken-label") from error
    if root.tag != "annotation" and [child.tag for child in root] == ["annotation"]:
        root = root[0]  # some tools wrap the annotation
    if root.tag != "annotation":
        raise BadFile(
            path, f"the annotation's outermost element is <{root.tag}>, expected <annotation>", "broken-label"
        )
    return root


def _decode(path: str, data: bytes) -> str:
    """Return the text of an XML file without its declaration.

    Python decodes the declared encoding: the XML parser supports no multi-byte encodings such as GB2312,
    which Chinese tools write.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    head = data[: len(mark) + _HEAD].decode(_MARKS.get(mark, "latin-1"), "replace")
    declared = _DECLARATION.match(head)
    encoding = _MARKS.get(mark) or (declared and declared.group(1)) or "utf-8"
    encoding = _WIDER.get(encoding.lower(), encoding)
    try:
        text = data[len(mark) :].decode(encoding)
    except LookupError as error:
        problem = f"the annotation's encoding {encoding} is not known; save it as UTF-8"
        raise BadFile(path, problem, "broken-label") from error
    except UnicodeError as error:
        says = "says that it is" if mark or (declared and declared.group(1)) else "says no encoding, so it is"
        place = f" at byte {error.start + 1}" if isinstance(error, UnicodeDecodeError) else ""
        problem = f"the annotation {says} {encoding}, and is something else{place}; save it as UTF-8"
        raise BadFile(path, problem, "broken-label") from error
    return _DECLARATION.sub("", text, count=1)


def _size_hw(root: ElementTree.Element) -> tuple[int, int] | None:
    """Return the image size in the file; None when there is none."""
    height, width = _number(root.findtext("size/height")), _number(root.findtext("size/width"))
    return (int(height), int(width)) if 1 <= height < math.inf and 1 <= width < math.inf else None


def _object(path: str, number: int, node: ElementTree.Element) -> AnnotatedObject:
    """Read one ``<object>``; the boxes of its parts (VOC's person layout) are nested deeper and ignored."""
    name = node.findtext("name") or ""
    if set(name[: len(name) - len(name.lstrip())] + name[len(name.rstrip()) :]) & set("\n\r\t"):
        name = name.strip()  # line breaks come from the XML's layout; plain blanks may belong to the name
    if not name.strip():
        raise BadFile(path, f"object {number} has no class <name>", "broken-label")
    texts = [node.findtext(f"bndbox/{tag}") for tag in _CORNERS]
    x1, y1, x2, y2 = (_number(text) - _ONE_BASED for text in texts)
    written = " ".join(f"{tag} {(text or 'missing').strip()}" for tag, text in zip(_CORNERS, texts))
    return AnnotatedObject(name, (x1, y1, x2, y2), _number(node.findtext("difficult")) > 0, written)


def _number(text: str | None) -> float:
    """Return a number; NaN when the text is not a number."""
    try:
        return float(text or "")
    except ValueError:
        return float("nan")
