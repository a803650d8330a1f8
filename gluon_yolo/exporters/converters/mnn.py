"""Export to MNN's file, with its own converter; the result is verified."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.onnx.write import write_cut
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity, WrongResults
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes.mnn import MNNRuntime
from gluon_yolo.system import interpreter

# The converter's module, not the command `mnnconvert`, which reports each model to its maker's server and
# installs a package for that. It runs in its own process, because it prints much and can end the process on
# an error.
_CONVERT = "import sys, _tools; sys.exit(not _tools.mnnconvert(sys.argv))"


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Convert the ONNX model to ``NAME.mnn`` and compare its results.

    Weights are rounded to the nearest float16; the converter would round toward zero, which shifts boxes.

    Raises:
        UserError: an operator is not supported, or the network's weights are damaged.
        WrongResults: MNN's converter fails, or MNN gives other boxes and scores.
    """
    file = f"{request.name}.mnn"
    source = folder / f"{request.name}-mnn.onnx"
    graph = write_cut(_rounded(request), source, request.cut or "decoded")
    words = ["-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(folder / file)]
    words += ["--bizCode", "gluon_yolo"]
    words += ["--fp16"] if request.precision == "float16" else []
    done = subprocess.run(interpreter.code(_CONVERT, *words), capture_output=True, text=True)
    if done.returncode or not (folder / file).is_file():
        said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise WrongResults(f"{file}: MNN's converter failed: {said[-1]}; nothing was written")
    source.unlink()
    try:
        runtime = MNNRuntime(folder / file, request.net.spec, graph.outputs, shape=graph.shape)
    except UserError as error:  # the converter does not check that its file is complete
        raise OSError("MNN could not write all of it; is the disk full?") from error
    parity = request.reference.demand(runtime, file, BOUNDS[request.precision])
    return dataclasses.replace(graph, files=(file,)), parity


def _rounded(request: Request) -> Request:
    """Return the request with its graph's weights rounded to the precision."""
    if request.precision != "float16":
        return request
    weights = {
        name: array.astype(np.float16).astype(np.float32) for name, array in request.graph.weights.items()
    }
    return request.of(dataclasses.replace(request.graph, weights=weights))
