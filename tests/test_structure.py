"""The shape of the package: who may import whom, and what importing it costs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.child import python

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gluon_yolo"

# Each area of the package, from the ground up: a module imports from lower floors and from its own area only.
# The "" is the package itself (its version).
FLOORS = (
    ("_version", "control_groups"),
    (
        *("", "errors", "decimal_text", "cores", "memory", "cpu_devices", "missing", "numpy_names"),
        *("class_names", "text"),
    ),
    ("heartbeat", "bars", "file_names", "running", "cuda", "structures", "spec", "atomic"),
    ("compat", "boxes"),
    ("settled",),
    ("nn.layers", "nn.coding", "nn.scores", "nn.stand_ins"),
    ("nn.backbones", "nn.necks", "nn.light_fpn", "nn.heads", "nn.decoupled_heads", "assign"),
    ("nn.detector", "nn.decode", "data"),
    (
        *(
            "nn.weights",
            "nn.weights_file",
            "nn.gluoncv_names",
            "nn.collected_names",
            "nn.pth_file",
            "nn.pth_pickle",
        ),
        *("nn.fastestv2_names", "nn.summary", "losses", "metrics"),
    ),
    ("darknet",),
    ("nn.darknet53_names",),
    ("nn.zoo",),
    ("nn.architecture",),
    ("inference",),
    ("placement",),
    ("drawing",),
    ("visualize", "export"),
    ("engine",),
    ("cli",),
    ("__main__",),
)
# Several files that belong together share a floor's area under one name.
SAME_AREA = {
    "bars": "heartbeat",
    **dict.fromkeys(("nn.gluoncv_names", "nn.collected_names", "nn.weights_file"), "nn.weights"),
    **dict.fromkeys(("nn.pth_pickle", "nn.fastestv2_names"), "nn.pth_file"),
    "nn.decoupled_heads": "nn.heads",
}

# What runs where no mxnet is installed, and in the loader's workers. A runtime of ``inference`` is loaded
# when asked for.
NUMPY_ONLY = (
    "structures",
    "boxes",
    "spec",
    "assign",
    "data",
    "metrics",
    "placement",
    "drawing",
    "visualize",
    "inference",
    "cores",
    "cpu_devices",
    "cuda",
)
MXNET_TOO = ("_runtime", "inference.mxnet_precision")  # how names of modules end that belong to a runtime


def module_name(path: Path) -> str:
    """gluon_yolo/nn/layers.py -> nn.layers; gluon_yolo/data/__init__.py -> data."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path, everywhere: bool) -> set[str]:
    """Return the full names of what a file imports.

    Args:
        path: the file.
        everywhere: whether imports inside functions count too; those for type checkers alone never do.
    """
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
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


def area_of(module: str) -> str:
    areas = [
        area
        for floor in FLOORS
        for area in floor
        if module == area or (area and module.startswith(area + "."))
    ]
    if not areas and module in ("nn", "darknet"):
        return ""
    assert areas, f"gluon_yolo.{module} has no floor: give it one in {Path(__file__).name}"
    return max(areas, key=len)


def floor_of(area: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if area in floor)


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_down(module):
    mine = area_of(module)
    for other in sorted(own_modules(SOURCES[module])):
        theirs = area_of(other)
        same = SAME_AREA.get(mine, mine) == SAME_AREA.get(theirs, theirs)
        assert same or floor_of(theirs) < floor_of(mine), (
            f"gluon_yolo.{module} imports gluon_yolo.{other}: a back edge"
        )


def test_no_module_imports_itself_by_a_way_round():
    graph = {module: own_modules(path, everywhere=False) - {module} for module, path in SOURCES.items()}
    finished: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in finished:
            for other in graph[module]:
                walk(other, (*way, module))
            finished.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize("path", [*SOURCES.values(), *sorted(ROOT.glob("*.py"))], ids=lambda path: path.name)
def test_only_compat_imports_mxnet(path):
    tops = {name.partition(".")[0] for name in imported(path, everywhere=True)}
    if path != PACKAGE / "compat.py":
        assert not tops & {"mxnet", "gluoncv"}


def test_numpy_side_never_reaches_the_network():
    start = [m for m in SOURCES if m.partition(".")[0] in NUMPY_ONLY and not m.endswith(MXNET_TOO)]
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += own_modules(SOURCES[module], everywhere=False)
    assert "compat" not in seen


def test_importing_the_package_imports_no_mxnet():
    code = "import sys, gluon_yolo; print(sorted({'mxnet', 'gluoncv', 'numpy', 'cv2'} & set(sys.modules)))"
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
