"""Text: one thing and several, and words that are nearly right."""

from __future__ import annotations

import pytest

from gluon_yolo.text import counted, did_you_mean, first_line, joined, near_words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((1, "class"), "1 class"),
        ((0, "class"), "0 classes"),
        ((3, "class"), "3 classes"),
        ((1, "object"), "1 object"),
        ((1200, "object"), "1200 objects"),
        ((2, "box"), "2 boxes"),
        ((2, "batch"), "2 batches"),
        ((2, "epoch"), "2 epochs"),
        ((1, "person", "people"), "1 person"),
        ((2, "person", "people"), "2 people"),
    ],
)
def test_counted(words, said):
    assert counted(*words) == said


@pytest.mark.parametrize(
    ("word", "near"), [("cta", ["cat"]), ("DOG", ["Dog"]), ("dgo", ["Dog"]), ("zebra", []), ("", [])]
)
def test_near_words(word, near):
    assert near_words(word, ["cat", "Dog", "bird"]) == near


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("Mosaik", ["mosaic", "flip"], "did you mean mosaic? "),
        ("SMALL_DATA", ["small-data"], "did you mean small-data? "),
        ("quite else", ["mosaic", "flip"], ""),
        ("x", [], ""),
    ],
)
def test_did_you_mean(word, known, hint):
    assert did_you_mean(word, known) == hint


@pytest.mark.parametrize(
    ("words", "said"),
    [(["a"], "a"), (["a", "b"], "a and b"), ([5, 8, 10], "5, 8 and 10")],
)
def test_joined(words, said):
    assert joined(words) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one"), "one"),
        (ValueError("\n one\ntwo"), "one"),
        (ValueError(""), "ValueError"),
        (KeyError(), "KeyError"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
    ],
)
def test_first_line(error, said):
    assert first_line(error) == said
