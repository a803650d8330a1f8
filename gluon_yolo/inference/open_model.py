"""Open a model: from a path to its network in a runtime, and to the options of a Predictor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.file_names import BEST_WEIGHTS
from gluon_yolo.inference import postprocess
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import DETECTION, ModelRecord
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes import autotune, registry, trial
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.inference.runtimes.registry import Network

AUTO = "auto"


def open_model(
    path: Path,
    runtime: str,
    size_hw: tuple[int, int] | None,
    gpu: int | None,
    remeasure: bool,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Open a model in a runtime, by default in the fastest that can run it.

    Args:
        path: as :func:`gluon_yolo.inference.model_path.read_model` takes it.
        runtime: one of :data:`~gluon_yolo.inference.runtimes.registry.RUNTIMES`, or ``auto``.
        size_hw: input size in pixels. None takes the model's own.
        gpu: index of a GPU. None runs on the CPU.
        remeasure: with ``auto``, measure the runtimes again instead of using the cached result.
        options: of :class:`~gluon_yolo.inference.predictor.Predictor`; they override the model record.

    Returns:
        The arguments of a Predictor.

    Raises:
        UserError: the model does not exist or is damaged, or the runtime cannot run it.
        MissingDependency: the package of the runtime is not installed.
    """
    record, file = read_model(path)
    record.expect(DETECTION, path)
    size_hw = size_hw or record.size_hw
    check_size(size_hw, record.spec)
    runtime, network = _network(path, runtime, record, file, size_hw, gpu, remeasure)
    limit = registry.limit_of(runtime, record)
    options = {
        **{"fit": Preprocess(record.fit), "max_detections": record.max_detections},
        **({} if "max_detections" in options else {"max_candidates": record.max_candidates}),
        **{"network_limit": limit, "name": str(path), "gpu": gpu},
        **options,
    }
    if options.get("score_threshold") is None:
        options["score_threshold"] = best_threshold_of(record, path)
    compared = registry.limit_of(runtime, record, "max_candidates")
    postprocess.warn_of_limit(f"{path}: {runtime}", limit, options["max_detections"])
    postprocess.warn_of_candidates(f"{path}: {runtime}", compared, options.get("max_candidates"))
    return {"network": network, "spec": record.spec, "size_hw": size_hw, "runtime": runtime, **options}


def best_threshold_of(record: ModelRecord, path: Path) -> float | None:
    """Return the score threshold with the best F1; None where it is not known, or is that of other weights.

    Args:
        record: of the model; that of a run is of its best weights.
        path: as :func:`open_model` takes it; of a run it may stand for other weights.
    """
    if record.best_threshold is None or not record.is_run or weights_of(path).name == BEST_WEIGHTS:
        return record.best_threshold
    return None


def open_block(
    net: Any, size_hw: tuple[int, int], gpu: int | None, runtime: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Copy a network in memory into a runtime.

    Args:
        net: the network.
        size_hw: input size in pixels.
        gpu: index of a GPU. None runs on the CPU.
        runtime: one that runs networks, or ``auto``: mxnet, or torch for a GPU that mxnet cannot use.
        options: of :class:`~gluon_yolo.inference.predictor.Predictor`.

    Returns:
        The arguments of a Predictor.

    Raises:
        UserError: the runtime runs exported models only, or cannot use the GPU.
        MissingDependency: the package of the runtime is not installed.
    """
    runtime = registry.builder_for(gpu) if runtime == AUTO else runtime
    network = registry.from_block(runtime, net, gpu)
    options = {"name": net.zoo_name, "gpu": gpu, **options}
    return {"network": network, "spec": net.spec, "size_hw": size_hw, "runtime": runtime, **options}


def _network(
    path: Path,
    runtime: str,
    record: ModelRecord,
    file: Path,
    size_hw: tuple[int, int],
    gpu: int | None,
    remeasure: bool,
) -> tuple[str, Network]:
    """Return the name of the runtime and the network; ``file`` is in the folder of the model's files."""
    if record.is_run:
        chosen = registry.builder_for(gpu) if runtime == AUTO else runtime
        return chosen, registry.load_run(chosen, record, path, gpu)
    if runtime == AUTO:
        return autotune.choose(record, file, size_hw, gpu, remeasure)
    registry.check_fixed(runtime, record, size_hw)
    return runtime, trial.load(runtime, record, file.parent, size_hw, gpu)
