"""The files of a model: the record and the weights that a path stands for."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

from gluon_yolo import json_text
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import BEST_WEIGHTS, is_plain
from gluon_yolo.inference.exported_format import ENDINGS
from gluon_yolo.inference.model_record import EXPORT, RUN_RECORD, is_record
from gluon_yolo.system import run_note

log = logging.getLogger("gluon_yolo")

WHICH = ("best", "last")  # weights of a run; RUN means RUN/best, where it exists


def find_model_record(path: Path) -> Path:
    """Return the path of the record of the model that ``path`` stands for.

    Args:
        path: the folder of an export, its ``NAME.json`` or one of the files beside it; the folder of a run,
            ``RUN/best``, ``RUN/last``, or a weights file in it.

    Raises:
        UserError: there is no model, or a folder has several.
    """
    path, _ = _run_and_which(path)
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; give an exported model's folder or a run's folder")
    for ending in sorted(sum(ENDINGS.values(), ()), key=len, reverse=True):
        if path.name.endswith(ending) and path.with_name(f"{path.name[: -len(ending)]}.json").is_file():
            return path.with_name(f"{path.name[: -len(ending)]}.json")
    if path.suffix == ".params":
        for folder in list(path.resolve().parents)[:3]:
            if (folder / RUN_RECORD).is_file():
                return folder / RUN_RECORD
        weights = shlex.quote(str(path))
        raise UserError(
            f"{path}: weights alone do not say of which network; keep them in their run's folder, "
            f"or export them with `gluon-yolo export --network NAME --weights {weights} --out FOLDER`"
        )
    return path


def weights_of(path: Path) -> Path:
    """Return the weights file of the run that ``path`` stands for.

    This is ``path`` if it is a weights file, else ``RUN/best`` or ``RUN/last``, else the best weights or the
    last.

    Raises:
        UserError: the run has not saved such weights.
    """
    run, which = _run_and_which(path)
    if which is None and path.suffix == ".params":
        return path
    weights = find_model_record(run).parent / "weights"
    best, state = weights / BEST_WEIGHTS, weights / "last" / "state.json"
    if best.is_file() and which != "last":
        return best
    try:
        name = _read_json(state)["files"]["net"]["name"]
        if not is_plain(name):
            raise UserError(f"{state}: names a file that is not beside it ({name}); get the run anew")
        last = state.parent / name
    except (TypeError, KeyError) as error:
        missing = f"no whole {state.parent}" if which else f"neither {best} nor a whole {state.parent}"
        story = run_note.story(weights.parent, advised=True)
        raise UserError(f"{path}: has no weights yet ({missing}){story and f': {story}'}") from error
    if which == "best":
        raise UserError(f"{path}: the run has no best weights yet ({best}); its last are {run / 'last'}")
    if which is None:
        log.info("%s: there are no best weights, so the last are taken: %s", path, last)
    return last


def weights_file(path: Path) -> Path:
    """Return the weights file that ``path`` stands for: a file, or that of a run as in :func:`weights_of`.

    Raises:
        UserError: the run has not saved such weights.
    """
    run, which = _run_and_which(path)
    return weights_of(path) if which or (run / RUN_RECORD).is_file() else path


def names_model(path: Path) -> bool:
    """Return whether a path, which may be a network's name too, is a folder or weights of a run."""
    return path.is_dir() or _run_and_which(path)[1] is not None


def _run_and_which(path: Path) -> tuple[Path, str | None]:
    """Return run and ``best`` or ``last`` for a path ``RUN/best`` or ``RUN/last``; else the path and None.

    A file or folder of that name has priority, but the checkpoint's folder ``RUN/weights/last`` is
    ``RUN/last``.
    """
    folder = path.parent.parent if path.parent.name == "weights" else path.parent
    checkpoint = path.name == "last" and path.parent.name == "weights" and (path / "state.json").is_file()
    if path.name in WHICH and (checkpoint or not path.exists()) and (folder / RUN_RECORD).is_file():
        return folder, path.name
    return path, None


def _in_folder(path: Path) -> Path:
    records = [file for file in sorted(path.glob("*.json")) if is_record(_read_json(file))]
    if not records:
        wanted = f"a NAME.json written by `{EXPORT}`, or a run's {RUN_RECORD}"
        damaged = [file.name for file in sorted(path.glob("*.json")) if _read_json(file) is None]
        below = sorted({str(file.parent) for file in path.glob("*/*.json") if is_record(_read_json(file))})
        hint = f"; {', '.join(damaged)} there is damaged" if damaged else ""
        hint += f"; there is one in {' and in '.join(below)}" if below else ""
        raise UserError(f"{path}: holds no model ({wanted}){hint}")
    if len(records) > 1:
        raise UserError(
            f"{path}: holds several models; name one of {', '.join(file.name for file in records)}"
        )
    return records[0]


def _read_json(path: Path) -> Any:
    if not path.is_file():  # a pipe would be waited for without end
        return None
    try:
        return json_text.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
