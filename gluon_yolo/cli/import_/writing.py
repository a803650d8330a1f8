"""Writing: what the commands that import a model have in common."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gluon_yolo.cli.calling import typed
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.models.build import Architecture
    from gluon_yolo.models.detector import DetectionNetwork


def write_model(
    net: DetectionNetwork,
    architecture: Architecture,
    out: str,
    size_hw: tuple[int, int],
    origin: dict[str, Any],
    report: Sequence[str],
) -> None:
    """Write a network as a folder; say what was read, what it is, where it is and how to use it.

    Args:
        net: the network with its weights.
        architecture: what built it.
        out: the folder.
        size_hw: of its input in pixels.
        origin: for the record.
        report: lines on what was read.

    Raises:
        UserError: the folder holds something or cannot be written, or the weights are damaged.
    """
    from gluon_yolo.exporters.model_dir import write_folder
    from gluon_yolo.models.darknet.network import CFG
    from gluon_yolo.models.summary import summarize

    folder = write_folder(net, out, size_hw, architecture.fit, origin)
    counts = summarize(net, size_hw)
    spec = net.spec
    classes = counted(spec.num_classes, "class")
    classes += f" ({spec.class_names[0]})" if spec.num_classes == 1 else ""
    strides = ", ".join(map(str, spec.strides))
    print(*report, sep="\n")
    print(
        f"{net.zoo_name}: {counts.parameters:,} parameters, {counts.flops / 1e9:.3f} GFLOPs, {classes}, "
        f"input {size_hw[0]}x{size_hw[1]} by {architecture.fit}, strides {strides}"
    )
    place = shlex.quote(str(folder))
    network = shlex.quote(str(folder / CFG)) if (folder / CFG).is_file() else architecture.name
    print(f"the model is in {folder}; it was read back, and gives the same. Use it:")
    for use in (
        f"demo --model {place} PICTURES",
        f"eval --model {place} --data DATA",
        f"export {place} --out FOLDER",
        f"train --network {network} --weights {place} --data DATA",
    ):
        print(typed(f"  gluon-yolo {use}"))
