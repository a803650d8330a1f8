"""Publish: files that appear under their names together, after they were tried."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from gluon_yolo.atomic import writing


@contextlib.contextmanager
def published(out_dir: str | os.PathLike[str], names: Sequence[str]) -> Iterator[Path]:
    """Yield a folder to write files into and to try them in; at the end, move those that are named.

    When writing or trying fails, nothing of it is left.

    Args:
        out_dir: where they are to appear; made when absent.
        names: of the files, last the one that speaks for the others and stands only beside its own.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(out_dir)
    with writing(folder, "choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as aside:
            yield Path(aside)
            (folder / names[-1]).unlink(missing_ok=True)  # it may not stand between old files and new
            for name in names:
                os.replace(Path(aside) / name, folder / name)
