"""Scores of pairs: right, the same however they are computed, and never computed twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.support.models import ListReporter, tiny_backbone, tiny_clip_file
from tests.support.tiny_pairs import (
    StubScorer,
    open_and_fail,
    open_stub,
    picture_bytes,
    sample_members,
    write_folder,
    write_layout,
    write_tar,
)
from ttd_core.data.images import load_picture
from ttd_core.data.scores import caption_digest, open_scores
from ttd_core.errors import DataError, MissingPackageError, RunError, UsageError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.maps import picture_tensor
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.recipes.preprocess import ray_engine
from ttd_core.recipes.preprocess.devices import worker_devices
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.preprocess.preprocess import run_preprocess
from ttd_core.recipes.preprocess.summary import summarise

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"model": "auto", "pretrained": None, "activation": "quickgelu", "device": "cpu"}


def options(data: object, out: Path, **changes: Any) -> PreprocessOptions:
    return PreprocessOptions(data=str(data), out=str(out), **{"workers": 1, **changes})


def with_model(data: object, out: Path, **changes: Any) -> PreprocessOptions:
    model = ModelOptions(model="auto", pretrained=tiny_clip_file(), activation="quickgelu", device="cpu")
    return options(data, out, **{"model": model, "image_size": 32, **changes})


def stubbed(chosen: PreprocessOptions, report: Any = None, **more: Any) -> dict[str, Any]:
    return run_preprocess(chosen, report or SilentReporter(), **{"open_scorer": open_stub, **more})[0]


def rows(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((out / "scores").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "scores").iterdir()}


@pytest.fixture
def shards(tmp_path: Path) -> str:
    """Three archives with a bad picture, a missing caption and a missing archive between them."""
    folder = tmp_path / "shards"
    folder.mkdir()
    write_tar(folder / "00000.tar", sample_members(range(5)))
    broken = [
        ("000000010.jpg", b"\xff\xd8\xff broken"),
        ("000000010.txt", b"a dog"),
        ("000000011.jpg", picture_bytes(1)),
    ]
    write_tar(folder / "00001.tar", [*sample_members([9]), *broken, *sample_members([12])])
    write_tar(folder / "00003.tar", sample_members(range(30, 33)))
    return f"{folder}/{{00000..00003}}.tar"


def test_scores_are_cosines_of_the_pooled_embeddings(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pics", 2)
    run_preprocess(with_model(folder, tmp_path / "run", hflip=True, scales=(1.0, 2.0)), SilentReporter())
    backbone = tiny_backbone()
    info = backbone.info
    for row in rows(tmp_path / "run"):
        picture = load_picture(folder / row["key"])
        text = backbone.encode_texts([row["caption"]])[0].detach().double()
        found = []
        for side in (32, 64):
            longer = int(side / info.patch * 12 / 9 + 0.5) * info.patch
            pixels = picture_tensor(picture, (longer, side), info.mean, info.std)
            for view in (pixels, pixels.flip(-1)):
                pooled = backbone.encode_images(view[None]).pooled[0].detach().double()
                found.append(float(pooled @ text / pooled.norm() / text.norm()))
        assert row["score"] == pytest.approx(np.mean(found), abs=2e-6)
        assert (row["width"], row["height"]) == (9, 12)
        assert row["caption_sha256"] == caption_digest(row["caption"]) and row["status"] == "ok"


def test_with_flips_a_mirrored_picture_has_the_same_score(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pics", 1)
    with Image.open(folder / "0000.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "0001.png")
    (folder / "0001.txt").write_text((folder / "0000.txt").read_text())
    for flip in (True, False):
        run_preprocess(with_model(folder, tmp_path / str(flip), hflip=flip), SilentReporter())
        one, two = (row["score"] for row in rows(tmp_path / str(flip)))
        assert (abs(one - two) < 1e-6) is flip


def test_a_score_depends_on_its_pair_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pics", 5)
    (folder / "0004.png").write_bytes(picture_bytes(4, (9, 20)))
    run_preprocess(with_model(folder, tmp_path / "together", batch_size=4), SilentReporter())
    run_preprocess(with_model(folder, tmp_path / "one", batch_size=1), SilentReporter())
    assert files(tmp_path / "together") == files(tmp_path / "one")
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("0003.png", "0003.txt"):
        (alone / name).write_bytes((folder / name).read_bytes())
    run_preprocess(with_model(alone, tmp_path / "single", batch_size=4), SilentReporter())
    assert rows(tmp_path / "single") == [rows(tmp_path / "together")[3]]


def test_batches_of_one_shape_give_the_scores_of_single_pictures(tmp_path: Path) -> None:
    from ttd_core.recipes.preprocess.scorer import PairScorer
    from ttd_core.recipes.session import open_session

    chosen = with_model("x", tmp_path / "run", hflip=True)
    session = open_session(chosen.answers(), SilentReporter(), apart=True)
    together, apart = PairScorer(replace(session, apart=False), 3), PairScorer(session, 3)
    sizes = [(12, 9), (30, 30), (12, 9), (9, 12), (12, 9), (12, 9), (12, 9), (30, 30)]
    pictures = [load_picture(picture_bytes(number, size)) for number, size in enumerate(sizes)]
    captions = [f"a dog {number % 3}" for number in range(len(sizes))]
    found = [each.score([each.prepare(picture) for picture in pictures], captions) for each in (together, apart)]
    assert found[0] == pytest.approx(found[1], abs=2e-6) and together.window > apart.window
    assert len({round(score, 6) for score in found[1] if isinstance(score, float)}) == len(sizes)


def test_a_caption_without_a_known_word_has_no_score(tmp_path: Path, model: ModelOptions) -> None:
    folder = write_folder(tmp_path / "pics", 2)
    (folder / "0001.txt").write_text("Zitronenfalter Schmetterling")
    result, _ = run_preprocess(options(folder, tmp_path / "run", model=replace(model, device="cpu")), SilentReporter())
    assert result["bad"] == {"no known word": 1} and result["ok"] == 1


def test_bad_pairs_and_shards_are_named_and_counted(tmp_path: Path, shards: str) -> None:
    report = ListReporter()
    result = stubbed(options(shards, tmp_path / "run", keep_going=True), report)
    assert (result["pairs"], result["ok"]) == (12, 10)
    assert result["bad"] == {"no caption": 1, "picture unreadable": 1}
    assert result["shards"] == {"done": 3, "unread": 1}
    heard = "\n".join(report.warnings)
    assert "00001.tar:000000010: " in heard and "00001.tar:000000011: has no caption" in heard
    assert "skipped shard 00002" in heard and "no such file" in heard
    bad = {row["key"]: (row["status"], row["score"]) for row in rows(tmp_path / "run") if row["status"] != "ok"}
    assert bad == {"000000010": ("picture unreadable", None), "000000011": ("no caption", None)}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["counts"] == {"done": 3, "unread": 1, "pairs": 12, "ok": 10, "bad": 2}
    assert manifest["result"]["bad"] == result["bad"] and manifest["model_sha256"] == "ab" * 32


def test_only_a_few_of_many_bad_pairs_are_named(tmp_path: Path) -> None:
    members = [(f"{n}.png", picture_bytes(n)) for n in range(20)] + [("x.txt", b"a dog"), *sample_members([50])]
    write_tar(tmp_path / "a.tar", members)
    report = ListReporter()
    stubbed(options(tmp_path / "a.tar", tmp_path / "run"), report)
    assert len(report.warnings) == 5, "three, the first of another kind, and the rest as a number"
    assert report.warnings[-1] == "skipped 17 more pairs of a (no caption: 20, no picture: 1)"


def test_an_archive_that_comes_later_is_scored_then(tmp_path: Path, shards: str) -> None:
    out = tmp_path / "run"
    assert stubbed(options(shards, out))["shards"]["unread"] == 1
    before = {path.name: path.stat().st_mtime_ns for path in (out / "scores").iterdir()}
    write_tar(tmp_path / "shards" / "00002.tar", sample_members([20]))
    result = stubbed(options(shards, out))
    assert result["shards"] == {"done": 4, "unread": 0} and result["ok"] == 11
    assert {name: (out / "scores" / name).stat().st_mtime_ns for name in before} == before


def test_an_archive_that_changed_is_not_mixed_in(tmp_path: Path, shards: str) -> None:
    stubbed(options(shards, tmp_path / "run"))
    write_tar(tmp_path / "shards" / "00000.tar", sample_members(range(6)))
    with pytest.raises(RunError, match="00000 .* changed since it was scored"):
        stubbed(options(shards, tmp_path / "run"))
    assert stubbed(options(shards, tmp_path / "run", overwrite=True))["ok"] == 11


def test_the_files_are_the_same_whatever_the_number_of_workers(tmp_path: Path, shards: str) -> None:
    stubbed(options(shards, tmp_path / "one"))
    several = options(shards, tmp_path / "three", workers=3, devices="cpu")
    stubbed(several)
    assert files(tmp_path / "one") == files(tmp_path / "three")
    positions = [json.loads(line)["position"] for line in (tmp_path / "three" / "preprocess.jsonl").open()]
    assert sorted(positions) == [0, 1, 2, 3]


class _Counting(StubScorer):
    scored: list[str] = []

    def score(self, prepared: Any, captions: Any) -> list[float | str]:
        self.scored.extend(captions)
        return super().score(prepared, captions)


def test_a_finished_run_loads_no_model(tmp_path: Path, shards: str) -> None:
    chosen = options(shards.replace("00003", "00001"), tmp_path / "run")
    first = stubbed(chosen)
    report = ListReporter()

    def refuse(device: Any, reporter: Any) -> Any:
        raise AssertionError("the model was loaded")

    assert stubbed(chosen, report, open_scorer=refuse) == first
    assert "already done" in report.infos[0]


def test_work_done_before_a_kill_is_not_done_again(tmp_path: Path, shards: str) -> None:
    out = tmp_path / "run"
    stubbed(options(shards, out))
    whole = files(out)
    lines = (out / "preprocess.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"00003"' in line]
    (out / "preprocess.jsonl").write_text("".join(kept))  # killed before the rows of the others were written
    (out / "scores" / "00001.parquet").unlink()
    (out / "scores" / ".00001.77.part.parquet").write_bytes(b"half")
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    _Counting.scored = []
    result = stubbed(options(shards, out), open_scorer=lambda device, report: _Counting())
    assert files(out) == whole and result["ok"] == 10
    assert _Counting.scored == [f"a red vase and a yellow cake {n}" for n in (9, 12)]


_KILLED = """
import sys
from tests.support.tiny_pairs import open_slow_stub
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.preprocess.preprocess import run_preprocess
if __name__ == "__main__":
    data, out, workers = sys.argv[1:]
    options = PreprocessOptions(data=data, out=out, workers=int(workers), devices="cpu")
    run_preprocess(options, SilentReporter(), open_scorer=open_slow_stub)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_without_warning_it_ends_with_the_same_files(tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(6):
        write_tar(folder / f"{number}.tar", sample_members(range(number * 10, number * 10 + 9)))
    stubbed(options(folder, tmp_path / "whole"))
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    command = [sys.executable, str(script), str(folder), str(tmp_path / "run"), str(workers)]
    for finished in (1, 3, None):
        process = subprocess.Popen(command, env={"PYTHONPATH": str(ROOT), "PATH": ""}, cwd=tmp_path)
        deadline = time.monotonic() + 100
        while finished is not None and process.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "run" / "scores").glob("[0-9]*.parquet"))) >= finished:
                process.kill()
            time.sleep(0.005)
        code = process.wait(100)
        assert (code == 0) is (finished is None)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_limits_count_pairs_in_reading_order(tmp_path: Path, shards: str) -> None:
    stubbed(options(shards, tmp_path / "all"))
    result = stubbed(options(shards, tmp_path / "some", limit=7))
    assert result["pairs"] == 7 and rows(tmp_path / "some") == rows(tmp_path / "all")[:7]
    report = ListReporter()
    assert stubbed(options(shards, tmp_path / "some", limit=7), report) == result
    assert "already done" in report.infos[0]
    with pytest.raises(UsageError, match="--limit and --workers"):
        options(shards, tmp_path / "x", limit=7, workers=2)


def test_layouts_give_the_run_and_its_shards_their_names(tmp_path: Path) -> None:
    write_layout(tmp_path, "cc3m", "train", 3)
    write_layout(tmp_path, "cc12m", "train", 2)
    chosen = PreprocessOptions(data="cc3m+cc12m", root=str(tmp_path), run_root=str(tmp_path / "runs"), hflip=True)
    result, folder = run_preprocess(chosen, SilentReporter(), open_scorer=open_stub)
    assert result["ok"] == 5 and folder.name == "scenes@cc3m-cc12m@1.0@hflip"
    found = [open_scores(path) for path in sorted((folder / "scores").iterdir())]
    assert [file.shard for file in found] == ["cc12m-train-00000", "cc3m-train-00000"]
    assert (found[0].metadata.data, found[0].metadata.root) == ("cc3m+cc12m", str(tmp_path))


def test_scenes_are_drawn_on_the_fly(tmp_path: Path) -> None:
    chosen = options("scenes:val", tmp_path / "run", limit=3)
    assert stubbed(chosen)["ok"] == 3
    assert [row["key"] for row in rows(tmp_path / "run")] == ["val-000000", "val-000001", "val-000002"]
    with pytest.raises(UsageError, match="no scenes split"):
        stubbed(options("scenes:nope", tmp_path / "other"))


def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [("a.png", picture_bytes(1))])
    with pytest.raises(DataError, match=r"none of the 1 pairs .* \(no caption: 1\)"):
        stubbed(options(tmp_path / "a.tar", tmp_path / "run"))
    (tmp_path / "b.tar").write_bytes(b"")
    report = ListReporter()
    with pytest.raises(DataError, match="is empty"):
        stubbed(options(tmp_path / "b.tar", tmp_path / "run2"), report)
    assert report.warnings == []


def test_other_weights_do_not_go_on_with_a_run(tmp_path: Path, shards: str) -> None:
    stubbed(options(shards, tmp_path / "run"))
    write_tar(tmp_path / "shards" / "00002.tar", sample_members([20]))
    with pytest.raises(RunError, match="begun with other weights"):
        stubbed(options(shards, tmp_path / "run"), open_scorer=lambda device, report: StubScorer(sha256="cd" * 32))


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_of_workers_reach_the_user_as_they_are(tmp_path: Path, shards: str, workers: int) -> None:
    chosen = options(shards, tmp_path / "run", workers=workers, devices="cpu")
    with pytest.raises(UsageError, match="no such device") as caught:
        stubbed(chosen, open_scorer=partial(open_and_fail, "mistake"))
    assert caught.value.hint == "use another one"
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a bug"):
        stubbed(chosen, open_scorer=partial(open_and_fail, "bug"))
    if workers > 1:
        with pytest.raises(RunError, match="worker process died while scoring shard 0000"):
            stubbed(chosen, open_scorer=partial(open_and_fail, "death"))


def test_workers_take_the_devices_in_turn(tmp_path: Path) -> None:
    chosen = options("x", tmp_path, workers=5, devices="cuda:0, cuda:2")
    assert worker_devices(chosen, 100) == ["cuda:0", "cuda:2", "cuda:0", "cuda:2", "cuda:0"]
    assert worker_devices(chosen, 2) == ["cuda:0", "cuda:2"], "no more than there are shards"
    assert worker_devices(options("x", tmp_path, devices="cpu", workers=None), 9) == ["cpu"]
    with pytest.raises(UsageError, match="--devices and --device"):
        options("x", tmp_path, devices="cuda:0", model=ModelOptions(device="cpu"))
    with pytest.raises(UsageError, match="unknown"):
        options("x", tmp_path, devices="cuda:0,tpu")


def test_without_ray_its_engine_names_the_package(tmp_path: Path, shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match="needs the package ray") as caught:
        stubbed(options(shards, tmp_path / "run", engine="ray"))
    assert caught.value.hint == "pip install 'ttd[ray]'"
    assert not (tmp_path / "run").exists()


class _FakeRay(types.ModuleType):
    """As much of Ray as the engine uses, in this process; a task is done when it is waited for, the last one first."""

    exceptions = types.SimpleNamespace(RayActorError=LookupError)

    def __init__(self, resources: dict[str, float]) -> None:
        super().__init__("ray")
        self.resources, self.up, self.actors = resources, False, 0
        self.asked: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return self.up

    def init(self, **settings: Any) -> None:
        self.up = True

    def shutdown(self) -> None:
        self.up = False

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **settings: Any) -> Any:
        self.asked = settings

        def wrap(kind: Any) -> Any:
            def start(*arguments: Any) -> Any:
                self.actors += 1
                worker = kind(*arguments)
                method = types.SimpleNamespace(remote=lambda *given: partial(worker.score, *given))
                return types.SimpleNamespace(score=method)

            return types.SimpleNamespace(remote=start)

        return wrap

    def wait(self, waiting: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        return [waiting[-1]], waiting[:-1]

    def get(self, done: Any) -> Any:
        return done()


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[_FakeRay]:
    ray = _FakeRay({"CPU": 2.0})
    monkeypatch.setitem(sys.modules, "ray", ray)
    yield ray
    assert not ray.up, "an instance that was started is shut down"


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_ray_gives_the_same_files_whatever_the_order(
    tmp_path: Path, shards: str, fake_ray: _FakeRay, workers: int | None
) -> None:
    local, there = tmp_path / "local", tmp_path / "ray"
    expected = stubbed(options(shards, local))
    assert stubbed(options(shards, there, engine="ray", workers=workers)) == expected
    assert files(local) == files(there)
    assert fake_ray.actors == (workers or 2) and fake_ray.asked["num_gpus"] == 0


def test_ray_actors_have_a_gpu_each_where_there_are_any(fake_ray: _FakeRay) -> None:
    assert ray_engine._actors({"CPU": 8.0, "GPU": 2.0}, None, "auto") == (2, 1)
    assert ray_engine._actors({"CPU": 8.0, "GPU": 2.0}, None, "cpu") == (8, 0)
    with pytest.raises(UsageError, match="has 2 GPUs"):
        ray_engine._actors({"CPU": 8.0, "GPU": 2.0}, 3, "auto")


def test_mistakes_in_ray_workers_reach_the_user(tmp_path: Path, shards: str, fake_ray: _FakeRay) -> None:
    with pytest.raises(UsageError, match="no such device"):
        stubbed(options(shards, tmp_path / "run", engine="ray"), open_scorer=partial(open_and_fail, "mistake"))


@pytest.mark.slow
def test_a_real_ray_gives_the_same_files(tmp_path: Path, shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stubbed(options(shards, tmp_path / "local"))
    stubbed(options(shards, tmp_path / "ray", engine="ray", workers=2))
    assert files(tmp_path / "local") == files(tmp_path / "ray")
    assert not ray.is_initialized()


def test_quantiles_are_read_from_all_files(tmp_path: Path) -> None:
    from ttd_core.data.scores import ScoreMetadata, ScoreRow, write_scores

    values = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    for number, part in enumerate(np.array_split(values, 3)):
        found = [ScoreRow(str(i), "a", float(score)) for i, score in enumerate(part)]
        write_scores(
            tmp_path / f"{number}.parquet",
            [*found, ScoreRow("x", "", None, status="no caption")],
            ScoreMetadata("m", None, "d"),
        )
    result = summarise(sorted(tmp_path.iterdir()))
    assert (result["pairs"], result["ok"], result["bad"]) == (5003, 5000, {"no caption": 3})
    score = result["score"]
    assert score["mean"] == pytest.approx(values.mean(), abs=1e-5)
    assert (score["min"], score["max"]) == pytest.approx((values.min(), values.max()), abs=1e-5)
    for name, share in (("q01", 0.01), ("q50", 0.5), ("q95", 0.95)):
        assert score[name] == pytest.approx(np.quantile(values, share, method="inverted_cdf"), abs=3e-5)
