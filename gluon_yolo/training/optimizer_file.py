"""Optimizer file: momenta, update counts and settings of a gluon trainer, for any order of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.training.optimizer_pickle import OptimizerState, StoredArray, read_states


def save_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path) -> list[str]:
    """Write momenta, update counts and settings in gluon's format (a pickle).

    Returns:
        The structural name of each parameter, in the trainer's order; :func:`load_optimizer` needs it.
    """
    trainer.save_states(str(path))
    return _places(net, trainer)


def load_optimizer(net: gluon.Block, trainer: gluon.Trainer, path: Path, saved_places: Sequence[str]) -> None:
    """Restore what :func:`save_optimizer` wrote, each state by the structural name of its parameter.

    gluon's own reader would run any program that the file holds.

    Raises:
        ValueError: the saved trainer had other parameters, or another optimizer.
        UserError: the file holds something else than an optimizer's states, or is damaged.
    """
    numbers = {place: number for number, place in enumerate(_places(net, trainer))}
    if set(numbers) != set(saved_places):
        raise ValueError("its optimizer trained other parameters")
    moved = {old: numbers[place] for old, place in enumerate(saved_places)}
    stored = read_states(path, type(trainer.optimizer))
    if not set(stored.states) <= set(moved):
        raise ValueError("its optimizer has states of other parameters")
    if not trainer._kv_initialized:
        trainer._init_kvstore()
    if trainer._params_to_init:
        trainer._init_params()
    _restore_settings(trainer.optimizer, stored, moved)
    for updater in [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters:
        updater.optimizer = trainer.optimizer
        updater.states = {moved[number]: _arrays(state) for number, state in stored.states.items()}
        updater.states_synced = dict.fromkeys(updater.states, False)


def _restore_settings(optimizer: Any, stored: OptimizerState, moved: Mapping[int, int]) -> None:
    """Give an optimizer its saved settings, and counts of updates by the present numbers of parameters."""
    own = set(vars(optimizer)) - {"param_dict"}
    other = sorted(set(stored.settings) - own)
    if other:
        raise ValueError(f"its optimizer has a setting {other[0]}, which {type(optimizer).__name__} lacks")
    try:
        counts = {
            device: {moved[number]: count for number, count in of_device.items()}
            for device, of_device in stored.settings["_all_index_update_counts"].items()
        }
        vars(optimizer).update(
            {**stored.settings, "_all_index_update_counts": counts, "_index_update_count": counts[0]}
        )
    except (AttributeError, KeyError) as error:
        raise ValueError("its optimizer's counts of updates are damaged") from error


def _arrays(state: Any) -> Any:
    """Return a state with arrays of its own."""
    if isinstance(state, StoredArray):
        return state.read()
    return type(state)(map(_arrays, state)) if isinstance(state, (list, tuple)) else state


def _places(net: gluon.Block, trainer: gluon.Trainer) -> list[str]:
    """Return the structural name of each parameter, in the trainer's order."""
    places = {id(param): place for place, param in net._collect_params_with_prefix().items()}
    return [places[id(param)] for param in trainer._params]
