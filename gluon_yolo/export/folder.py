"""A network as a folder of the kind that a training run leaves, which every command takes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from gluon_yolo import settled
from gluon_yolo.atomic import writing
from gluon_yolo.errors import UserError
from gluon_yolo.export.trial import check_same
from gluon_yolo.inference.model_file import RUN_RECORD, ModelFile, weights_of
from gluon_yolo.inference.mxnet_runtime import from_record
from gluon_yolo.nn.detector import DetectionNetwork

_ADVICE = "choose another folder with --out"


def write_folder(
    net: DetectionNetwork,
    out_dir: str | os.PathLike[str],
    size_hw: tuple[int, int],
    fit: str = "resize",
    origin: dict[str, Any] | None = None,
) -> Path:
    """Write ``model.json``, ``weights/best.params`` and what else the network needs to be built again.

    The folder appears only after a network read back from it gave the same raw maps.

    Args:
        net: the network with its weights.
        out_dir: made here; an empty one may be there.
        size_hw: height and width of the network's input in pixels.
        fit: how pictures are brought to that size, a mode of :class:`gluon_yolo.inference.fit.Fit`.
        origin: where the network comes from, for the record.

    Returns:
        The folder.

    Raises:
        UserError: when the folder holds something or cannot be written, the size does not suit the network,
            or the weights are damaged.
        RuntimeError: when what was written is not the network.
    """
    stride = net.spec.max_stride
    if any(side % stride for side in size_hw):
        size = "x".join(map(str, size_hw))
        raise UserError(f"--size {size}: both sides must be multiples of {stride} for {net.zoo_name}")
    folder = Path(out_dir)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "holds files already" if folder.is_dir() else "is a file"
        raise UserError(f"{folder}: {what}; {_ADVICE}, or remove it first")
    record = ModelFile(net.zoo_name, net.zoo_name, net.spec, size_hw, fit=fit, origin=origin)
    with writing(folder, _ADVICE):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=folder.parent) as aside:
            made = Path(aside) / "model"
            (made / "weights").mkdir(parents=True)
            settled.save_network(net, str(made / "weights" / "best.params"))
            net.keep(made)
            record.write(made / RUN_RECORD)
            check_same(net, from_record(ModelFile.read(made / RUN_RECORD), made, weights_of(made)), size_hw)
            if folder.is_dir():
                folder.rmdir()
            os.rename(made, folder)
    return folder
