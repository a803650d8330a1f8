"""The hooks of a training: their order, the trainer's attributes, and the files at each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import Callback
from gluon_yolo.training.callbacks.base import HOOKS, TrainerView
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.metrics_csv import MetricsCSV
from tests.small_trainer import small_trainer
from tests.small_training import BATCHES, draw_data

LOSSES = ["objectness", "centre", "scale", "class"]


class Watcher(Callback):
    """Records the trainer's attributes at each hook."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict]] = []
        for hook in HOOKS:
            setattr(self, hook, lambda trainer, hook=hook: self.seen.append((hook, look(trainer))))


def look(trainer: TrainerView) -> dict:
    run = trainer.folder.path
    last = run / "weights" / "last"
    return {
        "epoch": trainer.epoch,
        "at": (trainer.progress.epoch, trainer.progress.batch, trainer.progress.step),
        "batch": None if trainer.batch is None else trainer.batch.images.shape,
        "rate": trainer.learning_rate,
        "losses": dict(trainer.losses),
        "done": trainer.metric_logger.done,
        "result": trainer.result and dict(trainer.result),
        "best": (trainer.progress.best_epoch, trainer.progress.best_score),
        "images": trainer.validation_images,
        "files": {str(path.relative_to(run)) for path in run.rglob("*.*") if last not in path.parents}
        - {"model.json"},
        "rows": len(MetricsCSV(run / "metrics.csv").rows()),
        "saved": Checkpoint(run / "weights").read().epoch if (last / "state.json").exists() else None,
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> list[tuple[str, dict]]:
    """Return the records of a training of three epochs; the second and the last are validated."""
    folder = tmp_path_factory.mktemp("hooks")
    watcher = Watcher()
    rates = {"lr_mode": "cosine", "val_interval": 2, "save_interval": 2}
    trainer = small_trainer(draw_data(folder), folder / "run", [watcher], **rates)
    assert trainer.run() is trainer.result is not None
    return watcher.seen


def at(watched: list[tuple[str, dict]], hook: str, epoch: int = 1) -> list[dict]:
    return [seen for name, seen in watched if name == hook and seen["epoch"] == epoch]


def test_their_order(watched):
    steps = ["on_step_begin", "on_step_end"] * BATCHES
    epoch = ["on_epoch_begin", *steps, "on_steps_end", "on_epoch_end", "on_checkpoint"]
    validated = [*epoch[:-2], "on_validation_begin", "on_validation_end", *epoch[-2:]]
    expected = ["on_train_begin", *epoch, *validated, *validated, "on_train_end"]
    assert [hook for hook, _ in watched] == expected
    assert set(expected) == set(HOOKS)


def test_a_step(watched):
    before, after = at(watched, "on_step_begin"), at(watched, "on_step_end")
    assert [seen["batch"] for seen in (*before, *after)] == [(4, 64, 64, 3)] * 2 * BATCHES
    assert [seen["at"] for seen in before] == [(1, 0, 3), (1, 1, 4), (1, 2, 5)]
    assert [seen["at"] for seen in after] == [(1, 1, 4), (1, 2, 5), (1, 3, 6)]
    assert [seen["rate"] for seen in before] == [seen["rate"] for seen in after]
    assert len({seen["rate"] for seen in before}) == BATCHES
    assert all(list(seen["losses"]) == LOSSES for seen in after)
    assert before[1]["losses"] == after[0]["losses"] != after[1]["losses"]
    assert [seen["done"] for seen in after] == [1, 2, 3]
    (first,) = at(watched, "on_train_begin", epoch=0)
    assert first["losses"] == {} and first["result"] is first["images"] is first["saved"] is None
    assert all(seen["batch"] is None for hook, seen in watched if not hook.startswith("on_step_"))


def test_a_validation(watched):
    (before,), (after,) = at(watched, "on_validation_begin"), at(watched, "on_validation_end")
    assert before["result"] is None and before["best"] == (None, None)
    assert after["best"] == (1, float(after["result"]["fitness"])) and after["result"]["AP50"] >= 0
    assert after["images"].dtype == np.uint8 and after["images"].shape[2] == 3
    assert before["done"] == BATCHES and before["at"] == (1, 3, 6)
    # the result stays until the next validation
    assert at(watched, "on_step_begin", epoch=2)[0]["result"] == after["result"]


def test_the_order_of_what_a_run_leaves(watched):
    trains = {f"pictures/train-batch-{number}.jpg" for number in range(3)}
    assert at(watched, "on_step_begin", epoch=0)[0]["files"] == {"pictures/train-batch-0.jpg"}
    (end,) = at(watched, "on_epoch_end", epoch=0)
    assert (end["files"], end["rows"], end["saved"]) == (trains | {"metrics.csv", "curves.png"}, 1, None)
    (saved,) = at(watched, "on_checkpoint", epoch=0)
    assert (saved["rows"], saved["saved"], saved["at"]) == (1, 1, (1, 0, 3))
    assert saved["files"] == end["files"]

    begun = trains | {"metrics.csv", "curves.png"}
    (before,), (after,) = at(watched, "on_validation_begin"), at(watched, "on_validation_end")
    assert before["files"] == begun
    assert after["files"] == begun | {"pictures/validation.jpg", "weights/best.params"}
    assert (after["rows"], after["saved"]) == (1, 1)
    (end,) = at(watched, "on_epoch_end")
    assert (end["rows"], end["saved"], end["at"]) == (2, 1, (1, 3, 6))
    assert end["files"] == after["files"] | {"weights/epoch-0001.params"}
    (saved,) = at(watched, "on_checkpoint")
    assert saved["files"] == end["files"]
    assert (saved["rows"], saved["saved"], saved["at"]) == (2, 2, (2, 0, 6))


def test_a_rate_that_a_callback_sets_is_used(tmp_path):
    class Still(Callback):
        def on_train_begin(self, trainer):
            self.before = self.parameters(trainer)

        def on_step_begin(self, trainer):
            trainer.learning_rate = 0.0

        def on_train_end(self, trainer):
            self.after = self.parameters(trainer)

        @staticmethod
        def parameters(trainer):
            learned = trainer.net.collect_params(".*weight")
            return {name: parameter.data().asnumpy() for name, parameter in learned.items()}

    still = Still()
    small_trainer(draw_data(tmp_path), tmp_path / "run", [still], epochs=1, lr=0.1).run()
    for name, before in still.before.items():
        np.testing.assert_array_equal(still.after[name], before, err_msg=name)
    (row,) = MetricsCSV(Path(tmp_path) / "run" / "metrics.csv").rows()
    assert float(row["lr"]) == 0
