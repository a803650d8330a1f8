"""Stratified division of pictures that have several classes each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_NEARLY = 1e-9  # shares are fractions: what differs by less is equal


def stratify(
    has_class: np.ndarray, shares: Sequence[float], seed: int = 0, groups: np.ndarray | None = None
) -> np.ndarray:
    """Divide pictures so that each part has its share of the pictures of every class, as near as can be.

    Iterative stratification: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label
    Data", ECML PKDD 2011, algorithm 1. Pictures of the class with the fewest left go first, each to the part
    that lacks most of that class; among equals to the part that lacks most pictures, then by lot. Pictures
    without objects are divided like a class of their own. Of a class the largest groups go first.

    Args:
        has_class: (N, C) bool, which classes are in which picture.
        shares: of P parts, above 0, with the sum 1.
        seed: where lots are drawn from.
        groups: (N,) integers, equal for pictures that stay together; None lets each go its own way.

    Returns:
        (N,) integers, the part of each picture, an index into ``shares``. The same arguments give the same.
    """
    rng = np.random.default_rng(seed)
    labels = np.column_stack([has_class, ~has_class.any(axis=1)]).astype(np.int64)
    members = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((members.max(initial=-1) + 1, labels.shape[1]), dtype=np.int64)  # of each group
    np.add.at(counts, members, labels)
    sizes = np.bincount(members, minlength=len(counts))
    parts = np.full(len(counts), -1)
    lacking = len(labels) * np.asarray(shares, dtype=np.float64)
    lacking_of = np.outer(labels.sum(axis=0), shares)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]
    while (parts < 0).any():
        left = counts[parts < 0].sum(axis=0)
        label = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for group in order[(parts[order] < 0) & (counts[order, label] > 0)]:
            part = _neediest(lacking_of[label], lacking, rng)
            parts[group] = part
            lacking_of[:, part] -= counts[group]
            lacking[part] -= sizes[group]
    return parts[members]


def _neediest(lacking_of_label: np.ndarray, lacking: np.ndarray, rng: np.random.Generator) -> int:
    """Return the part that lacks most of a label; among equals most pictures; among those any."""
    best = np.flatnonzero(lacking_of_label >= lacking_of_label.max() - _NEARLY)
    best = best[lacking[best] >= lacking[best].max() - _NEARLY]
    return int(best[0] if len(best) == 1 else rng.choice(best))
