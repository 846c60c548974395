"""Print what the scenes hold beside the figures of the design: python benchmarks/scenes_statistics.py [N]."""

from __future__ import annotations

import sys
import time

import numpy as np

from ttd_core.scenes import dataset, scene, vocabulary


def _scores(selected: int, true: int, hit: int, total: int) -> str:
    precision, recall = hit / max(selected, 1), hit / max(true, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    accuracy = (total - selected - true + 2 * hit) / max(total, 1)
    return f"{100 * precision:.1f} / {100 * recall:.1f} / {100 * f1:.1f} / {100 * accuracy:.1f}"


BASELINES = {
    "keep all": frozenset(vocabulary.WORDS),
    "keep non-stop": frozenset(vocabulary.WORDS) - vocabulary.STOP_WORDS,
    "keep nouns": vocabulary.NOUNS,
    "dictionary": vocabulary.VISUAL_WORDS,
}


def caption_rows(scenes: list[scene.Scene]) -> dict[str, str]:
    """Words per caption and the picture-blind baselines, as P / R / F1 / accuracy in percent."""
    counts = {name: [0, 0, 0, 0] for name in BASELINES}
    distinct = shown = 0
    covered = []
    for item in scenes:
        for caption in item.captions:
            tags = list(dict.fromkeys(caption.split()))
            flags = scene.visible_flags(item, tags)
            distinct, shown = distinct + len(tags), shown + int(flags.sum())
            covered.append(float(scene.caption_mask(item, caption).mean()))
            for name, kept in BASELINES.items():
                keep = np.asarray([tag in kept for tag in tags])
                add = (int(keep.sum()), int(flags.sum()), int((keep & flags).sum()), len(tags))
                counts[name] = [old + new for old, new in zip(counts[name], add, strict=True)]
    total = sum(len(item.captions) for item in scenes)
    rows = {
        "distinct words": f"{distinct / total:.1f}",
        "visible words": f"{shown / total:.2f}",
        "base rate": f"{shown / distinct:.3f}",
        "coverage": f"{np.mean(covered):.2f}, q10/50/90 {np.round(np.quantile(covered, (0.1, 0.5, 0.9)), 2)}",
        "small captions": f"{np.mean(np.asarray(covered) < scene.SMALL_SHARE):.2f}",
    }
    return rows | {name: _scores(*values) for name, values in counts.items()}


EXPECTED = {
    "distinct words": "14.0 | about 17", "visible words": "4.12 | 4.1", "base rate": "0.294 | 0.244",
    "coverage": "0.47, q10/50/90 0.10 0.46 0.93", "small captions": "0.40", "keep all": "F1 45.6",
    "keep non-stop": "42.6 / 100 / 59.8 / 60.3 | F1 52.6", "keep nouns": "47.5 / 72.9 / 57.6 / 68.4",
    "dictionary": "86.0 / 100 / 92.5 / 95.2 | 61.5 / 100 / 76.2 / 84.7",
}  # fmt: skip


def main(count: int) -> None:
    """Print the table for count scenes of the test and hard splits."""
    begin = time.perf_counter()
    test = [dataset.make_scene("test", index) for index in range(count)]
    seconds = time.perf_counter() - begin
    hard = [dataset.make_scene("hard", index) for index in range(count)]
    areas = np.asarray([entity.area for item in test for entity in item.entities if entity.group is not None])
    print(f"{1000 * seconds / count:.1f} ms per scene (design 7.6)")
    print(f"words {len(vocabulary.WORDS)} (301), visual {len(vocabulary.VISUAL_WORDS)} (110)")
    print(f"things per scene {areas.size / count:.2f} (3.5)")
    print(f"hidden things {np.mean(areas < scene.VISIBLE_SHARE):.3f} (0.046)")
    print(f"thing area q5/25/50/75/95 {np.round(np.quantile(areas, (0.05, 0.25, 0.5, 0.75, 0.95)), 3)}")
    print("   design: 0.003 0.014 0.028 0.060 0.157")
    rows, hard_rows = caption_rows(test), caption_rows(hard)
    for name, value in rows.items():
        print(f"{name}: test {value} | hard {hard_rows[name]}   (design {EXPECTED[name]})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
