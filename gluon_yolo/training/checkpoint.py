"""Checkpoint: the whole state of a training on disk; a kill at any moment leaves a valid checkpoint.

``weights/last/`` holds ``state.json`` and the files that it names, with their sizes and SHA-256::

    net-a.params      the network, in the format of ``net.load_parameters``
    trainer-a.states  the optimizer: momenta, update counts, learning rate
    extra-a.json      the order of the optimizer's states; the RNG states of Python and NumPy
    trained-a.params  only with ``--ema``: the trained weights, whose average ``net-a.params`` has
    devices-a.params  only with several devices: the running statistics of all devices but the first

The next save writes ``*-b.*`` beside them, renames a new ``state.json`` over the old one, and deletes
``*-a.*``. The checkpoint changes only at that rename. The ``.states`` file is a pickle, of which only
numbers are read (:mod:`gluon_yolo.training.optimizer_pickle`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import atomic_io, json_text, parameter_file, parameter_io
from gluon_yolo._version import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import BEST_WEIGHTS, is_plain, snapshot_name
from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.text import first_line
from gluon_yolo.training import rng_state
from gluon_yolo.training.optimizer_file import load_optimizer, save_optimizer
from gluon_yolo.training.state import AFRESH, Progress

FORMAT = 1
_SUFFIX = {
    **dict.fromkeys(("net", "trained", "devices"), ".params"),
    **{"trainer": ".states", "extra": ".json"},
}


class Checkpoint:
    """The ``weights`` folder of a run: ``last/``, which restores the whole state, and ``best.params``.

    Args:
        weights: the folder, made by the first save.
    """

    def __init__(self, weights: str | os.PathLike[str]) -> None:
        self.last = Path(weights) / "last"
        self.best = Path(weights) / BEST_WEIGHTS
        self._state = self.last / "state.json"

    def save(
        self,
        net: gluon.Block,
        trainer: gluon.Trainer,
        progress: Progress,
        average: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Replace ``last`` by the present state, in one step.

        Args:
            net: with the trained weights.
            trainer: its trainer.
            progress: the position of the training.
            average: of weights and statistics by structural name, if the training keeps one.

        Raises:
            UserError: the folder cannot be written.
        """
        with atomic_io.writing(self.last, atomic_io.MAKE_ROOM):
            self.last.mkdir(parents=True, exist_ok=True)
            old, new = ("a", "b") if self._slot() == "a" else ("b", "a")
            paths = {kind: self.last / f"{kind}-{new}{suffix}" for kind, suffix in _SUFFIX.items()}
            for path in paths.values():
                path.unlink(missing_ok=True)  # the rest of an interrupted save
            params = net._collect_params_with_prefix()
            # ``net.save_parameters`` would write the mean over the devices, which rounds the parameters and
            # loses the differences of the running statistics. Learned parameters are bitwise equal.
            arrays = {name: param.list_data()[0] for name, param in params.items()}
            if average is not None:
                _save_arrays(paths["trained"], {name: arrays[name] for name in average})
                arrays.update({name: nd.array(array) for name, array in average.items()})
            _save_arrays(paths["net"], arrays)
            others = self._statistics_of_others(net, progress)
            if others:
                _save_arrays(paths["devices"], others)
            extra = {
                "places": save_optimizer(net, trainer, paths["trainer"]),
                "random": rng_state.states(),
            }
            paths["extra"].write_text(json.dumps(extra), encoding="utf-8")
            record = {
                "format": FORMAT,
                "package": f"gluon_yolo {__version__}",
                **progress.to_dict(),
                "files": {kind: atomic_io.seal(path) for kind, path in paths.items() if path.exists()},
            }
            with atomic_io.replacing(self._state) as part:
                part.write_text(json.dumps(record, indent=1), encoding="utf-8")
            for kind, suffix in _SUFFIX.items():
                (self.last / f"{kind}-{old}{suffix}").unlink(missing_ok=True)

    def save_best(self, net: gluon.Block) -> None:
        """Replace ``best.params`` by the present parameters, or by their mean if the devices differ.

        Raises:
            UserError: the folder cannot be written.
        """
        self._save_parameters(net, self.best)

    def save_snapshot(self, net: gluon.Block, epoch: int) -> None:
        """Write the parameters after an epoch as ``epoch-0009.params``, beside ``best.params``.

        Raises:
            UserError: the folder cannot be written.
        """
        self._save_parameters(net, self.best.with_name(snapshot_name(epoch)))

    @staticmethod
    def _save_parameters(net: gluon.Block, path: Path) -> None:
        with atomic_io.writing(path, atomic_io.MAKE_ROOM):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_io.replacing(path) as part:
                parameter_io.save_network(net, str(part))

    def load(
        self, net: gluon.Block, trainer: gluon.Trainer, network: str, class_names: Sequence[str]
    ) -> Progress:
        """Restore network, optimizer and RNG states from ``last``.

        The optimizer gets its saved settings (momentum, weight decay), not those of ``trainer``.

        Args:
            net: the network, initialized on the devices to train on.
            trainer: its trainer.
            network: the canonical name of ``net``.
            class_names: the classes of ``net``.

        Returns:
            The position of the training.

        Raises:
            UserError: the checkpoint is missing or damaged, or has another network or other classes.
        """
        record = self._verified()
        progress = self._progress(record)
        progress.refuse_other(self.last, network, class_names)
        paths = {kind: self.last / sealed["name"] for kind, sealed in record["files"].items()}
        extra = json_text.loads(paths["extra"].read_text(encoding="utf-8"))
        if not isinstance(extra, dict) or not {"places", "random"} <= set(extra):
            raise UserError(f"{paths['extra']}: damaged: lacks places or random; {AFRESH}")
        try:
            parameter_file.check(paths["net"])
            net.load_parameters(str(paths["net"]))
            if "trained" in paths:
                _set_arrays(net, parameter_file.load(paths["trained"]))
            load_optimizer(net, trainer, paths["trainer"], extra["places"])
            # After the trainer: its key-value store copies the first device to the others when it starts.
            if "devices" in paths:
                self._load_statistics(net, parameter_file.load(paths["devices"]))
        except (AssertionError, ValueError, mx.base.MXNetError) as error:
            raise UserError(
                f"{self.last}: does not fit {network} on these devices: {first_line(error)}; "
                "resume with the settings and devices that the run was started with"
            ) from error
        try:
            rng_state.restore(extra["random"], progress.seed, progress.step)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{paths['extra']}: damaged: no state of a generator; {AFRESH}") from error
        return progress

    def average(self) -> dict[str, np.ndarray] | None:
        """Return the average of the weights that :meth:`load` restored, by structural name.

        Returns:
            The arrays; None if the training keeps no average.

        Raises:
            UserError: the checkpoint is missing. :meth:`load` has checked its files.
        """
        paths = {kind: self.last / sealed["name"] for kind, sealed in self._record()["files"].items()}
        if "trained" not in paths:
            return None
        trained, arrays = (parameter_file.load(paths[kind]) for kind in ("trained", "net"))
        return {name: arrays[name].asnumpy() for name in trained}

    def _statistics_of_others(self, net: gluon.Block, progress: Progress) -> dict[str, nd.NDArray]:
        """Return the running statistics of all devices but the first, by ``DEVICE:NAME``.

        Without SyncBN each device has its own.
        """
        return {
            f"{device}:{name}": array
            for name, param in net._collect_params_with_prefix().items()
            if param.grad_req == "null"
            for device, array in enumerate(param.list_data())
            if device > 0
        }

    def _load_statistics(self, net: gluon.Block, arrays: dict[str, nd.NDArray]) -> None:
        """Restore the running statistics of each device that the present training has too."""
        params = net._collect_params_with_prefix()
        for key, array in arrays.items():
            device, _, name = key.partition(":")
            copies = params[name].list_data()
            if int(device) < len(copies):
                copies[int(device)][:] = array

    def read(self) -> Progress:
        """Return the position of the training, after checking all files.

        Raises:
            UserError: the checkpoint is missing or damaged.
        """
        return self._progress(self._verified())

    def exists(self) -> bool:
        """Return whether ``last`` has a checkpoint, valid or damaged."""
        return self._state.exists()

    def _progress(self, record: dict[str, Any]) -> Progress:
        """Return the position of the training in ``state.json``."""
        try:
            return Progress.from_dict(record)
        except ValueError as error:
            raise UserError(f"{self._state}: damaged: {error}; {AFRESH}") from error

    def _verified(self) -> dict[str, Any]:
        """Return ``state.json`` after checking it and the files that it names."""
        record = self._record()
        for sealed in record["files"].values():
            wrong = atomic_io.check_seal(self.last, sealed)
            if wrong:
                raise UserError(f"{wrong}; {AFRESH}")
        return record

    def _record(self) -> dict[str, Any]:
        """Return ``state.json`` after checking its form."""
        try:
            record = json_text.loads(self._state.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{self._state}: no checkpoint there; name the folder of a run that saved one"
            ) from error
        except (OSError, ValueError) as error:
            raise UserError(f"{self._state}: cannot be read: {error}; {AFRESH}") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise UserError(
                f"{self._state}: not of format {FORMAT}, which gluon_yolo {__version__} reads; {AFRESH}"
            )
        required = set(Progress.names())
        files = record.get("files")
        files = files if isinstance(files, dict) else {}
        missing = (required - set(record)) | ({"net", "trainer", "extra"} - set(files))
        if missing:
            raise UserError(f"{self._state}: damaged: {', '.join(sorted(missing))} missing; {AFRESH}")
        for kind, sealed in files.items():
            if not isinstance(sealed, dict) or not is_plain(sealed.get("name")):
                raise UserError(f"{self._state}: damaged: names a file that is not beside it; {AFRESH}")
            if not {"bytes", "sha256"} <= set(sealed):
                raise UserError(f"{self._state}: damaged: lacks size or checksum of {kind}; {AFRESH}")
        return record

    def _slot(self) -> str:
        """Return the letter of the files that ``state.json`` names; empty if it cannot be read."""
        try:
            return Path(self._record()["files"]["net"]["name"]).stem[-1]
        except UserError:
            return ""


def _set_arrays(net: gluon.Block, arrays: Mapping[str, nd.NDArray]) -> None:
    params = net._collect_params_with_prefix()
    for name, array in arrays.items():
        params[name].set_data(array)


def _save_arrays(path: Path, arrays: dict[str, nd.NDArray]) -> None:
    path.touch()  # Python's error for a folder that is not writable is shorter than mxnet's
    parameter_io.save(str(path), {name: array.as_in_context(mx.cpu()) for name, array in arrays.items()})
