"""The figures of the published tables, copied once more: a slip in a row's file shows here."""

from __future__ import annotations

import pytest

from ttd_core.recipes.evaluation.published import published_names, published_row

TAGS = ("precision", "recall", "f1", "accuracy")
MASKS = ("miou", "mfpr", "mfnr")
TEXT = ("caption_iou", "mfpr", "mfnr")
ZERO_SHOT = ("pixel_accuracy", "miou_seen", "miou_unseen", "hiou")
LISTS = tuple(f"{kind}{metric}" for kind in ("", "category_", "sample_") for metric in ("precision", "recall", "f1"))

TABLE: list[tuple[tuple[str, ...], dict[str, tuple[float, ...]]]] = [
    (
        TAGS,
        {
            "ttd/tags-nouns": (59.8, 83.7, 69.8, 79.6),
            "ttd/tags-vicuna-7b": (44.1, 71.0, 54.4, 70.9),
            "ttd/tags-vicuna-33b": (52.7, 70.7, 60.4, 75.9),
            "ttd/tags-qwen-72b": (69.3, 56.2, 62.1, 80.9),
            "ttd/tags-tcl-image": (92.5, 28.6, 43.7, 79.5),
            "ttd/tags-tcl-text": (85.6, 29.7, 44.1, 79.0),
            "ttd/tags-tcl-pixel": (82.9, 74.5, 78.5, 88.6),
            "ttd/tags-tcl+ttd": (88.3, 78.0, 82.8, 91.0),
        },
    ),
    (
        TEXT,
        {
            "ttd/text-tcl": (60.4, 0.199, 0.198),
            "ttd/text-tcl+ttd": (65.5, 0.163, 0.182),
            "ttd/text-maskclip+ttd": (50.2,),
        },
    ),
    (
        MASKS,
        {
            "ttd/voc2012": (61.1, 0.185, 0.204),
            "ttd/coco2014": (37.4, 0.350, 0.276),
            "ttd/ade2016": (17.0, 0.361, 0.468),
            "ttd/cityscapes": (27.0, 0.248, 0.483),
            "ttd/coco-stuff": (23.7, 0.430, 0.333),
            "ttd/context": (37.4, 0.389, 0.237),
            "ttd/maskclip-coco2014": (26.5,),
            "ttd/maskclip-ade2016": (12.7,),
            "ttd/maskclip-cityscapes": (32.0,),
            "ttd/maskclip-coco-stuff": (19.4,),
            "tcl/voc": (55.0,),
            "tcl/context": (30.4,),
            "tcl/coco-object": (31.6,),
            "tcl/voc20": (83.2,),
            "tcl/context59": (33.9,),
            "tcl/coco-stuff": (22.4,),
            "tcl/cityscapes": (24.0,),
            "tcl/ade20k": (17.1,),
            "tcl/voc-nopamr": (51.2,),
            "tcl/context-nopamr": (24.3,),
            "tcl/coco-object-nopamr": (30.4,),
            "tcl/voc20-nopamr": (77.5,),
            "tcl/context59-nopamr": (30.3,),
            "tcl/coco-stuff-nopamr": (19.6,),
            "tcl/cityscapes-nopamr": (23.1,),
            "tcl/ade20k-nopamr": (14.9,),
            "tagclip/voc2012": (64.7,),
            "tagclip/coco2017": (34.0,),
            "tagclip/coco-stuff27": (30.3,),
            "tagclip/voc2012-crf": (68.6,),
            "tagclip/coco2017-crf": (35.2,),
            "tagclip/coco-stuff27-crf": (31.1,),
            "reclip/voc-rectified": (58.5,),
            "reclip/context-rectified": (25.8,),
            "reclip/ade-rectified": (11.1,),
            "reclip/voc-distilled": (75.4,),
            "reclip/context-distilled": (33.8,),
            "reclip/ade-distilled": (14.3,),
            "reclip++/voc-rectified-2024": (73.5,),
            "reclip++/context-rectified-2024": (34.0,),
            "reclip++/ade-rectified-2024": (13.5,),
            "reclip++/cityscapes-rectified-2024": (21.7,),
            "reclip++/coco-stuff27-rectified-2024": (20.9,),
            "reclip++/voc-distilled-2024": (79.2,),
            "reclip++/context-distilled-2024": (34.5,),
            "reclip++/ade-distilled-2024": (14.5,),
            "reclip++/cityscapes-distilled-2024": (26.9,),
            "reclip++/coco-stuff27-distilled-2024": (23.2,),
            "reclip++/voc-rectified": (85.4,),
            "reclip++/context-rectified": (36.1,),
            "reclip++/ade-rectified": (16.4,),
            "reclip++/cityscapes-rectified": (26.5,),
            "reclip++/coco-stuff27-rectified": (23.8,),
        },
    ),
    (("map",), {"tagclip/voc2007": (92.8,), "tagclip/coco2014": (68.7,)}),
    (
        LISTS,
        {
            "tagclip/tags-voc2012": (
                92.5140, 77.1309, 84.1250, 92.6062, 83.0969, 87.5942, 95.5084, 85.4313, 90.1893,
            ),
            "tagclip/tags-coco2017": (
                78.5705, 41.2480, 54.0964, 78.5620, 52.0724, 62.6315, 87.8649, 53.7384, 66.6894,
            ),
            "tagclip/tags-coco-stuff": (
                43.6785, 50.1981, 46.7119, 44.3751, 57.0307, 49.9132, 48.5244, 54.5482, 51.3603,
            ),
        },
    ),
    (
        ZERO_SHOT,
        {
            "trusty/zegclip-voc-inductive": (94.6, 91.9, 77.8, 84.3),
            "trusty/zegclip-voc-transductive": (96.2, 92.3, 89.9, 91.1),
            "trusty/zegclip-voc-supervised": (96.3, 92.4, 90.9, 91.6),
            "trusty/zegclip-coco-inductive": (62.0, 40.2, 41.4, 40.8),
            "trusty/zegclip-coco-transductive": (69.2, 40.7, 59.9, 48.5),
            "trusty/zegclip-coco-supervised": (69.9, 40.7, 63.2, 49.6),
            "trusty/voc-inductive-unverified": (96.1, 93.5, 85.2, 89.2),
            "trusty/coco-inductive-unverified": (63.3, 40.7, 43.1, 41.9),
        },
    ),
    (("miou_unseen",), {"trusty/voc-inductive": (85.2,), "trusty/coco-inductive": (43.1,)}),
    ((), {"trusty/context-inductive": ()}),
]  # fmt: skip
CELLS = [(name, metrics, values) for metrics, rows in TABLE for name, values in rows.items()]


@pytest.mark.parametrize(("name", "metrics", "values"), CELLS, ids=[cell[0] for cell in CELLS])
def test_a_row_has_the_figures_of_its_table(name: str, metrics: tuple[str, ...], values: tuple[float, ...]) -> None:
    found = {key: figure.value for key, figure in published_row(name).published.items()}
    assert found == dict(zip(metrics, values, strict=False))


def test_every_published_row_is_in_the_tables() -> None:
    ours = {name for name in published_names() if name.startswith("scenes/")}
    assert {cell[0] for cell in CELLS} == set(published_names()) - ours


@pytest.mark.parametrize(
    ("name", "metric", "where", "value"),
    [
        ("tagclip/voc2007", "map", "paper", 92.8),
        ("tagclip/coco2014", "map", "paper", 68.8),
        ("tagclip/voc2012", "miou", "paper", 64.8),
        ("tagclip/coco2017", "miou", "paper", 34.0),
        ("tagclip/coco-stuff27", "miou", "paper", 30.1),
        ("tagclip/voc2012-crf", "miou", "paper", 68.7),
        ("tagclip/coco2017-crf", "miou", "paper", 35.3),
        ("tagclip/coco-stuff27-crf", "miou", "paper", 31.0),
        ("tcl/cityscapes-nopamr", "miou", "a later paper", 23.5),
        ("trusty/zegclip-coco-inductive", "miou_unseen", "as printed", 41.1),
    ],
)
def test_second_values_in_print_are_stated(name: str, metric: str, where: str, value: float) -> None:
    (quoted,) = published_row(name).published[metric].also
    assert (quoted.where, quoted.value) == (where, value)


@pytest.mark.parametrize(("suffix", "average"), [("", 37.2), ("-nopamr", 33.9)])
def test_the_columns_of_tcl_have_the_printed_average(suffix: str, average: float) -> None:
    values = [
        published_row(f"tcl/{name}{suffix}").published["miou"].value
        for name in ("voc", "context", "coco-object", "voc20", "context59", "coco-stuff", "cityscapes", "ade20k")
    ]
    assert sum(values) / 8 == pytest.approx(average, abs=0.05)
    assert str(average) in (published_row(f"tcl/voc{suffix}").remarks or "")


def test_what_nobody_could_verify_is_marked() -> None:
    for name in published_names():
        row = published_row(name)
        assert name.endswith("-unverified") == ("UNVERIFIED" in (row.remarks or ""))
    for name in ("tcl/context", "tcl/voc20"):
        assert "from memory" in published_row(name).source
    assert "second-hand" in published_row("tcl/voc").source


def test_backgrounds_of_ttd_are_the_published_ones() -> None:
    for name, bg in (("voc2012", 0.4), ("cityscapes", 0.4), ("coco-stuff", 0.4), ("coco2014", 0.45), ("ade2016", 0.45)):
        assert published_row(f"ttd/{name}").options["bg"] == bg
    assert published_row("ttd/context").options["bg"] == 0.45
    for name in ("text-tcl", "text-tcl+ttd", "text-maskclip+ttd"):
        assert published_row(f"ttd/{name}").options["bg"] == 0.4
