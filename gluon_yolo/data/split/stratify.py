"""Stratified division of pictures that have several classes each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_NEARLY = 1e-9  # shares are fractions: what differs by less is equal


def stratify(has_class: np.ndarray, shares: Sequence[float], seed: int = 0) -> np.ndarray:
    """Divide pictures so that each part has its share of the pictures of every class, as near as can be.

    Iterative stratification: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label
    Data", ECML PKDD 2011, algorithm 1. Pictures of the class with the fewest left go first, each to the part
    that lacks most of that class; among equals to the part that lacks most pictures, then by lot. Pictures
    without objects are divided like a class of their own.

    Args:
        has_class: (N, C) bool, which classes are in which picture.
        shares: of P parts, above 0, with the sum 1.
        seed: where lots are drawn from.

    Returns:
        (N,) integers, the part of each picture, an index into ``shares``. The same arguments give the same.
    """
    rng = np.random.default_rng(seed)
    labels = np.column_stack([has_class, ~has_class.any(axis=1)])
    parts = np.full(len(labels), -1)
    lacking = len(labels) * np.asarray(shares, dtype=np.float64)
    lacking_of = np.outer(labels.sum(axis=0), shares)
    order = rng.permutation(len(labels))
    while (parts < 0).any():
        left = labels[parts < 0].sum(axis=0)
        label = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for index in order[(parts[order] < 0) & labels[order, label]]:
            part = _neediest(lacking_of[label], lacking, rng)
            parts[index] = part
            lacking_of[labels[index], part] -= 1
            lacking[part] -= 1
    return parts


def _neediest(lacking_of_label: np.ndarray, lacking: np.ndarray, rng: np.random.Generator) -> int:
    """Return the part that lacks most of a label; among equals most pictures; among those any."""
    best = np.flatnonzero(lacking_of_label >= lacking_of_label.max() - _NEARLY)
    best = best[lacking[best] >= lacking[best].max() - _NEARLY]
    return int(best[0] if len(best) == 1 else rng.choice(best))
