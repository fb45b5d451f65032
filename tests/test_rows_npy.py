"""Rows of .npy arrays: every type, and every refusal."""

import gzip
import os
import pickle
import tracemalloc
import warnings
from io import BytesIO
from unittest import mock

import numpy as np
import pytest
from cases import every
from reading import PLAIN, measured, read, read_file

from housing_np import LinearRegression, TableError, load, save
from housing_np.rows import open_rows
from housing_np.rows.npy import read_header
from housing_np.rows.rows import BLOCK_NUMBERS


def test_npy_rows_before_a_bad_one_come_before_its_error(tmp_path):
    path, seen = tmp_path / "rows.npy", []
    np.save(path, np.array([[1.0], [2.0], [np.nan], [4.0]]))
    with open_rows(path) as opened, pytest.raises(TableError, match=r"row 3, column 'x0': nan is not a finite"):
        list(opened.blocks(["x"]))
    with open_rows(path) as opened, pytest.raises(TableError, match=r"row 3"):
        for block in opened.blocks(["x"]):
            seen += block.tolist()
    assert seen == [[1.0], [2.0]]


def test_a_bad_npy_row_is_told_once_whatever_number_of_its_cells_is_bad(tmp_path):
    path, errors = tmp_path / "rows.npy", []
    np.save(path, np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, 4.0]]))
    with open_rows(path, on_error=errors.append) as opened:
        got = np.concatenate(list(opened.blocks(["x0", "x1"])))
    assert got.tolist() == PLAIN
    assert [str(error) for error in errors] == [mock.ANY]


# .npy


@pytest.mark.matrix("order")
@every("kind", ["<f8", ">f8", "<f4", "f2", "i8", "u1", "i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_real_type_and_order(kind, order, tmp_path):
    np.save(tmp_path / "rows.npy", np.array(PLAIN, kind, order=order))
    assert read_file(tmp_path / "rows.npy", ["x", "y"]) == PLAIN


def test_npy_without_names_has_x0_and_x1(tmp_path):
    np.save(tmp_path / "rows.npy", np.array(PLAIN))
    assert read_file(tmp_path / "rows.npy", ["x1", "x0"]) == [[2.0, 1.0], [4.0, 3.0]]


def test_npy_from_standard_input():
    file = BytesIO()
    np.save(file, np.array(PLAIN))
    assert read(file.getvalue(), ["x", "y"], "npy") == PLAIN


@every("names", [["x0", "x1"], ["x1", "x0"]])
def test_npy_longer_than_a_block(names, tmp_path):
    rows = BLOCK_NUMBERS // 2
    data = np.arange(5.0 * rows).reshape(-1, 2)
    np.save(tmp_path / "rows.npy", np.rec.fromarrays(data.T, names="x0,x1"))
    np.save(tmp_path / "plain.npy", data)
    columns = [int(name[1:]) for name in names]
    for name in ("rows.npy", "plain.npy"):
        with open_rows(tmp_path / name) as opened:
            blocks = list(opened.blocks(names if name == "rows.npy" else ["x0", "x1"]))
        assert [len(block) for block in blocks] == [rows, rows, rows // 2]
        np.testing.assert_array_equal(np.concatenate(blocks), data[:, columns] if name == "rows.npy" else data)


def test_a_file_is_read_a_block_at_a_time(tmp_path):
    path, rows = tmp_path / "rows.npy", 1 << 27
    with path.open("wb") as file:
        head = {"descr": "<f8", "fortran_order": False, "shape": (rows, 2)}
        np.lib.format.write_array_header_1_0(file, head)
        file.truncate(file.tell() + 16 * rows)  # 2 GiB of zeros that take no room
    tracemalloc.start()
    try:
        with open_rows(path) as opened:
            assert not next(opened.blocks(["x0", "x1"])).any()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read_from_standard_input(version):
    file = BytesIO()
    np.lib.format.write_array(file, np.array(PLAIN), version)
    assert read(file.getvalue(), ["x", "y"], "npy") == PLAIN


def test_a_column_that_is_missing_is_named_with_the_file(tmp_path):
    np.save(tmp_path / "rows.npy", record(x=("f8", [1, 3]), y=("f8", [2, 4])))
    with (
        open_rows(tmp_path / "rows.npy") as opened,
        pytest.raises(TableError, match=rf"^{tmp_path}/rows\.npy: no column 'z'; the columns are: x, y"),
    ):
        opened.blocks(["x", "z"])


def test_the_row_of_a_bad_npy_cell_is_counted_over_blocks(tmp_path):
    data = np.zeros((BLOCK_NUMBERS, 2))
    data[199_999, 1] = np.inf
    np.save(tmp_path / "rows.npy", data)
    with pytest.raises(TableError, match=r"rows\.npy: row 200000, column 'x1': inf is not a finite number"):
        read_file(tmp_path / "rows.npy", ["x0", "x1"])


def record(**fields):
    """Two rows of a structured array."""
    return np.array(list(zip(*(v for _, v in fields.values()), strict=True)), [(k, t) for k, (t, _) in fields.items()])


def test_structured_npy_has_names_and_ignores_text(tmp_path):
    np.save(tmp_path / "rows.npy", record(y=("f4", [2, 4]), note=("U3", ["a", "b"]), x=("i4", [1, 3])))
    assert read_file(tmp_path / "rows.npy", ["x", "y"]) == PLAIN


@every(
    "data",
    [
        np.array([1.0, 2.0]),
        np.array(1.0),
        np.ones((2, 2, 2)),
        np.ones((2, 2), complex),
        np.array([["1", "2"]]),
        np.array([["2020-01-01"]], "datetime64[D]"),
        np.array([[1, 2]], object),
        record(x=("U3", ["a", "b"]), y=("f8", [1, 2])),
        record(x=("U3", ["1", "2"]), y=("f8", [1, 2])),
        record(x=("c16", [1, 2]), y=("f8", [1, 2])),
        record(x=("M8[s]", [1, 2]), y=("f8", [1, 2])),
        record(x=(("f8", 2), [(1, 2), (3, 4)]), y=("f8", [1, 2])),
        record(x=("f8", [1, 2]), y=("f8", [1, 2]))[0],
    ],
    ids=lambda data: f"{data.shape} {data.dtype}".replace(" ", ""),
)
def test_npy_of_anything_else_is_refused(data, tmp_path):
    np.save(tmp_path / "rows.npy", data, allow_pickle=True)
    with pytest.raises(TableError, match=r"rows\.npy: .*(number|shape|column)") as caught:
        read_file(tmp_path / "rows.npy", ["x", "y"])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"x,y\n1,2\n", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': ((((", b"\x93NUMPY\x09\x00v\x00{}"],
)
def test_what_is_not_npy_is_refused(content, tmp_path):
    path = tmp_path / "rows.npy"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"rows\.npy: not a \.npy array of numbers"):
        read_file(path, ["x", "y"])


def test_npz_in_the_place_of_npy_is_refused(tmp_path):
    with (tmp_path / "rows.npy").open("wb") as file:
        np.savez(file, a=np.array(PLAIN))
    with pytest.raises(TableError, match=r"rows\.npy: it is an \.npz archive"):
        read_file(tmp_path / "rows.npy", ["x", "y"])


@pytest.mark.parametrize("content", [b"x,y\n1,2\n", None], ids=["text", "objects"])
def test_nobody_is_told_to_load_what_cannot_be_trusted(content, tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.array([[1, 2]], object), allow_pickle=True)
    if content:
        path.write_bytes(content)
    told = "not a .npy array of numbers, or not whole; write one with numpy.save"
    if content is None:
        told = "an .npy of Python objects; save numbers only, with array.astype(float)"
    for source in (read_file, lambda path, names: read(path.read_bytes(), names, "npy")):
        with pytest.raises(TableError) as caught:
            source(path, ["x", "y"])
        assert str(caught.value).partition(": ")[2] == told


class Trap:
    """What leaves a mark where it is unpickled."""

    ran = False

    @classmethod
    def spring(cls):
        cls.ran = True

    def __reduce__(self):
        return Trap.spring, ()


def trapped(form):
    """The bytes of an .npy of objects, or of a pickle."""
    array = np.empty((2, 2), object)
    array[...] = Trap()
    objects = BytesIO()
    np.save(objects, array, allow_pickle=True)
    return {
        "objects": objects.getvalue(),
        "pickle": pickle.dumps(Trap()),
        "old pickle": pickle.dumps(Trap(), protocol=0),
    }[form]


@every("form", ["objects", "pickle", "old pickle"])
@every("place", ["a file", "standard input"])
def test_a_pickle_is_refused_and_does_not_run(form, place, tmp_path):
    path, content = tmp_path / "rows.npy", trapped(form)
    path.write_bytes(content)
    with pytest.raises(
        TableError, match=r"a pickle, which can run code|of Python objects|not a \.npy array of numbers"
    ):
        read_file(path, ["x", "y"]) if place == "a file" else read(content, ["x", "y"], "npy")
    assert not Trap.ran


def test_the_trap_would_run():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trap, "ran", False)
        np.load(BytesIO(trapped("objects")), allow_pickle=True)
        assert Trap.ran


def test_npy_cut_short_is_refused(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.array(PLAIN))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TableError, match=r"rows\.npy: not a \.npy array of numbers"):
        read_file(path, ["x", "y"])


def traced(read):
    """What reading raises, and the memory that was reserved for it."""
    tracemalloc.start()
    try:
        with pytest.raises(TableError, match="not a .npy array of numbers, or not whole"):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@every("version", [(1, 0), (2, 0), (3, 0)])
@every("lie", ["numbers", "header"])
def test_no_memory_is_reserved_for_what_a_header_says_and_is_not_there(version, lie, tmp_path):
    file, path = BytesIO(), tmp_path / "rows.npy"
    np.lib.format.write_array(file, np.array(PLAIN), version)
    content = file.getvalue().replace(b"(2, 2)", b"(999, 999)").replace(b"    \n", b"\n", 1)
    if lie == "header":
        # The highest byte of the length, which takes two bytes or four.
        at = 9 if version == (1, 0) else 11
        content = content[:at] + b"\x28" + content[at + 1 :]
    path.write_bytes(content)
    assert traced(lambda: read(content, ["x", "y"], "npy")) < 4 << 20
    assert traced(lambda: read_file(path, ["x", "y"])) < 4 << 20


@pytest.mark.parametrize("text", ["{", "{'descr': '<f8', 'fortran_order': False, 'shape': (9**30, 2), }", "((((", "\0"])
def test_a_damaged_npy_header_is_refused(text, tmp_path):
    header = text.encode() + b"\n"
    (tmp_path / "h.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with (
        pytest.raises(TableError, match="h.npy: not a .npy array of numbers, or not whole"),
        open_rows(tmp_path / "h.npy"),
    ):
        pass


@pytest.mark.parametrize("layout", ["plain", "named"])
def test_an_integer_that_float64_would_round_is_refused(layout, tmp_path):
    rows = np.array([[1, 2], [3, 2**53 + 1]])
    np.save(tmp_path / "i.npy", rows if layout == "plain" else np.rec.fromarrays(rows.T, names=["x0", "x1"]))
    with (
        open_rows(tmp_path / "i.npy") as opened,
        pytest.raises(TableError, match="row 2, column 'x1': 9007199254740993 is an integer beyond 2\\*\\*53"),
    ):
        list(opened.blocks(["x0", "x1"]))


NAMED = [
    [("a'b", "f8"), ("y", "?")],
    [('a"b', "f8"), ("y", ">f4")],
    [("a'\"b", "f8"), ("y", "S3")],
    [("a\\b", "f8"), ("y", "U5")],
    [("a\tb\n", "f8"), ("y", "M8[25s]")],
    [("5L,", "f8"), ("é", "m8")],
    [("日本", "f8"), ("y", "V5")],
    [("a", "f8", (2, 3)), ("b", [("c", "f4"), ("d", "S2")])],
    [(("title", "a"), "f8"), ("b", "i1")],
    [(f"column{i}", "f8") for i in range(300)],
    np.dtype([("a", "i1"), ("b", "f8")], align=True),
]


@pytest.mark.matrix("version", "shape", "order")
@every("kind", ["f8", ">i2", "?", "S3", "U5", "c16", "M8[ns]", *NAMED], ids=range(7 + len(NAMED)))
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(("shape", "order"), [((3,), "C"), ((2, 3), "C"), ((2, 3), "F"), ((0, 2), "C"), ((), "C")])
def test_a_header_is_read_as_numpy_reads_it(kind, version, shape, order):
    file, array = BytesIO(), np.zeros(shape, kind, order)
    try:
        np.lib.format.write_array(file, array, version)
    except (UnicodeEncodeError, ValueError):
        assert version == (1, 0) or "日" in str(kind) or version == (2, 0)
        return
    file.seek(0)
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    assert read_header(file) == (shape, is_fortran, array.dtype)
    assert file.read() == array.tobytes(order)


def content(text, version=1, numbers=bytes(64)):
    size = len(text.encode("latin-1")).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + numbers


def test_a_header_of_python_2_is_read_with_numpys_warning(tmp_path):
    (tmp_path / "old.npy").write_bytes(content("{'descr': '<f8', 'fortran_order': False, 'shape': (4L, 2L), }\n"))
    with pytest.warns(UserWarning, match="created on Python 2"):
        assert read_file(tmp_path / "old.npy", ["x0", "x1"]) == [[0.0, 0.0]] * 4


@every(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0x4for, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2) is 1, }",
        r"{'descr': '\<f8', 'fortran_order': False, 'shape': (4, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, -2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [4, 2], }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 4, }",
        "{'descr': '<f8', 'shape': (4, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), 'more': 1}",
        "{'descr': [('x',)], 'fortran_order': False, 'shape': (4,), }",
        "{'descr': [('x', '<f8'), ('x', '<f8')], 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 999999999), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999, 999999999999999999), }",
        "{'descr': [], 'fortran_order': False, 'shape': (4,), }",
        "{'descr': 4, 'fortran_order': False, 'shape': (4, 2), }",
        "[{}: 1]",
        "{[]: 1}",
        "(" * 200,
        "[" * 9_000,
        "-" * 9_000 + "1",
    ],
)
@pytest.mark.matrix("version")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_that_numpy_does_not_read_is_refused(text, version, tmp_path):
    (tmp_path / "h.npy").write_bytes(content(text + "\n", version))
    for source in (read_file, lambda path, names: read(path.read_bytes(), names, "npy")):
        with pytest.raises(TableError, match="not a .npy array of numbers, or not whole; write one with numpy.save"):
            source(tmp_path / "h.npy", ["x0", "x1"])


def test_a_header_longer_than_numpy_reads_is_refused(tmp_path):
    np.save(tmp_path / "h.npy", np.zeros(2, [(f"column{i}", "f8") for i in range(600)]))
    message = r"h\.npy: the header of the array has more than 10,000 characters; save fewer columns, or Parquet$"
    with pytest.raises(TableError, match=message):
        read_file(tmp_path / "h.npy", ["column0"])


def test_the_filters_of_warnings_are_left_alone(tmp_path):
    np.save(tmp_path / "rows.npy", np.array(PLAIN))
    save(LinearRegression.from_coefficients([1.0], 0.0, ["a"], ["y"]), tmp_path / "m.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "catch_warnings", lambda: pytest.fail("the filters are changed"))
        assert read_file(tmp_path / "rows.npy", ["x0", "x1"]) == PLAIN
        assert read((tmp_path / "rows.npy").read_bytes(), ["x0", "x1"], "npy") == PLAIN
        assert load(tmp_path / "m.npz").feature_names == ("a",)


def compressed_zeros(path, shape, mebibytes, order=False):
    """Write an array of zeros in gzip, a member for each mebibyte."""
    head = content(f"{{'descr': '<f8', 'fortran_order': {order}, 'shape': {shape}, }}\n", numbers=b"")
    path.write_bytes(gzip.compress(head) + gzip.compress(bytes(1 << 20)) * mebibytes)


def test_npy_in_gzip_is_read_a_block_at_a_time(tmp_path):
    compressed_zeros(tmp_path / "rows.npy.gz", (1 << 22, 2), 64)
    np.save(tmp_path / "warm.npy", np.zeros((2, 2)))
    mebibytes, told = measured(tmp_path / "rows.npy.gz", "npy", tmp_path / "warm.npy")
    assert told == f"{1 << 22} rows"
    assert mebibytes < 20


@pytest.mark.parametrize(
    ("shape", "order", "message"),
    [
        ((1 << 24, 2), True, "more than 128 MiB, all to be held in memory; uncompress it first"),
        ((1, 1 << 25), False, "268,435,456 bytes in a row; expected at most 16,777,216"),
        ((2, 300_000), False, "300,000 columns; expected at most 262,144"),
    ],
)
def test_npy_in_gzip_that_claims_much_is_refused_before_it_is_inflated(shape, order, message, tmp_path):
    compressed_zeros(tmp_path / "rows.npy.gz", shape, 0, order)
    with pytest.raises(TableError, match=rf"rows\.npy\.gz: {message}"):
        read_file(tmp_path / "rows.npy.gz", ["x0", "x1"])


@every("shape", [(7, 3), (3, 7), (1, 5), (40, 1)])
def test_columns_in_one_piece_are_read_as_rows_are(shape, tmp_path):
    rows = np.arange(float(np.prod(shape))).reshape(shape)
    names = [f"x{i}" for i in range(shape[1])]
    np.save(tmp_path / "rows.npy", np.asfortranarray(rows))
    assert read_file(tmp_path / "rows.npy", names) == rows.tolist()
    assert read((tmp_path / "rows.npy").read_bytes(), names, "npy") == rows.tolist()
    assert read(gzip.compress((tmp_path / "rows.npy").read_bytes()), names, "npy") == rows.tolist()


@every("shape", [(700_000, 3), (9, 30_000)])  # of 16 MiB and more, and wide
@every("compressed", [False, True])
def test_many_columns_in_one_piece_are_read_as_rows_are(shape, compressed, tmp_path):
    rows = np.arange(float(np.prod(shape))).reshape(shape)
    np.save(tmp_path / "rows.npy", np.asfortranarray(rows))
    path = tmp_path / "rows.npy"
    if compressed:
        content = path.read_bytes()
        path = tmp_path / "rows.npy.gz"
        path.write_bytes(gzip.compress(content, 0))
    with open_rows(path) as opened:
        blocks = list(opened.blocks([f"x{i}" for i in range(shape[1])]))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), rows)


def test_wide_columns_of_text_do_not_make_a_block_large(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros(100, [("x0", "f8"), ("x1", "f8"), ("note", "S100000")]))
    tracemalloc.start()
    try:
        assert len(read_file(tmp_path / "rows.npy", ["x0", "x1"])) == 100
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_that_gets_shorter_while_it_is_read_is_told_in_one_line(order, tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((1_500_000, 2), order=order))
    with open_rows(path) as opened, pytest.raises(TableError) as caught:
        for number, _ in enumerate(opened.blocks(["x0", "x1"])):
            if number == 0:
                os.truncate(path, 1 << 22)
    assert str(caught.value) == f"{path}: changed while it was read: it is shorter than it was; run again"


@pytest.mark.parametrize("version", [2, 3])
def test_a_header_of_megabytes_is_not_read(version, tmp_path):
    (tmp_path / "h.npy").write_bytes(content("{}," * 1_000_000, version))
    tracemalloc.start()
    try:
        for source in (read_file, lambda path, names: read(gzip.compress(path.read_bytes(), 1), names, "npy")):
            with pytest.raises(TableError, match="the header of the array has more than 10,000 characters"):
                source(tmp_path / "h.npy", ["x0"])
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_second_array_in_the_file_is_not_left_out_in_silence(pack, order, tmp_path):
    for path in ("a.npy", "b.npy"):
        np.save(tmp_path / path, np.array([[1.0, 2.0], [3.0, 4.0]], order=order))
    both = pack((tmp_path / "a.npy").read_bytes() + (tmp_path / "b.npy").read_bytes())
    (tmp_path / "both.npy").write_bytes(both)
    with pytest.raises(TableError, match="more than one array; save each in a file of its own"):
        read_file(tmp_path / "both.npy", ["x", "y"])
    with pytest.raises(TableError, match="more than one array"):
        read(both, ["x", "y"], "npy")
