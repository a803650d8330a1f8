"""Optimizer file: momenta, update counts and settings of a gluon trainer, for any order of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.mxnet_compat import gluon


def save_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path) -> list[str]:
    """Write momenta, update counts and settings in gluon's format (a pickle).

    Returns:
        The structural name of each parameter, in the trainer's order; :func:`load_optimizer` needs it.
    """
    trainer.save_states(str(path))
    return _places(net, trainer)


def load_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path, saved_places: Sequence[str]) -> None:
    """Restore what :func:`save_optimizer` wrote, each state by the structural name of its parameter.

    Raises:
        ValueError: the saved trainer had other parameters.
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
    """Return the structural name of each parameter, in the trainer's order."""
    places = {id(param): place for place, param in net._collect_params_with_prefix().items()}
    return [places[id(param)] for param in trainer._params]
