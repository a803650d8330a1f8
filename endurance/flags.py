"""The flags that the parts share, and how they divide the time that they are given."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def parser_of(doc: str | None, out: str, names: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser with ``--minutes``, ``--only``, ``--seed`` and ``--out``.

    Args:
        doc: the part's docstring.
        out: default of ``--out``.
        names: of what ``--only`` takes.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, metavar="N", help="at most, over all of them")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--out", default=out, metavar="DIR", help="(default: %(default)s)")
    return parser


def chosen(parser: argparse.ArgumentParser, only: str | None, names: Sequence[str]) -> list[str]:
    """Return the names that ``--only`` takes, all without it; end with a usage error where one is unknown."""
    wanted = list(names) if only is None else only.split(",")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        parser.error(f"--only {unknown[0]}: there is {', '.join(names)}")
    return [name for name in names if name in wanted]


def shares(
    items: Sequence[Item], minutes: float | None, seed: int = 0
) -> Iterator[tuple[Item, float | None]]:
    """Yield items, each with the end of its time by ``time.perf_counter``; None where there is no limit.

    What an item does not use is there for those behind it. Where the time is over before all had some, the
    rest is left out, which a line says; which these are depends on the seed, so that over many short forms
    each has its turn.

    Args:
        items: in order; with a limit, that of another seed than 0 is another one.
        minutes: for all of them.
        seed: of the order.
    """
    started, items = time.perf_counter(), list(items)
    if minutes and seed:
        random.Random(seed).shuffle(items)
    for number, item in enumerate(items):
        now = time.perf_counter()
        left = None if not minutes else 60 * minutes - (now - started)
        if left is not None and left <= 0:
            print(f"the time is over: {len(items) - number} of {len(items)} were left out", flush=True)
            return
        yield item, None if left is None else now + left / (len(items) - number)


def is_time(until: float | None, seconds: float) -> bool:
    """Return whether there is time for some seconds of work before an end by ``time.perf_counter``."""
    return until is None or time.perf_counter() + seconds < until
