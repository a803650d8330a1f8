"""Tables of a page of docs/ that a benchmark writes, between markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def with_tables(page: str, tables: Mapping[str, Sequence[Sequence[str]]], script: str) -> str:
    """Return the page with its tables written anew.

    Args:
        page: the text, which has ``<!-- NAME: written by SCRIPT -->`` and ``<!-- end of NAME: ... -->``.
        tables: the rows of each, headings first, by the name in the markers.
        script: which writes them, such as ``benchmarks/choosing.py``.

    Raises:
        ValueError: a marker is missing.
    """
    for name, rows in tables.items():
        begin, end = (f"<!-- {each}: written by {script} -->" for each in (name, f"end of {name}"))
        before, first, rest = page.partition(begin)
        _, last, behind = rest.partition(end)
        if not first or not last:
            raise ValueError(f"{begin}: no such marker, or none that ends it")
        page = f"{before}{begin}\n\n{table(rows)}\n\n{end}{behind}"
    return page


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
