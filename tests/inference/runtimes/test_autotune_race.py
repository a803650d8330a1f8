"""The race of runtimes: turns, and no win by a single fast call."""

from __future__ import annotations

import pytest

from gluon_yolo.inference.runtimes.autotune_race import ROUNDS, Time, race


class Scripted:
    """A candidate with given turns; the last one repeats.

    Args:
        name: of the candidate.
        order: list to which the name is added at each turn.
        turns: milliseconds of the calls of each turn, or the error of a turn.
    """

    def __init__(self, name, order, turns):
        self.name, self.order, self.turns = name, order, list(turns)

    def turn(self):
        self.order.append(self.name)
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, Exception):
            raise turn
        return turn


def run(**turns):
    """Return the times, the order of turns, and the failed candidates."""
    order, failed = [], {}
    times = race({name: Scripted(name, order, own) for name, own in turns.items()}, failed.__setitem__)
    return times, order, failed


def test_they_take_turns_and_the_median_ranks():
    times, order, failed = run(slow=[[9.0]], fast=[[4, 5, 6]], middle=[[7, 7]])
    assert order == ["slow", "fast", "middle"] * ROUNDS and not failed
    assert list(times.items()) == [
        ("fast", Time(5, 4, 6)),
        ("middle", Time(7, 7, 7)),
        ("slow", Time(9, 9, 9)),
    ]


def test_a_lucky_call_does_not_win():
    """Measured on a busy machine: 39 ms once, and 1223 in use, where another runtime always took 69."""
    lucky = [[1223], [39], [1230], [1190], [1223]]
    times, order, _ = run(lucky=[*lucky, *lucky], steady=[[69, 70]])
    assert list(times) == ["steady", "lucky"]
    assert not times["lucky"].steady and times["lucky"].ranked_by == 1230
    assert order == ["lucky", "steady"] * ROUNDS + ["lucky"] * ROUNDS


def test_a_turn_that_was_disturbed_is_measured_again():
    """The disturbance is over at the second measurement, and the candidate wins."""
    times, _, _ = run(disturbed=[[30], [10], [10], [10], [31], [10, 11]], other=[[12]])
    assert times["disturbed"] == Time(10.5, 10, 11) and list(times)[0] == "disturbed"


def test_lucky_most_of_the_time_is_still_ranked_by_its_slow_calls():
    times, _, _ = run(moody=[[10], [10], [10], [10], [100]] * 2, other=[[50]])
    assert list(times) == ["other", "moody"] and times["moody"].usual == 10


def test_turns_count_alike_however_many_calls_they_hold():
    """A turn of fast calls has many of them; these two turns still count two fifths."""
    times, _, _ = run(one=[[1] * 100, [1] * 100, [9] * 3, [9] * 3, [9] * 3] * 2)
    assert times["one"].usual == 9 and times["one"].slow == 9


@pytest.mark.parametrize("when", [0, 3])
def test_one_that_fails_is_out(when):
    error = RuntimeError("illegal instruction")
    times, order, failed = run(broken=[[1.0]] * when + [error], whole=[[2.0]])
    assert failed == {"broken": error} and list(times) == ["whole"]
    assert order.count("broken") == when + 1


def test_one_that_fails_when_it_is_measured_again():
    turns = [[1], [9], [1], [9], [1], RuntimeError("out of memory")]
    times, _, failed = run(moody=turns, whole=[[20.0]])
    assert list(times) == ["whole"] and str(failed["moody"]) == "out of memory"


def test_nobody():
    assert race({}, lambda name, error: None) == {}
