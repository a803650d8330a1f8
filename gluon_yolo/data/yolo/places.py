"""Places: the lists and folders of the splits in a ``.data`` file or a ``data.yaml``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.path_finder import PathFinder, nothing_beside
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.yolo.folders import split_folders


@dataclasses.dataclass(frozen=True)
class Places:
    """The lists and folders of a description that exist.

    Args:
        by_split: the lists and folders of each split.
        absent: for a split that cannot be opened, the reason.
        notes: what the user should know that is not an issue.
        left_out: messages about test splits that do not exist, which are then not splits.
        from_here: whether all of them were found from the current folder, and none beside the description.
    """

    by_split: Mapping[str, tuple[Path, ...]]
    absent: Mapping[str, str]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    from_here: bool


def find_places(
    written: Mapping[str, Sequence[str]], bases: Sequence[Path], origins: Mapping[str, str]
) -> Places:
    """Find the lists and folders of a description.

    A test split that does not exist is only noted: descriptions often name a test split that is not shipped
    with the data.

    Args:
        written: the lists and folders of each split, as written.
        bases: folders that these may be relative to.
        origins: the place of each split in the description, as messages begin.
    """
    places: dict[str, tuple[Path, ...]] = {}
    absent: dict[str, str] = {}
    notes: list[str] = []
    left_out: list[str] = []
    from_here = nothing_beside([text for texts in written.values() for text in texts], bases)
    finder = PathFinder(bases, from_here=from_here)
    for split, texts in written.items():
        found = {text: finder.find(text) for text in texts}
        missing = [text for text, path in found.items() if path is None]
        if missing:
            problem = f"{origins[split]}: {split}: {_missing(missing, split, finder)}"
            absent[split] = f"{problem}; correct the path, or put it there"
        if missing and split == "test":
            left_out.append(f"{problem}; left out")
        else:
            places[split] = tuple(Path(path) for path in found.values() if path)
    if from_here and any(places.values()):
        notes.append(
            f"{next(iter(origins.values()))}: what it names is not beside it, and was found from the current "
            f"folder, {os.getcwd()}"
        )
    for split, other, folder, within in _nested(places):
        absent.setdefault(
            split,
            f"{origins[split]}: {split}: {folder} holds {within} as well, which {other} names: its pictures "
            f"would be in both; name a folder or a list of the pictures for {split} alone",
        )
    return Places(places, absent, tuple(notes), tuple(left_out), from_here)


def _missing(texts: Sequence[str], split: str, finder: PathFinder) -> str:
    """Return a message about what does not exist, and what may be meant."""
    base = Path(finder.bases[0])
    here = " or the current folder" if finder.from_here else ""
    problem = f"there is no list or folder {', '.join(texts)}, seen from {base}{here}"
    rival = finder.rival(texts[0])
    if rival:
        return f"{problem}; what has the end of its name was found for {rival}"
    near = split_folders(base) if base.is_dir() else {}
    there = [
        str(path) for name, paths in near.items() for path in paths if split_role(name) == split_role(split)
    ]
    return f"{problem} ({', '.join(there)} is)" if there and len(near) > 1 else problem


def _nested(places: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield two splits, a folder of the first, and a folder of the second inside it."""
    for split, paths in places.items():
        for other, others in places.items():
            for folder in paths:
                for within in others:
                    both = split != other and folder.is_dir() and within.is_dir()
                    if both and folder.resolve() in within.resolve().parents:
                        yield split, other, folder, within
