"""ExportedFormat: one format of an exported model, as the model's record names it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.inference.runtimes.fixed_shape import ANY, FixedShape

# What the files of each format are called, after the model's name; the first is the one to open.
ENDINGS = {
    "symbol": ("-symbol.json", "-0000.params"),
    "onnx": (".onnx",),
    "ncnn": (".param", ".bin"),
    "openvino": ("-openvino.xml", "-openvino.bin"),
    "mnn": (".mnn",),
}
CUTS = ("nms", "decoded", "raw")
_SELDOM = ("fixed", "portable", "runtimes")  # which a record leaves out where they say nothing
RAW_MAP = "raw_map_"  # with a level's number, the name within a symbol of what gives its raw map


@dataclasses.dataclass(frozen=True)
class ExportedFormat:
    """One format of an exported model.

    Args:
        files: their names beside the record, the one to open first.
        cut: where the graph ends: ``nms``, ``decoded`` or ``raw``.
        outputs: the graph's output names.
        decoded: names, within a symbol, of its decoded boxes and scores; empty where it ends before them.
        nms: the thresholds written into a graph cut at ``nms``.
        fixed: batch, height and width that the graph takes alone; None where it takes any.
        portable: of a graph in int8, whether processors without VNNI compute it as those with it do.
        runtimes: those that were scored with it and lost little enough; empty where none was scored.
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
        """What the graph takes alone."""
        return ANY if self.fixed is None else FixedShape(*self.fixed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, fit for JSON."""
        record = dataclasses.asdict(self)
        return {key: value for key, value in record.items() if value or key not in _SELDOM}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ExportedFormat:
        """Read what :meth:`to_dict` gave.

        Raises:
            KeyError: a field is missing.
            ValueError: the cut is unknown, or a file lies elsewhere.
        """
        files = tuple(record["files"])
        if not files or any(Path(file).name != file for file in files):
            raise ValueError(f"files {files}")
        if record["cut"] not in CUTS:
            raise ValueError(f"cut {record['cut']!r}")
        outputs, decoded = tuple(record["outputs"]), tuple(record.get("decoded", ()))
        fixed = record.get("fixed")
        if fixed is not None:
            batch, height, width = map(int, fixed)
            fixed = (batch, height, width)
        portable, runtimes = bool(record.get("portable")), tuple(record.get("runtimes", ()))
        return cls(files, record["cut"], outputs, decoded, record.get("nms"), fixed, portable, runtimes)


def read_formats(record: Mapping[str, Any], folder: Path) -> dict[str, ExportedFormat]:
    """Return the graphs of a record that was read from a file in a folder.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a field is missing or wrong.
    """
    if record["format"] < 2:
        return _of_format_1(record, folder)
    return {kind: ExportedFormat.from_dict(exported) for kind, exported in record["graphs"].items()}


def _of_format_1(record: Mapping[str, Any], folder: Path) -> dict[str, ExportedFormat]:
    """Return the graphs of a record that named no files, and of one graph only where it ends."""
    if record.get("cut") is None:
        return {}
    files = {kind: [f"{record['name']}{end}" for end in ENDINGS[kind]] for kind in ("symbol", "onnx", "ncnn")}
    there = [kind for kind, names in files.items() if (folder / names[0]).is_file()] or ["symbol"]
    formats = {kind: ExportedFormat.from_dict({**record, "files": files[kind]}) for kind in there}
    if "ncnn" in formats:
        raw = tuple(f"raw_{level}" for level in range(len(record["spec"]["strides"])))
        formats["ncnn"] = ExportedFormat(formats["ncnn"].files, "raw", raw)
    return formats
