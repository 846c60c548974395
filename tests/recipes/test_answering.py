"""What is finished is recorded at once, also within a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ttd_core.errors import RunError
from ttd_core.recipes.answering import answers
from ttd_core.recipes.options import TagOptions
from ttd_core.recipes.results import TagResult
from ttd_core.runs import open_run
from ttd_core.types import Sample


def test_answers_given_one_by_one_are_kept_when_the_batch_fails(tmp_path: Path) -> None:
    def until_the_disk_is_full(batch: Sequence[Sample]) -> Iterator[TagResult]:
        for sample in batch:
            if sample.key == "k2":
                raise RunError("no space left on device")
            yield TagResult(sample.key, None, sample.caption, "nouns", ())

    samples = [Sample(f"k{i}", None, "a dog", None, "list") for i in range(4)]
    options = TagOptions(text="a dog", batch_size=4)
    with pytest.raises(RunError), open_run(tmp_path, "tags", "some", {}) as run:
        list(answers(options, samples, run, until_the_disk_is_full, TagResult.from_json))
    assert open_run(tmp_path, "tags", "some", {}).finished_keys() == {"k0", "k1"}
