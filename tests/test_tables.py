"""Tables fit the terminal: heads are broken first, then names are cut; numbers never are."""

import pytest
from cases import every
from running import run

from housing_np.command.tables import number, numbers, paragraph, table

ROWS = [
    ["file", "largest dev.", "file size"],
    ["a-long-folder/first.npz", "0.123", "395 B"],
    ["a-long-folder/second.npz", "0.45", "1,024 B"],
]


def test_a_table_with_room_has_a_head_of_one_line():
    assert table(ROWS, 80).splitlines() == [
        "file                      largest dev.  file size",
        "a-long-folder/first.npz          0.123      395 B",
        "a-long-folder/second.npz          0.45    1,024 B",
    ]


def test_heads_are_broken_before_names_are_cut():
    assert table(ROWS, 45).splitlines() == [
        "                          largest     file",
        "file                         dev.     size",
        "a-long-folder/first.npz     0.123    395 B",
        "a-long-folder/second.npz     0.45  1,024 B",
    ]


def test_names_lose_their_middle():
    assert table(ROWS, 38).splitlines()[2:] == [
        "a-lon…lder/first.npz    0.123    395 B",
        "a-lon…der/second.npz     0.45  1,024 B",
    ]


def test_numbers_that_do_not_fit_beside_each_other_stand_below_each_other():
    assert table(ROWS, 28).splitlines() == [
        "                  largest",
        "file                 dev.",
        "a-lon…/first.npz    0.123",
        "a-lon…second.npz     0.45",
        "",
        "                     file",
        "file                 size",
        "a-lon…/first.npz    395 B",
        "a-lon…second.npz  1,024 B",
    ]


def test_names_that_differ_are_cut_to_names_that_differ():
    names = [f"column {i} of a table with long names" for i in (1, 2)]
    first, second = table([["feature", "weight"], *([name, "1"] for name in names)], 20).splitlines()[1:]
    assert first != second


def test_a_head_without_a_break_is_not_wider_than_its_numbers_need():
    assert table([["row", "median_house_value"], ["1", "452,600"]], 20).splitlines() == [
        "     median_house",
        "row        _value",
        "1         452,600",
    ]


@every(
    ("value", "digits", "text"),
    [
        (139_812.0, 4, "139,800"),
        (1234.0, 4, "1,234"),
        (1425.4767, 6, "1,425.48"),
        (4.832e9, 4, "4.832e9"),
        (40_740.4, 4, "40,740"),
        (-452_600.0, 4, "-452,600"),
        (0.5243, 4, "0.5243"),
        (0.000832, 3, "0.000832"),
        (1.31e-6, 3, "1.31e-6"),
        (0.0, 3, "0"),
        (1e30, 3, "1e30"),
        (float("nan"), 3, "nan"),
        (float("inf"), 3, "inf"),
        (123_456_789, 4, "123,456,789"),
    ],
)
def test_a_number_has_an_exponent_only_where_that_is_shorter(value, digits, text):
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([-36_450_000.0, -1_312_000.0, 1e7], ["-3.645e7", "-1.312e6", "1e7"]),
        ([-1_312_000.0, 452_600.0], ["-1,312,000", "452,600"]),
        ([4.832e9, 999.0, 0.5], ["4.832e9", "999", "0.5"]),
        ([1.31e-6, 40_740.4], ["1.31e-6", "40,740"]),
        ([1e30, float("inf"), 1234.0], ["1e30", "inf", "1.234e3"]),
    ],
)
def test_large_numbers_of_a_column_have_one_form(values, texts):
    assert numbers(values, 4) == texts


@pytest.mark.parametrize("out", ["my-models", "a/folder/with-a-long-name"])
def test_names_of_models_are_shown_whole_below_their_folder(out, tmp_path):
    lines = run("train", "--out", out, cwd=tmp_path, env={"COLUMNS": "80"}).stdout.splitlines()
    start = lines.index(f"in {out}:")
    names = [line.split()[0] for line in lines[start + 3 : start + 7]]
    schemes = ["per-tensor", "per-channel", "integer"]
    assert names == ["float64.npz", *(f"uint8-{scheme}.npz" for scheme in schemes)]


def test_a_paragraph_is_as_wide_as_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert paragraph("features: MedInc, HouseAge, AveRooms") == "features: MedInc,\n  HouseAge, AveRooms"


@every("columns", [80, 40])
@every(
    "arguments",
    [["train"], ["compare"], ["explain", "models/uint8-integer.npz", "--against", "models/float64.npz"], ["predict"]],
    ids=lambda arguments: arguments[0],
)
def test_the_tables_of_a_command_fit_the_terminal(arguments, columns, models):
    done = run(*arguments, cwd=models.parent, env={"COLUMNS": str(columns)})
    assert done.returncode == 0
    tables = [line for line in done.stdout.splitlines() if "  " in line]
    assert tables and [line for line in tables if len(line) > columns] == []


def test_long_names_are_cut_and_numbers_are_not():
    rows = [["x" * 300, "0.436529", "1.278e-9"], ["y" * 300, "-0.106977", "12"]]
    lines = table([["feature", "weight", "scale"], *rows], 40).splitlines()
    assert [line.split()[1:] for line in lines[1:]] == [row[1:] for row in rows]
    assert max(map(len, lines)) <= 40
