"""Export to mxnet's symbol and parameters; the result is verified."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.mxnet import trace
from gluon_yolo.exporters.mxnet.passes import convert, fuse
from gluon_yolo.exporters.request import Request, trial_images
from gluon_yolo.exporters.verify import BOUNDS, Parity, WrongResults, relative_error
from gluon_yolo.inference.decode import decode
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import gluon, mx

TOLERANCE = 1e-5
Parameters = dict[str, mx.nd.NDArray]


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME-symbol.json`` and ``NAME-0000.params``, and compare their results in mxnet.

    The graph's input is ``data``: (B, H, W, 3) RGB pixels in 0..255, uint8 or float32, any batch, H and W
    multiples of the largest stride. Its outputs by cut: ids (B, K, 1), scores (B, K, 1) and bboxes (B, K, 4)
    in input pixels, with unused rows of -1 (``nms``); boxes (B, N, 4) and scores (B, N, C) (``decoded``); or
    the raw maps (``raw``).

    Raises:
        UserError: the network's weights are damaged.
        WrongResults: the files give other boxes and scores.
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
    """Write a symbol, and those of the parameters that it reads, in the format of mxnet's loaders.

    Args:
        symbol: to write.
        arrays: values of its inputs by name, and maybe others.
        symbol_file: path of ``NAME-symbol.json``.
        params_file: path of ``NAME-0000.params``.

    Raises:
        OSError: mxnet cannot write them.
    """
    kinds = [("arg", name) for name in symbol.list_arguments() if name != trace.INPUT]
    kinds += [("aux", name) for name in symbol.list_auxiliary_states()]
    chosen = {f"{kind}:{name}": arrays[name] for kind, name in kinds}
    # As Symbol.save writes it, whose error would not be the system's; its default removes casts to bfloat16.
    symbol_file.write_text(symbol.tojson(remove_amp_cast=False), encoding="utf-8")
    parameter_io.save(str(params_file), chosen)


def _tail(request: Request, cut: str) -> Decode | Detect | None:
    """Return the blocks after the raw maps, by cut."""
    if cut == "raw":
        return None
    spec = request.net.spec
    tail = Detect(spec, **vars(request.suppression)) if cut == "nms" else Decode(spec)
    tail.initialize(ctx=next(iter(request.net.collect_params().values())).list_ctx()[0])
    return tail


def _lowered(
    request: Request, symbol: mx.sym.Symbol, parameters: Parameters
) -> tuple[mx.sym.Symbol, Parameters]:
    """Return the graph fused and in the requested precision."""
    if request.precision == "bfloat16":
        return convert(symbol, parameters)
    return fuse(symbol, parameters) if request.fuse else (symbol, parameters)


class _Files:
    """Run a symbol's files with mxnet only.

    Args:
        symbol_file: the graph.
        params_file: the values of its inputs.
    """

    def __init__(self, symbol_file: Path, params_file: Path) -> None:
        self.symbol = mx.sym.load(str(symbol_file))
        self._params_file = params_file

    def block(self, symbol: mx.sym.Symbol) -> gluon.SymbolBlock:
        """Return a block of the symbol, or of one of its internals."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the type of the input, for every graph
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
    files: _Files, written: ExportedFormat, spec: Any
) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
    """Return a function from pixels to the boxes and scores, or points, of the files' graph, for any cut."""
    if not written.decoded:
        whole = files.block(files.symbol)
        if isinstance(spec, LandmarkSpec):
            return lambda pixels: _run(whole, pixels)
        return lambda pixels: decode(_run(whole, pixels), spec)
    internals = files.symbol.get_internals()
    block = files.block(mx.sym.Group([internals[name] for name in written.decoded]))

    def boxes_and_scores(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores = _run(block, pixels)
        return boxes, scores

    return boxes_and_scores


def _check_outputs(request: Request, tail: gluon.HybridBlock | None, files: _Files, name: str) -> None:
    """Compare the outputs of a graph that was not transformed with the network's own outputs.

    Raises:
        WrongResults: the difference is larger than ``TOLERANCE`` times the output's largest value.
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
