"""Options of `ttd prune`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import finite, not_empty, whole

RULES = ("keep", "min_score", "top_k")


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """Which samples to keep; exactly one of `keep`, `min_score` and `top_k` is given.

    **Samples are ranked one by one** (`per_caption` "all"), each by its own score, whatever other pictures its caption
    comes with. The published step is called sample-level pruning, and a caption that fits two pictures well is two
    good samples: "a dog on the beach" is no rarer a truth for being common. Keeping only the best picture of a
    caption would make the share of `--keep` a share of captions and lose most of a set whose captions recur by nature.

    `per_caption` "best" is for web captions that recur because they say nothing ("photo 1", "image not found"), where
    one picture is as good as hundreds: every caption is first reduced to its best picture, then those are ranked.

    **Ties**: of equal scores the sample comes first whose shard's name is first, then the one whose key is first, both
    by code points. So a cut through equal scores is the same on every machine.

    Args:
        scores: the folder of a run of `ttd preprocess`, or the folder `scores` in it.
        keep: share to keep of the samples that are ranked, above 0 and up to 1; rounded up to whole samples.
        min_score: lowest score to keep, compared as float32, which scores are stored as.
        top_k: number of samples to keep.
        per_caption: `all` ranks every sample, `best` only the best picture of every caption.
        root: where the data lies, if not where it lay when it was scored; for the manifest and the pictures of the cut.
        allow_incomplete: take the scores of a run of `ttd preprocess` that has not ended well.
        pictures: show the samples around the cut with their pictures, which are read again.
        out: folder of the run; None takes `<run_root>/prune/<run id>`.
        run_root: where runs are kept.
        overwrite: start anew where a run of this name exists.
        format: what standard output looks like.

    Raises:
        UsageError: no rule or several, or a value out of range.
    """

    scores: str = _how("")
    keep: float | None = None
    min_score: float | None = None
    top_k: int | None = None
    per_caption: Literal["all", "best"] = "all"
    root: str | None = None
    allow_incomplete: bool = _how(False)
    pictures: bool = _how(True)
    format: Literal["text", "tsv", "json"] = _how("text")
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)

    def __post_init__(self) -> None:
        """Refuse what contradicts itself or is out of range."""
        if not self.scores.strip():
            raise UsageError("--scores is missing", hint="name the folder of a run of ttd preprocess")
        for flag, folder in (("--out", self.out), ("--run-root", self.run_root), ("--root", self.root)):
            not_empty(flag, folder, "a folder")
        given = [name for name in RULES if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(map(_flag, given)) + " contradict each other" if given else "no rule says what to keep"
            raise UsageError(said, hint="give exactly one of --keep 0.7, --min-score 0.25 and --top-k 2000000")
        if self.keep is not None:
            finite("--keep", self.keep)
            if not 0 < self.keep <= 1:
                raise UsageError(
                    f"--keep {self.keep:g} is out of range, expected a share above 0 and up to 1",
                    hint="--top-k takes a number of samples" if self.keep > 1 else None,
                )
        if self.min_score is not None:
            finite("--min-score", self.min_score)
        if self.top_k is not None:
            whole("--top-k", self.top_k, at_least=1)

    @property
    def rule(self) -> tuple[str, float | int]:
        """Name and value of the rule."""
        return next((name, value) for name in RULES if (value := getattr(self, name)) is not None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
