"""The report of ``doctor`` on a complete machine, and on one with missing packages."""

from __future__ import annotations

import re
import sys

import cv2
import pytest

from gluon_yolo import cli
from gluon_yolo.cli import doctor
from tests.system.test_cuda import machine as _machine
from tests.training.test_engine_choice import become as _become

machine, become = _machine, _become  # fixtures


def test_this_machine_is_ready(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "a small convolution ran" in said
    assert said.splitlines()[-1].startswith("verdict: ready to train on the CPU")


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("mxnet", "mxnet is not installed: run `make setup`"),
        ("cv2", "cv2 is not installed: pip install opencv-python (needed to train)"),
    ],
)
def test_without_a_package_it_says_what_to_install(monkeypatch, capsys, absent, said):
    monkeypatch.setitem(sys.modules, absent, None)  # import now raises ModuleNotFoundError
    monkeypatch.delitem(sys.modules, "gluon_yolo.mxnet_compat", raising=False)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert out.splitlines()[-1].startswith("verdict: not ready to train")


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("matplotlib", "pip install matplotlib (without it: no curves of a training)"),
        (
            "pycocotools",
            "pip install pycocotools (without it: none of COCO's numbers, and VOC07's mAP chooses the best "
            "epoch)",
        ),
        ("google.protobuf", "pip install protobuf (without it: Caffe's files are neither read nor written)"),
    ],
)
def test_what_is_lost_without_a_package_that_training_can_do_without(monkeypatch, capsys, absent, said):
    monkeypatch.setitem(sys.modules, absent, None)
    assert cli.main(["doctor"]) == 0
    assert said in capsys.readouterr().out


def test_the_reader_of_caffe_s_files(monkeypatch, capsys):
    """OpenCV 5 has none."""
    assert cli.main(["doctor"]) == 0
    ready = re.search("^  opencv         (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert ready is not None and ready.group(1) == "ready"
    monkeypatch.delattr(cv2.dnn, "readNetFromCaffe")
    assert cli.main(["doctor"]) == 0
    said = 'has no reader of Caffe\'s files: pip install "opencv-python<5"\n'
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('The device supports: all', end='')", "1.2 ready"),
        ("import os; os.write(1, b'version: nonsense\\n')", "1.2 ready"),
        (
            "raise ImportError('libx.so: no such file')",
            "installed and does not load: .*libx.so: no such file",
        ),
        ("import os; os._exit(0)", "installed and does not load: exit status 0"),
    ],
)
def test_a_runtime_that_talks_when_it_is_imported(tmp_path, monkeypatch, code, said):
    """MNN prints a line on the processor; the row has the version only."""
    (tmp_path / "talkative.py").write_text(code + "\n")
    (tmp_path / "talkative-1.2.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: talkative\nVersion: 1.2\n"
    (tmp_path / "talkative-1.2.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert re.fullmatch(said, doctor._runtime_state("talkative"))


H100 = "GPU 0 (H100, compute capability 9.0)"


@pytest.mark.parametrize(
    "gpus, wheel, built, lines, verdict",
    [
        (None, None, "cpu", ["none: no NVIDIA driver was found"], "the CPU"),
        (
            [("H100", 9, 0)],
            None,
            "13.0",
            [
                f"mxnet: {H100}: not used, the installed mxnet computes on the CPU only",
                f"torch: {H100}: ready",
            ],
            "the CPU and 1 GPU(s)",
        ),
        (
            [("H100", 9, 0)],
            None,
            "cpu",
            [f"mxnet: {H100}: not used", "torch: none: the installed torch computes on the CPU only: pip"],
            "the CPU",
        ),
        (
            [("A100", 8, 0)],
            "mxnet-cu112",
            "13.0",
            [
                "mxnet: GPU 0 (A100, compute capability 8.0): ready",
                "torch: GPU 0 (A100, compute capability 8.0): ready",
                "warning: mxnet-cu112 and torch with CUDA 13.0 are in one environment: each may load",
            ],
            "the CPU and 1 GPU(s)",
        ),
        # torch is not installed: as ever
        (
            [("A100", 8, 0), ("H100", 9, 0)],
            "mxnet-cu112",
            None,
            [
                "GPU 0 (A100, compute capability 8.0): ready",
                "GPU 1 (H100, compute capability 9.0): mxnet's CUDA",
            ],
            "the CPU and 1 GPU(s)",
        ),
    ],
)
def test_each_gpu_and_which_engine_can_use_it(
    become, monkeypatch, capsys, gpus, wheel, built, lines, verdict
):
    become(gpus, wheel, built)
    if built is None:
        monkeypatch.setitem(sys.modules, "torch", None)
        monkeypatch.delitem(sys.modules, "gluon_yolo.torch_compat", raising=False)
    else:
        assert sys.modules["torch"]  # its rows were imported by ``become``
    monkeypatch.setattr(doctor, "_runtime_state", lambda runtime: "not asked for")
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out.splitlines()
    start = said.index("GPUs") + 1
    found = [line.strip() for line in said[start : said.index("", start)]]
    assert len(found) == len(lines)
    assert all(line.startswith(expected) for line, expected in zip(found, lines)), found
    assert said[-1] == f"verdict: ready to train on {verdict}"
    row, as_runtime = [line for line in said if line.startswith("  torch  ")]
    assert as_runtime.split(maxsplit=1)[1] == ("see above" if built is None else "ready")
    kind = {
        None: 'torch is not installed: pip install ".[torch]" (without it: no engine for GPUs',
        "cpu": "(CPU build)",
    }
    assert kind.get(built, f"(CUDA {built} build)") in row
