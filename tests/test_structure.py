"""The shape of the package: who may import whom, and what importing it costs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.child import python

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gluon_yolo"

# The folders of the package, and the files beside them, from the ground up: each imports from lower floors
# and from itself only. "" is the package's face, which imports what it offers when that is asked for.
FLOORS = (
    ("_version", "text", "class_names", "spec", "landmarks", "boxes", "numpy_compat"),
    ("errors", "json_text"),
    ("system", "atomic_io", "file_names", "progress", "tables", "input_size"),
    ("outputs",),
    ("drawing",),
    ("detections",),
    ("nms", "mxnet_compat", "torch_compat"),
    ("parameter_io", "parameter_file"),
    ("graph", "caffe"),
    ("models",),
    ("pytorch",),
    ("assigners",),
    ("data", "losses"),
    ("weights",),
    ("inference",),
    ("visualize",),
    ("report",),
    ("evaluation",),
    ("exporters",),
    ("training",),
    ("api",),
    ("",),
    ("cli",),
    ("__main__",),
)

# What runs where no mxnet is installed, and in the loader's workers. A runtime of ``inference`` is loaded
# when asked for.
NUMPY_ONLY = (
    *(
        "detections",
        "boxes",
        "nms",
        "spec",
        "assigners",
        "data",
        "drawing",
        "visualize",
        "report",
        "inference",
        "system",
    ),
    *(
        f"evaluation.{name}"
        for name in (
            *("metric", "matching", "voc_ap", "coco_ap", "f1", "table"),
            *("confusion", "curves", "detection_store", "details", "error_kinds", "error_table", "ranking"),
            "result",
        )
    ),
)
MXNET_TOO = tuple(f"inference.runtimes.{name}" for name in ("mxnet", "torch", "exported_symbol"))


def module_name(path: Path) -> str:
    """gluon_yolo/models/layers.py -> nn.layers; gluon_yolo/data/__init__.py -> data."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path, everywhere: bool) -> set[str]:
    """Return the full names of what a file imports.

    Args:
        path: the file.
        everywhere: whether imports inside functions and for type checkers count too.
    """
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not everywhere:
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not everywhere:
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return names


def own_modules(path: Path, everywhere: bool = True) -> set[str]:
    """Return which modules of this package a file imports: ``gluon_yolo.boxes.iou_matrix`` is ``boxes``."""
    found = set()
    for name in imported(path, everywhere):
        top, _, rest = name.partition(".")
        if top == "gluon_yolo":
            found.add(rest if rest in SOURCES else rest.rpartition(".")[0])
    return found


def floor_of(module: str) -> int:
    folder = module.partition(".")[0]
    floors = [number for number, floor in enumerate(FLOORS) if folder in floor]
    assert floors, f"gluon_yolo/{folder} has no floor: give it one in {Path(__file__).name}"
    return floors[0]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_down(module):
    for other in sorted(own_modules(SOURCES[module])):
        same = module.partition(".")[0] == other.partition(".")[0]
        assert same or floor_of(other) < floor_of(module), (
            f"gluon_yolo.{module} imports gluon_yolo.{other}: a back edge"
        )


def test_no_module_imports_itself_by_a_way_round():
    graph = {module: own_modules(path) - {module} for module, path in SOURCES.items()}
    finished: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in finished:
            for other in sorted(graph[module]):
                walk(other, (*way, module))
            finished.add(module)

    for module in graph:
        walk(module, ())


def test_no_file_is_long():
    lengths = {module: len(path.read_text().splitlines()) for module, path in SOURCES.items()}
    assert not {module: length for module, length in lengths.items() if length > 300}


@pytest.mark.parametrize("path", [*SOURCES.values(), *sorted(ROOT.glob("*.py"))], ids=lambda path: path.name)
def test_only_compat_imports_mxnet(path):
    tops = {name.partition(".")[0] for name in imported(path, everywhere=True)}
    if path != PACKAGE / "mxnet_compat.py":
        assert not tops & {"mxnet", "gluoncv"}


@pytest.mark.parametrize("path", [*SOURCES.values(), *sorted(ROOT.glob("*.py"))], ids=lambda path: path.name)
def test_only_torch_compat_imports_torch(path):
    tops = {name.partition(".")[0] for name in imported(path, everywhere=True)}
    called = re.findall(r"import_module\(['\"]torch", path.read_text())
    if path != PACKAGE / "torch_compat.py":
        assert "torch" not in tops and not called


# Imported only where an engine or a runtime was chosen.
TORCH_TOO = (
    *("torch_compat", "pytorch", "inference.runtimes.torch", "training.torch_engine"),
    *(
        f"training.processes.{name}"
        for name in ("agent", "checkpoint", "launch", "many", "membership", "store", "watch", "worker")
    ),
)


def imported_by_most(names: set[str]) -> str:
    """Return which packages are there after all modules have been imported that need no torch, as a list."""
    chosen = tuple(f"{name}." for name in TORCH_TOO)
    others = [name for name in SOURCES if name != "__main__" and not f"{name}.".startswith(chosen)]
    lines = ["import importlib, sys"]
    lines += [f"importlib.import_module('gluon_yolo{name and '.' + name}')" for name in others]
    done = python("-c", "\n".join([*lines, f"print(sorted({names} & set(sys.modules)))"]))
    return "".join(done.stdout.strip().splitlines()[-1:])


def test_other_modules_import_no_torch():
    """Commands, mxnet's engine and the other runtimes: none loads torch, which takes seconds and memory."""
    assert imported_by_most({"torch"}) == "[]"


def test_no_module_imports_what_reports_and_logs_need():
    """Bokeh, Jinja2 and tensorboardX are imported where a report or event files are asked for."""
    assert imported_by_most({"bokeh", "jinja2", "tensorboardX"}) == "[]"


def test_numpy_side_never_reaches_the_network():
    start = [m for m in SOURCES if f"{m}.".startswith(tuple(f"{name}." for name in NUMPY_ONLY))]
    seen: set[str] = set()
    waiting = [module for module in start if module not in MXNET_TOO]
    assert {name.partition(".")[0] for name in NUMPY_ONLY} <= {m.partition(".")[0] for m in waiting}
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += own_modules(SOURCES[module], everywhere=False)
    assert "mxnet_compat" not in seen


def test_importing_the_package_imports_no_mxnet():
    heavy = {"mxnet", "gluoncv", "torch", "numpy", "cv2"}
    code = f"import sys, gluon_yolo; print(sorted({heavy} & set(sys.modules)))"
    done = python("-c", code)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there():
    import gluon_yolo

    for name in gluon_yolo.__all__:
        assert getattr(gluon_yolo, name) is not None
        assert name in dir(gluon_yolo)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gluon_yolo.nothing  # noqa: B018


def test_there_is_no_drawer_for_everything():
    assert not [module for module in SOURCES if re.search(r"\b(utils?|helpers?|common|misc)\b", module)]


@pytest.mark.parametrize("door", ["train_yolo3_mobilenet.py", "eval_yolo3.py", "demo.py"])
def test_doors_are_thin(door):
    assert len((ROOT / door).read_text().splitlines()) <= 15


def test_both_requirements_files_agree_but_for_mxnet():
    def others(file: str) -> list[str]:
        lines = [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]
        return [line for line in lines if not line.startswith(("mxnet", "nvidia-"))]

    assert others("requirements.txt") == others("requirements-gpu.txt")
