"""Unused files of a YOLO data set: labels without an image, and images of no split."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from gluon_yolo.data.images.files import images_below, is_image
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.text_file import first_line
from gluon_yolo.data.yolo.label import looks_like_label
from gluon_yolo.data.yolo.paths import LABEL, label_paths

_NO_LABELS = ("classes.txt",)


def find_orphans(used: Iterable[str], places: Iterable[Path]) -> list[Issue]:
    """Return warnings about unused files in the folders that are in use.

    Args:
        used: the images of all splits.
        places: list files and folders of the splits; a folder is in use even without images.
    """
    taken = {os.path.abspath(image) for image in used}
    roots = {os.path.abspath(place) for place in places if place.is_dir()}
    there = {image for root in roots for image in images_below(root)} | taken
    for folder in {os.path.dirname(image) for image in taken}:
        there |= {os.path.join(folder, name) for name in os.listdir(folder) if is_image(name)}
    labels = {label for image in there for label in label_paths(image)}
    folders = {os.path.dirname(label) for label in labels}
    for root in roots:
        for label in label_paths(os.path.join(root, "any")):
            folders |= {parent for parent, _, _ in os.walk(os.path.dirname(label))}
    folded = {label.casefold(): label for label in labels}
    files = {file for folder in folders for file in _label_files(folder, labels, folded)}
    orphans = [Issue("warning", file, "", "a label without a picture", "stray-label") for file in files]
    for image in there - taken:
        orphans.append(Issue("warning", image, "", "a picture that no split has", "unused-picture"))
    return sorted(orphans, key=lambda issue: issue.file)


def _label_files(folder: str, known: Container[str], folded: Mapping[str, str]) -> list[str]:
    """Return the files of a folder that are empty or labels by their first line, and are not known."""
    if not os.path.isdir(folder):
        return []
    found = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        stem, ending = os.path.splitext(path)
        if ending.lower() != LABEL or name.lower() in _NO_LABELS or f"{stem}{LABEL}" in known:
            continue
        if not os.path.isfile(folded.get(path.casefold(), path)):  # that label, in another letter case
            continue
        if os.path.isfile(path):
            line = first_line(path)
            if not line or looks_like_label(line):
                found.append(path)
    return found
