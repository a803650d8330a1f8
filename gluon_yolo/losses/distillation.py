"""Distillation: the losses of a network, and the same losses against a teacher's soft targets."""

from __future__ import annotations

from typing import Any

from gluon_yolo.losses import make_loss
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec

PREFIX = "teacher_"


class DistillationLoss(gluon.HybridBlock):
    """The losses against annotations, then those against a teacher, called ``teacher_`` and the same names.

    A soft target row is a box of the teacher at an anchor that the network's assigner matches with it. Let
    ``o`` be the teacher's objectness of the box, which is the row's weight, and ``p`` its class
    probabilities. The teacher's losses are

    - objectness: at a row, the cross-entropy with the target ``o``; at any other anchor with 0, unless its
      decoded box is ignored as a negative because of its overlap with a row's box,

    - box: the network's own box loss with the teacher's box as the truth, times ``o``,

    - class: the cross-entropy with the targets ``p``, times ``o``.

    Gains and means are those of the network's own losses. The sum of both is divided by 1 + ``weight``, so
    that a learning rate suits a network with a teacher as it does without. Boxes and classes are scaled by
    ``o``, so that a teacher's guesses at the background teach nothing.

    Source: Mehta & Ozturk 2018, "Object detection at 200 frames per second", section 3.2.

    Args:
        loss: of the network (:func:`gluon_yolo.losses.make_loss`).
        spec: of the network.
        weight: of the teacher's losses, beside a weight of 1 of the annotations'.

    Attributes:
        names: of the losses, in order.
    """

    def __init__(
        self, loss: gluon.HybridBlock, spec: DetectionSpec, weight: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.share = weight / (1 + weight)
        self.own = loss
        self.teachers = make_loss(spec, loss.box_loss, soft=True)
        self.names = (*loss.names, *(PREFIX + name for name in self.teachers.names))

    def hybrid_forward(self, F: Any, *inputs: Any) -> Any:
        """Turn raw maps and targets into losses.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            inputs: the raw maps by ascending stride, the targets (B, M, 12), and the soft targets (B, S,
                12 + C) of :func:`gluon_yolo.training.soft_targets.soft_targets`.

        Returns:
            The losses of ``names``, each (B,).
        """
        *maps, targets, soft = inputs
        own, teachers = self.own(*maps, targets), self.teachers(*maps, soft)
        return (*(loss * (1 - self.share) for loss in own), *(loss * self.share for loss in teachers))
