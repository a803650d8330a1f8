"""Training: epochs of steps, validation after them, and a run's folder that tells the story."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from itertools import islice
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from gluon_yolo import visualize
from gluon_yolo.assign import BOX, CLASS
from gluon_yolo.compat import mx
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loader import Batch, TrainLoader
from gluon_yolo.data.transforms import preset
from gluon_yolo.engine import generators
from gluon_yolo.engine.checkpoint import Checkpoint
from gluon_yolo.engine.devices import check_batch_size
from gluon_yolo.engine.evaluate import evaluate
from gluon_yolo.engine.progress import Progress
from gluon_yolo.engine.run_folder import RunFolder
from gluon_yolo.engine.schedule import Schedule
from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.engine.step import LOSSES, NotFinite, TrainStep
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.metrics import Metric
from gluon_yolo.nn.detector import Detector
from gluon_yolo.structures import Detections

log = logging.getLogger("gluon_yolo")
SCORES = ("VOC07_mAP50", "VOC_mAP50", "AP", "AP50")  # what metrics.csv keeps of a validation
SHOWN = 8  # pictures on a sheet of validation results
SHOWN_BATCHES = 3
SHOWN_SCORE = 0.3


class Training:
    """A run: a network, its data, its settings and its folder.

    Args:
        settings: what is asked for.
        net: initialized on ``contexts``, with its starting weights.
        train_data: what to train on.
        val_data: what to score on.
        metrics: what validation measures.
        score_key: the metric that decides which epoch is best.
        folder: where everything goes.
        contexts: the devices.
    """

    def __init__(
        self,
        settings: TrainSettings,
        net: Detector,
        train_data: Dataset,
        val_data: Dataset,
        metrics: Sequence[Metric],
        score_key: str,
        folder: RunFolder,
        contexts: Sequence[mx.Context],
    ):
        """Set up loader, step and schedule."""
        check_batch_size(settings.batch_size, len(contexts))
        self.settings = settings
        self.net = net
        self.val_data = val_data
        self.metrics = metrics
        self.score_key = score_key
        self.folder = folder
        self.loader = TrainLoader(
            train_data,
            preset(settings.augment),
            net.spec,
            settings.batch_size,
            settings.sizes_hw,
            seed=settings.seed,
            workers=settings.num_workers,
        )
        self.batches = len(self.loader)
        if settings.num_samples:
            self.batches = min(self.batches, max(1, settings.num_samples // settings.batch_size))
        self.schedule = Schedule(
            settings.lr,
            settings.epochs,
            self.batches,
            settings.lr_mode,
            settings.lr_decay,
            settings.lr_decay_epoch,
            settings.lr_decay_period,
            settings.warmup_epochs,
            settings.warmup_lr,
        )
        self.step = TrainStep(
            net, contexts, settings.momentum, settings.wd, settings.no_wd, settings.label_smooth
        )
        self.checkpoint = Checkpoint(folder.weights)
        self.progress = Progress(
            net.zoo_name,
            net.spec.class_names,
            settings.seed,
            epoch=settings.start_epoch,
            step=settings.start_epoch * self.batches,
            schedule=self.schedule.to_dict(),
        )
        generators.seed(settings.seed)

    def resume(self) -> None:
        """Restore what the run's last checkpoint holds.

        Raises:
            UserError: when it is missing, damaged, or of another network.
        """
        self.progress = self.checkpoint.load(
            self.net, self.step.trainer, self.net.zoo_name, self.net.spec.class_names
        )
        self.folder.metrics.keep_before(self.progress.epoch)
        where = f"epoch {self.progress.epoch}" + (f", batch {self.progress.batch}" if self.progress.batch else "")
        log.info("resuming %s at %s", self.folder.path, where)

    def run(self) -> Optional[Dict[str, Any]]:
        """Train to the end.

        Returns:
            The last validation's numbers; None when asked to stop before the end.

        Raises:
            UserError: when a loss is not finite, or a picture can no longer be read.
        """
        result = None
        with _Stop() as stop:
            for epoch in range(self.progress.epoch, self.settings.epochs):
                try:
                    row = self._epoch(epoch, stop)
                except NotFinite as error:
                    raise UserError(self._after_not_finite(error, epoch)) from error
                if row is None:
                    self.checkpoint.save(self.net, self.step.trainer, self.progress)
                    log.info("stopped by %s; go on with: --resume %s", stop.name, self.folder.path)
                    return None
                last = epoch == self.settings.epochs - 1
                self.step.share_statistics()
                if last or (epoch + 1) % self.settings.val_interval == 0:
                    result = self._validate(epoch)
                    row.update({key: result[key] for key in SCORES if key in result})
                self._finish_epoch(epoch, row)
        return result

    def _epoch(self, epoch: int, stop: _Stop) -> Optional[Dict[str, float]]:
        """Train one epoch; return its row for ``metrics.csv``, or None when asked to stop."""
        settings, progress = self.settings, self.progress
        mixup = settings.mixup and epoch < settings.epochs - settings.no_mixup_epochs
        first = progress.batch
        sums, pictures = np.zeros(len(LOSSES)), 0
        began, waited = time.perf_counter(), self.loader.time_waiting
        batches = self.loader.epoch(epoch, start_batch=first, mixup=mixup)
        bar = tqdm(total=self.batches, initial=first, desc=f"epoch {epoch}", unit="batch", disable=None, leave=False)
        with contextlib.closing(batches), bar:
            for number, batch in enumerate(islice(batches, self.batches - first), first):
                if epoch == 0 and number < SHOWN_BATCHES:
                    self._show_batch(batch, number)
                rate = self.schedule(progress.step + 1)
                losses = self.step(batch, rate)
                progress.step += 1
                progress.batch = number + 1
                sums += losses
                pictures += len(batch.names)
                means = sums / (number + 1 - first)
                speed = pictures / (time.perf_counter() - began)
                bar.set_postfix_str(f"loss {means.sum():.2f} lr {rate:.2g} {speed:.1f} pic/s")
                bar.update()
                if (number + 1) % settings.log_interval == 0:
                    log.info("epoch %d batch %d/%d  lr %.3g  %.1f pictures/s  %s", epoch, number + 1, self.batches,
                             rate, speed, _told(means))
                if stop.name:
                    return None
        seconds = time.perf_counter() - began
        waited = self.loader.time_waiting - waited
        log.info("epoch %d  lr %.3g  %s  %.1f pictures/s, %.0f s of which %.1f %% waiting for data", epoch, rate,
                 _told(means), pictures / seconds, seconds, 100 * waited / seconds)
        row = {"epoch": epoch, "lr": rate, **dict(zip(LOSSES, means.tolist())), "total": float(means.sum())}
        return {**row, "seconds": seconds, "pictures_per_second": pictures / seconds}

    def _validate(self, epoch: int) -> Dict[str, Any]:
        """Score the present weights; keep them when they are the best so far."""
        context = self.step.contexts[0]
        gpu = context.device_id if context.device_type == "gpu" else None
        predictor = Predictor.from_block(self.net, self.settings.data_shape, gpu=gpu, score_threshold=0.01)
        seen = []

        def watch(index: int, picture: np.ndarray, found: Detections) -> None:
            if index < SHOWN:
                seen.append(visualize.draw(picture, found, self.net.spec.class_names, SHOWN_SCORE))

        for metric in self.metrics:
            metric.reset()
        result = evaluate(
            predictor.detect_batch, self.val_data, self.settings.data_shape, 8, self.metrics,
            workers=self.settings.num_workers, progress=True, watch=watch,
        )  # fmt: skip
        visualize.write_picture(self.folder.pictures / "validation.jpg", visualize.sheet(seen))
        score = float(result[self.score_key])
        progress = self.progress
        if progress.best_score is None or score > progress.best_score:
            progress.best_score, progress.best_epoch = score, epoch
            self.checkpoint.save_best(self.net)
        log.info("epoch %d  %s %.4f  (best %.4f at epoch %d)", epoch, self.score_key, score, progress.best_score,
                 progress.best_epoch)
        return result

    def _finish_epoch(self, epoch: int, row: Dict[str, float]) -> None:
        self.progress.epoch, self.progress.batch = epoch + 1, 0
        self.checkpoint.save(self.net, self.step.trainer, self.progress)
        self.folder.metrics.append(row)
        visualize.plot_curves(self.folder.metrics.path, self.folder.path / "curves.png")
        interval = self.settings.save_interval
        if interval and (epoch + 1) % interval == 0:
            self.net.save_parameters(str(self.folder.weights / f"epoch-{epoch:04d}.params"))

    def _show_batch(self, batch: Batch, number: int) -> None:
        """Draw a training batch with the boxes that the network is told."""
        shown = []
        for picture, rows in zip(batch.pictures, batch.targets):
            rows = rows[(rows[:, BOX.start + 2] > rows[:, BOX.start]) & (rows[:, BOX.start + 3] > rows[:, BOX.start + 1])]
            truth = Detections(rows[:, BOX], rows[:, CLASS])
            shown.append(visualize.draw(picture, truth, self.net.spec.class_names))
        visualize.write_picture(self.folder.pictures / f"train-batch-{number}.jpg", visualize.sheet(shown[:16]))

    def _after_not_finite(self, error: NotFinite, epoch: int) -> str:
        kept = f"the weights of epoch {self.progress.epoch - 1} are kept in {self.checkpoint.last}"
        if not self.checkpoint.exists():
            kept = "no epoch was finished, so no weights are kept"
        return (f"epoch {epoch}: {error}. Training stopped; {kept}. "
                "Try a lower --lr, more --warmup-epochs, or look at those pictures' boxes")


def _told(losses: np.ndarray) -> str:
    return "loss %.3f (%s)" % (losses.sum(), ", ".join(f"{n} {v:.3f}" for n, v in zip(LOSSES, losses)))


class _Stop:
    """While entered, Ctrl-C and SIGTERM leave a note instead of ending the process; a second one ends it."""

    def __init__(self) -> None:
        self.name = ""

    def __enter__(self) -> _Stop:
        self._before = {}
        with contextlib.suppress(ValueError):  # not the main thread: signals are somebody else's there
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        self.name = signal.Signals(number).name
        signal.signal(number, self._before[number])
        log.info("%s: finishing this step, then saving; once more to quit at once", self.name)
