"""TrainResult: the result of a training."""

from __future__ import annotations

import dataclasses
import functools
import html
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gluon_yolo.file_names import BEST_WEIGHTS

if TYPE_CHECKING:
    import pandas

    from gluon_yolo.inference.predictor import Predictor

_TAIL = 5  # epochs shown in a notebook


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Args:
        folder: the run folder.
        best_score: the best validation score; None before the first validation.
        best_epoch: the epoch of the best score, from 0.
        score_key: the name of the score.
        numbers: the numbers of the last validation; None where the training was stopped early, or was
            finished before.
        stopped: the name of the signal that stopped it; None where none did.
        args: the settings of the run in plain form, as in its ``args.json``.
        trained: False for a run that had no epoch left to train.
        ended: why the training ended before its last epoch, as by ``patience`` or ``hours``; empty where it
            did not.
    """

    folder: Path
    best_score: float | None = None
    best_epoch: int | None = None
    score_key: str | None = None
    numbers: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)
    stopped: signal.Signals | None = None
    args: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    trained: bool = True
    ended: str = ""

    @property
    def best_weights(self) -> Path:
        """Return the path of the best weights."""
        return self.folder / "weights" / BEST_WEIGHTS

    @functools.cached_property
    def metrics(self) -> pandas.DataFrame:
        """Return the run's ``metrics.csv`` as a frame: one row an epoch, with losses, speed and scores."""
        import pandas

        return pandas.read_csv(self.folder / "metrics.csv")

    def predictor(self, **options: Any) -> Predictor:
        """Return a predictor with the best weights of the run.

        Args:
            **options: as :meth:`gluon_yolo.inference.predictor.Predictor.load` takes them.

        Raises:
            UserError: the run has no weights yet.
        """
        from gluon_yolo.inference.predictor import Predictor

        return Predictor.load(self.folder, **options)

    def report(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Path:
        """Write the page of the run; see :func:`gluon_yolo.write_report`.

        Args:
            path: of the page. None takes ``report.html`` in the run's folder.
            **options: as :func:`gluon_yolo.write_report` takes them.

        Returns:
            The path of the page.
        """
        from gluon_yolo.api.report import write_report

        return write_report(self.folder, path, **options)

    def __str__(self) -> str:
        """Return one line with the run folder and the best score."""
        if self.best_score is None:
            return f"{self.folder}: not validated yet"
        return f"{self.folder}: best {self.score_key} {self.best_score:.4f} at epoch {self.best_epoch}"

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the line, the last epochs, and the curves where they exist."""
        text = f"<p>{html.escape(str(self))}</p>"
        if (self.folder / "metrics.csv").exists():
            text += self.metrics.tail(_TAIL).to_html(index=False)
        return text
