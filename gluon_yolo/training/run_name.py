"""Run name: given by the user, else made from the name of the data. Exports and their records use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.file_names import made_name

# Folders of a data set's layout; their names say nothing about the data.
_LAYOUT = frozenset(
    "annotations labels images img jpegimages imagesets main lists train training val valid test".split()
)


def name_of_run(settings: Mapping[str, Any], network: str) -> str:
    """Return the name of a new run.

    Args:
        settings: of the run, by name.
        network: the name of the network. It is the run's name where it contains the published data's name.
    """
    if settings["name"] is not None:
        return settings["name"]
    place = settings["data"] or settings["data_root"]
    if place:
        return made_name(_folder(place).name) or made_name(network)
    from gluon_yolo.models import zoo  # a late import, because it imports mxnet

    says_so = network.replace("_spp_", "_") in zoo.names() and network.endswith(f"_{settings['dataset']}")
    return network if says_so else settings["dataset"]


def _folder(place: str) -> Path:
    """Return the folder of a data set: the named folder, or the one with the named file."""
    path = Path(os.path.abspath(os.path.expanduser(place)))
    if path.is_dir():
        return path
    folder = path.parent
    while folder.name.casefold() in _LAYOUT and folder.parent != folder:
        folder = folder.parent
    return folder
