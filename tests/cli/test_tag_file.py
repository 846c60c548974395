"""`ttd tags --out FILE.txt`: what would cost a file or the work is said before the model is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Ttd
from tests.cli.test_method_tagclip import draw, model
from tests.support.models import ListReporter
from tests.support.tiny_sets import write_text
from ttd_core.errors import RunError
from ttd_core.recipes.tag_file import Written, write_tag_file


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    return write_text(tmp_path / "classes.txt", "cat\nhorse\ncar\nboat\n")


@pytest.fixture
def photos(tmp_path: Path, classes: Path) -> Path:
    return draw(tmp_path / "photos" / "a.png", 40, 50).parent


def tagged(ttd: Ttd, out: object, *more: object, weights: tuple[object, ...] | None = None) -> Answer:
    """Answers of the tiny tagger, whose four classes are in `classes.txt`."""
    chosen = () if "--classes" in more or "--tags-file" in more else ("--classes", "classes.txt")
    source = () if "--input" in more or "--image" in more else ("--input", "photos")
    asked = ("tags", "--method", "tagclip", "--out", out, "--format", "jsonl", *source, *chosen, *more)
    return ttd(*asked, *(model() if weights is None else weights))


def refused_early(ttd: Ttd, out: object, *more: object) -> Answer:
    """The answer of a call whose weights are no weights: had the model been loaded, the call would say so."""
    damaged = write_text(Path("damaged.pt"), "no weights")
    answer = tagged(ttd, out, *more, weights=("--model", "auto", "--weights", damaged))
    assert "damaged.pt" not in answer.err and not Path("runs").exists()
    assert len(answer.err.splitlines()) == 2
    return answer


# where it cannot be written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "message", "hint"),
    [
        ("classes.txt/x.txt", "cannot write classes.txt/x.txt: not a directory", "a part of this path is a file"),
        ("photos/a.png/b/x.txt", "cannot write photos/a.png/b/x.txt: not a directory", "a part of this path is a file"),
        ("/proc/xx/x.txt", "cannot write /proc/xx: ", "choose another file with --out"),
        ("/proc/x.txt", "cannot write /proc/x.txt: ", ""),
        (f"{'x' * 300}.txt", "file name too long", "shorten the name"),
        ("folder.txt", "cannot write folder.txt: is a folder", "--out FILE.txt names the tag file itself"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_a_place_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    ttd: Ttd, tmp_path: Path, out: str, message: str, hint: str
) -> None:
    (tmp_path / "folder.txt").mkdir()
    answer = refused_early(ttd, out)
    assert answer.code == 3 and message in answer.err and f"hint: {hint}" in answer.err


@pytest.mark.usefixtures("photos")
def test_missing_folders_are_made(ttd: Ttd, tmp_path: Path) -> None:
    answer = tagged(ttd, "made/here/t.txt")
    assert answer.code == 0, answer.err
    assert (tmp_path / "made/here/t.txt").read_text().startswith("a ")
    assert os.listdir(tmp_path / "made/here") == ["t.txt"]


def test_a_place_that_goes_away_meanwhile_is_an_error_with_a_hint(tmp_path: Path) -> None:
    in_the_way = write_text(tmp_path / "file", "")
    with pytest.raises(RunError) as caught:
        write_tag_file(in_the_way / "x.txt", [], ListReporter())
    assert caught.value.hint is not None


# files that would be lost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "more"),
    [
        ("--classes", ("--classes", "own.txt")),
        ("--tags-file", ("--tags-file", "own.txt")),
        ("--input", ("--input", "own.txt")),
        ("--image", ("--image", "own.txt")),
        ("--scorer list:FILE", ("--scorer", "list:own.txt")),
        ("--lora", ("--lora", "own.txt")),
    ],
)
@pytest.mark.parametrize("out", ["own.txt", "photos/../own.txt", "link.txt"])
@pytest.mark.usefixtures("photos")
def test_a_file_that_the_call_reads_is_never_written(
    ttd: Ttd, tmp_path: Path, flag: str, more: tuple[str, ...], out: str
) -> None:
    own = write_text(tmp_path / "own.txt", "cat 1\n")
    (tmp_path / "link.txt").symlink_to(own)
    method = () if flag != "--scorer list:FILE" else ("--method", "ttd")
    answer = refused_early(ttd, out, *more, *method, "--overwrite")
    assert answer.code == 2 and f"--out and {flag} are the same file, {out}, which would be lost" in answer.err
    assert own.read_text() == "cat 1\n"


@pytest.mark.parametrize("flag", ["--weights", "--pretrained"])
@pytest.mark.usefixtures("photos")
def test_weights_are_never_written(ttd: Ttd, tmp_path: Path, flag: str) -> None:
    write_text(tmp_path / "own.txt", "")
    answer = tagged(ttd, "own.txt", "--overwrite", weights=("--model", "ViT-B-16", flag, "own.txt"))
    assert answer.code == 2 and f"--out and {flag} are the same file" in answer.err


@pytest.mark.usefixtures("photos")
def test_the_configuration_is_never_written(ttd: Ttd, tmp_path: Path) -> None:
    config = write_text(tmp_path / "run.txt", "command: tags\nclasses: classes.txt\ninput: photos\n")
    answer = ttd("tags", "--config", config, "--out", "run.txt", "--overwrite")
    assert answer.code == 2 and "--out and --config are the same file" in answer.err


@pytest.mark.parametrize(
    "content",
    [b"cat\nhorse\n", b"000001\n000002\n", b"a dog on grass\n", b"img0 1 -1\n", b"a 1\nb x\n", b"\xff\xfe\x00", b"a,1"],
)
@pytest.mark.usefixtures("photos")
def test_a_file_of_another_kind_is_replaced_with_overwrite_only(ttd: Ttd, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    answer = refused_early(ttd, "t.txt")
    assert answer.code == 2 and "t.txt: the file exists and is no tag file" in answer.err
    assert "hint: --overwrite replaces it" in answer.err
    assert (tmp_path / "t.txt").read_bytes() == content


@pytest.mark.usefixtures("photos")
def test_overwrite_replaces_a_file_of_another_kind(ttd: Ttd, tmp_path: Path) -> None:
    write_text(tmp_path / "t.txt", "dear diary\n")
    answer = tagged(ttd, "t.txt", "--overwrite")
    assert answer.code == 0, answer.err
    assert (tmp_path / "t.txt").read_text().startswith("a ")


@pytest.mark.parametrize("content", ["", "\n", "img0 0 3\nimg1\nimg2 17\n", "000001 11 14 \r\n"])
@pytest.mark.usefixtures("photos")
def test_a_tag_file_is_replaced_as_it_is(ttd: Ttd, tmp_path: Path, content: str) -> None:
    write_text(tmp_path / "t.txt", content)
    answer = tagged(ttd, "t.txt")
    assert answer.code == 0, answer.err
    assert "1 line: t.txt" in answer.err.splitlines()
    assert (tmp_path / "t.txt").read_text().startswith("a ")


def test_a_pipe_is_not_written(ttd: Ttd, photos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.txt")
    answer = tagged(ttd, "t.txt")
    assert answer.code == 3 and "t.txt: is a pipe (FIFO), expected an ordinary file" in answer.err


# names that the form cannot hold ----------------------------------------------------------------------------------


def test_a_name_with_a_blank_costs_its_own_line_only(ttd: Ttd, photos: Path, tmp_path: Path) -> None:
    draw(photos / "my photo.png", 40, 50, seed=1)
    answer = tagged(ttd, "t.txt")
    assert answer.code == 3
    assert answer.err.count("left out of") == 1
    assert "warning: my photo.png: left out of t.txt, where names have no blanks" in answer.err
    assert "1 line, 1 left out: t.txt" in answer.err
    assert len(answer.out.splitlines()) == 2
    (line,) = (tmp_path / "t.txt").read_text().splitlines()
    assert line.startswith("a ")
    (tmp_path / "t.txt").unlink()
    again = tagged(ttd, "t.txt")
    assert again.code == 3 and "already done" in again.err and "left out" in again.err
    assert (tmp_path / "t.txt").read_text() == line + "\n"
    assert tagged(ttd, "t.txt", "--keep-going").code == 0


def test_a_finished_run_with_skipped_pictures_leaves_its_tag_file_too(ttd: Ttd, photos: Path, tmp_path: Path) -> None:
    write_text(photos / "broken.png", "no picture")
    assert tagged(ttd, "t.txt", "--keep-going").code == 0
    (tmp_path / "t.txt").unlink()
    assert tagged(ttd, "t.txt").code == 3
    assert (tmp_path / "t.txt").read_text().startswith("a ")


def test_pictures_of_one_name_are_said_once(ttd: Ttd, photos: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "b.bmp"):
        draw(photos / name, 40, 50, seed=1)
    answer = tagged(ttd, "t.txt")
    assert answer.code == 0
    assert answer.err.count("go by the name") == 1
    assert "warning: t.txt: a.jpg and a.png both go by the name a, and 1 more such" in answer.err
    assert [line.split()[0] for line in (tmp_path / "t.txt").read_text().splitlines()] == ["a", "a", "b", "b"]
    assert "4 lines: t.txt" in answer.err


def test_names_that_are_no_text_stand_as_they_are_on_the_disk(tmp_path: Path) -> None:
    report = ListReporter()
    kept = [{"tag": "cat", "selected": False}, {"tag": "horse", "selected": True}]
    rows = [{"key": key, "candidates": kept} for key in ("\udcff.png", "\ud800.png")]
    assert write_tag_file(tmp_path / "t.txt", rows, report) == Written(1, 1)
    assert (tmp_path / "t.txt").read_bytes() == b"\xff 1\n"
    assert len(report.warnings) == 1


def test_the_help_names_the_file(ttd: Ttd) -> None:
    assert "FILE.txt" in ttd("tags", "--help").out
    assert "FILE.txt" not in ttd("masks", "--help").out


# what its numbers mean --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("photos")
def test_tags_that_nothing_numbers_are_refused_before_the_model_is_loaded(ttd: Ttd) -> None:
    listing = write_text(Path("tags.jsonl"), '{"key": "a.png", "tags": ["cat"]}\n')
    answer = refused_early(ttd, "t.txt", "--tags-file", listing)
    assert answer.code == 2 and "asks each picture for tags of its own" in answer.err


@pytest.mark.usefixtures("photos")
def test_a_picture_asked_about_other_classes_is_left_out(ttd: Ttd, tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "b.png", 40, 50, 1)
    rows = '{"image": "photos/a.png"}\n{"image": "photos/b.png", "tags": ["boat", "cat"]}\n'
    answer = tagged(ttd, "t.txt", "--input", write_text(tmp_path / "list.jsonl", rows))
    assert answer.code == 3 and "b.png: left out of t.txt, which numbers the classes of one list" in answer.err
    (line,) = (tmp_path / "t.txt").read_text().splitlines()
    assert line.split()[0].endswith("a")
