"""GPUs as a stand-in for the NVIDIA driver describes them: no GPU and no CUDA wheel is needed."""

from __future__ import annotations

import ctypes
import importlib.metadata

import pytest

from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.system import cuda


class Driver:
    """Answers like libcuda.so.1 for a list of (name, major, minor)."""

    def __init__(self, gpus, status=0):
        self.gpus, self.status = gpus, status

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.gpus)

    def cuDeviceGet(self, device, index):
        device._obj.value = index

    def cuDeviceGetName(self, name, length, device):
        name.value = self.gpus[device.value][0].encode()

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = self.gpus[device.value][{75: 1, 76: 2}[attribute]]


@pytest.fixture
def machine(monkeypatch):
    """Return a function that gives this machine GPUs (None: no driver) and an mxnet wheel (None: CPU)."""

    def become(gpus, wheel="mxnet-cu112", status=0):
        def load(name, mode=None):
            if gpus is None:
                raise OSError(f"{name}: cannot open shared object file: No such file or directory")
            return Driver(gpus, status)

        def distribution(name):
            if name != wheel:
                raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(importlib.metadata, "distribution", distribution)

    return become


@pytest.mark.parametrize(
    ("capability", "runs"),
    [
        ((3, 7), False),
        ((5, 0), True),
        ((5, 2), True),
        ((6, 1), True),
        ((7, 5), True),
        ((8, 0), True),
        ((8, 6), True),
        ((8, 9), True),  # Ada runs the kernels for 8.6
        ((9, 0), False),  # Hopper: no kernels, and no PTX to make them from
        ((10, 0), False),
        ((12, 0), False),
    ],
)
def test_kernels_by_capability(machine, capability, runs):
    machine([("Some GPU", *capability)])
    if runs:
        cuda.check_gpu(0, cuda_build=True)
        assert cuda.gpu_report(True)[0].endswith(cuda.READY)
    else:
        with pytest.raises(
            UserError, match=r"hold no kernels for it .*5\.0 6\.0 7\.0 8\.0 8\.6.*--gpus \"\""
        ):
            cuda.check_gpu(0, cuda_build=True)
        assert "hold no kernels" in cuda.gpu_report(True)[0]


def test_of_an_mxnet_from_source_nothing_is_presumed(machine):
    machine([("Hopper", 9, 0)], wheel=None)
    cuda.check_gpu(0, cuda_build=True)


def test_an_absent_gpu_names_those_that_are_there(machine):
    machine([("First", 7, 5), ("Second", 8, 6)])
    with pytest.raises(UserError) as caught:
        cuda.check_gpu(2, cuda_build=True)
    assert str(caught.value) == (
        "GPU 2 was asked for, and there are only: "
        "0 (First, compute capability 7.5), 1 (Second, compute capability 8.6); "
        'name one of these, or compute on the CPU: leave out --gpu, and for training give --gpus ""'
    )


@pytest.mark.parametrize(
    ("gpus", "status", "said"),
    [
        ([], 100, "the driver shows no GPU to this process"),
        (None, 0, r"no NVIDIA driver was found \(libcuda.so.1\)"),
        ([("Some GPU", 8, 6)], 999, "does not start .*999"),
    ],
)
def test_no_gpu_at_all(machine, gpus, status, said):
    machine(gpus, status=status)
    with pytest.raises(UserError, match=said):
        cuda.check_gpu(0, cuda_build=True)
    (line,) = cuda.gpu_report(True)
    assert line.startswith("none: ")


def test_the_cpu_wheel_says_which_package_computes_on_gpus(machine):
    machine([("Some GPU", 8, 6)], wheel=None)
    with pytest.raises(UserError, match=r"on the CPU only: .* requirements-gpu.txt"):
        cuda.check_gpu(0, cuda_build=False)
    assert "not used" in cuda.gpu_report(False)[0]


def test_libraries_are_loaded_for_a_cuda_wheel_only(machine, monkeypatch, tmp_path):
    machine(None, wheel=None)
    assert cuda.load_libraries() == []

    # pip's layout: nvidia/<part>/lib/<library>; here all but cuDNN are there
    for library in cuda._LIBRARIES[:-1]:
        (tmp_path / "nvidia" / library).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nvidia" / library).touch()
    loaded = []
    machine(None)
    monkeypatch.setattr(ctypes, "CDLL", lambda path, mode: loaded.append((path, mode)))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cuda.load_libraries() == ["libcudnn.so.8"]
    assert loaded == [
        (str(tmp_path / "nvidia" / library), ctypes.RTLD_GLOBAL) for library in cuda._LIBRARIES[:-1]
    ]


def test_a_missing_driver_is_an_import_error_too():
    assert issubclass(MissingDependency, ImportError)
