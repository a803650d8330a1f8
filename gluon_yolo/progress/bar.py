"""Progress bars: drawn on a terminal, logged by the heartbeat elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

from gluon_yolo.progress.heartbeat import HEARTBEAT, Heartbeat, Task
from gluon_yolo.text import counted, duration

Item = TypeVar("Item")
_hidden = False


def hide_bars() -> None:
    """Show no bar in this process from now on: another one shows the progress of both."""
    global _hidden
    _hidden = True


class Bar(Task):
    """Counts the iterations of a loop; a context manager.

    Args:
        total: number of iterations; None when it is unknown.
        title: what the loop does.
        unit: what an iteration handles, such as ``picture``.
        done: iterations that an earlier run did.
        leave: whether the full bar stays on the terminal.
        shown: whether progress is drawn and logged at all.
        heartbeat: logs the progress where there is no terminal.

    Attributes:
        note: a text that the heartbeat logs instead of the count; empty for the count.
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
        shown = shown and not _hidden
        self._unit, self._before, self._shown, self._heartbeat = unit, done, shown, heartbeat
        disable = None if shown else True  # tqdm's None: disabled where there is no terminal
        self._drawn: Any = tqdm(
            total=total, initial=done, desc=title, unit=unit, leave=leave, disable=disable
        )
        self.done, self.total = done, total
        self.note = ""

    def __enter__(self) -> Bar:
        if self._shown:
            self._heartbeat.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.end(self)
        self._drawn.close()

    def update(self, rounds: int = 1) -> None:
        """Add iterations to the count."""
        self.done += rounds
        self._drawn.update(rounds)

    def restart(self, title: str, total: int | None) -> None:
        """Count from 0 again under another title."""
        self.title, self.done, self.total, self._before = title, 0, total, 0
        self.began = self._heartbeat.clock()
        self._drawn.set_description(title, refresh=False)
        self._drawn.reset(total)

    def show(self, text: str) -> None:
        """Write a text behind the bar on a terminal; the heartbeat does not log it."""
        self._drawn.set_postfix_str(text, refresh=False)

    def line(self, now: float) -> str:
        """Return the progress and the time left at the pace so far; ``now`` is in the heartbeat's seconds."""
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
    """Yield the items, and show a bar that counts them."""
    with Bar(total, title, unit, leave=leave) as bar:
        for item in items:
            yield item
            bar.update()
