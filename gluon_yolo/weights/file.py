"""Read a weights file of any kind: its arrays, and what the file tells about the network."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gluon_yolo import json_text, parameter_file
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import Anchors, BackboneForm, DetectionSpec
from gluon_yolo.weights import bfloat16, collected_names, gluoncv, placeholder, tensor_file
from gluon_yolo.weights.readers import reader_of


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """The contents of a weights file.

    Args:
        path: the file.
        values: arrays by the network's parameter names; an array without a parameter keeps its own name.
        is_foreign: whether another program wrote the file.
        class_names: of the network in the file; None when unknown.
        anchors: of the network in the file, by ascending stride; None when unknown.
        anchors_per_level: number of anchors per cell at each level; None when unknown.
        left_out: arrays of the file that are not in ``values``, each with the reason.
        misfit: why the values are not the whole network, if this does not follow from names and shapes.
        form: of the backbone; None when unknown.
    """

    path: Path
    values: dict[str, np.ndarray]
    is_foreign: bool
    class_names: tuple[str, ...] | None
    anchors: Anchors | None
    anchors_per_level: tuple[int, ...] | None = None
    left_out: tuple[str, ...] = ()
    misfit: str | None = None
    form: BackboneForm | None = None

    @classmethod
    def read(cls, path: Path, net: DetectionNetwork) -> WeightsFile:
        """Read a file of this package, of GluonCV, or of a kind that has a reader for the network.

        Args:
            path: the file.
            net: the network that it is for.

        Raises:
            UserError: the file is absent or damaged, has no named arrays, or is of a kind that this network
                cannot read.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such weights file; give a weights file or a run's folder")
        kind = _kind(path, net)
        if kind == "params":
            return cls._read_params(path, net)
        reader = reader_of(kind, net)
        if reader is None:
            raise SettingError(
                f"{path}: looks like {_KINDS[kind]}, which is no use to {net.zoo_name}; {_ADVICE[kind]}"
            )
        foreign = reader(path, net)
        return cls(
            path,
            foreign.values,
            True,
            None,
            foreign.anchors,
            foreign.anchors_per_level,
            foreign.left_out,
            foreign.misfit,
            foreign.form,
        )

    @classmethod
    def _of_gluoncv(cls, path: Path, named: Mapping[str, mx.nd.NDArray], levels: int) -> WeightsFile:
        """Return a file of GluonCV, whose backbones are the architectures' own."""
        values, anchors = _numbers(path, named), _gluoncv_anchors(named, levels)
        return cls(path, values, True, None, anchors, form=BackboneForm())

    @classmethod
    def _read_params(cls, path: Path, net: DetectionNetwork) -> WeightsFile:
        """Read an mxnet parameter file. GluonCV orders levels by descending stride."""
        arrays = _load(path)
        levels = net.spec.num_levels
        own = {name: p.name for name, p in net._collect_params_with_prefix().items()}
        names = _without_path(arrays)
        if gluoncv.is_gluoncv(names):
            ours = gluoncv.translate(names, levels)
            named = {ours.get(name) or name: array for name, array in names.items()}
            return cls._of_gluoncv(path, named, levels)
        if collected_names.is_collected(arrays):
            if collected_names.is_folded(arrays, own):
                raise UserError(
                    f"{path}: holds an exported graph's arrays, with batch norms folded into the "
                    "convolutions, of which no network can be made again; give the run that it came from"
                )
            ours = collected_names.of_ours(list(arrays), own)
            if not ours:
                ours = collected_names.of_gluoncv(list(arrays), list(own), levels)
                named = {ours.get(name, name): array for name, array in arrays.items()}
                return cls._of_gluoncv(path, named, levels)
            names = {ours.get(name, name): array for name, array in arrays.items()}
        spec = spec_of_run(path)
        values = _numbers(path, names)
        if spec is None:
            return cls(path, values, False, None, None)
        return cls(path, values, False, spec.class_names, spec.anchors, form=spec.backbone)


def _load(path: Path) -> dict[str, mx.nd.NDArray]:
    """Return the named arrays of an mxnet parameter file."""
    try:
        arrays = parameter_file.load(path)
    except (mx.MXNetError, ValueError) as error:
        raise UserError(
            f"{path}: not a whole MXNet parameter file (truncated, or of another kind); get it anew"
        ) from error
    if not isinstance(arrays, dict) or not arrays:
        raise UserError(f"{path}: holds no named parameters; give a file saved with save_parameters")
    return arrays


def _numbers(path: Path, arrays: Mapping[str, mx.nd.NDArray]) -> dict[str, np.ndarray]:
    """Return arrays of any precision as float32.

    Raises:
        UserError: weights are integers.
    """
    numbers = {name: _float32(array.asnumpy()) for name, array in arrays.items()}
    whole = next((name for name, array in numbers.items() if array.dtype.kind in "iu"), None)
    if whole is not None and whole.endswith("weight"):
        raise UserError(
            f"{path}: holds whole numbers ({whole}: {numbers[whole].dtype}), as a quantized model does; give "
            "the float model that it was made from"
        )
    return numbers


def _float32(array: np.ndarray) -> np.ndarray:
    if array.dtype == BFLOAT16:
        return bfloat16.widen(array.view(np.uint16))
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def _without_path(arrays: Mapping[str, mx.nd.NDArray]) -> dict[str, mx.nd.NDArray]:
    """Return the arrays without a common prefix, which a block around the network gives."""
    paths = Counter(match[1] for name in arrays if (match := _PLACE.match(name)))
    path = max(paths, key=lambda path: paths[path]) if paths else ""
    return {name[len(path) :] if name.startswith(path) else name: array for name, array in arrays.items()}


def _kind(path: Path, net: DetectionNetwork) -> str:
    """Return a file's kind by its first bytes, or, where they do not tell, by its name.

    Raises:
        UserError: neither tells the kind, or the file is a placeholder.
    """
    with open(path, "rb") as file:
        start = file.read(placeholder.LENGTH)
    placeholder.refuse(path, start)
    if tensors := tensor_file.kind_of(path):
        return tensors
    if start.startswith(_PARAMS):
        return "params"
    version = struct.unpack("<iii", start[:12]) if len(start) >= 12 else (-1,)
    if all(0 <= part <= _NEWEST for part in version) or path.suffix == ".weights":
        return "darknet"
    if path.suffix in ("", ".params"):
        return "params"
    if reader_of("darknet", net):
        return "darknet"  # its reader explains what is wrong
    raise UserError(
        f"{path}: is no weights file that is read here: neither ours or GluonCV's (.params), nor darknet's "
        "(.weights), nor Yolo-FastestV2's (.pth), nor torchvision's or timm's (.pth, .safetensors)"
    )


# First part of a parameter's name in GluonCV's networks and in this package's, and any prefix.
_PLACE = re.compile(
    r"((?:\w+\.)*?)(stages|features|yolo_blocks|yolo_outputs|transitions|backbone|neck|heads|layer\d+)\."
)
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])  # mxnet's dtype of bfloat16
_PARAMS = (0x112).to_bytes(8, "little")  # first bytes of a list of arrays in mxnet's format
EXPORTED = "-0000.params"
_NEWEST = 9999  # larger than any part of a darknet version
_KINDS = {"pth": "a PyTorch file", "safetensors": "a file of safetensors", "darknet": "darknet weights"}
_ADVICE = {
    "pth": "such files are read for yolo_fastestv2, and for MobileNet, MobileNetV2 and Darknet-53 backbones",
    "safetensors": "such files are read for MobileNet, MobileNetV2 and Darknet-53 backbones",
    "darknet": "name its cfg with {network} FILE.cfg, or yolo3_darknet53",
}


def spec_of_run(path: Path) -> DetectionSpec | None:
    """Return the spec of the run or exported model that a parameter file belongs to, if any."""
    exported = path.with_name(f"{path.name[: -len(EXPORTED)]}.json") if path.name.endswith(EXPORTED) else None
    records = [folder / "model.json" for folder in list(path.resolve().parents)[:3]]
    for record in [exported, *records] if exported else records:
        try:
            return DetectionSpec.from_dict(json_text.loads(record.read_text("utf-8"))["spec"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no such file, or of another program
    return None


def _gluoncv_anchors(values: Mapping[str, mx.nd.NDArray], levels: int) -> Anchors | None:
    """Return the anchors among the parameters of a GluonCV detector, in input pixels, by ascending stride."""
    stored = [values.get(f"yolo_outputs.{levels - 1 - level}.anchors") for level in range(levels)]
    return (
        tuple(
            tuple(map(tuple, level.asnumpy().astype(np.float64).reshape(-1, 2).tolist()))
            for level in stored
            if level is not None
        )
        or None
    )
