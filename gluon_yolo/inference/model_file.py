"""ModelFile: the JSON record that lies beside a model's files and says all that its user must know."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from gluon_yolo import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.inference.fit import Fit
from gluon_yolo.spec import DetectionSpec

FORMAT = 1
RUN_RECORD = "model.json"
INPUT = {"name": "data", "layout": "NHWC", "colour": "RGB", "range": [0, 255]}


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """What a model on disk is: ``NAME.json`` of an export, and ``model.json`` of a run.

    Args:
        name: stem of the files beside the record, ``NAME-symbol.json`` and ``NAME-0000.params``.
        network: its name; where that is none of the zoo's, its cfg lies beside the record.
        spec: class names, anchors, strides and coding.
        size_hw: height and width of the input in pixels; other multiples of the largest stride work as well.
        cut: where an exported graph ends: ``nms``, ``decoded`` or ``raw``; None for a run, which has none.
        outputs: the graph's output names.
        decoded: names of the graph's decoded boxes and scores; empty where the graph ends before them.
        nms: the thresholds written into a graph cut at ``nms``.
        fit: how pictures are brought to the input's size, a mode of :class:`gluon_yolo.inference.fit.Fit`.
        origin: of an imported model, the files it came from, and what writing them again takes.
        package: who wrote it.
    """

    name: str
    network: str
    spec: DetectionSpec
    size_hw: tuple[int, int]
    cut: str | None = None
    outputs: tuple[str, ...] = ()
    decoded: tuple[str, ...] = ()
    nms: dict[str, float] | None = None
    fit: str = "resize"
    origin: dict[str, Any] | None = None
    package: str = f"gluon_yolo {__version__}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, fit for JSON."""
        record = dataclasses.asdict(self)
        record["spec"] = self.spec.to_dict()
        record["input"] = {**INPUT, "size_hw": list(record.pop("size_hw")), "fit": record.pop("fit")}
        return {"format": FORMAT, **record}

    def write(self, path: Path) -> None:
        """Write the record to a file, whole or not at all."""
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> ModelFile:
        """Read what :meth:`write` wrote.

        Raises:
            UserError: when the file is absent, is no such record, or comes from a newer package.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise UserError(
                f"{path}: is not JSON ({error}); write the model again with `gluon_yolo export`"
            ) from error
        if not _is_record(record):
            raise UserError(
                f"{path}: is not the record of a model; expected NAME.json as `gluon_yolo export` writes it"
            )
        if record["format"] > FORMAT:
            raise UserError(
                f"{path}: format {record['format']} comes from {record.get('package')}; "
                f"this package reads up to {FORMAT}: update it"
            )
        try:
            height, width = record["input"]["size_hw"]
            return cls(
                name=record["name"],
                network=record["network"],
                spec=DetectionSpec.from_dict(record["spec"]),
                size_hw=(int(height), int(width)),
                cut=record.get("cut"),
                outputs=tuple(record.get("outputs", ())),
                decoded=tuple(record.get("decoded", ())),
                nms=record.get("nms"),
                fit=Fit(record["input"].get("fit", "resize")).mode,
                origin=record.get("origin"),
                package=record.get("package", ""),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: a field is missing or wrong ({error}); write the model again"
            ) from error


def find_model_file(path: Path) -> Path:
    """Return the record of the model that ``path`` means.

    Args:
        path: an export's folder, its ``NAME.json`` or one of the files beside it; a run's folder, or a
            weights file in it.

    Raises:
        UserError: when there is no model, or a folder holds several.
    """
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; give an exported model's folder or a run's folder")
    for ending in ("-symbol.json", "-0000.params", ".onnx", ".param"):
        if path.name.endswith(ending) and path.with_name(f"{path.name[: -len(ending)]}.json").is_file():
            return path.with_name(f"{path.name[: -len(ending)]}.json")
    if path.suffix == ".params":
        for folder in list(path.resolve().parents)[:3]:
            if (folder / RUN_RECORD).is_file():
                return folder / RUN_RECORD
        raise UserError(
            f"{path}: weights alone do not say of which network; keep them in their run's folder, "
            "or export them with `export --network NAME --weights FILE`"
        )
    return path


def weights_of(path: Path) -> Path:
    """Return the weights of the run that ``path`` means: a weights file itself, else the best, else the last.

    Raises:
        UserError: when the run has saved none.
    """
    if path.suffix == ".params":
        return path
    weights = find_model_file(path).parent / "weights"
    best, state = weights / "best.params", weights / "last" / "state.json"
    if best.is_file():
        return best
    try:
        return state.parent / _read_json(state)["files"]["net"]["name"]
    except (TypeError, KeyError) as error:
        raise UserError(f"{path}: has no weights yet (neither {best} nor a whole {state.parent})") from error


def _in_folder(path: Path) -> Path:
    records = [file for file in sorted(path.glob("*.json")) if _is_record(_read_json(file))]
    if not records:
        raise UserError(
            f"{path}: holds no model (a NAME.json written by `gluon_yolo export`, or a run's {RUN_RECORD})"
        )
    if len(records) > 1:
        raise UserError(
            f"{path}: holds several models; name one of {', '.join(file.name for file in records)}"
        )
    return records[0]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _is_record(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("format"), int) and "spec" in record
