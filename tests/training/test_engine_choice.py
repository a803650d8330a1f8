"""Engine choice: which engine trains on which devices, on machines with other GPUs and packages."""

from __future__ import annotations

import gc
import importlib.util
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.pytorch import device
from gluon_yolo.system import cuda, memory
from gluon_yolo.training.config import PLAIN_DEFAULTS, TrainConfig
from gluon_yolo.training.engine_choice import choose_engine, make_engine
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.processes.member import Member
from tests.printed import printed, refused
from tests.random_model import random_detector
from tests.system.test_cuda import machine as _machine

machine = _machine  # a fixture

AMPERE, HOPPER, PASCAL = ("A100", 8, 0), ("H100", 9, 0), ("P100", 6, 0)
AUTO = "engine: mxnet; --engine auto takes torch for GPUs that mxnet cannot use, and for several processes"


@pytest.fixture
def become(machine, monkeypatch) -> Callable[..., None]:
    """Return a function that gives this machine GPUs, a wheel of mxnet's, and a build of torch's.

    Its ``torch`` is a version of CUDA, ``cpu``, or None where torch is not installed.
    """

    def become(gpus: Any, wheel: str | None = "mxnet-cu112", torch: str | None = "13.0") -> None:
        module = torch and pytest.importorskip("torch", reason="the second engine needs PyTorch")
        machine(gpus, wheel)
        monkeypatch.setattr(mxnet_compat, "_cuda_build", lambda: wheel is not None)
        monkeypatch.setattr(device, "is_installed", lambda: torch is not None)
        if not module:
            return
        present = gpus or []
        monkeypatch.setattr(module.version, "cuda", None if torch == "cpu" else torch)
        for name, answer in {
            "is_available": lambda: bool(present),
            "device_count": lambda: len(present),
            "get_device_name": lambda index: present[index][0],
            "get_device_capability": lambda index: present[getattr(index, "index", index)][1:],
            "get_arch_list": lambda: ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "compute_120"],
        }.items():
            monkeypatch.setattr(module.cuda, name, answer)

    return become


def chosen(**given: Any) -> tuple[str, list[str], str]:
    """Return engine, devices and line for settings, in one of several processes where ``member`` says so."""
    member = given.pop("member", None)
    choice = choose_engine({**PLAIN_DEFAULTS, **given}, member)
    return choice.engine, list(map(str, choice.devices)), printed(choice.line)


@pytest.mark.parametrize(
    "gpus, wheel, torch, given, engine, devices, line",
    [
        # a CPU
        (None, None, "cpu", {}, "mxnet", ["cpu(0)"], AUTO),
        (None, None, None, {}, "mxnet", ["cpu(0)"], ""),
        ([HOPPER], None, "13.0", {"gpus": ""}, "mxnet", ["cpu(0)"], AUTO),
        ([HOPPER], None, "13.0", {"cpu_devices": 2}, "mxnet", ["cpu(0)", "cpu(1)"], AUTO),
        # a GPU that mxnet can use
        ([AMPERE], "mxnet-cu112", "13.0", {}, "mxnet", ["gpu(0)"], AUTO),
        ([AMPERE, AMPERE], "mxnet-cu112", "13.0", {"gpus": "1,0"}, "mxnet", ["gpu(1)", "gpu(0)"], AUTO),
        # one that it has no kernels for, by default or asked for
        (
            [HOPPER],
            "mxnet-cu112",
            "13.0",
            {},
            "torch",
            ["cuda:0"],
            "engine: torch; mxnet has no kernels for GPU 0 (H100, compute capability 9.0)",
        ),
        (
            [AMPERE, HOPPER],
            None,
            "13.0",
            {"gpus": "1"},
            "torch",
            ["cuda:1"],
            "engine: torch; mxnet has no kernels for GPU 1 (H100, compute capability 9.0)",
        ),
        # mxnet is installed for the CPU: no other package of it may be beside torch's CUDA
        (
            [AMPERE],
            None,
            "13.0",
            {},
            "torch",
            ["cuda:0"],
            "engine: torch; the installed mxnet cannot use GPU 0 (A100, compute capability 8.0)",
        ),
        # torch cannot use it either: by default the CPU, as ever
        ([HOPPER], None, "cpu", {}, "mxnet", ["cpu(0)"], AUTO),
        ([HOPPER], None, None, {}, "mxnet", ["cpu(0)"], ""),
        ([PASCAL], None, "13.0", {}, "mxnet", ["cpu(0)"], AUTO),
        # what is asked for
        ([HOPPER], None, "13.0", {"engine": "mxnet"}, "mxnet", ["cpu(0)"], "engine: mxnet, as --engine says"),
        (
            [AMPERE],
            "mxnet-cu112",
            "13.0",
            {"engine": "torch"},
            "torch",
            ["cuda:0"],
            "engine: torch, as --engine says",
        ),
        ([HOPPER], None, "cpu", {"engine": "torch"}, "torch", ["cpu"], "engine: torch, as --engine says"),
        (
            [HOPPER],
            None,
            "13.0",
            {"engine": "torch", "gpus": ""},
            "torch",
            ["cpu"],
            "engine: torch, as --engine says",
        ),
        # several processes
        (
            None,
            None,
            "cpu",
            {"member": Member(1, 4, 1, 4, "localhost:1", "run", "0")},
            "torch",
            ["cpu"] * 4,
            "engine: torch, by which several processes train together",
        ),
    ],
)
def test_the_engine_and_its_devices(become, gpus, wheel, torch, given, engine, devices, line):
    become(gpus, wheel, torch)
    assert chosen(**given) == (engine, devices, line)


def test_a_torch_engine_has_its_gluon_network_on_the_cpu(become):
    become([HOPPER])
    assert choose_engine(PLAIN_DEFAULTS).contexts == [mx.cpu()]
    assert choose_engine({**PLAIN_DEFAULTS, "cpu_devices": 2}).contexts == [mx.cpu(0), mx.cpu(1)]


@pytest.mark.parametrize(
    "gpus, wheel, torch, given, said",
    [
        # as without torch, with the way out
        (
            [HOPPER],
            "mxnet-cu112",
            None,
            {"gpus": "0"},
            r'hold no kernels for it .*--gpus ""\. PyTorch can train on it: pip install "\.\[torch\]"$',
        ),
        (
            [HOPPER],
            None,
            "cpu",
            {"gpus": "0"},
            r"GPU 0 was asked for, .*\. Nor can torch: the installed torch",
        ),
        (None, None, None, {"gpus": "0"}, r'the installed mxnet computes on the CPU only.*give --gpus ""$'),
        # what torch lacks
        (
            [HOPPER],
            None,
            "cpu",
            {"engine": "torch", "gpus": "0"},
            "GPU 0 was asked for, and the installed torch",
        ),
        (
            None,
            None,
            "13.0",
            {"engine": "torch", "gpus": "0"},
            r"torch finds none: no NVIDIA driver was found",
        ),
        ([], None, "13.0", {"engine": "torch", "gpus": "0"}, "torch finds none: the driver shows no GPU"),
        ([HOPPER], None, "13.0", {"engine": "torch", "gpus": "2"}, r"there are only: 0 \(H100, compute"),
        (
            [PASCAL],
            None,
            "13.0",
            {"engine": "torch", "gpus": "0"},
            r"it is 0 \(P100, compute capability 6.0\), for which the installed torch .* holds no kernels",
        ),
        # precision where it is slow, or not there
        (
            [("V100", 7, 0)],
            None,
            "13.0",
            {"engine": "torch", "precision": "tf32", "gpus": ""},
            "--precision tf32: .* a CPU",
        ),
        (
            [("T4", 7, 5)],
            None,
            "13.0",
            {"engine": "torch", "precision": "tf32"},
            "from compute capability 8.0 on .* 7.5;",
        ),
        ([("T4", 7, 5)], None, "13.0", {"precision": "bfloat16"}, "--precision bfloat16: GPUs have it from"),
        (
            [AMPERE],
            "mxnet-cu112",
            "13.0",
            {"precision": "bfloat16"},
            "bfloat16: needs --engine torch; mxnet's",
        ),
        (None, None, "cpu", {"compile": True}, "--compile: needs --engine torch"),
        (None, None, "cpu", {"deterministic": True}, "--deterministic: needs --engine torch"),
    ],
)
def test_what_cannot_be(become, gpus, wheel, torch, given, said):
    become(gpus, wheel, torch)
    with refused(said):
        chosen(**given)


@pytest.mark.parametrize("flags, allowed", [("avx2 avx512_bf16", True), ("avx2 avx512f", False)])
def test_bfloat16_on_a_cpu_needs_its_instructions(become, monkeypatch, tmp_path, flags, allowed):
    become(None, None, "cpu")
    from gluon_yolo.training.torch_engine import precision

    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    processor_has = precision.processor_has
    monkeypatch.setattr(
        precision, "processor_has", lambda features: processor_has(features, tmp_path / "cpuinfo")
    )
    given = {"engine": "torch", "precision": "bfloat16"}
    if allowed:
        assert chosen(**given)[:2] == ("torch", ["cpu"])
    else:
        with refused(
            "--precision bfloat16: this CPU has neither AVX512-BF16 nor AMX, .* float32 is faster here"
        ):
            chosen(**given)


@pytest.mark.parametrize("engine", ["mxnet", "torch"])
def test_a_cpu_by_default_is_said(become, caplog, engine):
    become(None, None, "cpu")
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        chosen(engine=engine)
    assert caplog.messages == [
        f"training on the CPU: {engine} can use no GPU here; `gluon-yolo doctor` says why"
    ]


@pytest.mark.parametrize(
    "kernels, capability, runs",
    [
        ("sm_80", (8, 6), True),
        ("sm_86", (8, 0), False),
        ("sm_90", (10, 0), False),
        ("sm_90a", (9, 0), True),
        ("sm_100", (10, 3), True),
        ("sm_120", (12, 0), True),
        ("compute_90", (12, 0), True),
        ("compute_90", (8, 9), False),
    ],
)
def test_kernels_by_capability(become, monkeypatch, kernels, capability, runs):
    torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")
    become([("Some GPU", *capability)])
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: [kernels])
    assert bool(device.problem(0)) != runs
    assert device.gpu_report()[0].endswith(cuda.READY) == runs


def test_is_installed_imports_nothing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not device.is_installed()


def test_the_training_before_is_freed(monkeypatch):
    """Gluon's blocks refer to themselves: networks of many trainings in one program would pile up."""
    monkeypatch.setattr(memory, "GROWTH", -(1 << 40))
    gc.disable()
    try:
        net = random_detector()
        make_engine(TrainConfig(engine="mxnet"), net, [mx.cpu()], Processes())
        before = weakref.ref(net)
        net = random_detector()
        assert before() is not None
        make_engine(TrainConfig(engine="mxnet"), net, [mx.cpu()], Processes())
        assert before() is None
    finally:
        gc.enable()
