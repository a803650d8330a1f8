"""``doctor``: print what is installed, what this machine has, and what to install."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from types import ModuleType

import gluon_yolo
from gluon_yolo.errors import UserError, explain
from gluon_yolo.pytorch import device
from gluon_yolo.system import cpu, cuda, interpreter

HELP = """\
Print the versions of what is installed, the processor cores, the GPUs and which engine can use them, the
runtimes for exported models, and what to install for what is missing. The last line is the verdict. Exit
status 0 when this machine can train on its CPU, else 1."""

# Import name, name for pip, and what does not work without it; empty means that training needs it.
_PACKAGES = (
    ("numpy", "numpy", ""),
    ("cv2", "opencv-python", ""),
    ("tqdm", "tqdm", ""),
    ("matplotlib", "matplotlib", "no curves of a training"),
    ("mxnet", "mxnet", ""),
    ("gluoncv", "gluoncv", "no weights from GluonCV's model store"),
    ("pycocotools", "pycocotools", "none of COCO's numbers, and VOC07's mAP chooses the best epoch"),
    ("google.protobuf", "protobuf", "Caffe's files are neither read nor written"),
    ("torch", "torch", "no engine for GPUs that mxnet has no kernels for, nor for several processes"),
)
_VERSION = "version: "  # marks the version among the lines that a runtime prints itself
_RUNTIMES = ("onnxruntime", "openvino", "ncnn", "MNN", "ai_edge_litert")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print the report; return 0 if training on the CPU is possible, else 1."""
    threads_asked = os.environ.get("OMP_NUM_THREADS")  # read before mxnet_compat sets it
    print(f"gluon_yolo {gluon_yolo.__version__}, Python {platform.python_version()}, {platform.platform()}")

    print("\npackages")
    problems = {}
    for module, pip_name, purpose in _PACKAGES:
        needs_mxnet = module == "gluoncv" and "mxnet" in problems
        problem = "needs mxnet, see above" if needs_mxnet else _problem_of(module)
        if problem is None:
            _row(pip_name, _version(module, pip_name))
        else:
            problems[module] = problem
            _row(pip_name, problem + (f" (without it: {purpose})" if purpose else " (needed to train)"))

    print("\nprocessor")
    here = cpu.look()
    _row("cores", str(here))
    chosen = "as OMP_NUM_THREADS says" if threads_asked else "physical cores; OMP_NUM_THREADS=N overrides"
    _row("threads", f"{threads_asked or here.usable} ({chosen})")

    print("\nGPUs")
    lines, ready = _gpu_lines("mxnet" not in problems, "torch" not in problems)
    for line in lines:
        print(f"  {line}")

    print("\nruntimes for exported models")
    for engine in ("mxnet", "torch"):
        _row(engine, "see above" if engine in problems else "ready")
    for runtime in _RUNTIMES:
        _row(runtime, _runtime_state(runtime))
    _row("opencv", "see above" if "cv2" in problems else _reader_of_caffe())

    blocking = [pip_name for module, pip_name, purpose in _PACKAGES if module in problems and not purpose]
    print()
    if blocking:
        print(f"verdict: not ready to train: put right what is said above of {', '.join(blocking)}")
        return 1
    where = f"the CPU and {ready} GPU(s)" if ready else "the CPU"
    print(f"verdict: ready to train on {where}")
    return 0


def _problem_of(module: str) -> str | None:
    """Import a package and return in one sentence why that failed; None if it did not."""
    try:
        if module == "mxnet":
            _try_convolution(importlib.import_module("gluon_yolo.mxnet_compat"))
        elif module == "torch":
            importlib.import_module("gluon_yolo.torch_compat")
        elif module == "gluoncv":
            importlib.import_module("gluon_yolo.mxnet_compat").gluoncv()
        else:
            importlib.import_module(module)
    except UserError as error:
        return str(error)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return explain(error, module)
    return None


def _try_convolution(compat: ModuleType) -> None:
    """Run a convolution forward and backward on the CPU, to test the engine and not only its import."""
    nd = compat.nd
    image, weight = nd.ones((1, 1, 4, 4)), nd.ones((1, 1, 3, 3))
    weight.attach_grad()
    with compat.autograd.record():
        out = nd.Convolution(image, weight, kernel=(3, 3), num_filter=1, no_bias=True)
    out.backward()
    if weight.grad.sum().asscalar() != 36:
        raise RuntimeError("a small convolution gave a wrong gradient")


def _version(module: str, pip_name: str) -> str:
    """Return the version of an imported package; for mxnet, also its kind of build."""
    found = sys.modules[module]
    if module == "mxnet":
        wheel = cuda.wheel()
        build = f"{wheel}, CUDA" if wheel else "CPU"
        return f"{found.__version__} ({build} build; a small convolution ran)"
    if module == "torch":
        return f"{found.__version__} ({f'CUDA {found.version.cuda}' if found.version.cuda else 'CPU'} build)"
    try:
        return importlib.metadata.version(pip_name)
    except importlib.metadata.PackageNotFoundError:  # it has another name, as opencv-python-headless
        return getattr(found, "__version__", "installed")


def _gpu_lines(mxnet_loads: bool, torch_loads: bool) -> tuple[list[str], int]:
    """Return lines on the GPUs, by which engine each can be used, and the number that one of them can use."""
    if mxnet_loads:
        lines = importlib.import_module("gluon_yolo.mxnet_compat").gpu_report()
    else:
        lines = cuda.gpu_report(cuda_build=cuda.wheel() is not None)
    ready = {line for line in lines if line.endswith(cuda.READY)}
    version = sys.modules["torch"].version.cuda if torch_loads else None
    if torch_loads and (version or lines[0].startswith("GPU")):  # else there is none, as the line says
        by_torch = device.gpu_report()
        ready |= {line for line in by_torch if line.endswith(cuda.READY)}
        lines = [*(f"mxnet: {line}" for line in lines), *(f"torch: {line}" for line in by_torch)]
    if version and cuda.wheel():
        lines.append(
            f"warning: {cuda.wheel()} and torch with CUDA {version} are in one environment: each may load "
            f"the other's libraries; have one of them: pip uninstall torch, or pip uninstall {cuda.wheel()}, "
            "then pip install -r requirements.txt"
        )
    return lines, len(ready)


def _runtime_state(runtime: str) -> str:
    """Return whether a runtime works. Another process imports it, so that it cannot disturb this one."""
    if importlib.util.find_spec(runtime) is None:
        return f"not installed: pip install {runtime.replace('_', '-')}"
    code = f"import importlib.metadata as m, {runtime}; print('\\n{_VERSION}' + m.version('{runtime}'))"
    tried = subprocess.run(interpreter.code(code), capture_output=True, text=True, errors="replace")
    said = [line[len(_VERSION) :] for line in tried.stdout.splitlines() if line.startswith(_VERSION)]
    if tried.returncode == 0 and said:
        return f"{said[-1]} ready"
    last = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1]
    return explain(ImportError(last), runtime).replace(f"{runtime} is installed", "installed", 1)


def _reader_of_caffe() -> str:
    """Return whether OpenCV reads Caffe's files, as OpenCV 5 does not."""
    from gluon_yolo.inference.runtimes import opencv

    missing = opencv.missing_reader()
    return f"{missing}: {opencv.INSTALL}" if missing else "ready"


def _row(label: str, text: str) -> None:
    print(f"  {label:14} {text}")
