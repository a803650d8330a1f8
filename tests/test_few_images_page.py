"""docs/few_images.md: its tables are those of the scores that are kept."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import ablation  # noqa: E402
import peer_training  # noqa: E402


def test_the_tables_are_written_from_the_scores():
    page = ablation.PAGE.read_text(encoding="utf-8")
    assert ablation.with_tables(page, ablation.kept(ablation.KEPT)) == page
    assert peer_training.with_table(page, peer_training.kept(peer_training.KEPT)) == page


def test_each_score_is_of_a_training_that_a_plan_has():
    for one in ablation.kept(ablation.KEPT):
        plan = ablation.PLANS[one["plan"]]
        assert (one["set"] in plan.sets) and one["case"] in [case.name for case in plan.cases]


def test_a_row_has_mean_and_deviation_over_the_seeds():
    def score(case, data_set, seed, value):
        return {
            "plan": "zoo",
            "case": case,
            "set": data_set,
            "seed": seed,
            "VOC07_mAP50": value,
            "AP": value / 2,
        }

    found = [score("none", "bccd", 1, 0.5), score("none", "bccd", 2, 0.6), score("none", "raccoon", 1, 0.25)]
    assert ablation.rows("zoo", found) == [
        ["option", "bccd, VOC07 mAP", "bccd, AP", "raccoon, VOC07 mAP", "raccoon, AP", "seeds"],
        ["none", "55.0 ± 7.1", "27.5 ± 3.5", "25.0", "12.5", "2 and 1"],
    ]
