"""Export a network for mxnet: three files that say all there is to know, tried before they count."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from gluon_yolo.compat import gluon, mx
from gluon_yolo.errors import UserError
from gluon_yolo.export import graph
from gluon_yolo.export.publish import published
from gluon_yolo.export.request import checked_name
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.nn.decode import Decode, Detect
from gluon_yolo.nn.detector import DetectionNetwork

CUTS = ("nms", "decoded", "raw")
ENDINGS = ("-symbol.json", "-0000.params", ".json")
TOLERANCE = 1e-5


def export(
    net: DetectionNetwork,
    out_dir: str | os.PathLike[str],
    name: str | None = None,
    size_hw: tuple[int, int] = (416, 416),
    cut: str = "nms",
    nms_threshold: float = 0.45,
    score_threshold: float = 0.01,
    max_candidates: int = 400,
    max_detections: int = 100,
    fit: str = "resize",
) -> Path:
    """Write ``NAME-symbol.json``, ``NAME-0000.params`` and ``NAME.json``, and try them on a random picture.

    The graph's input is ``data``: (B, H, W, 3) RGB pixels in 0..255, uint8 or float32, any batch, H and W
    multiples of the largest stride. The files appear under their names only after they gave the network's own
    results.

    Args:
        net: the network with its weights.
        out_dir: made when absent.
        name: stem of the files; the network's zoo name by default.
        size_hw: input size that the record names, and that the trial uses.
        cut: ``nms`` ends with ids (B, K, 1), scores (B, K, 1) and bboxes (B, K, 4) in input pixels, rows of
            -1 filling up; ``decoded`` with boxes (B, N, 4) and scores (B, N, C); ``raw`` with the raw maps.
        nms_threshold: written into the graph by ``nms``: overlap above which a worse box of a class falls.
        score_threshold: likewise: pairs of anchor and class at or below it are left out.
        max_candidates: likewise: pairs that enter suppression.
        max_detections: likewise: K; at most ``max_candidates``.
        fit: how the network's pictures were brought to its size, a mode of
            :class:`gluon_yolo.inference.fit.Fit`; goes into the record.

    Returns:
        The path of ``NAME.json``, which ``Predictor.load`` takes.

    Raises:
        UserError: when the folder cannot be written, the size does not suit the network, or its weights are
            damaged.
        RuntimeError: when the files do not give the network's results.
    """
    if cut not in CUTS:
        raise UserError(f"cut {cut!r}: expected one of {', '.join(CUTS)}")
    name = checked_name(net, name, size_hw)
    nms = {
        "nms_threshold": nms_threshold,
        "score_threshold": score_threshold,
        "max_candidates": max_candidates,
        "max_detections": min(max_detections, max_candidates),
    }
    tail = {"nms": lambda: Detect(net.spec, **nms), "decoded": lambda: Decode(net.spec), "raw": lambda: None}[
        cut
    ]()
    if tail is not None:
        tail.initialize(ctx=_context(net))
    symbol = graph.trace(net, tail)
    record = ModelFile(
        name=name,
        network=net.zoo_name,
        spec=net.spec,
        size_hw=(int(size_hw[0]), int(size_hw[1])),
        cut=cut,
        outputs=tuple(symbol.list_outputs()),
        decoded=tuple(f"{node}_output" for node in graph.DECODED) if tail is not None else (),
        nms=nms if cut == "nms" else None,
        fit=fit,
    )
    names = [f"{name}{ending}" for ending in ENDINGS]
    with published(out_dir, names) as aside:
        files = _write(aside, record, symbol, graph.parameters(net, tail))
        _compare(files, net, tail, record.size_hw)
    return Path(out_dir) / names[-1]


def _context(net: DetectionNetwork) -> mx.Context:
    return next(iter(net.collect_params().values())).list_ctx()[0]


def _write(
    folder: Path, record: ModelFile, symbol: mx.sym.Symbol, parameters: dict[str, gluon.Parameter]
) -> tuple[Path, ...]:
    """Write symbol, parameters and record, and return their paths in this order."""
    files = tuple(folder / f"{record.name}{ending}" for ending in ENDINGS)
    symbol.save(str(files[0]))
    kinds = [("arg", name) for name in symbol.list_arguments() if name != graph.INPUT]
    kinds += [("aux", name) for name in symbol.list_auxiliary_states()]
    arrays = {
        f"{kind}:{name}": parameters[name].list_data()[0].as_in_context(mx.cpu()) for kind, name in kinds
    }
    mx.nd.save(str(files[1]), arrays)
    record.write(files[2])
    return files


def _compare(
    files: tuple[Path, ...], net: DetectionNetwork, tail: gluon.HybridBlock | None, size_hw: tuple[int, int]
) -> None:
    """Run the files and the network on a random picture.

    Raises:
        UserError: when the network gives numbers that are not finite.
        RuntimeError: when they differ by more than ``TOLERANCE``, relative to an output's largest number.
    """
    context = _context(net)
    picture = np.random.default_rng(0).integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    pixels = mx.nd.array(picture, ctx=context, dtype="float32")
    expected = net(pixels)
    if not all(np.isfinite(raw.asnumpy()).all() for raw in expected):
        raise UserError(
            "the network's outputs are not finite numbers: its weights are damaged; nothing was written"
        )
    expected = expected if tail is None else tail(*expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of every import of a graph, about its input's type
        loaded = gluon.SymbolBlock.imports(str(files[0]), [graph.INPUT], str(files[1]), ctx=context)(pixels)
    for ours, theirs in zip(expected, loaded):
        ours, theirs = ours.asnumpy(), theirs.asnumpy()
        error = np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max())
        if error > TOLERANCE:
            raise RuntimeError(
                f"the exported files differ from the network by {error:.1e}; nothing was written"
            )
