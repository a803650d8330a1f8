"""Mistakes in the words of a command give one line with the mistake and the fix."""

from __future__ import annotations

import pytest

from gluon_yolo.cli import COMMANDS, main, parser_of


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --batch 8", "--batch: flags are not shortened; give the whole name: --batch-size"),
        (
            "train --lr-d=2",
            "--lr-d: flags are not shortened; give the whole name: --lr-decay or --lr-decay-epoch or ",
        ),
        (
            "train --recepie small-data",
            "--recepie: there is no such flag; did you mean --recipe? see gluon-yolo tr",
        ),
        (
            "train --Batch_Size 8",
            "--Batch_Size: there is no such flag; did you mean --batch-size? see gluon-yolo ",
        ),
        ("train --zzz", "--zzz: there is no such flag; see gluon-yolo train --help"),
        ("train --epochs", "--epochs: a value is missing behind it; see gluon-yolo train --help"),
        ("train --epochs three", "--epochs three: expected a whole number; see gluon-yolo train --help"),
        ("train -j three", "--num-workers three: expected a whole number"),
        ("train --lr x", "--lr x: expected a number"),
        ("train --lr-decay 0.1,x", "--lr-decay: expected numbers, got '0.1,x'"),
        ("train --format VOC --data x", "--format VOC: did you mean voc? there is voc, coco, yolo, record"),
        ("train my_data", "my_data: no place for this; see gluon-yolo train --help"),
        ("export", "missing: --out; see gluon-yolo export --help"),
        ("demo --model m", "missing: SOURCE; see gluon-yolo demo --help"),
        ("data chek d", "COMMAND chek: did you mean check? there is check, convert, split"),
        ("import darknett", "KIND darknett: did you mean darknet? there is darknet, fastestv2"),
        ("--verson", "--verson: there is no such flag; did you mean --version? see gluon-yolo --help"),
        ("--vers", "--vers: flags are not shortened; give the whole name: --version"),
        ("-q", "-q: there is no such flag; see gluon-yolo --help"),
        ("--gpus 0 train", "--gpus: there is no such flag; see gluon-yolo --help"),
        ("demo --modell m", "--modell: there is no such flag; did you mean --model? see gluon-yolo demo"),
        ("export --formt=onnx", "--formt: there is no such flag; did you mean --format? see gluon-yolo exp"),
        ("export -- --formt", "missing: --out; see gluon-yolo export --help"),
        ("data --hlep", "--hlep: there is no such flag; did you mean --help? see gluon-yolo data --help"),
        ("Train", "COMMAND Train: did you mean train? there is doctor"),
    ],
)
def test_mistakes(words, said, capsys):
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {said}")
    assert printed.err.count("\n") == 1 and printed.out == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_flags_are_never_taken_for_longer_ones(name, capsys):
    """So that a new flag cannot change the meaning of a shorter one."""
    assert main([name, "--s"]) == 2
    capsys.readouterr()


def test_the_help_of_train_begins_with_ones_own_images():
    parser = parser_of("train")
    first_call = next(line for line in parser.description.splitlines() if "gluon-yolo train" in line)
    assert first_call.split() == "gluon-yolo train --data my_data --recipe auto".split()
    groups = [group for group in parser._action_groups if group._group_actions]
    first = "data recipe network weights epochs batch-size data-shape augment gpus resume"
    assert [action.option_strings[-1][2:] for action in groups[1]._group_actions] == first.split()
    assert all(action.help for group in groups for action in group._group_actions)


@pytest.mark.parametrize(("name", "usage"), [("train", "[flag ...]"), ("demo", "SOURCE [flag ...]")])
def test_many_flags_are_not_listed_twice(name, usage):
    parser = parser_of(name)
    lines = parser.format_help().splitlines()
    assert lines[0] == f"usage: {parser.prog} {usage}" and lines[1] == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --random-shapes", "A CPU keeps to --data-shape, unless they are given"),
        ("train --no-random-shape", "train at --data-shape only, as a CPU does by default: quicker"),
        (
            "data split --force",
            "put what divides the data now aside, as NAME.old; from the second time on as NAME.old2",
        ),
    ],
)
def test_what_the_help_of_a_flag_says(words, said):
    name, _, flag = words.rpartition(" ")
    (action,) = (action for action in parser_of(name)._actions if flag in action.option_strings)
    assert said in action.help


def test_the_help_of_data_names_all_formats():
    printed = " ".join(parser_of("data").format_help().split())
    assert "in the format of Pascal VOC, COCO, YOLO, RecordIO or keras-yolo3's list. It is found" in printed
