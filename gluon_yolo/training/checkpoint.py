"""Checkpoint: a training's whole state on disk, which a kill at any moment leaves whole.

``weights/last/`` holds ``state.json`` and the files that it names, with their sizes and SHA-256::

    net-a.params      the network, as ``net.load_parameters`` reads it
    trainer-a.states  the optimizer: momenta, update counts, learning rate
    extra-a.json      the order of the optimizer's states; the states of Python's and NumPy's generators
    devices-a.params  several devices only: the running statistics of the second device and on

The next save writes ``*-b.*`` beside them, then renames a new ``state.json`` over the old one, and drops
``*-a.*``: that rename is the one moment at which the checkpoint changes. The ``.states`` are a pickle, which
can run code when read: resume only runs you trust.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo import atomic_io, parameter_io
from gluon_yolo._version import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.training import rng_state
from gluon_yolo.training.state import Progress


def save_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path) -> list[str]:
    """Write momenta, update counts and settings as gluon does (a pickle); return what :func:`load` needs too.

    Returns:
        For each of the trainer's numbers, its parameter's place in the network.
    """
    trainer.save_states(str(path))
    return _places(net, trainer)


def load_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path, saved_places: Sequence[str]) -> None:
    """Give a trainer back what :func:`save` wrote, each state to the parameter in its place.

    Raises:
        ValueError: when the trainer that saved had other parameters.
    """
    numbers = {place: number for number, place in enumerate(_places(net, trainer))}
    if set(numbers) != set(saved_places):
        raise ValueError("its optimizer trained other parameters")
    moved = {old: numbers[place] for old, place in enumerate(saved_places)}
    trainer.load_states(str(path))
    optimizer = trainer.optimizer
    counts = optimizer._all_index_update_counts
    optimizer._all_index_update_counts = {
        device: {moved[number]: count for number, count in of_device.items()}
        for device, of_device in counts.items()
    }
    optimizer._index_update_count = optimizer._all_index_update_counts[0]
    for updater in [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters:
        updater.states = {moved[number]: state for number, state in updater.states.items()}
        updater.states_synced = dict.fromkeys(updater.states, False)


def _places(net: gluon.Block, trainer: gluon.Trainer) -> list[str]:
    """Return each parameter's place in the network, in the trainer's order."""
    places = {id(param): place for place, param in net._collect_params_with_prefix().items()}
    return [places[id(param)] for param in trainer._params]


FORMAT = 1
_SUFFIX = {"net": ".params", "devices": ".params", "trainer": ".states", "extra": ".json"}
_AFRESH = "start again, or fine-tune from weights/best.params"


class Checkpoint:
    """The ``weights`` folder of a run: ``last/``, which restores everything, and ``best.params``.

    Args:
        weights: the folder; made when first written to.
    """

    def __init__(self, weights: str | os.PathLike[str]) -> None:
        """Name the folder, touching nothing."""
        self.last = Path(weights) / "last"
        self.best = Path(weights) / "best.params"
        self._state = self.last / "state.json"

    def save(self, net: gluon.Block, trainer: gluon.Trainer, progress: Progress) -> None:
        """Replace ``last`` by the present state: all of it, or, when stopped on the way, nothing.

        Raises:
            UserError: when the folder cannot be written.
        """
        with _writing(self.last):
            self.last.mkdir(parents=True, exist_ok=True)
            old, new = ("a", "b") if self._slot() == "a" else ("b", "a")
            paths = {kind: self.last / f"{kind}-{new}{suffix}" for kind, suffix in _SUFFIX.items()}
            for path in paths.values():
                path.unlink(missing_ok=True)  # left by a save that was stopped
            _save_network(net, paths["net"], paths["devices"])
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
        """Replace ``best.params`` by the present parameters, their mean where devices differ.

        Raises:
            UserError: when the folder cannot be written.
        """
        self._save_parameters(net, self.best)

    def save_snapshot(self, net: gluon.Block, epoch: int) -> None:
        """Keep the parameters after an epoch as ``epoch-0009.params``, beside ``best.params``.

        Raises:
            UserError: when the folder cannot be written.
        """
        self._save_parameters(net, self.best.with_name(f"epoch-{epoch:04d}.params"))

    @staticmethod
    def _save_parameters(net: gluon.Block, path: Path) -> None:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_io.replacing(path) as part:
                parameter_io.save_network(net, str(part))

    def load(
        self, net: gluon.Block, trainer: gluon.Trainer, network: str, class_names: Sequence[str]
    ) -> Progress:
        """Restore network, optimizer and random generators from ``last``; return how far it had come.

        The optimizer comes back with its settings of then (momentum, weight decay), not those of ``trainer``.

        Args:
            net: the network, initialized on the devices to train on.
            trainer: its trainer.
            network: the canonical name of ``net``.
            class_names: the classes of ``net``.

        Raises:
            UserError: when the checkpoint is missing, damaged, or of another network or other classes.
        """
        record = self._verified()
        progress = Progress.from_dict(record)
        progress.refuse_other(self.last, network, class_names)
        paths = {kind: self.last / sealed["name"] for kind, sealed in record["files"].items()}
        extra = json.loads(paths["extra"].read_text(encoding="utf-8"))
        try:
            net.load_parameters(str(paths["net"]))
            load_optimizer(net, trainer, paths["trainer"], extra["places"])
            # After the trainer: its key-value store, when it starts, copies the first device over the others.
            if "devices" in paths:
                _load_devices(net, paths["devices"])
        except (AssertionError, ValueError, mx.base.MXNetError) as error:
            raise UserError(
                f"{self.last}: does not fit {network} on these devices: {_first_line(error)}; "
                "resume with the settings and devices that the run was started with"
            ) from error
        rng_state.restore(extra["random"], progress.seed, progress.step)
        return progress

    def read(self) -> Progress:
        """Return how far the training had come, after checking that every file is whole.

        Raises:
            UserError: when the checkpoint is missing or damaged.
        """
        return Progress.from_dict(self._verified())

    def exists(self) -> bool:
        """Say whether there is a checkpoint in ``last``, whole or damaged."""
        return self._state.exists()

    def _verified(self) -> dict[str, Any]:
        """Return ``state.json`` after checking it and the files that it names."""
        record = self._record()
        for sealed in record["files"].values():
            wrong = atomic_io.check_seal(self.last, sealed)
            if wrong:
                raise UserError(f"{wrong}; {_AFRESH}")
        return record

    def _record(self) -> dict[str, Any]:
        """Return ``state.json``, checked for form."""
        try:
            record = json.loads(self._state.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{self._state}: no checkpoint there; name the folder of a run that saved one"
            ) from error
        except (OSError, ValueError) as error:
            raise UserError(f"{self._state}: cannot be read: {error}; {_AFRESH}") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise UserError(
                f"{self._state}: not of format {FORMAT}, which gluon_yolo {__version__} reads; {_AFRESH}"
            )
        required = set(Progress.names())
        missing = (required - set(record)) | ({"net", "trainer", "extra"} - set(record.get("files", {})))
        if missing:
            raise UserError(f"{self._state}: damaged: {', '.join(sorted(missing))} missing; {_AFRESH}")
        return record

    def _slot(self) -> str:
        """Return the letter of the files that ``state.json`` names; empty when there is no readable one."""
        try:
            return Path(self._record()["files"]["net"]["name"]).stem[-1]
        except UserError:
            return ""


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a failure of Python or of mxnet to write into a UserError."""
    with atomic_io.writing(path, "free space there or allow writing"):
        try:
            yield
        except mx.base.MXNetError as error:
            raise OSError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _save_network(net: gluon.Block, path: Path, devices_path: Path) -> None:
    """Write the first device's parameters, and beside them what the other devices hold of their own.

    ``net.save_parameters`` would write the mean over devices, which rounds, and loses what they do not share:
    without SyncBN each device has running statistics of its own. Learned parameters are the same bit by bit.
    """
    params = net._collect_params_with_prefix()
    _save_arrays(path, {name: param.list_data()[0] for name, param in params.items()})
    others = {
        f"{device}:{name}": array
        for name, param in params.items()
        if param.grad_req == "null"
        for device, array in enumerate(param.list_data())
        if device > 0
    }
    if others:
        _save_arrays(devices_path, others)


def _save_arrays(path: Path, arrays: dict[str, nd.NDArray]) -> None:
    path.touch()  # a folder that cannot be written gives Python's short error, where mxnet's is long
    parameter_io.save(str(path), {name: array.as_in_context(mx.cpu()) for name, array in arrays.items()})


def _load_devices(net: gluon.Block, path: Path) -> None:
    """Give each device that is still there its own running statistics back."""
    params = net._collect_params_with_prefix()
    for key, array in nd.load(str(path)).items():
        device, _, name = key.partition(":")
        copies = params[name].list_data()
        if int(device) < len(copies):
            copies[int(device)][:] = array
