"""What `run_tags` promises: order, honesty about what it cannot score, and the same numbers in any batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttd_core.data.rows import BadRow
from ttd_core.errors import UsageError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes import scoring
from ttd_core.recipes.options import ModelOptions, TagOptions
from ttd_core.recipes.recorded import start_run
from ttd_core.recipes.results import Skipped, TagResult
from ttd_core.recipes.tags import run_tags
from ttd_core.types import Sample

Pairs = list[tuple[Path, str]]


def options(model: ModelOptions, **changes: object) -> TagOptions:
    return replace(TagOptions(input="list.jsonl", model=model), **changes)  # type: ignore[arg-type]


def rows(pairs: Pairs) -> list[Sample]:
    return [Sample(f"row{i}", path, caption, None, f"list:{i}") for i, (path, caption) in enumerate(pairs)]


def answer(chosen: TagOptions, samples: list[Sample | BadRow]) -> list[TagResult | Skipped]:
    return list(run_tags(chosen, samples, SilentReporter()))


def test_a_bad_row_and_a_corrupt_picture_cost_no_other_answer(
    model: ModelOptions, pairs: Pairs, tmp_path: Path
) -> None:
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(pairs[0][0].read_bytes()[:200])
    good = rows(pairs)
    mixed: list[Sample | BadRow] = [
        good[0], BadRow("list:9", "no JSON"), Sample("cut", corrupt, "a dog"), *good[1:],
    ]  # fmt: skip
    got = answer(options(model), mixed)
    assert [type(item) for item in got] == [TagResult, Skipped, Skipped, TagResult, TagResult]
    assert [item.key for item in got] == ["row0", "list:9", "cut", "row1", "row2"]
    alone = answer(options(model), list(good))
    assert [item for item in got if isinstance(item, TagResult)] == alone


@pytest.mark.parametrize("scorer", ["pixel", "image", "text"])
def test_the_batch_size_does_not_change_scores(model: ModelOptions, pairs: Pairs, scorer: str) -> None:
    one = answer(options(model, scorer=scorer, batch_size=1), list(rows(pairs)))
    many = answer(options(model, scorer=scorer, batch_size=3), list(rows(pairs)))
    for a, b in zip(one, many, strict=True):
        assert isinstance(a, TagResult) and isinstance(b, TagResult)
        assert [s.tag for s in a.scores] == [s.tag for s in b.scores]
        np.testing.assert_allclose([s.score for s in a.scores], [s.score for s in b.scores], atol=1e-5)


def test_words_the_model_never_saw_are_reported_and_not_scored(model: ModelOptions, pairs: Pairs) -> None:
    sample = Sample("a", pairs[0][0], "a dog and a zebra")
    (result,) = answer(options(model), [sample])
    assert isinstance(result, TagResult)
    dog, zebra = result.scores
    assert dog.score is not None and dog.note is None
    assert zebra.score is None and not zebra.selected and zebra.note == "unknown to the model"


def test_pixel_scoring_names_the_proving_pixel_and_the_runner_up(model: ModelOptions, pairs: Pairs) -> None:
    sample = Sample("a", pairs[0][0], "a dog and a tree")
    (result,) = answer(options(model), [sample])
    assert isinstance(result, TagResult)
    for score in result.scores:
        assert score.x is not None and 0 <= score.x < 64
        assert score.y is not None and 0 <= score.y < 64
    assert [score.runner_up for score in result.scores] == ["tree", "dog"]
    (image,) = answer(options(model, scorer="image"), [sample])
    assert isinstance(image, TagResult)
    assert all(score.x is None for score in image.scores)


def test_with_flip_averaging_a_mirrored_picture_has_mirrored_places(
    model: ModelOptions, pairs: Pairs, tmp_path: Path
) -> None:
    mirrored = tmp_path / "mirrored.png"
    Image.open(pairs[0][0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    chosen = options(model, hflip=True, image_size=64)
    straight, turned = answer(chosen, [Sample("a", pairs[0][0], "dog tree sky"), Sample("b", mirrored, "dog tree sky")])
    assert isinstance(straight, TagResult) and isinstance(turned, TagResult)
    np.testing.assert_allclose([s.score for s in straight.scores], [s.score for s in turned.scores], atol=1e-5)


def test_permuting_tags_permutes_scores(model: ModelOptions, pairs: Pairs) -> None:
    tags = ("dog", "tree", "sky", "boat")
    forth, back = answer(
        options(model), [Sample("a", pairs[0][0], None, tags), Sample("b", pairs[0][0], None, tags[::-1])]
    )
    assert isinstance(forth, TagResult) and isinstance(back, TagResult)
    np.testing.assert_allclose([s.score for s in forth.scores], [s.score for s in back.scores][::-1], atol=1e-6)


def test_rows_without_a_picture_list_candidates_and_load_no_model(
    model: ModelOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "open_session", _must_not_load)
    (result,) = answer(options(model), [Sample("a", None, "A dog on the wet grass")])
    assert isinstance(result, TagResult)
    assert [(s.tag, s.score, s.selected) for s in result.scores] == [
        ("dog", None, True), ("wet", None, True), ("grass", None, True),
    ]  # fmt: skip
    (skipped,) = answer(options(model, scorer="image"), [Sample("a", None, "a dog", origin="list:1")])
    assert isinstance(skipped, Skipped) and "list:1" in skipped.reason


def test_nouns_and_lists_select_without_a_model(
    model: ModelOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scoring, "open_session", _must_not_load)
    listing = tmp_path / "chosen.jsonl"
    listing.write_text('{"text": "a small dog runs", "tags": ["Dog", "park"]}\n', encoding="utf-8")
    sample = Sample("a", None, "a small dog runs")
    (nouns,) = answer(options(model, scorer="nouns"), [sample])
    (listed,) = answer(options(model, scorer=f"list:{listing}"), [sample])
    assert isinstance(nouns, TagResult) and isinstance(listed, TagResult)
    assert [s.tag for s in nouns.selected] == ["dog"]
    assert [s.tag for s in listed.selected] == ["dog"]
    (missing,) = answer(options(model, scorer=f"list:{listing}"), [Sample("b", None, "another cat")])
    assert isinstance(missing, TagResult)
    assert {s.note for s in missing.scores} == {"caption not in the list"}


def test_an_interrupted_run_goes_on_where_it_stopped(
    model: ModelOptions, pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = tmp_path / "list.jsonl"
    listing.write_text("{}\n", encoding="utf-8")
    chosen = replace(options(model), input=str(listing), run_root=str(tmp_path / "runs"), batch_size=1)
    run = start_run("tags", chosen, "")
    assert run is not None
    with run:
        whole = answer(options(model, batch_size=1), list(rows(pairs)))
        stream = run_tags(chosen, rows(pairs), SilentReporter(), run)
        first = [next(stream), next(stream)]
    asked: list[str] = []
    real = scoring.Scorer.score

    def spy(self: scoring.Scorer, samples: list[Sample]) -> list[TagResult | Skipped]:
        asked.extend(sample.key for sample in samples)
        return real(self, samples)

    monkeypatch.setattr(scoring.Scorer, "score", spy)
    again = start_run("tags", chosen, "")
    assert again is not None
    with again:
        resumed = list(run_tags(chosen, rows(pairs), SilentReporter(), again))
    assert asked == ["row2"]
    assert [r.to_json() for r in resumed] == [r.to_json() for r in whole]
    assert [r.to_json() for r in first] == [r.to_json() for r in whole[:2]]


def _must_not_load(*_: object) -> None:
    raise AssertionError("a model was loaded")


def test_an_only_word_is_judged_alone_instead_of_winning_by_default(pairs: Pairs) -> None:
    (lone,) = answer(options(ModelOptions()), [Sample("a", pairs[0][0], "the elephant lamp")])
    assert isinstance(lone, TagResult)
    assert [(s.tag, s.selected) for s in lone.scores if s.score is not None] == [("lamp", False)]


def test_listed_tags_of_a_model_that_only_compares_meet_rivals() -> None:
    clip = ModelOptions("ViT-S-32-alt", "random")
    path = Path(__file__).resolve().parents[2] / "examples" / "beach.png"
    sample = Sample("a", path, None, ("umbrella",))
    (default,) = answer(options(clip, templates="identity"), [sample])
    (literal,) = answer(options(clip, templates="identity", calibration="softmax"), [sample])
    assert isinstance(default, TagResult) and isinstance(literal, TagResult)
    assert literal.scores[0].score == pytest.approx(1.0)
    assert default.scores[0].score is not None and default.scores[0].score < 0.99
    assert default.scores[0].runner_up is None
    (own,) = answer(options(clip, templates="identity"), [Sample("b", path, None, ("blue sky",))])
    assert isinstance(own, TagResult) and own.scores[0].score is not None


def test_running_out_of_memory_is_told_with_a_way_out(
    model: ModelOptions, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes."
        )

    monkeypatch.setattr("ttd_core.clip.scenes_model.ScenesBackbone.encode_images", full)
    with pytest.raises(UsageError, match="out of memory while looking at 1 picture") as caught:
        answer(options(model), [Sample("a", pairs[0][0], "a dog and a tree")])
    assert "--image-size" in (caught.value.hint or "")
