"""GluonCV's model store: weights in ``~/.mxnet/models``, or downloaded there with a time-out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import UserError
from gluon_yolo.weights import download


def store_file(name: str) -> str:
    """Return the path of weights, which are downloaded where they are absent.

    Args:
        name: GluonCV's name of the weights.

    Raises:
        UserError: GluonCV has no such weights, or they can be neither found nor downloaded.
    """
    store = mxnet_compat.gluoncv().model_zoo.model_store
    if name not in store._model_sha1:
        raise UserError(f"GluonCV publishes no weights named {name}; give a file with --weights")
    try:
        with _own_download(store):
            return store.get_model_file(name)
    except Exception as error:  # any error of portalocker, zipfile or GluonCV
        home = os.environ.get("MXNET_HOME", "~/.mxnet")
        wanted = os.path.join(home, "models", f"{name}-{store.short_hash(name)}.params")
        reason = error if isinstance(error, download.NoDownload) else type(error).__name__
        raise UserError(
            f"{wanted}: not there and could not be downloaded ({reason}); "
            "put it there, name a file with --weights, or start without: --pretrained-base no"
        ) from error


def kept_file(name: str) -> Path | None:
    """Return the path of weights that were downloaded before, by this package or by GluonCV; else None.

    Args:
        name: GluonCV's name of the weights.
    """
    folder = Path(os.environ.get("MXNET_HOME", "~/.mxnet")).expanduser() / "models"
    return next(iter(sorted(folder.glob(f"{name}-????????.params"))), None)


@contextlib.contextmanager
def _own_download(store: Any) -> Iterator[None]:
    """Let the store download with this package's time-outs; GluonCV's function waits without end.

    The store checks the weights by the checksum that it has of them.
    """

    def own(url: str, path: str, overwrite: bool = False) -> None:
        download.fetch(url, Path(path), None)

    before, store.download = store.download, own
    try:
        yield
    finally:
        store.download = before
