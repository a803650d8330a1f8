"""Export a network as an ONNX file, held to the network's own boxes and scores before it counts."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo.export.onnx_file import make_model, write_model
from gluon_yolo.export.onnx_suppression import Suppression
from gluon_yolo.export.parity import Parity, compare
from gluon_yolo.export.publish import published
from gluon_yolo.export.request import checked_name, trial_pictures
from gluon_yolo.export.symbol_reader import read_network
from gluon_yolo.inference import onnxruntime_runtime
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.nn.detector import DetectionNetwork


def export(
    net: DetectionNetwork,
    out_dir: str | os.PathLike[str],
    name: str | None = None,
    size_hw: tuple[int, int] = (416, 416),
    cut: str = "nms",
    suppression: Suppression | None = None,
    fit: str = "resize",
) -> tuple[Path, Parity]:
    """Write ``NAME.onnx`` and ``NAME.json``.

    The model takes any batch, and any height and width that are multiples of the network's largest stride.
    The files appear only after ONNX Runtime gave the network's own boxes and scores with them; a cut at
    ``nms`` is compared where it is decoded, as suppression is a choice between equals.

    Args:
        net: the network with its weights.
        out_dir: made when absent.
        name: stem of the files; the network's name by default.
        size_hw: input size that the record names, and that the trial uses.
        cut: ``nms``, ``decoded`` or ``raw`` (:func:`gluon_yolo.export.onnx_file.make_model`).
        suppression: the thresholds of ``nms``.
        fit: how pictures are brought to the input, for the record.

    Returns:
        The path of ``NAME.json``, and the largest differences.

    Raises:
        UserError: when an operator has no counterpart, the size does not suit the network, its weights are
            damaged, or the folder cannot be written.
        RuntimeError: when the file does not give the network's results.
    """
    name = checked_name(net, name, size_hw)
    suppression = suppression or Suppression()
    graph = read_network(net)
    model = make_model(graph, net.spec, name, cut, suppression, metadata={"fit": fit})
    outputs = tuple(output.name for output in model.graph.output)
    nms = vars(suppression) if cut == "nms" else None
    record = ModelFile(name, net.zoo_name, net.spec, size_hw, cut=cut, outputs=outputs, nms=nms, fit=fit)
    files = (f"{name}.onnx", f"{name}.json")
    with published(out_dir, files) as aside:
        tried = aside / files[0]
        write_model(model, tried)
        record.write(aside / files[1])
        if cut == "nms":
            tried = aside / "decoded.onnx"
            write_model(make_model(graph, net.spec, name, "decoded"), tried)
        parity = compare(net, onnxruntime_runtime.OnnxRuntime(tried, net.spec), trial_pictures(size_hw))
        if not parity.holds:
            raise RuntimeError(f"{files[0]}: {parity}; nothing was written")
    return Path(out_dir) / files[1], parity
