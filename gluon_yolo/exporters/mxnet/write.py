"""Write a network for mxnet, as its symbol and parameters, held to the network's own boxes and scores."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.mxnet import trace
from gluon_yolo.exporters.mxnet.passes import convert, fuse
from gluon_yolo.exporters.request import Request, trial_images
from gluon_yolo.exporters.verify import BOUNDS, Parity, WrongResults, relative_error
from gluon_yolo.inference.decode import decode
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.spec import DetectionSpec

TOLERANCE = 1e-5
Parameters = dict[str, mx.nd.NDArray]


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
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
    symbol = trace.trace(request.net, tail)
    symbol, arrays = _lowered(request, symbol, parameter_io.on_cpu(trace.parameters(request.net, tail)))
    written = ExportedFormat(
        files=tuple(f"{request.name}{ending}" for ending in ENDINGS["symbol"]),
        cut=cut,
        outputs=tuple(symbol.list_outputs()),
        decoded=tuple(f"{node}_output" for node in trace.DECODED) if tail is not None else (),
        nms=nms,
    )
    paths = [folder / file for file in written.files]
    save(symbol, arrays, *paths)
    files, name = _Files(*paths), paths[0].name
    decoded = _decoded(files, written, request.net.spec)
    try:
        parity = request.reference.demand(decoded, name, BOUNDS[request.precision])
    except mx.MXNetError as error:
        if request.precision != "bfloat16":
            raise
        raise UserError(
            "precision bfloat16: mxnet cannot run it on this processor, which lacks AVX-512; nothing was "
            "written"
        ) from error
    if request.precision == "float32" and not request.fuse:
        _check_outputs(request, tail, files, name)
    return written, parity


def save(symbol: mx.sym.Symbol, arrays: Parameters, symbol_file: Path, params_file: Path) -> None:
    """Write a symbol, and of these parameters those that it reads, as mxnet's loaders want them.

    Raises:
        OSError: mxnet cannot write them.
    """
    kinds = [("arg", name) for name in symbol.list_arguments() if name != trace.INPUT]
    kinds += [("aux", name) for name in symbol.list_auxiliary_states()]
    chosen = {f"{kind}:{name}": arrays[name] for kind, name in kinds}
    try:
        # As it comes, mxnet leaves out the casts of bfloat16.
        symbol.save(str(symbol_file), remove_amp_cast=False)
        parameter_io.save(str(params_file), chosen)
    except mx.MXNetError as error:
        raise OSError("mxnet could not write all of it; is the disk full?") from error


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
    if request.precision == "bfloat16":
        return convert(symbol, parameters)
    return fuse(symbol, parameters) if request.fuse else (symbol, parameters)


class _Files:
    """Runs a symbol's files as they are, with nothing but mxnet.

    Args:
        symbol_file: the graph.
        params_file: what it reads.
    """

    def __init__(self, symbol_file: Path, params_file: Path):
        self.symbol = mx.sym.load(str(symbol_file))
        self._params_file = params_file

    def block(self, symbol: mx.sym.Symbol) -> gluon.SymbolBlock:
        """Return what runs a symbol, which is the file's, or of its internals."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the type of every graph's input
            block = gluon.SymbolBlock(symbol, mx.sym.var(trace.INPUT))
            block.collect_params().load(
                str(self._params_file), mx.cpu(), ignore_extra=True, cast_dtype=True, dtype_source="saved"
            )
        return block


def _run(block: gluon.SymbolBlock, pixels: np.ndarray) -> list[np.ndarray]:
    """Return the outputs for pixels (B, H, W, 3)."""
    outputs = block(mx.nd.array(pixels, dtype="float32"))
    return [output.asnumpy() for output in (outputs if isinstance(outputs, list) else [outputs])]


def _decoded(
    files: _Files, written: ExportedFormat, spec: DetectionSpec
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return what turns pixels into the boxes and scores of the files' graph, wherever it ends."""
    if not written.decoded:
        whole = files.block(files.symbol)
        return lambda pixels: decode(_run(whole, pixels), spec)
    internals = files.symbol.get_internals()
    block = files.block(mx.sym.Group([internals[name] for name in written.decoded]))

    def boxes_and_scores(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores = _run(block, pixels)
        return boxes, scores

    return boxes_and_scores


def _check_outputs(request: Request, tail: gluon.HybridBlock | None, files: _Files, name: str) -> None:
    """Hold the outputs of a graph that is the network's own, operator for operator, to the network's.

    Raises:
        WrongResults: they differ by more than ``TOLERANCE``, relative to an output's largest number.
    """
    image = trial_images(request.size_hw)[0]
    context = next(iter(request.net.collect_params().values())).list_ctx()[0]
    expected = request.net(mx.nd.array(image, ctx=context, dtype="float32"))
    expected = expected if tail is None else tail(*expected)
    for ours, theirs in zip(expected, _run(files.block(files.symbol), image)):
        error = relative_error(ours.asnumpy(), theirs)
        if not error <= TOLERANCE:
            raise WrongResults(
                f"{name}: its outputs differ from the network's by {error:.1e}{request.reference.cause}; "
                "nothing was written"
            )
