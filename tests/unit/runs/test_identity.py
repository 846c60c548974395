"""Run names: the published rows, and what must not change them or break a path."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ttd_core.recipes.options import MaskOptions, ModelOptions, TagOptions
from ttd_core.recipes.recorded import run_name
from ttd_core.runs import RunName, input_name, run_id

PUBLISHED = RunName(
    "TCL", "VOC2012", templates="OpenAI", scales=(1.0, 0.5, 1.5, 2.0), size=448, stride=2, hflip=True, refiner="pamr",
    adapter="TTD", bg=0.4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (PUBLISHED, "tcl@voc2012@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.40"),
        (
            replace(PUBLISHED, data="COCO2014", bg=0.45),
            "tcl@coco2014@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.45",
        ),
        (
            replace(PUBLISHED, data="ADE2016", bg=0.45),
            "tcl@ade2016@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.45",
        ),
        (replace(PUBLISHED, data="Cityscapes"), "tcl@cityscapes@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.40"),
        (replace(PUBLISHED, data="COCO-Stuff"), "tcl@coco-stuff@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.40"),
        (
            replace(PUBLISHED, data="PascalContext", bg=0.45),
            "tcl@pascalcontext@openai@1.0+0.5+1.5+2.0@448@s2@hflip@pamr@ttd@bg0.45",
        ),
        (RunName("TCL", "CC3M", size=224, hflip=True), "tcl@cc3m@1.0@224@hflip"),
        (RunName("scenes", "beach", bg=0.455), "scenes@beach@1.0@bg0.455"),
        (RunName("ViT-B-16", "photos", pretrained="openai"), "vit-b-16+openai@photos@1.0"),
    ],
)
def test_published_rows_keep_their_names(name: RunName, expected: str) -> None:
    assert run_id(name) == expected


@pytest.mark.parametrize(
    "hostile",
    [
        "..",
        "a/b",
        "[x]",
        "$HOME",
        "a b",
        "-rf",
        "~",
        "x" * 5000,
        "赤い傘",
        "a\nb",
        "\0",
        "\udcff",
        "'\";&|",
        "*?",
        "CON ",
        "",
    ],
)
@pytest.mark.parametrize("part", ["model", "data", "pretrained", "templates", "adapter", "refiner"])
def test_names_need_no_quoting_anywhere(part: str, hostile: str) -> None:
    spelled = run_id(replace(PUBLISHED, **{part: hostile}))
    assert re.fullmatch(r"[a-z0-9][a-z0-9@+._-]*", spelled) and ".." not in spelled
    assert len(spelled.encode()) <= 200


def test_long_names_stay_apart() -> None:
    one, two = (run_id(replace(PUBLISHED, scales=tuple([1.0] * 100 + [last]))) for last in (1.5, 2.0))
    assert one != two and len(one) <= 200


def test_names_that_differ_only_in_lost_letters_stay_apart() -> None:
    assert run_id(replace(PUBLISHED, data="赤")) != run_id(replace(PUBLISHED, data="青"))


def test_options_beyond_the_published_ones_add_a_hash() -> None:
    plain = MaskOptions(image="beach.png", text="a dog", bg=0.45)
    assert re.fullmatch(r"scenes@beach@1\.0@bg0\.45@[0-9a-f]{8}", run_name(plain))  # the text is such an option
    assert run_name(plain) == run_name(replace(plain, batch_size=1, run_root="x", model=ModelOptions(device="cpu")))
    for other in (
        replace(plain, text="a cat"), replace(plain, threshold=0.6), replace(plain, stopwords=False),
        replace(plain, model=ModelOptions(activation="gelu")), replace(plain, binary=True), replace(plain, seed=1),
    ):  # fmt: skip
        assert run_name(other) != run_name(plain)


def test_without_such_options_there_is_no_hash() -> None:
    assert run_name(MaskOptions(input="VOC2012", scales=(1.0, 0.5), image_size=448, hflip=True, pamr=True)) == (
        "scenes@voc2012@1.0+0.5@448@hflip@pamr@bg0.40"
    )
    assert run_name(TagOptions(input="captions.tsv")) == "scenes@captions@1.0"


def test_local_weights_count_by_content_not_by_place(tmp_path) -> None:  # type: ignore[no-untyped-def]
    names = []
    for folder, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "tcl.pth"
        file.write_bytes(content)
        names.append(run_name(TagOptions(input="x.tsv", model=ModelOptions(model="tcl", weights=str(file)))))
    assert names[0].startswith("tcl@x@1.0@") and names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("image", "source", "expected"),
    [
        (None, None, "text"),
        ("a/beach.png", None, "beach"),
        (None, "photos/", "photos"),
        (None, "-", "stdin"),
        (None, "/", "root"),
    ],
)
def test_the_data_is_named_after_the_input(image: str | None, source: str | None, expected: str) -> None:
    assert input_name(image, source) == expected
