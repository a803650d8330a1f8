"""The form of the backbone that a weights file needs, known before the network is built."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.spec import BackboneForm
from gluon_yolo.weights import imagenet_file, tensor_file
from gluon_yolo.weights.file import spec_of_run
from gluon_yolo.weights.imagenet import SOURCES


def form_for(path: Path, network: str) -> BackboneForm:
    """Return the form that a weights file needs.

    Args:
        path: the file; it may be absent.
        network: name of the network that it is for.

    Returns:
        That of the run or the exported model that the file belongs to, or of the ImageNet classifier in it;
        else the architecture's own.

    Raises:
        UserError: the file cannot be read.
    """
    if not path.is_file() or not any(network.startswith(source.network) for source in SOURCES):
        return BackboneForm()
    if tensor_file.kind_of(path):
        return imagenet_file.form_of(path, network)
    spec = spec_of_run(path)
    return spec.backbone if spec else BackboneForm()
