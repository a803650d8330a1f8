"""Tables of results as HTML for a notebook, as pandas frames, and as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

from gluon_yolo.errors import MissingDependency, explain


def html_table(header: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return a table in HTML, with all text escaped.

    Args:
        header: the names of the columns.
        rows: the cells of each row, formatted with ``str``.
        caption: one line above the table; no line when empty.
    """
    head = "".join(f"<th>{_escaped(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def aligned(rows: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    """Return rows of cells as lines of equal length.

    Args:
        rows: equally many cells in each.
        words: number of first columns that are aligned to the left; the others, numbers, are to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join([*map(str.ljust, row[:words], widths), *map(str.rjust, row[words:], widths[words:])])
        for row in rows
    ]


def html_lines(text: str) -> str:
    """Return a paragraph in HTML with the line breaks of a text, which is escaped."""
    return f"<p>{'<br>'.join(map(_escaped, text.splitlines()))}</p>"


def _escaped(value: object) -> str:
    return html.escape(str(value))


def frame(columns: Any, index: Any = None) -> Any:
    """Return a pandas frame.

    Args:
        columns: a dict of columns, or a list of rows, each a dict.
        index: the index of the rows. None numbers them.

    Raises:
        MissingDependency: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingDependency(explain(error, "pandas")) from error
    return pandas.DataFrame(columns, index=index)


def json_list(records: Iterable[dict[str, Any]]) -> str:
    """Return records as a JSON list, one object a line."""
    return f"[\n{json_lines(records)}\n]\n"


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """Return the lines of a JSON list, without its brackets."""
    return ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
