"""Bars: how far a loop is, drawn on a terminal, and elsewhere said by the heartbeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

from gluon_yolo.progress.heartbeat import HEARTBEAT, Heartbeat, Task
from gluon_yolo.text import counted, duration

Item = TypeVar("Item")


class Bar(Task):
    """Counts a loop's rounds; a context manager.

    Args:
        total: rounds in all; None when nobody knows.
        title: what is done.
        unit: what a round is about, such as ``picture``.
        done: rounds that were done before.
        leave: whether a terminal keeps the full bar.
        shown: whether anything is drawn or said at all.
        heartbeat: says how far it is where there is no terminal.

    Attributes:
        note: what the heartbeat says in the place of the count, once it is set.
    """

    def __init__(
        self,
        total: int | None,
        title: str,
        unit: str,
        done: int = 0,
        leave: bool = True,
        shown: bool = True,
        heartbeat: Heartbeat = HEARTBEAT,
    ) -> None:
        super().__init__(title, counts=True)
        self._unit, self._before, self._shown, self._heartbeat = unit, done, shown, heartbeat
        disable = None if shown else True  # None: where there is no terminal
        self._drawn: Any = tqdm(
            total=total, initial=done, desc=title, unit=unit, leave=leave, disable=disable
        )
        self.done, self.total = done, total
        self.note = ""

    def __enter__(self) -> Bar:
        """Begin."""
        if self._shown:
            self._heartbeat.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        """End, finished or not."""
        self._heartbeat.end(self)
        self._drawn.close()

    def update(self, rounds: int = 1) -> None:
        """Count rounds that are done."""
        self.done += rounds
        self._drawn.update(rounds)

    def restart(self, title: str, total: int | None) -> None:
        """Count something else from here on."""
        self.title, self.done, self.total, self._before = title, 0, total, 0
        self.began = self._heartbeat.clock()
        self._drawn.set_description(title, refresh=False)
        self._drawn.reset(total)

    def show(self, text: str) -> None:
        """Write a text behind the bar on a terminal."""
        self._drawn.set_postfix_str(text, refresh=False)

    def line(self, now: float) -> str:
        """Say how far it is, and how long the rest takes at the pace of the rounds until now."""
        if self.note:
            return self.note
        if self.total is None:
            return f"{self.title}: {counted(self.done, self._unit, form=',')}"
        text = f"{self.title}: {self.done:,} of {counted(self.total, self._unit, form=',')}"
        new = self.done - self._before
        if new <= 0 or self.done > self.total:
            return text
        return f"{text}, {duration((self.total - self.done) * (now - self.began) / new)} left"


def counting(
    items: Iterable[Item], total: int | None, title: str, unit: str, leave: bool = True
) -> Iterator[Item]:
    """Yield items, and show how many were used."""
    with Bar(total, title, unit, leave=leave) as bar:
        for item in items:
            yield item
            bar.update()
