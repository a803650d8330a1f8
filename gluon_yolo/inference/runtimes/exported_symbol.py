"""The files of an exported symbol: read, told by their precision, and widened to float32."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import parameter_file
from gluon_yolo.errors import UserError
from gluon_yolo.graph.node import Graph
from gluon_yolo.graph.symbol_file import checked_text
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.inference.exported_format import RAW_MAP
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.landmarks import TASK as LANDMARKS
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import DetectionSpec

INPUT = "data"
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])  # mxnet's dtype of bfloat16
_DTYPE, _BFLOAT16_CODE, _FLOAT32_CODE = "__dtype__", "12", "0"


def read_exported(
    record: ModelRecord, folder: Path
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray], DetectionSpec | None]:
    """Read an exported model's symbol up to its raw maps, or up to boxes and scores where these lack names.

    Args:
        record: of the model.
        folder: of its files.

    Returns:
        The graph, the values of its inputs, and the spec, which is None where boxes and scores come out.

    Raises:
        UserError: a file is absent or damaged, or the two files do not fit each other.
    """
    graph = record.exported("symbol", folder)
    symbol_file, params_file = (folder / file for file in graph.files)
    symbol = _read(symbol_file, _load)
    parameters = read_parameters(params_file)
    missing = set(symbol.list_inputs()) - set(parameters) - {INPUT}
    if missing:
        raise UserError(
            f"{params_file}: lacks {len(missing)} of the arrays that {symbol_file.name} reads "
            f"({sorted(missing)[0]}, ...): the two files are of different models"
        )
    if record.task == LANDMARKS:
        return symbol, parameters, None
    if not graph.decoded:
        return symbol, parameters, record.spec
    internals = symbol.get_internals()
    known = set(internals.list_outputs())
    raw = [f"{RAW_MAP}{level}_output" for level in range(record.spec.num_levels)]
    if known.issuperset(raw):  # files of older packages do not have them
        return mx.sym.Group([internals[name] for name in raw]), parameters, record.spec
    absent = [name for name in graph.decoded if name not in known]
    if absent:
        raise UserError(
            f"{symbol_file}: has no output {absent[0]}, which {record.name}.json names: it is damaged, or "
            "the two files are of different models; export the model again"
        )
    return mx.sym.Group([internals[name] for name in graph.decoded]), parameters, None


def read_parameters(path: Path) -> dict[str, mx.nd.NDArray]:
    """Return the arrays of an exported ``.params`` file by name, without mxnet's ``arg:`` and ``aux:``.

    Raises:
        UserError: the file is absent or damaged, or its arrays have no names.
    """
    arrays = _read(path, parameter_file.load)
    if not isinstance(arrays, dict):
        raise UserError(f"{path}: its arrays have no names; export the model again")
    return {name.split(":", 1)[-1]: array for name, array in arrays.items()}


def is_bfloat16(parameters: Mapping[str, mx.nd.NDArray]) -> bool:
    """Return whether a graph with these arrays computes in bfloat16."""
    return any(array.dtype == BFLOAT16 for array in parameters.values())


def is_int8(symbol: mx.sym.Symbol) -> bool:
    """Return whether a graph computes in int8."""
    return any(node.op == "_contrib_quantize_v2" for node in Graph.from_json(text_of(symbol)).nodes)


def as_float32(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a bfloat16 graph into one that computes in float32 with the same rounded weights."""
    record = json.loads(text_of(symbol))  # without mxnet's casts
    for node in record["nodes"]:
        if node.get("attrs", {}).get(_DTYPE) == _BFLOAT16_CODE:
            node["attrs"][_DTYPE] = _FLOAT32_CODE
    widened = {
        name: mx.nd.amp_cast(array, dtype="float32") if array.dtype == BFLOAT16 else array
        for name, array in parameters.items()
    }
    return mx.sym.load_json(json.dumps(record)), widened


def _load(path: Path) -> mx.sym.Symbol:
    """Return the graph of a file; mxnet follows the number of an output without a look whether it is there.

    Raises:
        UserError, ValueError: the file is damaged.
    """
    symbol = mx.sym.load_json(checked_text(path))
    graph = Graph.from_json(text_of(symbol))
    every = Graph.from_json(text_of(symbol.get_internals()))  # of the same nodes, with all outputs of each
    there = set(every.outputs)
    read = [(node.name, source) for node in graph.nodes for source in node.inputs]
    read += [("the graph", source) for source in graph.outputs]
    for reader, source in read:
        if source not in there:
            of = graph.nodes[source.node].name
            raise ValueError(f"{reader} reads output {source.number} of {of}, which has fewer")
    return symbol


def _read(path: Path, reader: Any) -> Any:
    """Read a file with one of mxnet's loaders.

    Raises:
        UserError: mxnet cannot read it.
    """
    try:
        return reader(path)
    except (mx.MXNetError, OSError, ValueError) as error:  # the message may quote damaged content
        raise UserError(f"{path}: is damaged or no mxnet file; export the model again") from error
