"""mxnet's files of graphs (``-symbol.json``), checked before mxnet's own reader gets them. Needs no mxnet.

That reader follows the numbers of a file's nodes without a look whether there are so many, and some operators
do more than compute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gluon_yolo import json_text
from gluon_yolo.errors import UserError
from gluon_yolo.graph.operators import unknown_operator

_MOST_OUTPUTS = 4096  # of a node


def checked_text(path: Path) -> str:
    """Return the text of an exported ``-symbol.json`` for mxnet.

    It is what was checked, written anew: another reader may understand the file in another way.

    Raises:
        UserError: the file is absent or damaged, or has an operator that no model of this package has.
    """
    try:
        record = check(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is damaged or no mxnet file ({error}); export the model again") from error
    unknown = unknown_operator(record)
    if unknown is not None:
        raise UserError(
            f"{path}: has the operator {unknown[:80]!r}, which no model of this package has; mxnet has some "
            "that run programs, so it was not read; export the model again"
        )
    return json.dumps(record, ensure_ascii=False)


def check(text: str | bytes) -> dict[str, Any]:
    """Return the record of a graph whose nodes read earlier nodes alone, and whose outputs are of its nodes.

    Raises:
        ValueError: it is no such record.
    """
    record = json_text.loads(text)
    nodes = record.get("nodes") if isinstance(record, dict) else None
    if not isinstance(nodes, list) or not nodes:
        raise ValueError("it has no list of nodes")
    for number, node in enumerate(nodes):
        if not isinstance(node, dict) or not all(isinstance(node.get(key), str) for key in ("op", "name")):
            raise ValueError(f"its node {number} has no op and name")
        for key in ("attrs", "attr", "param"):
            values = node.get(key, {})
            if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
                raise ValueError(f"its node {number} has {key} that are no words")
        _check_places(node.get("inputs"), number, f"its node {number} reads")
    _check_places(record.get("heads"), len(nodes), "it returns")
    for number in _list(record.get("arg_nodes"), "arg_nodes"):
        if not _within(number, len(nodes)):
            raise ValueError(f"it has an argument {number!r} of {len(nodes)} nodes")
    # The reader takes these as they are: places in a list of all nodes' outputs, one more than nodes.
    rows = record.get("node_row_ptr")
    if rows is not None:
        rows = _list(rows, "node_row_ptr")
        if len(rows) != len(nodes) + 1 or not all(_within(row, _MOST_OUTPUTS * len(rows)) for row in rows):
            raise ValueError("its node_row_ptr does not fit its nodes")
    return record


def _check_places(places: Any, count: int, what: str) -> None:
    """Check a list of [node, output] or [node, output, version], of nodes below ``count``."""
    for place in _list(places, what):
        numbers = _list(place, what)
        if len(numbers) not in (2, 3) or not all(_within(number, _MOST_OUTPUTS) for number in numbers[1:]):
            raise ValueError(f"{what} {place!r}")
        if not _within(numbers[0], count):
            raise ValueError(f"{what} node {numbers[0]!r}, of {count} that are there")


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what}: expected a list")
    return value


def _within(number: Any, end: int) -> bool:
    return type(number) is int and 0 <= number < end
