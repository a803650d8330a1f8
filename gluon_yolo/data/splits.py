"""Split names: which splits of a data set are for training, validation and test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PARTS = ("train", "val", "test")
_WHOLE_WORD = re.compile(r"(?<![a-z])(trainval|train|validation|valid|val|test)")
_WORD = re.compile(r"(?<![a-z])(trainval|train|val|test)")


def split_role(split: str) -> str:
    """Return the first word of these in a split's name: ``train``, ``val``, ``test`` or ``trainval``.

    More letters may follow it (``valid``, ``train2017``), but none may precede it (``retrained``). Empty when
    there is no such word.
    """
    match = _WORD.search(split.lower())
    return match.group(1) if match else ""


def pattern_of(split: str) -> str:
    """Return a split's name with ``*`` for its role: ``*2017`` of ``val2017``, ``*`` of ``valid``.

    Splits of one division have the same pattern. Empty for a name without a role.
    """
    pattern, count = _WHOLE_WORD.subn("*", split.lower(), count=1)
    return pattern if count else ""


def in_no_part(splits: Sequence[str], parts: Mapping[str, str]) -> list[str]:
    """Return the splits that no part uses, except splits whose images the used ones contain.

    ``trainval`` is ``train`` and ``val`` together, so it and they are not used at once; ``all`` is
    everything.

    Args:
        splits: names of splits.
        parts: the split of each part, as :func:`splits_by_role` returns them.
    """
    used = {split for chosen in parts.values() for split in (chosen, *chosen.split(","))}
    together = any(split_role(split) == "trainval" for split in used)
    covered = {"all", *(("train", "val") if together else ("trainval",))}
    return [split for split in splits if split not in used and not {split, split_role(split)} & covered]


def splits_by_role(splits: Sequence[str], joins: bool) -> dict[str, str]:
    """Return the split for each of :data:`PARTS`, where there is one.

    A single split is for training, whatever its name. ``trainval`` and ``test`` are preferred to ``train``
    and ``val``. Without a training split, the splits whose names have no role are used for training; without
    a validation split, the test split is used for validation. Of several splits for one part, the one with
    the part's exact name is used, otherwise all of them, joined by commas; or, where a format opens one at a
    time, the last by name, such as the latest year.

    Args:
        splits: names of splits.
        joins: whether several splits can be opened as one.
    """
    if len(splits) == 1:
        return {"train": splits[0]}
    named: dict[str, list[str]] = {}
    for split in sorted(splits):
        named.setdefault(split_role(split), []).append(split)
    chosen = {
        part: part if part in found else ",".join(found) if joins else found[-1]
        for part, found in named.items()
    }
    if "trainval" in chosen and ("test" in chosen or "train" not in chosen):
        chosen.pop("val", None)  # it is within trainval
        chosen["train"] = chosen["trainval"]
    elif "train" not in chosen and (joins or len(named.get("", ())) == 1):
        chosen["train"] = chosen.get("", "")
    if "val" not in chosen and "train" in chosen and "test" in chosen:
        chosen["val"] = chosen.pop("test")
    return {part: chosen[part] for part in PARTS if chosen.get(part)}
