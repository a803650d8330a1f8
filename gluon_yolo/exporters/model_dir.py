"""Model folders: write a network as a folder like that of a run, and load an exported symbol again."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.damaged_weights import DamagedWeights
from gluon_yolo.exporters.folder_lock import ADVICE
from gluon_yolo.exporters.mxnet import trace
from gluon_yolo.exporters.mxnet.write import TOLERANCE
from gluon_yolo.file_names import BEST_WEIGHTS
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.inference.model_record import RUN_RECORD, ModelRecord
from gluon_yolo.inference.runtimes.exported_symbol import read_parameters
from gluon_yolo.inference.runtimes.mxnet import from_record
from gluon_yolo.landmarks import TASK as LANDMARKS
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models.build import find_architecture
from gluon_yolo.models.caffe.network import CaffeNetwork
from gluon_yolo.models.darknet.network import CFG
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.system import memory
from gluon_yolo.system.scratch import scratch_folder
from gluon_yolo.weights.darknet_header import Header


def check_same(net: Any, again: Any, size_hw: tuple[int, int]) -> None:
    """Run two networks on a random image and compare their raw maps.

    Args:
        net: the network that was written.
        again: the network that was read back, on the CPU.
        size_hw: height and width of the image in pixels.

    Raises:
        DamagedWeights: a map has values that are not finite.
        RuntimeError: the difference is larger than ``TOLERANCE`` times the map's largest value.
    """
    image = np.random.default_rng(0).integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    context = next(iter(net.collect_params().values())).list_ctx()[0]
    expected = [raw.asnumpy() for raw in net(mx.nd.array(image, ctx=context, dtype="uint8"))]
    if not all(np.isfinite(raw).all() for raw in expected):
        raise DamagedWeights(net.zoo_name)
    for ours, raw in zip(expected, again(mx.nd.array(image, dtype="uint8"))):
        error = np.abs(ours - raw.asnumpy()).max() / max(1.0, np.abs(ours).max())
        if not error <= TOLERANCE:
            raise RuntimeError(f"what was written differs from the network by {error:.1e}; it was removed")


CFG_KEY = "cfg"


def origin_of(net: DetectionNetwork, header: Header | None) -> dict[str, Any] | None:
    """Return an export's ``origin`` entry, from which the network can be built if the zoo does not have it.

    Args:
        net: the exported network.
        header: of the darknet weights that it comes from.
    """
    with tempfile.TemporaryDirectory() as place:
        net.keep(Path(place))
        cfg = Path(place) / CFG
        if not cfg.is_file():
            return None
        kept: dict[str, Any] = {CFG_KEY: cfg.read_text(encoding="utf-8")}
    return {**kept, "kind": "darknet", "header": list(dataclasses.astuple(header))} if header else kept


def load(record: ModelRecord, folder: Path) -> DetectionNetwork:
    """Build the network of an exported model, with the weights of its symbol.

    Args:
        record: of the model.
        folder: of the record.

    Raises:
        UserError: the model has no float32 symbol, its weights are folded, or a file is missing or damaged.
    """
    advice = "export the run that it came from"
    if record.task == LANDMARKS:
        raise UserError(f"{folder}: is an exported landmark network; export the imported model that it is of")
    if "symbol" not in record.formats or record.precision != "float32":
        held = f"{', '.join(record.formats)} in {record.precision}"
        raise UserError(f"{folder}: holds {held}, of which no network can be made again; {advice}")
    params_file = folder / record.exported("symbol", folder).files[1]
    arrays = read_parameters(params_file)
    net = _build(record)
    net.initialize_weights()
    wanted = trace.parameters(net, None)
    if any(name not in arrays or arrays[name].shape != wanted[name].shape for name in wanted):
        raise UserError(f"{params_file}: its weights are folded, or of another network; {advice}")
    for name, parameter in wanted.items():
        parameter.set_data(arrays[name])
    return net


def _build(record: ModelRecord) -> DetectionNetwork:
    """Build the network of a record, from the cfg in it if there is one."""
    with tempfile.TemporaryDirectory() as place:
        cfg = (record.origin or {}).get(CFG_KEY)
        if cfg:
            (Path(place) / CFG).write_text(cfg, encoding="utf-8")
        known = find_architecture(record.network, Path(place))
        return known.rebuild(record.spec)


def write_folder(
    net: DetectionNetwork | CaffeNetwork,
    out_dir: str | os.PathLike[str],
    size_hw: tuple[int, int],
    fit: str = "resize",
    origin: dict[str, Any] | None = None,
) -> Path:
    """Write ``model.json``, ``weights/best.params`` and the network's other files.

    The folder appears only after the network was read back and gave the same raw maps.

    Args:
        net: an initialized network.
        out_dir: created here; it may exist and be empty.
        size_hw: height and width of the network's input in pixels.
        fit: how images are resized to the input, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        origin: for the record.

    Returns:
        The folder.

    Raises:
        UserError: the folder is not empty or cannot be written, the size does not suit the network, or the
            weights are damaged.
        RuntimeError: the network that was read back is not the same.
    """
    spec = net.spec
    if not isinstance(spec, LandmarkSpec) and any(side % spec.max_stride for side in size_hw):
        size, stride = "x".join(map(str, size_hw)), spec.max_stride
        raise SettingError(f"{{size}} {size}: both sides must be multiples of {stride} for {net.zoo_name}")
    folder = Path(out_dir)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "holds files already" if folder.is_dir() else "is a file"
        raise SettingError(f"{folder}: {what}; {ADVICE}, or remove it first")
    record = ModelRecord(net.zoo_name, net.zoo_name, net.spec, size_hw, fit=fit, origin=origin)
    with writing(folder, ADVICE):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder.parent, "import") as aside:
            made = aside / "model"
            (made / "weights").mkdir(parents=True)
            parameter_io.save_network(net, str(made / "weights" / BEST_WEIGHTS))
            net.keep(made)
            record.write(made / RUN_RECORD)
            memory.give_back()
            check_same(net, from_record(ModelRecord.read(made / RUN_RECORD), made, weights_of(made)), size_hw)
            if folder.is_dir():
                folder.rmdir()
            os.rename(made, folder)
    return folder
