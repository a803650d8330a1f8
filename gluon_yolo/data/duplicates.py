"""Duplicates: pictures that a data set has twice, found by their content."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.parallel import threaded_map
from gluon_yolo.data.report import BadFile, Finding


def shared_pictures(parts: Mapping[str, Dataset]) -> list[Finding]:
    """Return a finding for each picture whose very bytes came before.

    It is an error where that was in another part, which spoils every score, and a warning where it was in
    the same. Pictures that were encoded anew are other bytes, and not found.

    A picture that can no longer be read is an error as well.

    Args:
        parts: the parts of a data set, by name; each picture is read once.
    """
    seen: dict[bytes, dict[str, str]] = defaultdict(dict)  # content -> part -> name of the first picture
    found = []
    for part, dataset in parts.items():
        for index, digest in enumerate(_digests(dataset, f"comparing {part}")):
            if isinstance(digest, BadFile):
                found.append(Finding("error", digest.file, "", digest.problem, digest.kind))
                continue
            name, before = dataset.name(index), seen[digest]
            elsewhere = next((other for other in before if other != part), None)
            if elsewhere is not None:
                text = f"is in {part}, and the same picture in {elsewhere}: {before[elsewhere]}"
                found.append(Finding("error", name, "", text, "shared-picture"))
            elif part in before:
                text = f"is in {part} twice; the same picture: {before[part]}"
                found.append(Finding("warning", name, "", text, "shared-picture"))
            before.setdefault(part, name)
    return found


def _digests(dataset: Dataset, title: str) -> list[bytes | BadFile]:
    """Return a short fingerprint of each picture's content, or why it cannot be read."""

    def digest(index: int) -> bytes | BadFile:
        try:
            return hashlib.blake2b(dataset.encoded(index), digest_size=16).digest()
        except BadFile as error:
            return error

    return threaded_map(digest, range(len(dataset)), title)
