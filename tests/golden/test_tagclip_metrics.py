"""Average precision and F1 of TagCLIP on scores with a class that never occurs and a picture without a label."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.golden import load_case
from ttd_core.metrics.classification import (
    LabelCounts,
    binarise,
    category,
    class_average_precisions,
    count_labels,
    overall,
    sample,
)

RULES = {
    "relative0.5": ("relative", 0.5),
    "relative0.1": ("relative", 0.1),
    "absolute0.5": ("absolute", 0.5),
    "top3": ("top", 3),
}


def counts_of(rule: str) -> LabelCounts:
    case = load_case("tagclip", "metrics")
    return count_labels(binarise(case.arrays["scores"], *RULES[rule]), case.arrays["labels"])


def test_average_precision_of_every_class_and_its_mean_match() -> None:
    case = load_case("tagclip", "metrics")
    scores, labels = case.arrays["scores"], case.arrays["labels"]
    ap = class_average_precisions(scores, labels)
    np.testing.assert_allclose(ap, case.arrays["ap"], rtol=0, atol=1e-6)
    assert not labels[:, 3].any()
    assert ap[3] == 0.0
    assert ap.mean() == pytest.approx(case.info["mAP"], abs=1e-6)


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("mode", [overall, category, sample])
def test_f1_precision_and_recall_match(mode: object, rule: str) -> None:
    assert callable(mode)
    want = load_case("tagclip", "metrics").info["f1_precision_recall"][f"{mode.__name__}:{rule}"]
    got = mode(counts_of(rule))
    np.testing.assert_allclose([got.f1, got.precision, got.recall], want, rtol=0, atol=1e-6)
