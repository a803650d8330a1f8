"""Weights for a cfg that was edited for other classes or anchors: all but its heads fit; the messages."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models.build import find_architecture
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.weights import darknet_model
from gluon_yolo.weights.darknet_file import Weights, get_weights, read_weights
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.load import load_weights, structural_parameters
from tests.models.darknet import small

CONV = "[convolutional]\nbatch_normalize=1\nfilters={}\nsize=3\nstride={}\npad=1\nactivation=leaky\n"
HEAD = (
    "[convolutional]\nfilters={}\nsize=1\nstride=1\nactivation=linear\n"
    "[yolo]\nmask={}\nanchors={}\nclasses={}\nnum=16\n"
)
ANCHORS = ", ".join(f"{side},{side + 2}" for side in range(5, 37, 2))


def cfg_text(classes: int = 80, anchors: tuple[int, ...] = (3, 3, 3), width: int = 8) -> str:
    """Return a cfg with three levels, the coarsest first, with these classes and anchors per level."""
    numbers = itertools.count()
    masks = [",".join(str(next(numbers)) for _ in range(count)) for count in anchors]
    heads = [
        HEAD.format(count * (5 + classes), mask, ANCHORS, classes) for count, mask in zip(anchors, masks)
    ]
    # Layers 0..4, head 5 and 6; then from a finer map: layer 7, head 8 and 9; 10, head 11 and 12.
    text = "[net]\nwidth=64\nheight=64\nchannels=3\n" + "".join(CONV.format(width, 2) for _ in range(5))
    routes = ["[route]\nlayers=3\n", "[route]\nlayers=2\n"]
    return text + heads[0] + "".join(
        f"{route}{CONV.format(width, 1)}{head}" for route, head in zip(routes, heads[1:])
    )  # fmt: skip


# Indices of the heads' convolutions in darknet's numbering, routes included.
LAYERS = (5, 9, 13)


def written(folder: Path, name: str, text: str) -> tuple[Path, Weights]:
    """Write a trained network's two files, and return the path and the content of its weights."""
    (folder / f"{name}.cfg").write_text(text)
    net = small.built(text)
    whole = get_weights(net)
    whole.write(folder / f"{name}.weights")
    return folder / f"{name}.weights", whole


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The files of the network with 80 classes and three anchors per cell."""
    return written(tmp_path_factory.mktemp("before"), "n80", cfg_text())


def edited(folder: Path, text: str) -> Path:
    (folder / "edited.cfg").write_text(text)
    return folder / "edited.cfg"


def built(cfg: Path, class_names=None):
    net = find_architecture(str(cfg)).build(class_names)
    net.initialize_weights(seed=3)
    return net


def values(net) -> dict[str, np.ndarray]:
    return {name: p.data().asnumpy() for name, p in structural_parameters(net).items()}


def head_names() -> set[str]:
    return {f"layer{index}.convolution.{kind}" for index in LAYERS for kind in ("weight", "bias")}


@pytest.mark.parametrize(
    ("classes", "anchors", "said"),
    [
        (3, (3, 3, 3), "255 channels, as of 80 classes, here 24"),
        (1, (3, 3, 3), "255 channels, as of 80 classes, here 18"),
        (80, (2, 2, 2), "255 channels, here 170"),
        (3, (2, 2, 2), "255 channels, here 16"),
        (3, (4, 1, 2), "255 channels, here 8, 16 and 32"),
        (46, (5, 2, 1), "255 channels, here 51, 102 and 255"),  # five anchors of 46 classes: 255 too
    ],
)
def test_all_but_the_heads_start_a_training(classes, anchors, said, before, tmp_path):
    path, whole = before
    said = f"layers 5, 9 and 13: {said}"
    net = built(edited(tmp_path, cfg_text(classes, anchors)))
    drawn = values(net)
    report = load_weights(net, path, partial=True)
    now, fresh = values(net), head_names()
    assert set(report.fresh) == fresh and not report.adapted
    assert report.left_out == (f"the heads, {said}",)
    assert str(report).endswith(f"1 left out (the heads, {said})")
    assert all((now[name] == drawn[name]).all() for name in fresh)
    for index, layer in whole.layers.items():
        if index not in LAYERS:
            np.testing.assert_array_equal(now[f"layer{index}.convolution.weight"], layer.kernel)
            np.testing.assert_array_equal(now[f"layer{index}.norm.running_var"], layer.variance)


def test_weights_of_the_datas_classes_in_a_cfg_of_more(tmp_path):
    """Weights for three classes, trained with an edited cfg, and the published cfg with 80 classes."""
    path, whole = written(tmp_path, "mine", cfg_text(3))
    net = built(edited(tmp_path, cfg_text(80)), ["a", "b", "c"])
    assert load_weights(net, path).whole
    np.testing.assert_array_equal(values(net)["layer13.convolution.bias"], whole.layers[13].bias)


@pytest.mark.parametrize(
    ("classes", "anchors"), [(20, (3, 2, 1)), (80, (5, 5, 4)), (7, (1, 1, 9)), (1000, (3, 3, 3))]
)
def test_files_of_any_heads(classes, anchors, tmp_path):
    """Heads of other sizes on each level, with a cfg that fits them or not."""
    path, whole = written(tmp_path, "other", cfg_text(classes, anchors))
    for own in (anchors, (3, 3, 3)):
        found = read_weights(path, make_plan(read_cfg(edited(tmp_path, cfg_text(3, own)))))
        assert found.other_heads == {index: count * (5 + classes) for index, count in zip(LAYERS, anchors)}
        for index, layer in found.layers.items():
            np.testing.assert_array_equal(layer.kernel, whole.layers[index].kernel)


@pytest.mark.parametrize("last", [4, 8, 9, 12])
def test_partial_files(last, before, tmp_path):
    """Cut before the first head, after it, and after the second: as *.conv.N, for any N."""
    _, whole = before
    some = {index: layer for index, layer in whole.layers.items() if index <= last}
    Weights(Header(), some, whole=False).write(tmp_path / "n80.conv")
    net = built(edited(tmp_path, cfg_text(3)))
    report = load_weights(net, tmp_path / "n80.conv", partial=True)
    assert {name.partition(".")[0] for name in report.taken} == {
        f"layer{index}" for index in some if index not in LAYERS
    }
    assert bool(report.left_out) == (last > 4)
    with pytest.raises(UserError) as error:
        darknet_model.load(tmp_path / "edited.cfg", tmp_path / "n80.conv")
    extent = f"has layers 0 to {last} of" if last > 4 else "a partial file: 5 convolutional layers"
    assert extent in str(error.value)


@pytest.mark.parametrize(("classes", "levels"), [(80, 2), (3, 2), (3, 1)])
def test_levels_that_were_cut(classes, levels, tmp_path, capsys):
    """The coarsest levels of three, with the file's classes or others: later layers tell a head's size."""
    path, whole = written(tmp_path, "all", cfg_text(80, width=32))
    text = cfg_text(classes, width=32)
    cut = edited(tmp_path, text.split("[route]\nlayers=3\n" if levels == 1 else "[route]\nlayers=2\n")[0])
    net = built(cut)
    report = load_weights(net, path, partial=True)
    layers = {index for index in whole.layers if index < LAYERS[levels - 1] and index not in LAYERS}
    assert {name.partition(".")[0] for name in report.taken} == {f"layer{index}" for index in layers}
    for index in layers:
        kernel = values(net)[f"layer{index}.convolution.weight"]
        np.testing.assert_array_equal(kernel, whole.layers[index].kernel)
    (why,) = report.left_out
    assert why.startswith("the heads, since the file goes on for ") and why.endswith(
        "as that of more levels does"
    )
    with pytest.raises(UserError) as error:
        darknet_model.load(cut, path)
    said = f"{path}: has all layers of {cut} but goes on for "
    assert str(error.value).startswith(said) and f"give {tmp_path / 'all.cfg'}, which fits" in str(
        error.value
    )


WIDE, NARROW = struct.pack("<iiiQ", 0, 2, 5, 64), struct.pack("<iiiI", 0, 1, 0, 64)


@pytest.mark.parametrize(
    ("header", "seen"),
    [
        (WIDE, 64),
        (NARROW, 64),
        # the other width than that of the version
        (struct.pack("<iiiI", 0, 2, 0, 64), 64),
        (struct.pack("<iiiQ", 0, 1, 0, 64), 64),
    ],
)
@pytest.mark.parametrize("classes", [80, 3])
def test_headers_of_both_widths(header, seen, classes, before, tmp_path):
    path, whole = before
    (tmp_path / "w").write_bytes(header + path.read_bytes()[len(WIDE) :])
    found = read_weights(tmp_path / "w", make_plan(read_cfg(edited(tmp_path, cfg_text(classes)))))
    assert found.header.seen == seen
    assert (found.whole, bool(found.other_heads)) == (classes == 80, classes == 3)
    np.testing.assert_array_equal(found.layers[0].bias, whole.layers[0].bias)


def test_four_bytes_less_are_no_other_header(before, tmp_path):
    path, _ = before
    (tmp_path / "w").write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="ends within layer 13"):
        read_weights(tmp_path / "w", make_plan(read_cfg(edited(tmp_path, cfg_text()))))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wider", "n80.weights: layer 0, the [convolutional] on line 5 of {}/edited.cfg, would have"),
        ("narrower", "n80.weights: "),
        ("of one layer", "n80.weights: "),
    ],
)
def test_another_base_is_refused(name, said, before, tmp_path):
    path, _ = before
    texts = {"wider": cfg_text(3, width=16), "narrower": cfg_text(80, width=6), "of one layer": small.SMALL}
    net = built(edited(tmp_path, texts[name]))
    drawn = values(net)
    for partial in (True, False):
        with pytest.raises(UserError) as error:
            load_weights(net, path, partial=partial)
        message = str(error.value)
        assert said.format(tmp_path) in message and "edited.cfg" in message and "another cfg" in message
        assert message.endswith(f"; {path.with_suffix('.cfg')} fits them")
    assert all((value == drawn[name]).all() for name, value in values(net).items())


def test_bytes_behind_the_last_layer(before, tmp_path):
    path, _ = before
    for more, said in (
        (b"\n", "goes on for 1 bytes after .*, or something was added to the file; numbers have 4 bytes"),
        (bytes(12), "goes on for 12 bytes after the last layer of"),
    ):
        (tmp_path / "w").write_bytes(path.read_bytes() + more)
        with pytest.raises(UserError, match=said):
            read_weights(tmp_path / "w", make_plan(read_cfg(edited(tmp_path, cfg_text()))))


OTHER = (
    "{0}: has all layers of {1} but other heads (layers 5, 9 and 13: 255 channels, as of 80 classes, here "
    "24), which would be random: it was trained with another cfg: {2}. To train {1} from these weights: "
    "gluon-yolo train --network {1} --weights {0} --data DATA"
)


@pytest.mark.parametrize("beside", [True, False])
def test_a_use_that_wants_whole_weights_says_which_cfg_has_them(beside, before, tmp_path, capsys):
    path = before[0]
    if not beside:
        path = tmp_path / "n80.weights"
        path.write_bytes(before[0].read_bytes())
    cfg = edited(tmp_path, cfg_text(3))
    (tmp_path / "a.names").write_text("a\nb\nc\n")
    advice = (
        f"give {path.with_suffix('.cfg')}, which fits"
        if beside
        else f"give that one, or a copy of {cfg} with filters=255 and classes=80"
    )
    expected = f"error: {OTHER.format(path, cfg, advice)}"
    (tmp_path / "a.png").write_bytes(b"")
    model = ["--network", str(cfg), "--weights", str(path)]
    names = ["--names", str(tmp_path / "a.names")]
    for words in (
        ["import", "darknet", str(cfg), str(path), *names, "--out", str(tmp_path / "out")],
        ["demo", *model, "--classes", str(tmp_path / "a.names"), str(tmp_path / "a.png")],
        ["eval", *model, "--classes", str(tmp_path / "a.names"), "--data", str(tmp_path)],
        ["export", *model, "--classes", str(tmp_path / "a.names"), "--out", str(tmp_path / "out")],
    ):
        assert main(words) == 2
        assert capsys.readouterr().err.splitlines()[-1] == expected
    with pytest.raises(UserError) as error:
        Predictor.from_network(str(cfg), str(path), ("a", "b", "c"))
    assert str(error.value) == expected[len("error: ") :]
    assert not (tmp_path / "out").exists()


def test_the_cfg_that_is_named_works(before, tmp_path):
    path, _ = before
    net, _ = darknet_model.load(path.with_suffix(".cfg"), path)
    assert net.spec.num_classes == 80


def test_published_weights(shared_data):
    """The COCO weights of MobileNetV2-YOLOv3-Nano with the cfg for VOC: a real network with two levels."""
    folder = shared_data / "darknet"
    plan = make_plan(read_cfg(small.only(folder / "nano-voc", "*.cfg")))
    coco = make_plan(read_cfg(small.only(folder / "nano-coco", "*.cfg")))
    path = small.only(folder / "nano-coco", "*.weights")
    found, own = read_weights(path, plan), read_weights(path, coco)
    assert found.other_heads == {head.inputs[0]: 255 for head in coco.heads} and own.whole
    for index, layer in own.layers.items():
        np.testing.assert_array_equal(found.layers[index].kernel, layer.kernel)
