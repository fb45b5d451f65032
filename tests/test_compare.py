"""The comparison: the usual schemes fail as they are known to, and by the feature that is to blame."""

import json
import re
import sys

import numpy as np
import pytest
from cases import every

from housing_np import HousingError
from housing_np.compare import main
from housing_np.store.comparison import CASTS, FLOATS, NEAREST, OPTIMAL, Point, comparison_figure


@pytest.fixture(scope="module")
def schemes(tmp_path_factory):
    """Each scheme's row on the bundled data, by name, and the picture of them."""
    picture = tmp_path_factory.mktemp("plots") / "schemes.svg"
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", printed.append)
        assert main(["--json", "--plot", str(picture)]) == 0
    return {row["scheme"]: row for row in json.loads(printed[0])["schemes"]}, picture.read_text()


def test_the_original_s_scheme_scores_what_it_published(schemes):
    row = schemes[0]["min-max, truncated"]
    assert (round(row["r2"], 4), row["worst"]) == (-18.0787, "Population")


@every(
    ("scheme", "r2"),
    [
        # Other copies of the exercise "score between −30,595 and 0.44" with one uint8 scale.
        ("cast of 100·w", -30596.5139),
        ("min-max, rounded", -5.4129),
        ("symmetric, zero point 128", 0.5419),
        ("float16", 0.6062),
        ("float32", 0.6062),
        ("one scale per coefficient", 0.6062),
    ],
)
def test_r2_of_the_usual_schemes(scheme, r2, schemes):
    assert schemes[0][scheme]["r2"] == pytest.approx(r2, rel=1e-6, abs=5e-5)


@pytest.mark.parametrize(
    ("bits", "nearest", "optimal"),
    [(8, 3.2e-5, 1.5e-5), (6, 3.4e-4, 1.6e-4), (5, 1.9e-3, 1.1e-3), (4, 5.6e-3, 3.3e-3), (3, 1.5e-2, 1.4e-2)],
)
def test_per_channel_loses_at_most_what_was_aimed_at(bits, nearest, optimal, schemes):
    r2 = schemes[0]["float64"]["r2"]
    assert r2 - schemes[0][f"per-channel, {bits} bits, nearest"]["r2"] <= nearest
    assert r2 - schemes[0][f"per-channel, {bits} bits, optimal"]["r2"] <= optimal


def test_what_fails_has_a_reason_and_ours_has_none(schemes):
    for name, row in schemes[0].items():
        assert bool(row["why"]) != (name == "float64" or name.split(",")[0] in ("per-tensor", "per-channel", "integer"))


def test_the_picture_names_every_scheme_that_deviates_and_has_a_legend(schemes):
    rows, picture = schemes
    texts = re.findall("<!-- (.*) -->", picture)  # matplotlib leaves the text of each label in a comment
    usual = {name for name, row in rows.items() if row["why"]}
    assert usual | {"per-tensor, 8 bits", "integer, 8 bits", "per-channel, 8 bits", "2 bits"} <= set(texts)
    assert "float64" not in texts
    kinds = ["usual casts to uint8", "narrower floats", "this package, nearest", "this package, optimal rounding"]
    assert [text for text in texts if text in kinds] == kinds


def test_no_label_of_the_picture_lies_on_another_or_on_a_dot(schemes):
    rows = schemes[0].values()
    points = [
        Point(row["scheme"], CASTS, row["payload_bytes"], row["rms_deviation"])
        for row in rows
        if row["why"] or "optimal" in row["scheme"]
    ]
    figure = comparison_figure(points, 0.7, "price")
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    dots = axes.transData.transform([(each.payload_bytes, each.deviation) for each in points if each.deviation > 0])
    assert len(boxes) == len(dots) > 10
    for i, box in enumerate(boxes):
        assert box.count_overlaps(boxes) == 1 and not box.count_contains(dots), axes.texts[i].get_text()
        assert axes.get_window_extent(renderer).count_contains(box.corners()) == 4
    assert not any(text.arrow_patch for text in axes.texts)  # nothing leads from a label to its dot


def test_where_dots_are_crowded_a_label_is_on_a_dot_before_it_is_on_another_label():
    # The schemes of a table of 21 features: so close that some label has to be on a dot.
    near = [(227, 23.6), (222, 56.5), (220, 210.0), (217, 310.0), (214, 388.0), (212, 808.0)]
    best = [(227, 5.71), (222, 34.2), (220, 52.2), (217, 72.8), (214, 87.5), (212, 185.0)]
    labels = ("per-channel, 8 bits", *(f"{bits} bits" for bits in (6, 5, 4, 3, 2)))
    points = [Point("", NEAREST, *each, "a") for each in near]
    points += [Point(label, OPTIMAL, *each, "a") for label, each in zip(labels, best, strict=True)]
    points += [Point("float32", FLOATS, 92, 2e-4), Point("min-max, truncated", CASTS, 45, 6e4)]
    axes = comparison_figure([*points, Point("integer, 8 bits", OPTIMAL, 312, 55.4, "b")], 200.0, "price").axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [box.count_overlaps(boxes) for box in boxes] == [1] * 9


def test_float32_has_another_color_than_the_casts_to_uint8(schemes):
    picture = schemes[1]
    fills = {
        name: re.search(f"<!-- {name} -->.*?fill: (#[0-9a-f]+)", picture, re.DOTALL)[1]
        for name in ("float32", "min-max, rounded", "2 bits")
    }
    assert len(set(fills.values())) == 3


def test_a_comparison_of_models_that_do_not_deviate_is_drawn():
    assert len(comparison_figure([Point("float32", CASTS, 4, 0.0)], 0.0, "price").axes[0].texts) == 0


def test_a_user_s_own_table_is_compared(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) * [1, 1000, 1]
    rows = np.column_stack([X, X @ [3, 0.001, -2] + rng.normal(size=50)])
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="rooms,people,floors,price", comments="")
    assert main(["--data", str(tmp_path / "rows.csv"), "--target", "price"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"min-max, truncated: .*; largest error: people, stored as 0\.0008\d+", text)


def test_one_feature_is_compared_without_a_warning(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("rooms,price\n1,2\n2,4\n3,5\n")
    assert main(["--data", str(tmp_path / "rows.csv"), "--target", "price"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "message"), [("a.xyz", "give a .png, .svg or .pdf file"), ("no/a.png", "make the folder .*no first")]
)
def test_a_picture_that_cannot_be_drawn_is_refused(name, message, tmp_path):
    with pytest.raises(HousingError, match=message):
        main(["--plot", str(tmp_path / name)])


def test_a_picture_that_is_drawn_half_leaves_the_old_one(tmp_path, monkeypatch):
    def half(self, file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "a.png").write_text("old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", half)
    with pytest.raises(HousingError, match="No space left"):
        main(["--plot", str(tmp_path / "a.png")])
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.png", "old")]


def test_a_picture_needs_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(HousingError, match=r"pip install '\.\[plot\]'"):
        main(["--plot", str(tmp_path / "a.png")])


def test_names_of_levels_are_cut_and_command_no_terminal(tmp_path, capsys):
    names = ["sea=" + "near, or far " * 40, "a=b=c", "sea=\x1b[31m"]
    X = np.random.default_rng(0).normal(size=(20, 3)) * [100, 1, 1]
    rows = [dict(zip([*names, "y"], row, strict=True)) for row in np.column_stack([X, X @ [1e-3, 50, 2]]).tolist()]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert main(["--data", str(tmp_path / "rows.json"), "--target", "y"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 and line.isprintable() for line in lines)
    assert any("largest error: sea=near, or far" in line for line in lines)


def test_categories_and_fills_are_compared_too(tmp_path, capsys):
    cells = [(i, ("far", "near", "")[i % 3], "" if i % 7 == 3 else i * i % 11) for i in range(60)]
    lines = [f"{age},{sea},{rooms},{age + 10 * (sea == 'near') + i % 5}" for i, (age, sea, rooms) in enumerate(cells)]
    (tmp_path / "rows.csv").write_text("\n".join(["age,sea,rooms,price", *lines]))
    assert main(["--data", str(tmp_path / "rows.csv"), "--target", "price", "--missing", "mean", "--json"]) == 0
    schemes = {row["scheme"]: row for row in json.loads(capsys.readouterr().out)["schemes"]}
    assert {row["worst"] for row in schemes.values()} <= {"age", "sea=far", "sea=near", "sea=(missing)", "rooms"}
    assert schemes["integer, 8 bits, nearest"]["r2"] == pytest.approx(schemes["float64"]["r2"], abs=1e-3)
