"""What a run is called: as somebody says, else after its data. Exports and their records take the name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.file_names import made_name

# Folders that belong to a data set's layout; a file in one of them says nothing by its folder.
_LAYOUT = frozenset(
    "annotations labels images img jpegimages imagesets main lists train training val valid test".split()
)


def name_of_run(settings: Mapping[str, Any], network: str) -> str:
    """Return what a new run is called.

    Args:
        settings: of the run, by name.
        network: its network's name, which stays where the zoo's own says the published data already.
    """
    if settings["name"] is not None:
        return settings["name"]
    place = settings["data"] or settings["data_root"]
    if place:
        return made_name(_folder(place).name) or made_name(network)
    from gluon_yolo.models import zoo  # which imports mxnet

    says_so = network in zoo.names() and network.endswith(f"_{settings['dataset']}")
    return network if says_so else settings["dataset"]


def _folder(place: str) -> Path:
    """Return the folder of a data set: that which the user named, or the one that holds the named file."""
    path = Path(os.path.abspath(os.path.expanduser(place)))
    if path.is_dir():
        return path
    folder = path.parent
    while folder.name.casefold() in _LAYOUT and folder.parent != folder:
        folder = folder.parent
    return folder
