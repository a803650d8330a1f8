"""Places: the lists and folders that a ``.data`` file or a ``data.yaml`` names for each split."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.parts import part_of
from gluon_yolo.data.path_finder import PathFinder
from gluon_yolo.data.yolo.folders import split_folders

logger = logging.getLogger("gluon_yolo")

Places = dict[str, tuple[Path, ...]]


def find_places(
    written: Mapping[str, Sequence[str]], bases: Sequence[Path], origins: Mapping[str, str]
) -> tuple[Places, dict[str, str]]:
    """Find what a description names.

    A test split that is not there is left out with a warning: descriptions often name one that did not come
    with the data, and nothing asks for it.

    Args:
        written: for each split the lists and folders, as written.
        bases: folders that these may be relative to.
        origins: for each split the place in the description, as messages begin.

    Returns:
        For each split its lists and folders; and for a split that cannot be opened, why.
    """
    places: Places = {}
    absent: dict[str, str] = {}
    finder = PathFinder(bases)
    for split, texts in written.items():
        found = {text: finder.find(text) for text in texts}
        missing = [text for text, path in found.items() if path is None]
        problem = f"{origins[split]}: {split}: {_missing(missing, split, finder)}" if missing else ""
        if missing and split == "test":
            logger.warning("%s; left out", problem)
            continue
        places[split] = tuple(Path(path) for path in found.values() if path)
        if missing:
            absent[split] = f"{problem}; correct the path, or put it there"
    for split, other, folder, within in _nested(places):
        absent.setdefault(
            split,
            f"{origins[split]}: {split}: {folder} holds {within} as well, which {other} names: its pictures "
            f"would be in both; name a folder or a list of the pictures for {split} alone",
        )
    return places, absent


def _missing(texts: Sequence[str], split: str, finder: PathFinder) -> str:
    """Say what is not there, and what may be meant."""
    base = Path(finder.bases[0])
    problem = f"there is no list or folder {', '.join(texts)}, seen from {base} or the current folder"
    rival = finder.rival(texts[0])
    if rival:
        return f"{problem}; what has the end of its name was found for {rival}"
    near = split_folders(base) if base.is_dir() else {}
    there = [str(path) for name, paths in near.items() for path in paths if part_of(name) == part_of(split)]
    return f"{problem} ({', '.join(there)} is)" if there and len(near) > 1 else problem


def _nested(places: Places) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield splits with the folder of the one that holds a folder of the other, and that folder."""
    for split, paths in places.items():
        for other, others in places.items():
            for folder in paths:
                for within in others:
                    both = split != other and folder.is_dir() and within.is_dir()
                    if both and folder.resolve() in within.resolve().parents:
                        yield split, other, folder, within
