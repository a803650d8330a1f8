"""The command that starts a new run from a finished one has the run's given settings, and no others."""

from __future__ import annotations

import shlex

import pytest

from gluon_yolo.api.train_result import TrainResult
from gluon_yolo.cli.finished import say_finished, training_on
from gluon_yolo.cli.flags.train import flag_words
from tests.cli.test_train_flags import fresh_flags, given

DATA = "--data /d/mine"


@pytest.mark.parametrize(
    "words, on",
    [
        (DATA, DATA),
        (f"{DATA} --format yolo --train-split a,b --val-split c --skip-bad", None),
        (f"{DATA} --only 'red cell,dog' --class-map /d/map.txt --classes /d/my.names", None),
        ("--data-root /d/voc", None),
        ("--dataset coco --data-root /d/coco", None),
        ("", ""),  # published data in its default folder
        (f"{DATA} --data-shape 320x416 --anchors 10,13,16,30,33,23", None),
        (f"{DATA} --random-shapes 320,416 --shape-interval 5", None),
        (f"{DATA} --no-random-shape --gpus '' --batch-size 8 --lr 0.0005", None),
        (f"{DATA} --no-random-shape --gpus 0,1 --syncbn --freeze 5,neck --box-loss ciou", None),
        (f"{DATA} --recipe small-data", None),
        (f"{DATA} --recipe small-data --lr 0.5 --random-shapes 320,352", None),
        # the default's value instead of the recipe's
        (f"{DATA} --recipe small-data --random-shapes 320,352,384,416,448,480,512,544,576,608", None),
        (f"{DATA} --recipe small-data --augment yolo3", None),
        # settings of this run alone
        (f"{DATA} --weights /w.params --profile 3 --memory 9 --pretrained-base no", DATA),
        (f"{DATA} --pretrained", DATA),
        (f"{DATA} --resume /w.params --start-epoch 3", DATA),
        (f"{DATA} --name other --save-prefix out/", None),
    ],
)
def test_the_flags_of_a_new_run(words, on):
    flags = fresh_flags(given(words))
    flags["name"] = flags["name"] or "mine" if DATA in words else flags["name"]
    more = flag_words(training_on(flags, "runs/x 1"))
    assert more.startswith("--network mobilenet1_0") and more.endswith("--weights 'runs/x 1'")
    again = fresh_flags(given(more))
    expected = fresh_flags(given(f"{on} --weights 'runs/x 1'" if on is not None else words))
    weights = again.pop("weights")
    expected.pop("weights")
    assert weights.endswith("/runs/x 1")
    assert {**again, "name": again["name"] or "mine"} == {**expected, "name": expected["name"] or "mine"}


def test_no_flag_is_repeated_that_a_recipe_or_the_datas_name_says(tmp_path):
    (tmp_path / "mine").mkdir()
    flags = fresh_flags(given(f"--data {tmp_path}/mine --recipe small-data"))
    assert shlex.split(flag_words(training_on({**flags, "name": "mine"}, "r"))) == [
        *("--network", "mobilenet1_0", "--data", f"{tmp_path}/mine"),
        *("--recipe", "small-data", "--weights", "r"),
    ]


@pytest.mark.parametrize(
    "epochs, key, said",
    [
        (3, "fitness", "all 3 epochs are trained, best score 0.2500 (fitness) at epoch 0"),
        (1, None, "its 1 epoch is trained, best score 0.2500 at epoch 0"),
    ],
)
def test_what_is_said(tmp_path, capsys, epochs, key, said):
    args = fresh_flags(given(f"{DATA} --epochs {epochs}"))
    say_finished(TrainResult(tmp_path, 0.25, 0, key, args=args, trained=False))
    assert capsys.readouterr().out.splitlines()[0] == (f"{tmp_path}: finished: {said}; nothing is left to do")
