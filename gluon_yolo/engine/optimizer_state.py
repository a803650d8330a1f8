"""A trainer's optimizer on disk, tied to the network's parameters by their place in it.

gluon's trainer numbers parameters by the alphabetical order of names such as ``conv10_weight``, whose numbers
count up through the process: the same network, built second, is ordered in another way. States loaded by
number alone would reach other parameters, in silence where the shapes agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.compat import gluon


def save(net: gluon.Block, trainer: gluon.Trainer, path: Path) -> list[str]:
    """Write momenta, update counts and settings as gluon does (a pickle); return what :func:`load` needs too.

    Returns:
        For each of the trainer's numbers, its parameter's place in the network.
    """
    trainer.save_states(str(path))
    return _places(net, trainer)


def load(net: gluon.Block, trainer: gluon.Trainer, path: Path, saved_places: Sequence[str]) -> None:
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
