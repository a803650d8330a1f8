"""Checkpoint: bit-exact resume, valid files after a kill at any moment, and error messages."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import atomic_io, parameter_io
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.training import rng_state
from gluon_yolo.training.checkpoint import Checkpoint, Progress

ROOT = Path(__file__).parents[2]
NETWORK, CLASSES = "tiny", ("cat", "dog")


class Training:
    """A small network with batch norm, its trainer, and one batch per step."""

    def __init__(
        self, devices=1, kvstore="device", update_on_kvstore=None, channels=4, optimizer="sgd", names="ab"
    ):
        self.contexts = [mx.cpu(i) for i in range(devices)]
        mx.random.seed(7)
        self.net = gluon.nn.HybridSequential()
        self.net.add(gluon.nn.Conv2D(channels, 3), gluon.nn.BatchNorm(), gluon.nn.Dense(2))
        self.net.add(*[gluon.nn.Dense(2, prefix=name) for name in names])
        self.net.initialize(mx.init.Xavier(), ctx=self.contexts)
        settings = {"learning_rate": 0.1, "wd": 0.01}
        if optimizer == "sgd":
            settings["momentum"] = 0.9
        self.trainer = gluon.Trainer(
            self.net.collect_params(),
            optimizer,
            settings,
            kvstore=kvstore,
            update_on_kvstore=update_on_kvstore,
        )
        for context in self.contexts:
            self.net(nd.zeros((1, 3, 5, 5), ctx=context))

    def step(self, number):
        self.trainer.set_learning_rate(0.1 / (number + 1))
        images = np.random.default_rng(number).standard_normal((4, 3, 5, 5))
        parts = [
            nd.array(part, ctx=c) for part, c in zip(np.split(images, len(self.contexts)), self.contexts)
        ]
        with autograd.record():
            losses = [(self.net(part) ** 2).sum() for part in parts]
        autograd.backward(losses)
        self.trainer.step(4)

    def parameters(self):
        """Return all parameters of all devices."""
        parameter_io.wait()
        params = self.net._collect_params_with_prefix()
        return {(k, i): a.asnumpy() for k, p in params.items() for i, a in enumerate(p.list_data())}


def progress(**changes):
    schedule = {"total_epochs": 9, "batches_per_epoch": 5}
    return Progress(**{**dict(network=NETWORK, class_names=CLASSES, seed=5, schedule=schedule), **changes})


def assert_same(left, right):
    assert left.keys() == right.keys()
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=str(key))


SETTINGS = {
    "one device": dict(devices=1),
    "two devices, update on each": dict(devices=2, update_on_kvstore=False),
    "two devices, update on the store": dict(devices=2, update_on_kvstore=True),
    "two devices, local store, update on it": dict(devices=2, kvstore="local", update_on_kvstore=True),
    "two devices, local store, update on each": dict(devices=2, kvstore="local", update_on_kvstore=False),
    "four devices": dict(devices=4),
    "adam counts its updates": dict(devices=2, optimizer="adam"),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "used"])
def test_resumed_equals_uninterrupted_bit_by_bit(tmp_path, settings, fresh):
    whole = Training(**settings)
    for number in range(3):
        whole.step(number)
    Checkpoint(tmp_path).save(whole.net, whole.trainer, progress(step=3))
    saved = whole.parameters()
    for number in range(3, 6):
        whole.step(number)

    resumed = Training(**settings)
    for number in range(0 if fresh else 2):
        resumed.step(number + 50)  # loading must remove every trace of this training
    assert Checkpoint(tmp_path).load(resumed.net, resumed.trainer, NETWORK, CLASSES).step == 3
    assert_same(resumed.parameters(), saved)
    optimizer = resumed.trainer.optimizer
    assert optimizer.num_update == 3
    assert set(optimizer._index_update_count.values()) == {3}
    assert resumed.trainer.learning_rate == 0.1 / 3
    for number in range(3, 6):
        resumed.step(number)
    assert_same(resumed.parameters(), whole.parameters())


@pytest.mark.parametrize("update_on_kvstore", [False, True])
def test_states_reach_their_parameters_under_other_names(tmp_path, update_on_kvstore):
    """Gluon orders parameters by name: "ab" and "ba" are the same network in two orders."""
    whole = Training(devices=2, update_on_kvstore=update_on_kvstore, names="ab")
    resumed = Training(devices=2, update_on_kvstore=update_on_kvstore, names="ba")
    for number in range(2):
        whole.step(number)
    Checkpoint(tmp_path).save(whole.net, whole.trainer, progress())
    Checkpoint(tmp_path).load(resumed.net, resumed.trainer, NETWORK, CLASSES)
    for training in (whole, resumed):
        training.step(2)
    assert_same(resumed.parameters(), whole.parameters())


def test_devices_keep_running_statistics_of_their_own(tmp_path):
    training = Training(devices=2)
    training.step(0)  # the store starts in it and copies the first device's statistics to the second
    training.step(1)
    values = training.parameters()
    mean = "1.running_mean"
    assert not np.array_equal(values[mean, 0], values[mean, 1])
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(training.net, training.trainer, progress())
    single = Training(devices=1)
    checkpoint.load(single.net, single.trainer, NETWORK, CLASSES)
    np.testing.assert_array_equal(single.parameters()[mean, 0], values[mean, 0])
    single.step(2)


def test_progress_and_generators_come_back(tmp_path):
    training = Training()
    rng_state.seed(5)
    random.gauss(0, 1), np.random.standard_normal()  # each generator keeps the second half of a pair
    kept = progress(
        epoch=3,
        batch=4,
        step=99,
        best_score=0.1 + 0.2,
        best_epoch=2,
        schedule={"base_lr": 0.1, "decay_epochs": [4], "total_epochs": 9, "batches_per_epoch": 5},
    )
    Checkpoint(tmp_path).save(training.net, training.trainer, kept)
    expected = [random.gauss(0, 1), np.random.standard_normal(), random.random(), np.random.rand()]
    rng_state.seed(6)
    assert Checkpoint(tmp_path).load(training.net, training.trainer, NETWORK, CLASSES) == kept
    assert [random.gauss(0, 1), np.random.standard_normal(), random.random(), np.random.rand()] == expected
    assert Checkpoint(tmp_path).read() == kept


def test_last_params_and_best_are_plain_parameter_files(tmp_path):
    training, other = Training(), Training()
    training.step(0)
    checkpoint = Checkpoint(tmp_path / "weights")
    assert not checkpoint.exists()
    checkpoint.save(training.net, training.trainer, progress())
    checkpoint.save_best(training.net)
    assert checkpoint.exists()
    (last,) = checkpoint.last.glob("net-*.params")
    for path in (last, checkpoint.best):
        other.net.initialize(force_reinit=True)
        other.net.load_parameters(str(path))
        assert_same(other.parameters(), training.parameters())


def test_saves_leave_one_generation(tmp_path):
    training = Training()
    for step in range(3):
        Checkpoint(tmp_path).save(training.net, training.trainer, progress(step=step))
    names = sorted(path.name for path in (tmp_path / "last").iterdir())
    assert names == ["extra-a.json", "net-a.params", "state.json", "trainer-a.states"]


class Stop(BaseException):
    """Simulates SIGKILL: the package does not catch it."""


@pytest.mark.parametrize("devices", [1, 2])
def test_a_stop_at_any_call_leaves_the_old_or_the_new(tmp_path, monkeypatch, devices):
    training = Training(devices=devices)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(training.net, training.trainer, progress(step=0))
    training.step(0)
    seen = []
    for last_call in range(1, 100):
        with monkeypatch.context() as patched:
            stop_at(patched, last_call)
            try:
                checkpoint.save(training.net, training.trainer, progress(step=1))
                break
            except Stop:
                seen.append(checkpoint.read().step)  # raises an error unless every file is complete
        if seen[-1] == 1:  # start again from the old state
            checkpoint.save(training.net, training.trainer, progress(step=0))
    assert seen == sorted(seen), "the change is at one moment"
    assert set(seen) == {0, 1} and len(seen) > 10


def stop_at(patched, last_call):
    """Raise Stop instead of the last_call-th call of a save."""
    count = 0

    def counted(module, name):
        original = getattr(module, name)

        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == last_call:
                raise Stop
            return original(*args, **kwargs)

        patched.setattr(module, name, call)

    counted(os, "replace")
    counted(os, "fsync")
    counted(os, "unlink")
    counted(nd, "save")
    counted(gluon.Trainer, "save_states")
    counted(rng_state, "states")
    counted(atomic_io, "seal")


SAVER = """
import sys
from tests.training.test_checkpoint import Training, progress, Checkpoint
training = Training(channels=64)
step = 0
while True:
    training.step(step)
    step += 1
    Checkpoint(sys.argv[1]).save(training.net, training.trainer, progress(step=step))
    print(step, flush=True)
"""


def test_sigkill_while_saving(tmp_path):
    for delay in (0.0, 0.0061):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(4):
            said = int(saver.stdout.readline())
        time.sleep(delay)
        saver.send_signal(signal.SIGKILL)
        saver.wait()
        said = max([said, *map(int, saver.stdout.read().split())])
        saver.stdout.close()
        training = Training(channels=64)
        found = Checkpoint(tmp_path).load(training.net, training.trainer, NETWORK, CLASSES)
        assert said <= found.step <= said + 1
        assert training.trainer.optimizer.num_update == found.step


@pytest.fixture
def saved(tmp_path):
    training = Training()
    training.step(0)
    checkpoint = Checkpoint(tmp_path / "weights")
    checkpoint.save(training.net, training.trainer, progress())
    return checkpoint, training


def load(saved, network=NETWORK, class_names=CLASSES):
    checkpoint, training = saved
    return checkpoint.load(training.net, training.trainer, network, class_names)


@pytest.mark.parametrize("kind", ["net", "trainer", "extra"])
@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged: it has .* bytes"),
        (lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:]), "damaged: its bytes are not"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b""), "damaged: it has 0 bytes"),
    ],
    ids=["truncated", "other bytes", "missing", "empty"],
)
def test_a_damaged_file_is_named(saved, kind, damage, said):
    path = next(saved[0].last.glob(f"{kind}-*"))
    damage(path)
    before = saved[1].parameters()
    with pytest.raises(UserError, match=f"{path.name}: {said}"):
        load(saved)
    assert_same(saved[1].parameters(), before)


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"format": 1, "net', "cannot be read"),
        ("[]", "not of format 1"),
        ('{"format": 2}', "not of format 1"),
        ('{"format": 1, "network": "tiny"}', "damaged: .*class_names"),
        ("\udcff", "cannot be read"),
    ],
    ids=["cut", "list", "newer", "incomplete", "not UTF-8"],
)
def test_a_damaged_state_is_named(saved, text, said):
    (saved[0].last / "state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=f"state.json: {said}"):
        load(saved)
    saved[0].save(saved[1].net, saved[1].trainer, progress(step=4))  # a save repairs it
    assert load(saved).step == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: [], "damaged: extra, net, trainer missing"),
        (
            lambda files: {**files, "net": {"name": "net-a.params", "bytes": 1}},
            "damaged: lacks size or checksum of net",
        ),
        (lambda files: {**files, "net": "net-a.params"}, "damaged: names a file that is not beside it"),
    ],
    ids=["a list", "no checksum", "a name alone"],
)
def test_a_state_whose_list_of_files_is_damaged(saved, change, said):
    state = saved[0].last / "state.json"
    record = json.loads(state.read_text())
    state.write_text(json.dumps({**record, "files": change(record["files"])}))
    with pytest.raises(UserError, match=f"state.json: {said}"):
        load(saved)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("network", "ended") for value in (None, 3, ["tiny"])),
        *(("class_names", value) for value in ("square", ["square", 3], {"square": 0}, None)),
        *(
            (field, value)
            for field in ("epoch", "batch", "step", "rollbacks")
            for value in (-1, 1.5, "3", True, 1 << 53)
        ),
        ("batch", 6),
        *(("seed", value) for value in (None, "3", 0.5)),
        *(("losses", value) for value in (3, ["0.5"], [None], {"total": 1})),
        *(("best_score", value) for value in ("0.5", [], True)),
        *(("best_epoch", value) for value in (-1, 0.5, "2")),
        *(("schedule", value) for value in ({}, [], None, {"total_epochs": 5})),
        ("schedule", {"total_epochs": "5", "batches_per_epoch": 2}),
        *(("score_key", value) for value in (3, ["fitness"])),
        *(("callbacks", value) for value in (None, [], {"Jsonl": 3})),
    ],
)
def test_a_state_whose_field_is_of_another_form(saved, field, value):
    state = saved[0].last / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), field: value}))
    before = saved[1].parameters()
    with pytest.raises(UserError, match=f"state.json: damaged: {field} cannot be "):
        load(saved)
    with pytest.raises(UserError, match=f"state.json: damaged: {field} cannot be "):
        saved[0].read()
    assert_same(saved[1].parameters(), before)


def test_other_losses_than_the_trainings():
    names = ("objectness", "centre", "scale", "class")
    progress(losses=()).refuse_other_losses(Path("last"), names)
    progress(losses=(1, 2, 3, 4)).refuse_other_losses(Path("last"), names)
    with pytest.raises(UserError, match=r"last: damaged: holds 3 losses, where this training has 4 \(obj"):
        progress(losses=(1, 2, 3)).refuse_other_losses(Path("last"), names)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ([], "lacks places or random"),
        ({"places": []}, "lacks places or random"),
        ({"random": {}}, "no state of a generator"),
        ({"random": {"python": [3, [1, 2], None]}}, "no state of a generator"),
        ({"random": 3}, "no state of a generator"),
    ],
)
def test_an_extra_file_of_another_form(saved, extra, said):
    """With a checksum that agrees: somebody wrote it so."""
    state = saved[0].last / "state.json"
    record = json.loads(state.read_text())
    path = saved[0].last / record["files"]["extra"]["name"]
    if said.startswith("no"):
        extra = {**json.loads(path.read_text()), **extra}
    path.write_text(json.dumps(extra))
    record["files"]["extra"] = atomic_io.seal(path)
    state.write_text(json.dumps(record))
    with pytest.raises(UserError, match=f"{path.name}: damaged: {said}"):
        load(saved)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match="state.json: no checkpoint there"):
        Checkpoint(tmp_path / "nowhere").read()


def test_another_network_or_other_classes_are_named(saved):
    with pytest.raises(UserError, match="holds the network tiny, not huge"):
        load(saved, network="huge")
    with pytest.raises(UserError, match="holds 2 classes, not 3"):
        load(saved, class_names=("cat", "dog", "cow"))
    with pytest.raises(UserError, match="'dog' is now 'Dog'"):
        load(saved, class_names=("cat", "Dog"))


def test_another_shape_under_the_same_name_is_an_error_of_the_user(saved):
    other = Training(channels=5)
    with pytest.raises(UserError, match="does not fit tiny"):
        load((saved[0], other))


def test_an_unwritable_folder_is_named(tmp_path):
    training = Training()
    (tmp_path / "file").write_text("in the way")
    checkpoint = Checkpoint(tmp_path / "file" / "weights")
    with pytest.raises(UserError, match="last: cannot be written: Not a directory"):
        checkpoint.save(training.net, training.trainer, progress())
    with pytest.raises(UserError, match="best.params: cannot be written"):
        checkpoint.save_best(training.net)


def test_a_full_disk_is_named_and_keeps_the_old(saved, monkeypatch):
    def full(*_):
        raise mx.base.MXNetError("FileStream.Write incomplete\nStack trace: ...")

    monkeypatch.setattr(nd, "save", full)
    with pytest.raises(UserError, match="cannot be written: mxnet could not write all of it; is the disk"):
        saved[0].save(saved[1].net, saved[1].trainer, progress(step=8))
    assert load(saved).step == 0


def test_state_is_readable_json(saved):
    state = json.loads((saved[0].last / "state.json").read_text())
    assert state["network"] == NETWORK and state["class_names"] == list(CLASSES)
    assert state["package"].startswith("gluon_yolo ")
