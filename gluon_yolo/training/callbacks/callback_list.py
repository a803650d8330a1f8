"""CallbackList: calls the callbacks of a training in order, and saves their states."""

from __future__ import annotations

import contextlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from gluon_yolo.errors import UserError
from gluon_yolo.training.callbacks.base import HOOKS, Callback, TrainerView
from gluon_yolo.training.state import NOT_A_STATE

log = logging.getLogger("gluon_yolo")


def check_callbacks(callbacks: object) -> list[Callback]:
    """Return the user's callbacks as a list.

    Raises:
        UserError: the argument is not a list of instances of :class:`Callback`, or a method has a name like a
            hook's that is no hook.
    """
    if isinstance(callbacks, (Callback, type)) or not isinstance(callbacks, Sequence):
        raise UserError(f"callbacks: expected a list, got {_what(callbacks)}: write callbacks=[...]")
    for place, callback in enumerate(callbacks):
        if isinstance(callback, type) and issubclass(callback, Callback):
            name = callback.__name__
            raise UserError(f"callbacks[{place}]: {name} is a class: give an instance of it, {name}()")
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks[{place}]: expected an instance of gluon_yolo.Callback, got {_what(callback)}: "
                "let its class inherit from gluon_yolo.Callback"
            )
        if any(callback is other for other in callbacks[:place]):
            raise UserError(f"callbacks[{place}]: the same {_what(callback)} is there twice: give it once")
        for name in dir(callback):
            if name.startswith("on_") and name not in HOOKS and callable(getattr(callback, name)):
                raise UserError(
                    f"callbacks[{place}]: {type(callback).__name__}.{name} is never called; the hooks are "
                    f"{', '.join(HOOKS)}"
                )
    return list(callbacks)


def _what(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return type(value).__name__ if isinstance(value, Callback) else repr(value)


class CallbackList:
    """Calls the callbacks of a training.

    Args:
        own: the trainer's.
        given: the user's, called after the trainer's.
        ended: returns an error message from its cause: where the training ends, and what is saved.

    Attributes:
        running: the class name of the user's callback that runs now; empty when none does.

    Raises:
        UserError: as :func:`check_callbacks`.
    """

    def __init__(
        self, own: Sequence[Callback], given: Sequence[Callback] = (), ended: Callable[[str], str] = str
    ) -> None:
        self._given = check_callbacks(given)
        self._all = [*own, *self._given]
        self._ended = ended
        self.running = ""

    @contextlib.contextmanager
    def training(self, trainer: TrainerView) -> Iterator[None]:
        """Call ``on_train_begin`` before the block and ``on_train_end`` after it, also after an error."""
        with contextlib.ExitStack() as begun:
            for callback in self._all:
                self._call(callback, "on_train_begin", trainer)
                begun.callback(self._call, callback, "on_train_end", trainer)
            yield

    def call(self, hook: str, trainer: TrainerView) -> None:
        """Call a hook of every callback."""
        for callback in self._all:
            self._call(callback, hook, trainer)

    def _call(self, callback: Callback, hook: str, trainer: TrainerView) -> None:
        with self._named(callback, hook):
            getattr(callback, hook)(trainer)

    def _is_given(self, callback: Callback) -> bool:
        """Return whether a callback is a user's."""
        return any(callback is given for given in self._given)

    @contextlib.contextmanager
    def _named(self, callback: Callback, method: str) -> Iterator[None]:
        """Set ``running`` for a block that runs a user's callback, and log an error of the block."""
        if not self._is_given(callback):
            yield
            return
        name = type(callback).__name__
        self.running = name
        try:
            yield
        except Exception as error:
            what = f"the callback {name} failed in {method} ({type(error).__name__}: {error})"
            log.error("%s", self._ended(what))
            raise
        finally:
            self.running = ""

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of each non-empty state, by the class name of the callback.

        Raises:
            UserError: JSON does not support a state.
        """
        states = {}
        for key, callback in self._by_key().items():
            with self._named(callback, "state_dict"):
                state = _as_json_gives_it(key, callback.state_dict())
            if state:
                states[key] = state
        return states

    def load_state_dict(self, states: dict[str, Any], checkpoint: str = "the checkpoint") -> None:
        """Restore the states of a checkpoint; warn of a state whose callback is missing.

        Args:
            states: what :meth:`state_dict` returned.
            checkpoint: its folder, for messages.

        Raises:
            UserError: the state of one of the package's callbacks is damaged.
        """
        callbacks = self._by_key()
        for key, callback in callbacks.items():
            if key not in states:
                continue
            try:
                with self._named(callback, "load_state_dict"):
                    callback.load_state_dict(states[key])
            except NOT_A_STATE as error:
                if self._is_given(callback):
                    raise
                raise UserError(
                    f"{checkpoint}: damaged: this is no state of {key}: {states[key]!r:.80}"
                ) from error
        unused = ", ".join(key for key in states if key not in callbacks)
        if unused:
            log.warning("the checkpoint has the state of callbacks that are not given now: %s", unused)

    def _by_key(self) -> dict[str, Callback]:
        """Return the callbacks by their keys in a checkpoint: the class name, numbered from the second on."""
        found: dict[str, Callback] = {}
        counts: Counter[str] = Counter()
        for callback in self._all:
            name = type(callback).__name__
            counts[name] += 1
            found[name if counts[name] == 1 else f"{name}-{counts[name]}"] = callback
        return found


def _as_json_gives_it(key: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as a resumed run gets it back from JSON."""
    try:
        found = json.loads(json.dumps(state))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{key}.state_dict: a checkpoint keeps text, numbers, lists and dicts: {error}; "
            "turn NumPy's numbers into float or int, and arrays into lists"
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"{key}.state_dict: expected a dict, got {state!r}")
    return found
