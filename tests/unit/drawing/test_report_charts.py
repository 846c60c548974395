from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ttd_core.drawing.report.bias import bias_panels, draw_followed, draw_found, write_bias_plot
from ttd_core.drawing.report.charts import curve_chart, histogram_chart, panel, thinned
from ttd_core.drawing.report.contents import BiasPoint, Curve, ScoreHistogram
from ttd_core.drawing.report.svg import drawing
from ttd_core.errors import UsageError

NAN = float("nan")


def points(count: int = 60) -> list[BiasPoint]:
    rng = np.random.default_rng(2)
    numbers = rng.integers(1, 9, count)
    return [
        BiasPoint(int(n), 1, int(rng.integers(1, n + 1)), strongest=0.9, weakest=float(rng.random())) for n in numbers
    ]


def words(svg: str) -> str:
    return " ".join(re.findall(r">([^<>]+)</text>", svg))


def test_charts_are_well_formed_and_take_their_colours_from_the_page() -> None:
    histogram = ScoreHistogram(np.linspace(0, 1, 6), np.array([0, 1, 2, 3, 4]), np.array([9, 5, 1, 0, 0]), 0.5)
    recall = np.linspace(0, 1, 20)
    charts = [histogram_chart(histogram), curve_chart(Curve(recall, 1 - recall / 3, (0.5, 0.8), 0.9, 0.2))]
    charts += [chart for _, chart in bias_panels(points())]
    assert len(charts) == 4
    for chart in charts:
        ElementTree.fromstring(chart)
        assert "var(--first)" in chart or "var(--third)" in chart
        assert set(re.findall(r"#[0-9a-f]{6}\b", chart)) <= {"#000000"}
        assert "http" not in chart and "<metadata" not in chart and "font-family" not in chart


def test_the_histogram_says_how_many_there_are_and_where_they_are_kept() -> None:
    counts = np.array([1, 2]), np.array([3000, 4])
    shown = words(histogram_chart(ScoreHistogram(np.array([0, 0.5, 1.0]), *counts, threshold=0.7)))
    assert "true candidates: 3" in shown and "false candidates: 3,004" in shown and "kept from 0.7" in shown
    without = words(histogram_chart(ScoreHistogram(np.array([0, 0.5, 1.0]), *counts)))
    assert "kept" not in without
    outside = words(histogram_chart(ScoreHistogram(np.array([0, 0.5, 1.0]), *counts, threshold=3.0)))
    assert "kept" not in outside


def test_one_kind_alone_can_be_drawn() -> None:
    chart = histogram_chart(ScoreHistogram(np.array([0.0, 1.0]), np.array([0]), np.array([5])))
    assert "true candidates: 0" in words(chart)


def test_the_operating_point_is_named_with_its_figures() -> None:
    recall = np.linspace(0, 1, 5)
    chart = curve_chart(Curve(recall, np.ones(5), (0.5, 0.75)))
    assert "P 75.0, R 50.0, F1 60.0" in words(chart)
    assert "recall 50.0 and precision 75.0 percent" in chart
    assert "P " not in words(curve_chart(Curve(recall, np.ones(5), (NAN, NAN))))
    assert "F1 0.0" in words(curve_chart(Curve(recall, np.ones(5), (0.0, 0.0))))


def test_long_curves_lose_only_what_cannot_be_seen() -> None:
    recall = np.concatenate([np.linspace(0, 100, 1000), np.full(100_000, 100.0)])
    precision = np.concatenate([np.full(1000, 100.0), np.linspace(100, 1, 100_000)])
    kept = thinned(np.stack([recall, precision]))
    assert kept.shape[1] <= 1500
    np.testing.assert_array_equal(kept[:, [0, -1]], [[0, 100], [100, 1]])
    assert (kept[1] == 100).sum() > 400 and np.abs(np.diff(kept, axis=1)).max() < 0.5


def test_found_shares_are_pooled_over_all_reference_tags() -> None:
    with drawing():
        said = draw_found(panel()[1], [BiasPoint(4, 1, 2), BiasPoint(1, 1, None), BiasPoint(0, 0, 0)])
    assert "over 2 captions" in said
    assert "text scoring finds 40.0 percent" in said and "image scoring finds 50.0 percent" in said


def test_lines_join_the_means_of_captions_with_equally_many_tags() -> None:
    with drawing():
        axes = panel()[1]
        draw_found(axes, [BiasPoint(2, 1, None), BiasPoint(2, 2, None), BiasPoint(4, 1, None), BiasPoint(9, 3, None)])
    single, text = axes.lines[0], axes.lines[1]
    np.testing.assert_allclose(single.get_ydata(), [50, 25, 100 / 9])
    np.testing.assert_allclose(text.get_ydata(), [75, 25, 100 / 3])
    np.testing.assert_allclose(single.get_xdata(), [2, 4, 6])
    labels = [text.get_text() for text in axes.texts]
    assert any("text scoring" in label for label in labels) and not any("image" in label for label in labels)


def test_pixel_scoring_is_drawn_only_where_it_misses_a_tag() -> None:
    for pixel, drawn in ((3, False), (2, True)):
        with drawing():
            said = draw_found(panel()[1], [BiasPoint(3, 1, 2, pixel), BiasPoint(2, 1, 2, 2)])
        assert ("pixel scoring" in said) == drawn


def test_a_row_of_the_meter_becomes_a_point() -> None:
    lines = {"follow": [0.8, 0.3, -0.1], "even": [0.6, 0.5, 0.4], "single": [1.0, 0.1, -0.2]}
    row = {"reference": 3, "text": 1, "image": 2, "pixel": 3, **lines}
    assert BiasPoint.of(row) == BiasPoint(3, 1, 2, 3, 0.8, -0.1, (0.6, 0.4), (1.0, -0.2))
    short, flat = BiasPoint.of({"reference": 1}), BiasPoint.of({**row, "follow": [], "even": [], "single": []})
    assert (short.text, short.even, flat.text, flat.single) == (None, None, 1, None)
    assert np.isnan([short.strongest, flat.weakest]).all()


def test_the_yardsticks_stand_beside_the_captions() -> None:
    with drawing():
        axes = panel()[1]
        said = draw_followed(axes, [BiasPoint(2, 1, 1, 2, 0.75, s, (0.5, 0.4), (1.0, -0.25)) for s in (0.2, 0.4)])
    assert said.endswith(
        "means of strongest tag alone: 1.00 and -0.25; means of caption: 0.75 and 0.30; "
        "means of even mean of the tags: 0.50 and 0.40"
    )
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "both alike", "strongest tag alone 1.00 / -0.25", "caption 0.75 / 0.30", "even mean of the tags 0.50 / 0.40"
    ]  # fmt: skip
    assert axes.get_xlim()[0] < -0.25 and axes.get_ylim()[0] > -0.1


def test_names_of_lines_do_not_overlap() -> None:
    with drawing():
        axes = panel()[1]
        draw_found(axes, [BiasPoint(1, 1, 1)] * 3)
    heights = sorted(text.get_position()[1] for text in axes.texts)
    assert len(heights) == 3 and min(np.diff(heights)) >= 14.9 and heights[-1] <= 100


def test_captions_without_two_maps_are_no_points() -> None:
    with drawing():
        said = draw_followed(
            panel()[1], [BiasPoint(2, strongest=0.8, weakest=0.2), BiasPoint(1, 1, 1), BiasPoint(2, strongest=0.6)]
        )
    assert "over 1 captions" in said and "means of caption: 0.80 and 0.20" in said
    assert [heading for heading, _ in bias_panels([BiasPoint(1, 1, 1)])] == ["How much of a caption is found"]
    assert [heading for heading, _ in bias_panels([BiasPoint(2, strongest=0.5, weakest=-0.9)])] == [
        "Which tag the caption's map follows"
    ]
    assert bias_panels([]) == []


def test_many_captions_are_counted_in_squares() -> None:
    few, many = points(400), points(5000)
    charts = [chart for some in (few, many) for heading, chart in bias_panels(some) if "map" in heading]
    assert charts[0].count("<use") > 400 > charts[1].count("<use")
    assert len(charts[1]) < 80_000


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_the_plot_is_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_bias_plot(tmp_path / f"{name}{suffix}", points(), "$x$ <b> -- \ud800 \x00 " + "long " * 200)
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second and len(first) < 400_000
    if suffix == ".svg":
        assert ElementTree.fromstring(first).tag.endswith("svg") and b"dc:date" not in first
    else:
        assert first.startswith(b"\x89PNG")


def test_the_plot_can_be_drawn_of_nothing(tmp_path: Path) -> None:
    write_bias_plot(tmp_path / "empty.png", [])
    assert (tmp_path / "empty.png").stat().st_size > 1000


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"plot\.pdf is neither \.png nor \.svg"):
        write_bias_plot(tmp_path / "plot.pdf", points())
    assert list(tmp_path.iterdir()) == []
