from ttd_core.recipes.evaluation.tag_task import summary


def row(*extra: dict[str, object]) -> dict[str, object]:
    judged = [
        {"tag": "dog", "score": 0.9, "selected": True, "true": True, "keep": True, "noun": True},
        {"tag": "red", "score": 0.2, "selected": False, "true": False, "keep": True, "noun": False},
    ]
    return {"key": "a", "candidates": [*judged, *extra]}


def test_trivial_answers_do_not_depend_on_the_answers_judged() -> None:
    junk = {"tag": "whale", "score": 0.8, "selected": True, "true": False}
    plain, flattered = summary([row()]), summary([row(junk)])
    assert plain.baselines == flattered.baselines
    assert plain.metrics["precision"] == 100.0 and flattered.metrics["precision"] == 50.0


def test_true_tags_that_are_no_candidates_are_missed_by_trivial_answers_too() -> None:
    phrase = {"tag": "hot dog", "score": None, "selected": False, "true": True}
    assert summary([row(phrase)]).baselines["keep all candidates"]["recall"] == 50.0
