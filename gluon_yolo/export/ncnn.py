"""Export a network as ncnn's two files, held to the network's own boxes and scores before they count."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo.export import ncnn_file
from gluon_yolo.export.parity import Bound, Parity, compare
from gluon_yolo.export.publish import published
from gluon_yolo.export.request import checked_name, trial_pictures
from gluon_yolo.export.symbol_reader import read_network
from gluon_yolo.inference import ncnn_runtime
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.nn.detector import DetectionNetwork


def export(
    net: DetectionNetwork,
    out_dir: str | os.PathLike[str],
    name: str | None = None,
    size_hw: tuple[int, int] = (416, 416),
    storage: str = "float32",
    fit: str = "resize",
) -> tuple[Path, Parity]:
    """Write ``NAME.param``, ``NAME.bin`` and ``NAME.json``; the graph ends at the raw maps.

    The files appear only after ncnn gave the network's own boxes and scores with them.

    Args:
        net: the network with its weights.
        out_dir: made when absent.
        name: stem of the files; the network's name by default.
        size_hw: input size that the record names, and that the trial uses.
        storage: of the weights, as :func:`gluon_yolo.export.ncnn_file.write_model` takes it.
        fit: how pictures are brought to the input, for the record.

    Returns:
        The path of ``NAME.json``, and the largest differences.

    Raises:
        UserError: when an operator has no counterpart, the size does not suit the network, its weights are
            damaged, or the folder cannot be written.
        RuntimeError: when the files do not give the network's results.
    """
    name = checked_name(net, name, size_hw)
    layers = ncnn_file.make_layers(read_network(net))
    outputs = tuple(f"raw_{level}" for level in range(net.spec.num_levels))
    record = ModelFile(name, net.zoo_name, net.spec, size_hw, cut="raw", outputs=outputs, fit=fit)
    files = tuple(f"{name}{ending}" for ending in (".bin", ".param", ".json"))
    with published(out_dir, files) as aside:
        ncnn_file.write_model(layers, aside, name, storage)
        record.write(aside / files[-1])
        runtime = ncnn_runtime.NcnnRuntime(aside, name, net.spec)
        parity = compare(net, runtime, trial_pictures(size_hw), Bound(*ncnn_file.BOUNDS[storage]))
        if not parity.holds:
            raise RuntimeError(f"{name}: {parity}; nothing was written")
    return Path(out_dir) / files[-1], parity
