from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_voc, voc_keys, write_mask
from ttd_core.errors import RunError
from ttd_core.recipes.evaluation import recorded


def test_labels_one_too_high_are_noticed(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 3)
    from ttd_core.data.label_maps import read_label_map

    for key in voc_keys(3):
        truth = read_label_map(root / "VOCdevkit/VOC2012/SegmentationClass" / f"{key}.png").labels
        shifted = np.where(truth < 20, truth + 1, truth)
        write_mask(tmp_path / "answers" / f"{key}.png", shifted)
    call = ("evaluate", "--task", "masks", "--data", "voc2012", "--root", root, "--pred", tmp_path / "answers")
    answer = ttd(*call, "--no-report")
    assert answer.code == 0 and "look one too high" in answer.err


@pytest.mark.parametrize(
    ("call", "flag"),
    [
        (("--task", "masks", "--data", "scenes:test", "--scorer", "text"), "--scorer"),
        (("--task", "tags", "--data", "scenes:test", "--pamr"), "--pamr"),
        (("--task", "tags", "--data", "scenes:test", "--pred", "t.jsonl", "--hflip"), "--hflip"),
        (("--task", "text", "--data", "scenes:test", "--unseen", "dog"), "--unseen"),
    ],
)
def test_options_that_change_nothing_are_refused(ttd: Ttd, tmp_path: Path, call: tuple[str, ...], flag: str) -> None:
    (tmp_path / "t.jsonl").write_text("{}")
    answer = ttd("evaluate", *call)
    assert answer.code == 2 and flag in answer.err and "does not go with" in answer.err


def test_quiet_runs_still_say_what_was_missed(ttd: Ttd) -> None:
    call = ("evaluate", "--task", "tags", "--data", "scenes:test", "--limit", 2, "--no-report", "--expect", "f1=1:0.1")
    answer = ttd(*call, "--quiet")
    assert answer.code == 5 and "f1" in answer.err and "outside" in answer.err


def test_a_run_of_other_code_is_not_taken_up(ttd: Ttd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    call = (
        "evaluate",
        "--task",
        "tags",
        "--data",
        "scenes:test",
        "--limit",
        2,
        "--no-report",
        "--out",
        tmp_path / "run",
    )
    assert ttd(*call).code == 0
    now = recorded.provenance()
    monkeypatch.setattr(recorded, "provenance", lambda: {**now, "ttd": "0.0.1"})
    later = ttd(*call)
    assert later.code == 0 and "these figures were made by" in later.err and "--overwrite" in later.err
    held = ttd(*call, "--expect", "f1=50:50")
    assert held.code == 0 and "already done" not in held.err
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"status": "done"', '"status": "running"'))
    with pytest.raises(RunError, match="was begun by"):
        recorded._is_stale(tmp_path / "run", expecting=False)
