"""One exported format of a model, as an entry of the model's record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.file_names import is_plain
from gluon_yolo.inference.runtimes.fixed_shape import ANY, FixedShape
from gluon_yolo.input_size import LONGEST

# Endings of each format's files, after the model's name; the first one is the file to open.
ENDINGS = {
    "symbol": ("-symbol.json", "-0000.params"),
    "onnx": (".onnx",),
    "ncnn": (".param", ".bin"),
    "openvino": ("-openvino.xml", "-openvino.bin"),
    "mnn": (".mnn",),
    "tflite": (".tflite",),
    "caffe": (".prototxt", ".caffemodel"),
}
ALWAYS_FIXED = ("tflite", "caffe")  # whose files take one input shape, however they are exported
CUTS = ("nms", "decoded", "raw")
_SELDOM = ("fixed", "portable", "runtimes")  # fields that a record leaves out when they are empty
RAW_MAP = "raw_map_"  # with a level's number: name in a symbol of the node with its raw map


@dataclasses.dataclass(frozen=True)
class ExportedFormat:
    """One format of an exported model.

    Args:
        files: names of its files; the first one is the file to open.
        cut: where the graph ends: ``nms``, ``decoded`` or ``raw``.
        outputs: names of the graph's outputs.
        decoded: names, within a symbol, of its decoded boxes and scores; empty where it ends before them.
        nms: thresholds in a graph that ends after NMS.
        fixed: batch, height and width of a graph with a fixed input shape; None where any shape is possible.
        portable: for int8: whether the graph gives the same result on CPUs without VNNI.
        runtimes: those whose accuracy was measured and is good enough; empty where none was measured.
    """

    files: tuple[str, ...]
    cut: str
    outputs: tuple[str, ...]
    decoded: tuple[str, ...] = ()
    nms: dict[str, float] | None = None
    fixed: tuple[int, int, int] | None = None
    portable: bool = False
    runtimes: tuple[str, ...] = ()

    @property
    def shape(self) -> FixedShape:
        """The fixed part of the input's shape."""
        return ANY if self.fixed is None else FixedShape(*self.fixed)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as a dict for JSON."""
        record = dataclasses.asdict(self)
        return {key: value for key, value in record.items() if value or key not in _SELDOM}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ExportedFormat:
        """Return the entry in a dict of :meth:`to_dict`.

        Raises:
            KeyError: a field is missing.
            ValueError: the cut is unknown, a file is in another folder, or a number is out of its range.
            TypeError, AttributeError, OverflowError: a field is of another type.
        """
        files = tuple(record["files"])
        if not files or not all(map(is_plain, files)):
            raise ValueError(f"files {files}")
        if record["cut"] not in CUTS:
            raise ValueError(f"cut {record['cut']!r}")
        outputs, decoded = tuple(record["outputs"]), tuple(record.get("decoded", ()))
        fixed = record.get("fixed")
        if fixed is not None:
            batch, height, width = map(int, fixed)
            fixed = (batch, height, width)
            if min(fixed) < 1 or max(height, width) > LONGEST:
                raise ValueError(f"fixed {fixed}")
        portable, runtimes = bool(record.get("portable")), tuple(record.get("runtimes", ()))
        for name, words in {"outputs": outputs, "decoded": decoded, "runtimes": runtimes}.items():
            if not all(isinstance(word, str) for word in words):
                raise ValueError(f"{name} {words}")
        nms = record.get("nms")
        if nms is not None and not all(0 <= float(number) < math.inf for number in nms.values()):
            raise ValueError(f"nms {nms}")
        return cls(files, record["cut"], outputs, decoded, nms, fixed, portable, runtimes)


def read_formats(record: Mapping[str, Any], folder: Path) -> dict[str, ExportedFormat]:
    """Return the formats in a record that was read from a file in ``folder``.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: a field is missing or invalid.
    """
    if record["format"] < 2:
        return _of_format_1(record, folder)
    formats = {kind: ExportedFormat.from_dict(exported) for kind, exported in record["graphs"].items()}
    for kind, exported in formats.items():
        _check_endings(kind, exported.files)
    return formats


def _check_endings(kind: str, files: tuple[str, ...]) -> None:
    """Demand a format's own kinds of files: some runtimes choose a reader by the ending.

    Raises:
        ValueError: it has others.
    """
    wanted = tuple(Path(ending).suffix or ending for ending in ENDINGS.get(kind, ()))
    if wanted and tuple(Path(file).suffix.lower() for file in files) != wanted:
        raise ValueError(f"files {files} of {kind}: expected {' and '.join(wanted)}")


def _of_format_1(record: Mapping[str, Any], folder: Path) -> dict[str, ExportedFormat]:
    """Return the formats in a record of format 1, which names no files and describes one graph."""
    if record.get("cut") is None:
        return {}
    files = {kind: [f"{record['name']}{end}" for end in ENDINGS[kind]] for kind in ("symbol", "onnx", "ncnn")}
    there = [kind for kind, names in files.items() if (folder / names[0]).is_file()] or ["symbol"]
    formats = {kind: ExportedFormat.from_dict({**record, "files": files[kind]}) for kind in there}
    if "ncnn" in formats:
        raw = tuple(f"raw_{level}" for level in range(len(record["spec"]["strides"])))
        formats["ncnn"] = ExportedFormat(formats["ncnn"].files, "raw", raw)
    return formats


def read_threshold(value: Any) -> float | None:
    """Return a threshold as a number; None stays None.

    Raises:
        ValueError: it does not lie within 0..1.
    """
    if value is not None and not 0 <= float(value) <= 1:
        raise ValueError(f"best_threshold {value}: expected 0..1")
    return None if value is None else float(value)
