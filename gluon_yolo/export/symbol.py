"""Write a network for mxnet, as its symbol and parameters, held to the network's own boxes and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo.compat import gluon, mx
from gluon_yolo.export import graph
from gluon_yolo.export.parity import BOUNDS, Parity, WrongResults
from gluon_yolo.export.request import Request, trial_pictures
from gluon_yolo.inference.decode import decode
from gluon_yolo.inference.graph import ENDINGS, Graph
from gluon_yolo.nn.decode import Decode, Detect
from gluon_yolo.spec import DetectionSpec

TOLERANCE = 1e-5
Parameters = dict[str, mx.nd.NDArray]


def write(request: Request, folder: Path) -> tuple[Graph, Parity]:
    """Write ``NAME-symbol.json`` and ``NAME-0000.params``, and run them as any program with mxnet does.

    The graph's input is ``data``: (B, H, W, 3) RGB pixels in 0..255, uint8 or float32, any batch, H and W
    multiples of the largest stride. It ends, by the request's cut, with ids (B, K, 1), scores (B, K, 1) and
    bboxes (B, K, 4) in input pixels, rows of -1 filling up (``nms``); with boxes (B, N, 4) and scores
    (B, N, C) (``decoded``); or with the raw maps (``raw``).

    Raises:
        UserError: when the network's weights are damaged.
        WrongResults: when the files give other boxes and scores.
    """
    cut = request.cut or "nms"
    nms = dict(vars(request.suppression)) if cut == "nms" else None
    tail = _tail(request, cut)
    symbol = graph.trace(request.net, tail)
    parameters = {
        name: parameter.list_data()[0].as_in_context(mx.cpu())
        for name, parameter in graph.parameters(request.net, tail).items()
    }
    symbol, parameters = _lowered(request, symbol, parameters)
    written = Graph(
        files=tuple(f"{request.name}{ending}" for ending in ENDINGS["symbol"]),
        cut=cut,
        outputs=tuple(symbol.list_outputs()),
        decoded=tuple(f"{node}_output" for node in graph.DECODED) if tail is not None else (),
        nms=nms,
    )
    files = [folder / file for file in written.files]
    save(symbol, parameters, files[0], files[1])
    run = _Executor(*files)
    decoded = _decoded(run, written, request.net.spec)
    parity = request.reference.demand(decoded, files[0].name, BOUNDS[request.precision])
    if request.precision == "float32" and not request.fuse:
        _check_outputs(request, tail, run, files[0].name)
    return written, parity


def save(symbol: mx.sym.Symbol, parameters: Parameters, symbol_file: Path, params_file: Path) -> None:
    """Write a symbol, and of these parameters those that it reads, as mxnet's loaders want them."""
    kinds = [("arg", name) for name in symbol.list_arguments() if name != graph.INPUT]
    kinds += [("aux", name) for name in symbol.list_auxiliary_states()]
    symbol.save(str(symbol_file))
    mx.nd.save(str(params_file), {f"{kind}:{name}": parameters[name] for kind, name in kinds})


def _tail(request: Request, cut: str) -> Decode | Detect | None:
    """Return what follows the raw maps."""
    if cut == "raw":
        return None
    spec = request.net.spec
    tail = Detect(spec, **vars(request.suppression)) if cut == "nms" else Decode(spec)
    tail.initialize(ctx=next(iter(request.net.collect_params().values())).list_ctx()[0])
    return tail


def _lowered(
    request: Request, symbol: mx.sym.Symbol, parameters: Parameters
) -> tuple[mx.sym.Symbol, Parameters]:
    """Return the graph fused and in the precision that are asked for."""
    if request.fuse:
        from gluon_yolo.export.symbol_fused import fuse

        symbol, parameters = fuse(symbol, parameters)
    if request.precision == "bfloat16":
        from gluon_yolo.export.symbol_bfloat16 import convert

        symbol, parameters = convert(symbol, parameters)
    return symbol, parameters


class _Executor:
    """Runs a symbol's files as they are, with nothing but mxnet.

    Args:
        symbol_file: the graph.
        params_file: what it reads.
    """

    def __init__(self, symbol_file: Path, params_file: Path):
        self.symbol = mx.sym.load(str(symbol_file))
        arrays = mx.nd.load(str(params_file))
        self._kinds = {
            kind: {name[4:]: array for name, array in arrays.items() if name.startswith(f"{kind}:")}
            for kind in ("arg", "aux")
        }

    def __call__(self, symbol: mx.sym.Symbol, pixels: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of a symbol, which is the file's or of its internals, for (B, H, W, 3)."""
        data = {graph.INPUT: mx.nd.array(pixels, dtype="float32")}
        arguments = {**self._kinds["arg"], **data}
        executor = symbol.bind(mx.cpu(), arguments, grad_req="null", aux_states=self._kinds["aux"])
        return [output.asnumpy() for output in executor.forward(is_train=False)]


def _decoded(
    run: _Executor, written: Graph, spec: DetectionSpec
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return what turns pixels into the boxes and scores of the file's graph, wherever it ends."""
    if not written.decoded:
        return lambda pixels: decode(run(run.symbol, pixels), spec)
    internals = run.symbol.get_internals()
    decoded = mx.sym.Group([internals[name] for name in written.decoded])

    def boxes_and_scores(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores = run(decoded, pixels)
        return boxes, scores

    return boxes_and_scores


def _check_outputs(request: Request, tail: gluon.HybridBlock | None, run: _Executor, file: str) -> None:
    """Hold the outputs of a graph that is the network's own, operator for operator, to the network's.

    Raises:
        WrongResults: they differ by more than ``TOLERANCE``, relative to an output's largest number.
    """
    picture = trial_pictures(request.size_hw)[0]
    context = next(iter(request.net.collect_params().values())).list_ctx()[0]
    expected = request.net(mx.nd.array(picture, ctx=context, dtype="float32"))
    expected = expected if tail is None else tail(*expected)
    for ours, theirs in zip(expected, run(run.symbol, picture)):
        ours = ours.asnumpy()
        error = np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max())
        if not error <= TOLERANCE:
            raise WrongResults(
                f"{file}: its outputs differ from the network's by {error:.1e}; nothing was written"
            )
