"""What a published row needs: looked for, named exactly when it is missing, and the command to type then."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttd_core.data.benchmarks.catalogue import find_entry
from ttd_core.data.benchmarks.entries import Entry
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.availability import availability, command, data_found, layouts
from ttd_core.recipes.evaluation.published import published_names, published_row

VOC = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")


def make_voc(folder: Path) -> None:
    for part in VOC:
        (folder / part).mkdir(parents=True)
    (folder / "ImageSets/Segmentation/val.txt").write_text("2007_000033\n")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("name", [name for name in published_names() if name.startswith("scenes/")])
def test_rows_of_the_built_in_model_need_nothing(name: str, tmp_path: Path) -> None:
    found = availability(published_row(name), folder=tmp_path)
    assert (found.data, found.weights, found.missing, found.complete) == (True, True, (), True)


def test_everything_that_is_missing_is_said_with_where_it_goes_and_what_to_type(tmp_path: Path) -> None:
    found = availability(published_row("ttd/voc2012"), tmp_path / "data", folder=tmp_path)
    assert (found.data, found.weights, found.complete) == (False, False, False)
    data, weights, lora, then = found.missing
    assert data.startswith(f"put PASCAL VOC 2012 with SegmentationClass (VOCdevkit/VOC2012) under {tmp_path}/data")
    assert "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt" in data
    assert weights.startswith("put tcl.pth into the working directory, or name its place with --weights PATH: ")
    assert lora.startswith("put tcl+ttd into the working directory, or name its place with --lora PATH: ")
    assert then == (
        f"then: ttd evaluate --recipe ttd/voc2012 --root {tmp_path}/data --weights tcl.pth --lora tcl+ttd"
        " --expect published"
    )


def test_a_row_with_all_in_place_misses_nothing(tmp_path: Path) -> None:
    make_voc(tmp_path / "data/VOCdevkit/VOC2012")
    touch(tmp_path / "tcl.pth")
    (tmp_path / "tcl+ttd").mkdir()
    found = availability(published_row("ttd/voc2012"), tmp_path / "data", folder=tmp_path)
    assert (found.data, found.missing, found.complete) == (True, (), True)
    assert found.weights is None  # OpenAI's base is fetched when it is first used


def test_no_root_means_that_the_data_was_not_looked_for(tmp_path: Path) -> None:
    touch(tmp_path / "tcl.pth")
    found = availability(published_row("ttd/tags-tcl-pixel"), folder=tmp_path)
    assert found.data is None
    assert found.missing[0].startswith("name the folder of CC3M-TagMask")
    assert "--root" in found.missing[0]
    assert " --root DATA " in found.missing[-1]


def test_places_that_were_typed_are_looked_at_and_kept_in_the_command(tmp_path: Path) -> None:
    weights = touch(tmp_path / "my weights/t.pth")
    given = {"--weights": str(weights), "--lora": str(tmp_path / "gone"), "--pretrained": str(tmp_path / "base.pt")}
    row = published_row("ttd/voc2012")
    found = availability(row, tmp_path, given, folder=tmp_path)
    assert found.weights is False
    assert not [line for line in found.missing if line.startswith("--weights")]
    assert [line for line in found.missing if line.startswith(f"--lora {tmp_path}/gone: no such file or folder")]
    assert [line for line in found.missing if line.startswith(f"--pretrained {tmp_path}/base.pt: no such file")]
    assert f"--weights '{weights}' --lora {tmp_path}/gone " in found.missing[-1]


def test_lists_of_tags_are_named_by_the_scorer(tmp_path: Path) -> None:
    row = published_row("ttd/tags-vicuna-7b")
    assert "--scorer list:vicuna-7b.jsonl" in command(row)
    found = availability(row, folder=tmp_path)
    assert found.weights is True
    assert "or name its place with --scorer list:PATH: " in found.missing[1]
    touch(tmp_path / "vicuna-7b.jsonl")
    assert len(availability(row, folder=tmp_path).missing) == 2


def test_tag_files_need_two_files_and_no_data(tmp_path: Path) -> None:
    row = published_row("tagclip/tags-voc2012")
    assert command(row) == (
        "ttd evaluate --recipe tagclip/tags-voc2012 --pred voc2012_val_tagclip_example.txt"
        " --truth imageset_voc2012_val.txt --expect published"
    )
    found = availability(row, folder=tmp_path)
    assert (found.data, found.weights, len(found.missing)) == (True, True, 3)
    for needed in row.needs.files:
        touch(tmp_path / needed.file)
    assert availability(row, folder=tmp_path).complete


def test_a_row_that_waits_for_its_method_says_so_and_what_works_today(tmp_path: Path) -> None:
    make_voc(tmp_path / "VOC2012")
    found = availability(published_row("reclip/voc-distilled"), tmp_path, folder=tmp_path)
    assert found.data is True
    waiting, *_, today = found.missing
    assert "come with a later release" in waiting and "label maps made elsewhere can be scored today" in waiting
    row = "reclip/voc-distilled"
    assert today == f"today: ttd evaluate --recipe {row} --root {tmp_path} --pred MASKS --expect published"
    assert "--expect" not in command(published_row("trusty/context-inductive"))


def test_a_row_of_tcl_needs_data_and_the_checkpoint_and_nothing_more(tmp_path: Path) -> None:
    make_voc(tmp_path / "VOC2012")
    row = published_row("tcl/voc")
    weights, then = availability(row, tmp_path, folder=tmp_path).missing
    assert weights.startswith("put tcl.pth into the working directory, or name its place with --weights PATH: ")
    assert then == f"then: ttd evaluate --recipe tcl/voc --root {tmp_path} --weights tcl.pth --expect published"
    touch(tmp_path / "tcl.pth")
    assert availability(row, tmp_path, folder=tmp_path).complete


@pytest.mark.parametrize("inside", ["VOCdevkit/VOC2012", "VOC2012", ".", "voc/VOCdevkit/VOC2012", "anything"])
def test_a_data_set_is_found_from_outside_and_from_inside(tmp_path: Path, inside: str) -> None:
    make_voc(tmp_path / inside)
    assert data_found("voc2012", tmp_path)
    assert data_found("voc2012:val", tmp_path)
    assert not data_found("context", tmp_path)


@pytest.mark.parametrize("gone", VOC)
def test_half_a_data_set_is_not_found(tmp_path: Path, gone: str) -> None:
    make_voc(tmp_path / "VOCdevkit/VOC2012")
    (tmp_path / "VOCdevkit/VOC2012" / gone).rename(tmp_path / "VOCdevkit/VOC2012/elsewhere")
    assert not data_found("voc2012", tmp_path)


def test_alternatives_and_the_ttd_layout_are_found(tmp_path: Path) -> None:
    (tmp_path / "a/images/val2017").mkdir(parents=True)
    assert not data_found("coco-stuff", tmp_path / "a")
    (tmp_path / "a/stuffthingmaps_trainval2017").mkdir()
    assert data_found("coco-stuff", tmp_path / "a")
    for part in ("image", "mask", "xml"):
        (tmp_path / "b/ADE2016/validation" / part).mkdir(parents=True)
    assert data_found("ade20k", tmp_path / "b")
    assert not data_found("cityscapes", tmp_path / "b")


def test_a_missing_root_or_data_set() -> None:
    assert not data_found("voc2012", Path("/no/such/folder"))
    assert data_found("scenes:test", Path("/no/such/folder"))
    with pytest.raises(UsageError, match="unknown data set"):
        data_found("voc2021", Path())


@pytest.mark.parametrize("name", sorted({row.partition("/")[0] for row in published_names()} - {"scenes"}))
def test_layouts_of_the_data_sets_that_rows_name_are_paths(name: str) -> None:
    rows = [published_row(row) for row in published_names() if row.startswith(f"{name}/")]
    for entry in {find_entry(row.data) for row in rows}:
        check_layouts(entry)


def check_layouts(entry: Entry) -> None:
    original, ttd = layouts(entry)
    assert original and len(ttd) in (0, 2)
    for path in (path for part in (*original, *ttd) for path in part):
        assert path == path.strip(" /") and "," not in path


@pytest.mark.parametrize("name", published_names())
def test_every_row_that_misses_something_ends_with_its_command(name: str, tmp_path: Path) -> None:
    row = published_row(name)
    found = availability(row, tmp_path, folder=tmp_path)
    assert found.complete == (row.system == "scenes")
    assert found.complete or found.missing[-1].endswith(command(row, tmp_path))
    assert f"--recipe {name}" in command(row)
    for needed in (*row.needs.weights, *row.needs.files):
        assert needed.fetched or any(needed.file in line for line in found.missing[:-1])
