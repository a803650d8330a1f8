"""CallbackList: accepted callbacks, the order of calls, and saved states."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from gluon_yolo import Callback
from gluon_yolo.errors import UserError
from gluon_yolo.training.callbacks.base import HOOKS
from gluon_yolo.training.callbacks.callback_list import CallbackList, check_callbacks

TRAINER: object = object()


class Counter(Callback):
    """Records the called hooks, and has a number as its state."""

    def __init__(self, name: str = "", calls: list | None = None, fails_in: str = "") -> None:
        self.name, self.calls, self.number = name, [] if calls is None else calls, 0
        for hook in HOOKS:
            setattr(self, hook, lambda trainer, hook=hook: self.called(hook, trainer))
        self.fails_in = fails_in

    def called(self, hook: str, trainer: object) -> None:
        assert trainer is TRAINER
        self.calls.append(f"{self.name}.{hook}")
        if hook == self.fails_in:
            raise ValueError("no luck")

    def state_dict(self):
        return {"number": self.number}

    def load_state_dict(self, state):
        self.number = state["number"]


class Other(Counter):
    pass


class Misspelt(Callback):
    def on_epoch_start(self, trainer):
        pass


@pytest.mark.parametrize(
    "callbacks, said",
    [
        ([3], "callbacks[0]: expected an instance of gluon_yolo.Callback, got 3: let its class inherit from"),
        ([Counter(), dict], "callbacks[1]: expected an instance of gluon_yolo.Callback, got the class dict"),
        ([Other], "callbacks[0]: Other is a class: give an instance of it, Other()"),
        (Other(), "callbacks: expected a list, got Other: write callbacks=[...]"),
        (Other, "callbacks: expected a list, got the class Other"),
        (None, "callbacks: expected a list, got None"),
        (
            [Misspelt()],
            "callbacks[0]: Misspelt.on_epoch_start is never called; the hooks are on_train_begin, ",
        ),
        ([same := Counter(), Other(), same], "callbacks[2]: the same Counter is there twice: give it once"),
    ],
)
def test_what_is_no_list_of_callbacks_is_refused(callbacks, said):
    with pytest.raises(UserError) as caught:
        check_callbacks(callbacks)
    assert str(caught.value).startswith(said)
    with pytest.raises(UserError):
        CallbackList([], callbacks)


def test_the_trainers_own_come_first_and_end_last():
    calls: list[str] = []
    callbacks = CallbackList([Counter("own", calls)], (Counter("a", calls), Counter("b", calls)))
    with callbacks.training(TRAINER):
        callbacks.call("on_step_end", TRAINER)
    assert calls == [
        *("own.on_train_begin", "a.on_train_begin", "b.on_train_begin"),
        *("own.on_step_end", "a.on_step_end", "b.on_step_end"),
        *("b.on_train_end", "a.on_train_end", "own.on_train_end"),
    ]


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_train_end"])
def test_a_failure_is_logged_by_name_and_ends_all_that_began(hook, caplog):
    calls: list[str] = []
    failing = Other("bad", calls, fails_in=hook)
    callbacks = CallbackList([Counter("own", calls)], [failing, Counter("b", calls)], "ended: {}".format)
    with pytest.raises(ValueError, match="no luck"), callbacks.training(TRAINER):
        callbacks.call("on_epoch_end", TRAINER)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"ended: the callback Other failed in {hook} (ValueError: no luck)"
    began = [call.partition(".")[0] for call in calls if call.endswith("on_train_begin")]
    ended = [call.partition(".")[0] for call in calls if call.endswith("on_train_end")]
    assert began == (["own", "bad"] if hook == "on_train_begin" else ["own", "bad", "b"])
    assert ended == (["own"] if hook == "on_train_begin" else ["b", "bad", "own"])


def test_a_failure_of_the_trainers_own_passes_as_it_is(caplog):
    callbacks = CallbackList([Counter("own", fails_in="on_step_end")])
    with pytest.raises(ValueError, match="no luck"):
        callbacks.call("on_step_end", TRAINER)
    assert not caplog.records


def test_it_knows_which_of_the_users_is_running():
    seen = []
    own, mine = Counter(), Other()
    callbacks = CallbackList([own], [mine])
    own.on_step_end = mine.on_step_end = lambda trainer: seen.append(callbacks.running)
    callbacks.call("on_step_end", TRAINER)
    assert (seen, callbacks.running) == (["", "Other"], "")


def test_states_are_kept_by_class_and_come_back(caplog):
    saved = [Counter(), Other(), Counter()]
    for number, callback in enumerate(saved, 1):
        callback.number = number
    states = CallbackList([Callback()], saved).state_dict()
    assert states == {"Counter": {"number": 1}, "Other": {"number": 2}, "Counter-2": {"number": 3}}
    restored = [Other(), Counter(), Counter()]
    CallbackList([Callback()], restored).load_state_dict(states)
    assert [callback.number for callback in restored] == [2, 1, 3]
    assert not caplog.records


def test_a_damaged_state_of_the_packages_own_names_the_checkpoint():
    with pytest.raises(UserError, match=r"run/last: damaged: this is no state of Counter: {'other': 5}"):
        CallbackList([Counter()]).load_state_dict({"Counter": {"other": 5}}, "run/last")
    with pytest.raises(KeyError):  # a user's own error is the user's
        CallbackList([], [Counter()]).load_state_dict({"Counter": {"other": 5}}, "run/last")


def test_a_state_that_is_missing_or_nobodys_stops_nothing(caplog):
    counter = Counter()
    CallbackList([], [counter]).load_state_dict({"Gone": {"number": 5}, "Other": {"number": 6}})
    assert counter.number == 0
    (record,) = caplog.records
    message = "the checkpoint has the state of callbacks that are not given now: Gone, Other"
    assert (record.levelno, record.getMessage()) == (logging.WARNING, message)


def test_a_state_is_a_copy():
    kept = {"seen": [1]}
    counter = Counter()
    counter.state_dict = lambda: kept
    states = CallbackList([], [counter]).state_dict()
    kept["seen"].append(2)
    assert states == {"Counter": {"seen": [1]}}


@pytest.mark.parametrize(
    "state, said",
    [
        (
            {"best": np.float32(0.5)},
            "Counter.state_dict: a checkpoint keeps text, numbers, lists and dicts: ",
        ),
        ({"best": np.zeros(2)}, "turn NumPy's numbers into float or int, and arrays into lists"),
        ([1], r"Counter.state_dict: expected a dict, got \[1\]"),
    ],
)
def test_a_state_that_json_cannot_hold(state, said):
    counter = Counter()
    counter.state_dict = lambda: state
    with pytest.raises(UserError, match=said):
        CallbackList([], [counter]).state_dict()
