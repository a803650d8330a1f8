"""Merge: which of several values is used, and its origin."""

from __future__ import annotations

import itertools

import pytest

from gluon_yolo.training.config import PLAIN_DEFAULTS, TrainConfig
from gluon_yolo.training.merge import Given, Layer, decide, merge
from gluon_yolo.training.recipes import RECIPES
from tests.printed import refused


def layer(name: str, **values) -> Layer:
    return Layer(values, lambda setting: f"{name}: {setting}")


# From the weakest to the strongest, each with its own value; the recipe has epochs 30.
ORIGINS = {
    "default": 200,
    "cpu": 2,
    "network": 3,
    "recipe": 30,
    "data": 5,
    "file": 6,
    "words": 7,
}


@pytest.mark.parametrize("weaker, stronger", itertools.combinations(ORIGINS, 2))
def test_the_order(weaker, stronger):
    there = {name: ORIGINS[name] for name in (weaker, stronger)}
    words = {"epochs": there["words"]} if "words" in there else {}
    file = layer("my.yaml", **({"epochs": there["file"]} if "file" in there else {}))
    if "recipe" in there:
        words["recipe"] = "small-data"
    merged = merge(
        Given(words, file),
        layer("my.data", **({"epochs": there["data"]} if "data" in there else {})),
        layer("my.cfg", **({"epochs": there["network"]} if "network" in there else {})),
        {"epochs": there["cpu"]} if "cpu" in there else {},
    )
    assert merged.args["epochs"] == there[stronger]
    places = {
        "network": "my.cfg: epochs",
        "recipe": "{recipe} small-data",
        "data": "my.data: epochs",
        "file": "my.yaml: epochs",
    }
    assert merged.places.get("epochs") == places.get(stronger)


def test_what_nobody_says_is_the_default():
    merged = merge(Given({}))
    assert merged.args == PLAIN_DEFAULTS and merged.places == {}


def test_a_file_says_what_words_do_not():
    """False and null in a file override a recipe and the data's own file."""
    given = Given({"recipe": "small-data"}, layer("f", no_wd=False, anchors=None, weights=None))
    args = merge(given, layer("d", weights="/old.params")).args
    assert (args["no_wd"], args["anchors"], args["weights"]) == (False, None, None)
    assert RECIPES["small-data"].settings["no_wd"] and RECIPES["small-data"].settings["anchors"] == "better"


@pytest.mark.parametrize(
    "words, file, left",
    [
        ({"data": "/new"}, {"dataset": "coco", "data_root": "/r", "format": "coco"}, {"dataset": None}),
        ({"data": "/new"}, {"data": "/old", "format": "yolo"}, {"data": "/new", "format": None}),
        ({"dataset": "coco"}, {"data": "/old", "format": "yolo"}, {"data": None, "dataset": "coco"}),
        ({"weights": "/new.params"}, {"pretrained": True}, {"pretrained": False, "weights": "/new.params"}),
        ({"pretrained": True}, {"weights": "/old.params"}, {"pretrained": True, "weights": None}),
        ({"resume": "/new.params"}, {"weights": "/old.params"}, {"weights": "/new.params"}),
        ({"weights": "/w.params"}, {"pretrained_base": "/b.params"}, {"pretrained_base": "auto"}),
        ({"random_shapes": "320"}, {"no_random_shape": True}, {"no_random_shape": False}),
        ({"no_random_shape": True}, {"random_shapes": "320"}, {"no_random_shape": True}),
        ({}, {"no_random_shape": True, "random_shapes": "320"}, {"no_random_shape": True}),
        ({"recipe": "small-data"}, {"random_shapes": "320"}, {"no_random_shape": False}),
        ({}, {"data": "/d"}, {"data": "/d", "dataset": None}),
    ],
)
def test_words_take_the_place_of_what_contradicts_them_in_a_file(words, file, left):
    args = merge(Given(words, Layer(file))).args
    assert {name: args[name] for name in left} == left
    TrainConfig.from_plain(args)


@pytest.mark.parametrize(
    "words, said",
    [
        (
            {"random_shapes": "320", "no_random_shape": True},
            "^--no-random-shape excludes --random-shapes and",
        ),
        ({"weights": "/a", "pretrained": "b.params"}, "^--pretrained FILE and --weights both name weights"),
        (
            {"weights": "/a", "pretrained_base": "b"},
            "^--weights and --pretrained-base FILE both name weights",
        ),
        ({"weights": "/a", "resume": "b.params"}, "^--resume FILE and --weights both name weights to start"),
        ({"recipe": "large"}, "^--recipe large: choose from auto, small-data$"),
        ({"name": "a/b"}, "^--name 'a/b': expected a plain file name"),
        ({"memory": 0.0}, "^--memory 0.0: must be above 0$"),
        (
            {"pretrained_base": "none.params"},
            "^--pretrained-base none.params: expected auto, yes, no, or a fil",
        ),
    ],
)
def test_contradictions(words, said):
    with refused(said):
        merge(Given(words))


def test_what_is_decided_before_the_network_is_asked():
    given = Given({"recipe": "small-data", "lr": 0.5}, layer("f", epochs=9))
    decided = decide(given, {"epochs": 3, "batch_size": 2})
    assert (decided["lr"], decided["epochs"], decided["batch_size"]) == (0.5, 9, 2)
    assert decided["lr_mode"] == "cosine" and "momentum" not in decided
