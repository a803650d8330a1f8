"""FaceLandmarks: a landmark network as one call from an image and its faces to points. Imports no mxnet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.errors import DamagedModel, check_within
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.open_model import AUTO
from gluon_yolo.inference.preprocess import Image, PathLike, load_image
from gluon_yolo.inference.runtimes import autotune, registry, trial
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.landmarks import TASK, LandmarkSpec

BATCH = 16  # faces in one call of the network


class FaceLandmarks:
    """Find the landmarks of faces: crop, network, points back to the image's own pixels.

    Args:
        network: crops (B, H, W, 3) uint8 RGB to one array (B, 2 * P), shares of the crops.
        spec: number of points, size and crop.
        batch_size: faces per call of the network.
        runtime: name of the runtime; None for a network of one's own.
        name: of the model, for ``repr``.

    Raises:
        UserError: the batch size is below 1.
    """

    def __init__(
        self,
        network: Network,
        spec: LandmarkSpec,
        batch_size: int = BATCH,
        runtime: str | None = None,
        name: str | None = None,
    ) -> None:
        check_within("batch_size", batch_size, 1)
        self.spec = spec
        self.batch_size = batch_size
        self.runtime = runtime
        self.name = name
        self._network = network

    @classmethod
    def load(
        cls,
        path: PathLike,
        runtime: str = AUTO,
        gpu: int | None = None,
        remeasure: bool = False,
        batch_size: int = BATCH,
    ) -> FaceLandmarks:
        """Load a landmark network from disk.

        Args:
            path: an exported model (its folder, its ``NAME.json``, or one of its files), or the folder of an
                imported one, which needs mxnet.
            runtime: as for :meth:`gluon_yolo.Predictor.load`: by default the fastest that is installed and
                has a file of this model.
            gpu: index of a GPU; None is the CPU.
            remeasure: with ``auto``, measure even if there is a cached result.
            batch_size: faces per call of the network.

        Raises:
            UserError: there is no model, it is damaged, or it is a detector.
            MissingDependency: the package of the runtime is not installed.
        """
        record, file = read_model(Path(path))
        record.expect(TASK, path)
        if record.is_run:
            runtime = registry.builder_for(gpu) if runtime == AUTO else runtime
            network = registry.load_run(runtime, record, Path(path), gpu)
        elif runtime == AUTO:
            runtime, network = autotune.choose(record, file, record.size_hw, gpu, remeasure)
        else:
            network = trial.load(runtime, record, file.parent, gpu=gpu)
        return cls(network, record.spec, batch_size, runtime, str(path))

    @staticmethod
    def runtime_for(path: PathLike, asked: str | None) -> str:
        """Return a detector's runtime if it has a file of this landmark network too, else ``auto``.

        Args:
            path: as for :meth:`load`.
            asked: the detector's runtime; None is ``auto``.

        Raises:
            UserError: there is no model, or no such runtime.
        """
        if asked is None or asked == AUTO:
            return AUTO
        record, _ = read_model(Path(path))
        runtime = registry.known(asked)
        usable = runtime.builds if record.is_run else bool(set(runtime.formats) & set(record.formats))
        return asked if usable else AUTO

    def __repr__(self) -> str:
        size = "x".join(map(str, self.spec.size_hw))
        return (
            f"FaceLandmarks({self.name!r}, {self.spec.num_points} points, {size}, runtime={self.runtime!r})"
        )

    def __call__(self, image: Image, detections: Detections | np.ndarray) -> np.ndarray:
        """Return the landmarks of each face.

        Args:
            image: as :func:`gluon_yolo.load_image` takes it; an array is (H, W, 3) uint8 RGB.
            detections: the faces, or their boxes (N, 4) as corners in the image's pixels.

        Returns:
            (N, P, 2) float32: x and y of each point in the image's pixels; some may lie outside of the image.

        Raises:
            UserError: the image cannot be read.
        """
        image = load_image(image)
        boxes = detections.boxes if isinstance(detections, Detections) else detections
        return self.in_crops(image, self.spec.crops(boxes, image.shape[:2]))

    def in_crops(self, image: np.ndarray, crops: np.ndarray) -> np.ndarray:
        """Return the landmarks of faces whose crops are known.

        Args:
            image: (H, W, 3) uint8 RGB.
            crops: (N, 4) whole pixels x1, y1, x2, y2 within the image.

        Returns:
            (N, P, 2) float32, x and y in the image's pixels.
        """
        crops = np.asarray(crops).reshape(-1, 4)
        height, width = self.spec.size_hw
        pixels = np.empty((len(crops), height, width, 3), np.uint8)
        for place, (x1, y1, x2, y2) in enumerate(crops):
            part = np.ascontiguousarray(image[y1:y2, x1:x2])
            pixels[place] = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return self.spec.points(self.raw(pixels), crops)

    def raw(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's own output.

        Args:
            pixels: (N, H, W, 3) uint8 RGB, crops of the network's size.

        Returns:
            (N, 2 * P) float32: x and y of each point as shares of its crop.

        Raises:
            DamagedModel: the points are not finite, or the output is not that of such a network.
        """
        found = [np.zeros((0, 2 * self.spec.num_points), np.float32)]
        for start in range(0, len(pixels), self.batch_size):
            found.append(np.asarray(self._network(pixels[start : start + self.batch_size])[0]))
        place = f"{self.name}: " if self.name else ""
        if any(each.shape[1:] != found[0].shape[1:] for each in found):
            raise DamagedModel(
                f"{place}the network's output has the shape {found[1].shape}, which is not that of "
                f"{self.spec.num_points} points: its file is damaged, or of another network"
            )
        points = np.concatenate(found)
        if not np.isfinite(points).all():
            raise DamagedModel(f"{place}the network's points are not finite numbers: its weights are damaged")
        return points
