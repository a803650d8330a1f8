"""The ncnn runtime: runs NAME.param and NAME.bin. Imports no mxnet."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference.exported_format import ENDINGS
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base
from gluon_yolo.inference.runtimes.base import check_size, import_package, threads
from gluon_yolo.spec import DetectionSpec

INPUT = "data"
# Options of ncnn that each precision switches on.
PRECISIONS = {
    "f32": (),
    "bf16": ("use_bf16_storage",),
    "f16": ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"),
}


class NcnnRuntime:
    """Run a model from pixels to boxes and scores, image by image; decoding is in NumPy.

    Several threads may call it; each call computes with ``threads`` threads of its own.

    Args:
        folder: of the files.
        name: of the model.
        spec: of the model.
        gpu: index of a GPU with Vulkan; None is the CPU.
        precision: ``f32``, or ``bf16`` or ``f16``, which have an effect where the device supports them.

    Raises:
        MissingDependency: ncnn is not installed.
        UserError: a file is absent or damaged, or there is no such GPU.
        ValueError: the precision is unknown.
    """

    def __init__(
        self, folder: Path, name: str, spec: DetectionSpec, gpu: int | None = None, precision: str = "f32"
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"expected one of {', '.join(PRECISIONS)}, got {precision!r}")
        self._ncnn = import_package("ncnn")
        self._spec = spec
        self._names = list(spec.output_names)
        self._net = self._ncnn.Net()
        options = self._net.opt
        options.num_threads = threads()
        for option in {option for names in PRECISIONS.values() for option in names}:
            setattr(options, option, option in PRECISIONS[precision])
        if gpu is not None:
            _check_gpu(self._ncnn, gpu)
            options.use_vulkan_compute = True
            self._net.set_vulkan_device(gpu)
        paths = [_path(folder, name, ending) for ending in ENDINGS["ncnn"]]
        self._path = paths[0]
        self._read(*paths)

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB; h and w are multiples of the largest stride. Calls may differ in
                size.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32, decoded on access.
        """
        check_size(pixels.shape[1:3], self._spec)
        maps = [self.maps(image) for image in pixels]
        outputs = [np.stack(level) for level in zip(*maps)]
        return base.to_results(dict(zip(self._names, outputs)), self._spec, self._path)

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the raw maps (K, H / stride, W / stride), by ascending stride, of pixels (H, W, 3) uint8."""
        height, width = image.shape[:2]
        image = np.ascontiguousarray(image)
        extractor = self._net.create_extractor()
        rgb = self._ncnn.Mat.PixelType.PIXEL_RGB
        extractor.input(INPUT, self._ncnn.Mat.from_pixels(image, rgb, width, height))
        maps = []
        for name in self._names:
            status, raw = extractor.extract(name)
            if status:
                raise UserError(f"ncnn cannot compute {name} at {height}x{width}: is memory short?")
            maps.append(np.array(raw))
        return maps

    @property
    def threads(self) -> int:
        """Number of ncnn's threads."""
        return self._net.opt.num_threads

    def _read(self, param: Path, weights: Path) -> None:
        """Read both files; ncnn writes details of an error to the standard error stream."""
        for path, read in ((param, self._net.load_param), (weights, self._net.load_model)):
            if read(str(path)) != 0:
                raise UserError(
                    f"{path}: is damaged or no file of ncnn's; export the model again with --format ncnn"
                )
        names = self._net.output_names()
        if sorted(names) != self._names or list(self._net.input_names()) != [INPUT]:
            raise UserError(
                f"{param}: its outputs are {', '.join(names)}, expected {', '.join(self._names)}; "
                "export the model again with --format ncnn"
            )


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> NcnnRuntime:
    """Load an exported model's ncnn files.

    Args:
        record: of the model.
        folder: of the files.
        gpu: index of a GPU with Vulkan; None is the CPU.

    Raises:
        MissingDependency: ncnn is not installed.
        UserError: a file is absent or damaged, or there is no such GPU.
    """
    graph = record.exported("ncnn", folder)
    return NcnnRuntime(folder, graph.files[0][: -len(ENDINGS["ncnn"][0])], record.spec, gpu)


def _path(folder: Path, name: str, ending: str) -> Path:
    path = folder / f"{name}{ending}"
    if not path.is_file():
        name, place = shlex.quote(name), shlex.quote(str(folder))
        raise UserError(
            f"{path}: no such file; write it with `gluon-yolo export RUN --format ncnn --name {name} "
            f"--out {place}`"
        )
    return path


def _check_gpu(ncnn: Any, gpu: int) -> None:
    """Raise a UserError unless ncnn finds a GPU with this index."""
    count = ncnn.get_gpu_count()
    if not 0 <= gpu < count:
        raise UserError(f"GPU {gpu}: ncnn, which needs Vulkan's driver, finds {count}")
