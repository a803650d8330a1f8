"""Memory of a training: the defaults of a CPU, refused trainings, and trainings that run out of memory."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.api.train import _prepare_cpu
from gluon_yolo.cli import main
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.system import cpu, memory, run_note
from gluon_yolo.system.memory import Memory
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.memory_fit import cpu_defaults
from gluon_yolo.training.merge import Given, decide
from gluon_yolo.training.mxnet_engine.step import TrainStep
from tests.cli.test_train_flags import fresh_flags, given
from tests.models.darknet import small
from tests.small_training import NAME, ROOT, SMALL, draw_data, parameters, rows, start_run

# The flags of every training here, without batch size and input sizes.
PLAIN = shlex.split('--network mobilenet0_25 --gpus "" --data-shape 64 --pretrained-base no --epochs 1')


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets the memory of this machine in GB."""

    def machine(free: float, swap: float = 0.0) -> None:
        found = Memory(int(free * 1e9), int(swap * 1e9), "this machine")
        monkeypatch.setattr(memory, "look", lambda *system: found)

    return machine


CPU = [mx.cpu()]


@pytest.mark.parametrize(
    "words, network, contexts, flags",
    [
        ("", {}, CPU, {"batch_size": 8, "no_random_shape": True}),
        ("", {}, [mx.gpu(0)], {}),
        ("--batch-size 64", {}, CPU, {"no_random_shape": True}),
        ("--random-shapes 320,608", {}, CPU, {"batch_size": 8}),
        ("--shape-interval 5", {}, CPU, {"batch_size": 8}),
        ("--no-random-shape", {}, CPU, {"batch_size": 8}),
        ("--recipe small-data", {}, CPU, {}),
        # settings of a cfg or the zoo, even if they equal a GPU's defaults
        ("", {"batch_size": 64}, CPU, {"no_random_shape": True}),
        ("", {"random_shapes": "320,352"}, CPU, {"batch_size": 8}),
        ("", {"no_random_shape": True}, CPU, {"batch_size": 8}),
        ("", {}, [mx.cpu(index) for index in range(3)], {"batch_size": 6, "no_random_shape": True}),
        ("", {}, [mx.cpu(index) for index in range(16)], {"batch_size": 16, "no_random_shape": True}),
    ],
)
def test_a_cpus_defaults_are_small_where_nobody_says_otherwise(words, network, contexts, flags):
    own = cpu_defaults(contexts, {**network, **decide(Given(given(words)), {})})
    assert own == flags
    whole = fresh_flags(given(words), {}, {**own, **network})
    assert whole["batch_size"] == given(words).get(
        "batch_size", {**own, **network}.get("batch_size", whole["batch_size"])
    )


def test_a_cfgs_batch_and_sizes_count_as_written(tmp_path):
    text = small.SMALL.replace("channels=3", "channels=3\nbatch=64").replace("num=3", "num=3\nrandom=1")
    (tmp_path / "net.cfg").write_text(text)
    own = find_architecture(str(tmp_path / "net.cfg")).training_flags(100, {})
    assert own["batch_size"] == 64 and "random_shapes" in own
    assert cpu_defaults(CPU, own) == {}


def test_the_defaults_are_said_with_why_and_what_changes_them(data, tmp_path, machine, capsys):
    machine(20)
    assert main(["train", "--data", str(data), *PLAIN, "--save-prefix", f"{tmp_path}/"]) == 0
    said = capsys.readouterr().err
    assert "devices: cpu(0); batch size 8; input 64x64" in said
    (line,) = [line for line in said.splitlines() if line.startswith("a CPU's defaults: ")]
    wanted = (
        r"a CPU's defaults: --batch-size 8 --no-random-shape; to change them: --batch-size and "
        r"--random-shapes. A GPU's defaults, batches of 64 pictures of up to 608x608, would take about "
        r"\d\d\.\d GB of memory here"
    )
    assert re.fullmatch(wanted, line)
    assert re.search(
        r"^memory: about 0\.\d GB for a batch of 8 at 64x64; there is 20.0 GB on this", said, re.M
    )
    args = json.loads((tmp_path / f"{NAME}-1" / "args.json").read_text())
    assert (args["batch_size"], args["no_random_shape"], args["memory"]) == (8, True, None)

    assert main(["train", "--data", str(data), *SMALL, "--epochs", "1", "--save-prefix", f"{tmp_path}/"]) == 0
    assert "a CPU's defaults" not in capsys.readouterr().err


def test_a_batch_that_nobody_asked_for_is_halved_until_it_fits(data, tmp_path, machine, capsys):
    words = ["train", "--data", str(data), *PLAIN, "--data-shape", "160", "--save-prefix", f"{tmp_path}/"]
    machine(20)
    assert main([*words, "--num-samples", "2"]) == 0
    eight = float(re.search(r"memory: about (\S+) GB", capsys.readouterr().err)[1])
    machine(eight)
    assert main([*words, "--num-samples", "2"]) == 0
    said = capsys.readouterr().err
    batch = int(re.search(r"a CPU's defaults: --batch-size (\d) --no-random-shape; ", said)[1])
    assert batch in (1, 2, 4) and f"batch size {batch}; input" in said
    assert json.loads((tmp_path / f"{NAME}-2" / "args.json").read_text())["batch_size"] == batch


def test_what_does_not_fit_is_refused_before_a_folder_is_made_and_the_hint_works(
    data, tmp_path, machine, capsys
):
    machine(0.5)
    words = ["train", "--data", str(data), *PLAIN, "--save-prefix", f"{tmp_path}/runs/"]
    assert main([*words, "--batch-size", "64", "--random-shapes", "320,608"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    found = re.fullmatch(
        r"error: memory: this training would be killed: it needs about \d+\.\d GB for a batch of 64 at up to "
        r"608x608; there is 0.5 GB on this machine. What fits: (.*). If the estimate is wrong: --memory GB "
        r"says how much there is",
        error,
    )
    assert found, error
    assert not list(tmp_path.iterdir())
    assert main([*words, *shlex.split(found[1]), "--num-samples", "1"]) == 0
    assert main([*words, "--batch-size", "4", "--memory", "0.001"]) == 2
    assert "there is 0.0 GB within the limit of --memory" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["--random-shapes 320,608", "--data-shape 608", "--data-shape 2048"])
def test_a_smaller_size_that_is_advised_can_be_pasted_behind_what_was_given(data, tmp_path, given, capsys):
    words = ["train", "--data", str(data), *PLAIN, "--save-prefix", f"{tmp_path}/"]
    words += [*shlex.split(given), "--memory", "0.25"]
    assert main(words) == 2
    advice = re.search(r"What fits: (--data-shape .*)\. If the estimate", capsys.readouterr().err)[1]
    assert main([*words, *shlex.split(advice), "--num-samples", "1"]) == 0
    (side,) = set(re.findall(r"shapes? (\d+)", advice))
    assert f"batch size 1; input {side}x{side}" in capsys.readouterr().err


def test_swap_and_doubt_are_warnings(data, tmp_path, machine, capsys):
    words = ["train", "--data", str(data), *PLAIN, "--batch-size", "4", "--save-prefix", f"{tmp_path}/"]
    machine(0.05, swap=10)
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "warning: this training will wait for the disk: it needs about " in said
    assert "there is 0.1 GB and 10.0 GB of swap on this machine. No size fits" in said


@pytest.mark.slow
def test_a_run_on_a_smaller_machine(data, tmp_path, machine, capsys):
    machine(20)
    status, run = start_run(data, tmp_path, "--epochs", "1", "--memory", "9")
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    machine(0.001)
    assert status == 0 and main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    keeps = ". A run that goes on keeps its own flags: go on where there is more memory"
    assert error.endswith(f"No size fits: end other programs, or take a smaller --network{keeps}")
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2, "batch_size": 640}))
    machine(0.2)
    assert main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"What fits: --batch-size \d+\. A run", error)
    assert error.endswith(f"{keeps}, or give these to a new run from its weights, --weights {run}")
    assert main(["train", "--resume", str(run), "--memory", "9"]) == 2  # the number of batches is different
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    assert main(["train", "--resume", str(run), "--memory", "9"]) == 0


@pytest.mark.parametrize(
    "given, said",
    [
        ("0", "0.0: must be above 0"),
        ("inf", "inf: must be a number of GB; leave it out to take what is there"),
        ("nan", "nan: must be a number of GB; leave it out to take what is there"),
    ],
)
def test_memory_that_is_none(data, killed, given, said, capsys):
    for words in (["--data", str(data), *PLAIN], ["--resume", str(killed)]):
        assert main(["train", *words, "--memory", given]) == 2
        assert capsys.readouterr().err == f"error: --memory {said}\n"


def test_more_copies_of_temporary_space_are_for_synchronised_norms_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(cpu, "prepare", lambda: asked.append(True))
    _prepare_cpu(fresh_flags(given("--cpu-devices 2")))
    assert not asked
    _prepare_cpu(fresh_flags(given("--cpu-devices 2 --syncbn")))
    assert asked


def test_a_device_without_memory_is_one_error_that_names_the_batch_to_try(
    data, tmp_path, monkeypatch, capsys
):
    step = TrainStep.__call__

    def fail_later(self, *given):
        if self.trainer.optimizer.num_update == 4:
            raise mx.base.MXNetError(
                "[1] pooled_storage_manager.h:161: cudaMalloc retry failed: out of memory"
            )
        return step(self, *given)

    monkeypatch.setattr(TrainStep, "__call__", fail_later)
    status, run = start_run(data, tmp_path, "--epochs", "3")
    assert status == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        "error: epoch 1, batch 1: out of memory on cpu(0), with --batch-size 4 at 64x64. Training stopped; "
        f"{run}/weights/last keeps the state of epoch 1, batch 0. Start a run with --batch-size 2"
    )
    assert not (run / "running.json").exists()


LIMITED = """
import resource, sys
from gluon_yolo.mxnet_compat import mx
size = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 2_000_000_000,) * 2)
from gluon_yolo.cli import main
sys.exit(main(["train", *sys.argv[1:]]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_mxnets_own_failure_on_a_cpu(data, tmp_path):
    """The estimate gets plenty of memory; mxnet runs out of it."""
    words = ["--data", str(data), *PLAIN, "--batch-size", "64", "--data-shape", "608", "--memory", "99"]
    command = [sys.executable, "-c", LIMITED, *words, "--save-prefix", f"{tmp_path}/", "-j", "0"]
    few = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}  # threads use address space too
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=few, timeout=300)
    assert done.returncode == 2, done.stderr
    error = done.stderr.splitlines()[-1]
    assert error.startswith(
        "error: epoch 0, batch 0: out of memory on cpu(0), with --batch-size 64 at 608x608."
    )
    assert error.endswith("nothing was saved before. Start a run with --batch-size 32")


KILLED = """
import logging, os, signal, sys
from gluon_yolo.cli import main

class Killer(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("epoch 0 batch 2/3"):
            os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("gluon_yolo").addHandler(Killer())
main(["train", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def killed(data, tmp_path_factory) -> Path:
    """Return a run whose training was killed in its first epoch, as by the out-of-memory killer."""
    out = tmp_path_factory.mktemp("killed")
    words = ["--data-root", str(data), "--save-prefix", f"{out}/", *SMALL, "--epochs", "2"]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    return out / f"{NAME}-1"


@pytest.mark.parametrize("command", [["eval", "--model"], ["export", "--out", "{out}"]])
def test_a_run_that_died_before_it_saved_says_so(killed, tmp_path, command, capsys):
    words = [word.format(out=tmp_path / "out") for word in command]
    assert main([*words, str(killed)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(
        r"has no weights yet .*: its training was killed, probably by the system for lack of memory "
        rf"\(process .*\); go on with: gluon-yolo train --resume {re.escape(str(killed))}$",
        error,
    )


def test_a_run_without_weights_is_not_said_to_have_some(killed, tmp_path, machine, capsys):
    run = shutil.copytree(killed, tmp_path / "run")
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "batch_size": 640}))
    machine(0.2)
    assert main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("go on where there is more memory, or give these to a new run") and "What" in error


def test_it_is_begun_anew_in_its_own_folder_and_ends_as_if_nothing_had_been(killed, data, tmp_path, capsys):
    status, whole = start_run(data, tmp_path, "--epochs", "2")
    capsys.readouterr()
    assert status == 0 and main(["train", "--resume", str(killed)]) == 0
    said = capsys.readouterr().err
    assert (
        f"warning: {killed}: its training was killed, probably by the system for lack of memory (process "
        in said
    )
    assert "; it begins anew" in said and "resuming" not in said
    assert rows(killed) == rows(whole)
    expected, found = parameters(whole), parameters(killed)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert not (killed / "running.json").exists()


# When a training dies at the end of its first epoch: before its checkpoint, within it, or at the last rename.
MOMENTS = ("Path.mkdir", "checkpoint.save_optimizer", "atomic_io.replacing")
SAVING = """
import os, signal, sys
from pathlib import Path
from gluon_yolo import atomic_io
from gluon_yolo.cli import main
from gluon_yolo.training import checkpoint

place = {"Path": Path, "checkpoint": checkpoint, "atomic_io": atomic_io}
module, name = sys.argv[1].split(".")
save = checkpoint.Checkpoint.save

def saved(*given):
    setattr(place[module], name, lambda *given, **named: os.kill(os.getpid(), signal.SIGKILL))
    save(*given)

checkpoint.Checkpoint.save = saved
main(["train", *sys.argv[2:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_died_in_its_first_checkpoint_begins_anew(data, tmp_path, moment, capsys):
    words = ["--data-root", str(data), "--save-prefix", f"{tmp_path}/", *SMALL, "--epochs", "1"]
    done = subprocess.run([sys.executable, "-c", SAVING, moment, *words], cwd=ROOT, capture_output=True)
    run = tmp_path / f"{NAME}-1"
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (run / "weights" / "best.params").exists() and len(rows(run)) == 1
    assert not (run / "weights" / "last" / "state.json").exists()
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().err
    assert "; it begins anew" in said and "resuming" not in said
    assert [row["epoch"] for row in rows(run)] == ["0"]
    assert Checkpoint(run / "weights").read().epoch == 1


def test_a_run_that_goes_on_is_left_alone(data, tmp_path, capsys):
    status, run = start_run(data, tmp_path, "--epochs", "1")
    with run_note.noted(run):
        assert main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        f"error: {run}: it is being trained at this moment (process {os.getpid()}, begun "
    )
    assert error.endswith("); wait for it, or stop it")
