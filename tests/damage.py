"""Damage models' files and files of rows in many ways: each is refused in one line, or holds valid numbers.

    python tests/damage.py --seed 1 --artifacts 20000 --inputs 10000
    python tests/damage.py --seed 1 --only csv --case 17      # one case again, with what goes wrong

It prints how many of each kind were refused, loaded with equal numbers, and loaded with others. What ends in any other
way (another exception, a warning, code that ran, too much memory or time, a number that is not finite) is told with its
case, and the status is 1. So are files of a megabyte that claim more (by nesting, sizes, depth, digits), if one takes
more than 2 seconds or 200 MiB.
"""

import argparse
import gzip
import json
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.util import find_spec
from io import BytesIO
from itertools import islice, permutations, product
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from housing_np import HousingError, LinearRegression, QuantizedLinear, TableError, load
from housing_np.quantized.schemes import SCHEMES
from housing_np.rows import Skipped, open_rows, stop
from housing_np.rows.columns import MISSING, Columns
from housing_np.store.artifact import to_bytes

MOST_MEMORY = 4 << 20  # bytes, for files of a few hundred
MOST_TIME = 1.0  # seconds of the processor
LARGE = 1 << 20  # bytes of a file that claims more than it is
LARGE_MEMORY = 200 << 20
LARGE_TIME = 2.0
SLOWED = 3 if "coverage" in sys.modules else 1  # by measuring which lines run
SKIPPED_TIME = 5e-5  # more for each bad row that is left out
LONGEST_LINE = 4000
LONGEST_WAIT = 300  # seconds
SHOWN = 20  # failures of a kind

VERDICTS = ("refused", "equal", "other")
Random = random.Random
Damage = Callable[[Random, bytes], bytes]


class DamageError(Exception):
    """What a damaged file did that it should not."""


# Bytes, whatever they are


def _at(r: Random, content: bytes) -> tuple[int, int]:
    """Return the two ends of some of the bytes, mostly of few."""
    start = r.randrange(len(content) + 1)
    return start, min(len(content), start + r.choice([1, 1, 2, 4, 8, 64, len(content)]))


def _flipped(r: Random, content: bytes) -> bytes:
    i = r.randrange(len(content) or 1)
    return content[:i] + bytes(byte ^ 1 << r.randrange(8) for byte in content[i : i + 1]) + content[i + 1 :]


def _overwritten(r: Random, content: bytes) -> bytes:
    start, end = _at(r, content)
    new = r.choice([b"\0", b"\xff", b"\x80", r.randbytes(1)]) * (end - start)
    return content[:start] + r.choice([new, r.randbytes(end - start)]) + content[end:]


def _dropped(r: Random, content: bytes) -> bytes:
    start, end = _at(r, content)
    return content[:start] + content[end:]


def _doubled(r: Random, content: bytes) -> bytes:
    start, end = _at(r, content)
    return content[:end] + content[start:]


def _moved(r: Random, content: bytes) -> bytes:
    start, end = _at(r, content)
    rest, to = content[:start] + content[end:], r.randrange(len(content) + 1)
    return rest[:to] + content[start:end] + rest[to:]


def _cut(r: Random, content: bytes) -> bytes:
    return content[: r.randrange(len(content) + 1)]


def _lengthened(r: Random, content: bytes) -> bytes:
    return content + r.choice([b"\0", b"\n", r.randbytes(9), content])


def anyhow(r: Random, content: bytes) -> bytes:
    """Return bytes damaged in one place or a few."""
    for _ in range(r.choice([1, 1, 1, 2, 5])):
        content = r.choice([_flipped, _overwritten, _dropped, _doubled, _moved, _cut, _lengthened])(r, content)
    return content


# .npy


class Trap:
    """What runs code where it is unpickled."""

    ran = False

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        """Return what to run."""
        return _spring, ()


def _spring() -> None:
    Trap.ran = True


def _npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    content = BytesIO()
    np.lib.format.write_array(content, array, version, allow_pickle=True)
    return content.getvalue()


_TYPES = b"<f8 <f4 >f8 <f2 |u1 <i4 <i8 <u8 |b1 |S1 <U3 |O |V8 <c16".split()
_LENGTHS = (b"0", b"1", b"2", b"-1", b"4", b"255", b"999999999", b"99999999999999999999", b"2**40", b"1.0", b"None")


def _retold(r: Random, text: bytes) -> bytes:
    """Return a header that says something else in its own language: of types, of lengths, of fields."""
    old = r.choice([b"'", *_TYPES, *b"0123456789 (),[]{}".decode()])
    old = old if isinstance(old, bytes) else old.encode()
    places = [i for i in range(len(text)) if text.startswith(old, i)]
    if not places:
        return anyhow(r, text)
    at = r.choice(places)
    new = r.choice(_TYPES if old in _TYPES else [*_LENGTHS, b"", b"(", b")", b"'", b", ", b"(1, 2)"])
    return text[:at] + new + text[at + len(old) :]


def header(r: Random, content: bytes) -> bytes:
    """Return a .npy whose header says something else, the lengths made right or lying."""
    size = int.from_bytes(content[8:10], "little")
    text, numbers = content[10 : 10 + size].rstrip(), content[10 + size :]
    text = r.choice([_retold, _retold, anyhow])(r, text) + b"\n"
    numbers = r.choice([numbers, numbers, _cut(r, numbers), numbers + bytes(r.choice([1, 8, 64]))])
    length = r.choice([len(text)] * 4 + [r.randrange(1 << 16)]) % (1 << 16)
    return content[:8] + length.to_bytes(2, "little") + text + numbers


def another_array(r: Random, content: bytes) -> bytes:
    """Return a .npy of something else: objects, other shapes and types, other versions."""
    trap = np.empty(r.choice([(), (1,), (2, 3)]), object)
    trap[...] = Trap()
    zeros = np.zeros(
        r.choice([(), (0,), (3,), (6, 3), (0, 3), (1, 1, 1)]), r.choice(["f8", "S3", "c16", "M8[s]", "V4"])
    )
    pickled = content[:10] + pickle.dumps(Trap())
    array = np.lib.format.read_array(BytesIO(content))
    return r.choice([_npy(trap), _npy(zeros), pickled, pickle.dumps(Trap()), _npy(array, r.choice([(2, 0), (3, 0)]))])


# Models


def member(content: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as opened:
        return opened.read("m.npy")


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as written, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        written.comment = comment
        for name, data in members:
            written.writestr(name, data)
    return content.getvalue()


def _within(damage: Damage) -> Damage:
    """Return a damage to the one member of an archive, which is deflated again and has the right checksum."""
    return lambda r, content: archive(("m.npy", damage(r, member(content))))


_NUMBERS = (0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, -1e-310, 1e308, -1e308, 1e39, 255, 256, -1)


def _renumbered(r: Random, record: bytes) -> bytes:
    """Return a record with other numbers: special ones, or any."""
    array = np.lib.format.read_array(BytesIO(record))
    assert array.dtype.names
    for _ in range(r.choice([1, 1, 3])):
        name = r.choice(array.dtype.names[2:])
        field = np.atleast_1d(array[name]).ravel()
        with np.errstate(all="ignore"):
            some = np.float64([r.choice(_NUMBERS)]).astype(field.dtype)
        drawn = np.frombuffer(r.randbytes(field.itemsize), field.dtype)
        field[r.randrange(len(field))] = r.choice([some, drawn])[0]
        array[name] = field.reshape(array[name].shape)
    return _npy(array)


_NAMES = (b"x0", b"", b"y", b"y_bound", b"x0\0x0", b"\xff", "größe".encode(), b"a\nb", b"x" * 999, b"\0")


def _renamed(r: Random, record: bytes) -> bytes:
    """Return a record with another format or other names."""
    old = np.lib.format.read_array(BytesIO(record))
    assert old.dtype.names
    values = {name: old[name] for name in old.dtype.names}
    if r.random() < 0.3:
        values["format"] = np.array(r.choice([f"housing_np {r.randrange(3)} {kind}".encode() for kind in KINDS]))
    else:
        names = bytes(values["names"]).split(b"\0")
        names[r.randrange(len(names))] = r.choice(_NAMES)
        values["names"] = np.array(b"\0".join(names) or b"\0")
    kinds = [(name, value.dtype if value.dtype.itemsize else "S1", value.shape) for name, value in values.items()]
    new = np.zeros((), kinds)
    for name, value in values.items():
        new[name] = value
    return _npy(new)


COLUMN_TEXTS = [
    *(b"", b"null", b"[]", b"{}", b"0", b"[null,null,null]", b"[[]]", b'[0.5,["b"]]', b'[0.5,["b","c"],null]', b"\xff"),
    *(
        b'[0.5,["%b"]]' % b'","'.join(each)
        for each in ([b"b", b"a", b"c", b"c"], [b"b", b"", b"c", b"d"], [b"b", b"a", b"c"])
    ),
    *(
        b'[%b,["b","a","c","(missing)"]]' % each
        for each in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"true", b'"0.5"')
    ),
    *(b'[%b,["b","a","c","(missing)"]]' % each for each in (b"9" * 400, b"9" * 5000, b"1", b"5e-1", b"{}", b"[]")),
    *(b'[0.5,["b","a",%b,"(missing)"]]' % each for each in (rb'"\ud800"', rb'"\u0000"', b"null", b"1", b"[]", b'"\0"')),
    *(b"[" * 100_000, b"[0.5," * 50_000, b'[0.5,["b","a","c","(missing)"]', b'[0.5,["b","a","c","(missing)"]] '),
    *(b'[0.5,["%b","a","c","(missing)"]]' % each for each in (b"x0", b"q", b"", rb"\udfff", b"b" * 99_999)),
    b'[0.5,["b","a","c","(missing)"],["b","a","c"]]',
    b'[["b","a","c","(missing)"],0.5]',
    b'[0.5,["b",%b]]' % b",".join(b'"%d"' % i for i in range(100_000)),
]


def with_columns(record: bytes, text: bytes) -> bytes:
    """Return a record of a model with this text about its columns."""
    old = np.lib.format.read_array(BytesIO(record))
    assert old.dtype.names
    values = {name: old[name] for name in old.dtype.names}
    values["format"] = np.array(bytes(values["format"]).replace(b"housing_np 1", b"housing_np 2"))
    names = ["format", "names", "columns", *(name for name in old.dtype.names[2:] if name != "columns")]
    values["columns"] = np.array(text or b" ")
    new = np.zeros((), [(name, values[name].dtype, values[name].shape) for name in names])
    for name in names:
        new[name] = values[name]
    return _npy(new)


def _recolumned(r: Random, record: bytes) -> bytes:
    """Return a record with other columns: such as no train writes, or a text damaged somehow."""
    array = np.lib.format.read_array(BytesIO(record))
    text = bytes(array["columns"]) if "columns" in (array.dtype.names or ()) else b"[null,null,null]"
    return with_columns(record, r.choice([r.choice(COLUMN_TEXTS), anyhow(r, text), _worded(r, text)]))


def _other_members(r: Random, content: bytes) -> bytes:
    """Return an archive of other members: doubled, swapped, renamed, packed otherwise."""
    record, other = member(content), member(r.choice(artifacts()[r.choice(KINDS)]))
    name = r.choice(["m", "M.npy", "../m.npy", "m.npy/", "a/m.npy", "m.npy\0", "names.npy", "m" * 999])
    return r.choice(
        [
            archive(),
            archive((name, record)),
            archive(("m.npy", record), ("m.npy", other)),
            archive((name, other), ("m.npy", record)),
            archive(("m.npy", record), (name, other)),
            archive(("m.npy", record), method=r.choice([zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])),
            archive(("m.npy", record), comment=r.randbytes(r.choice([1, 99]))),
            archive(("m.npy", archive(("m.npy", record)))),
            archive(("m.npy", record + bytes(r.choice([1, 1 << 10, 1 << 20, 17 << 20])))),
            content + other,
            record,
        ]
    )


# Where each number stands in the headers of a zip archive: its mark, its place, how long it is.
_ZIP_NUMBERS = [
    *((b"PK\3\4", at, size) for at, size in ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
    *((b"PK\1\2", at, size) for at, size in ((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2))),
    *((b"PK\1\2", at, size) for at, size in ((32, 2), (34, 2), (38, 4), (42, 4))),
    *((b"PK\5\6", at, size) for at, size in ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
]


def _lying(r: Random, content: bytes) -> bytes:
    """Return an archive whose headers lie: of sizes, places, checksums, methods."""
    for _ in range(r.choice([1, 1, 2])):
        mark, at, size = r.choice(_ZIP_NUMBERS)
        at += content.rfind(mark)
        true, top = int.from_bytes(content[at : at + size], "little"), 256**size
        lie = r.choice([0, 1, true + 1, true - 1, 2 * true, 16 << 20, top - 1, top // 2, r.randrange(top)]) % top
        content = content[:at] + lie.to_bytes(size, "little") + content[at + size :]
    return content


KINDS = ("float64", *SCHEMES)
_ARTIFACT_DAMAGES: list[Damage] = [
    anyhow,
    _lying,
    _other_members,
    *map(_within, (anyhow, header, header, another_array, _renumbered, _renumbered, _renamed, _recolumned)),
]
_X = np.random.default_rng(0).normal(size=(9, 3)) * [1.0, 30.0, 1e-3]


@cache
def artifacts() -> dict[str, list[bytes]]:
    """Return sound files of each kind, of one target, of several, and with a fill and a category."""
    names = ["x0", "x1", "größe"]
    one = LinearRegression.from_coefficients([0.5, -0.03, 200.0], 1.0, names, ["y"])
    coef = np.outer([1.0, 2.0, -0.3], one.coef_) + np.eye(3)
    several = LinearRegression.from_coefficients(coef, np.ones(3), names, ["y", "z", "w"])
    columns = Columns(("x0", "b"), levels={"b": ("a", "c", MISSING)}, fills={"x0": 0.5})
    mixed = LinearRegression.from_coefficients(one.coef_, 1.0, columns.feature_names, ["y"], columns)
    return {
        kind: [
            to_bytes(model if kind == "float64" else QuantizedLinear.from_linear(model, _X, kind))
            for model in (one, several, mixed)
        ]
        for kind in KINDS
    }


def model_of(path: Path) -> bytes:
    """Return all that a model's file holds, if all of it is valid."""
    model = load(path)
    known = model.numbers() if isinstance(model, QuantizedLinear) else {"coef": model.coef_, "to": model.intercept_}
    numbers = [np.asarray(each) for each in (*known.values(), model.coef_, model.predict(np.zeros((1, len(_X[0])))))]
    if not all(np.isfinite(each).all() for each in numbers):
        raise DamageError(f"it holds {numbers}")
    return (
        b"".join(each.tobytes() for each in numbers)
        + repr((model.feature_names, model.target_names_, model.columns)).encode()
    )


# Rows

_COLUMNS = ["x", "y", "z"]
_ROWS = [[1.0, -2.5, 3e5], [0.125, 7.0, -0.0], [1e-3, 2.0, 3.0], [4.0, 5.0, 6.0], [1e300, -1e-300, 17.0]]

_TOKENS = [
    *',;|\t"\n\r\0\x1a[]{}:\\ -+.eE_',
    *("\r\n", '""', '"\n"', "\ufeff", "null", "true", "NaN", "Infinity", "1e999", "-1e-999", "0x10", "1_000", "é"),
    *("9" * 400, "9007199254740993", "[" * 3000, '{"x":' * 1000, '"' * 99, "\ud800", '"x"', "[]", "{}", '"x": 1, '),
]


def _worded(r: Random, content: bytes) -> bytes:
    """Return a text with words of the formats at places where they do not belong."""
    for _ in range(r.choice([1, 1, 2, 4])):
        start, end = _at(r, content)
        word = r.choice(_TOKENS).encode(r.choice(["utf-8", "utf-8", "utf-8", "utf-16-le"]), "surrogatepass")
        content = content[:start] + word + content[r.choice([start, start, end]) :]
    return content


def _relined(r: Random, content: bytes) -> bytes:
    """Return a text with lines that are swapped, doubled, dropped or ended otherwise, maybe in another encoding."""
    lines = content.split(b"\n")
    i, j = r.randrange(len(lines)), r.randrange(len(lines))
    changed = r.choice(
        [
            [*lines[:i], lines[j], *lines[i:]],
            lines[:i] + lines[i + 1 :],
            [*lines[:i], lines[i] + lines[j], *lines[i + 1 :]],
            [lines[j] if k == i else lines[i] if k == j else line for k, line in enumerate(lines)],
        ]
    )
    text = r.choice([b"\n", b"\n", b"\r\n", b"\r", b"\n\n"]).join(changed)
    return text.decode("utf-8", "replace").encode(r.choice(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be"]))


_VALUES = (None, True, 0, -1, 2**53 + 1, 10**400, 0.5, 1e300, float("nan"), "", "a", "1.5", [], [1], {}, {"x": 1})


def _regrown(r: Random, tree: object) -> object:
    """Return a tree of JSON with another value in some place."""
    if isinstance(tree, dict) and tree and r.random() < 0.9:
        key = r.choice(list(tree))
        new = {r.choice([key, key, "x", "", "q", "instances", "data", "columns"]): _regrown(r, tree[key])}
        return {**{k: v for k, v in tree.items() if k != key}, **new} if r.random() < 0.9 else {**new, **tree}
    if isinstance(tree, list) and tree and r.random() < 0.9:
        i = r.randrange(len(tree))
        return tree[:i] + r.choice([[_regrown(r, tree[i])]] * 6 + [[], [tree[i]] * 2]) + tree[i + 1 :]
    return r.choice(_VALUES)


def _rejson(r: Random, content: bytes) -> bytes:
    return json.dumps(_regrown(r, json.loads(content)), indent=r.choice([None, 1])).encode()


def _rejson_lines(r: Random, content: bytes) -> bytes:
    lines = content.splitlines()
    i = r.randrange(len(lines))
    return b"\n".join([*lines[:i], json.dumps(_regrown(r, json.loads(lines[i]))).encode(), *lines[i + 1 :]])


def _footer(r: Random, content: bytes) -> bytes:
    """Return a Parquet file whose footer is damaged, its length made right."""
    size = int.from_bytes(content[-8:-4], "little")
    footer = anyhow(r, content[-8 - size : -8])
    return content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _pages(r: Random, content: bytes) -> bytes:
    """Return a Parquet file whose pages are damaged, and nothing else."""
    size = 8 + int.from_bytes(content[-8:-4], "little")
    return b"PAR1" + r.choice([_flipped, _overwritten])(r, content[4:-size]) + content[-size:]


_INPUT_DAMAGES: dict[str, list[Damage]] = {
    "csv": [anyhow, _worded, _worded, _relined],
    "json": [anyhow, _worded, _rejson, _rejson, _relined],
    "jsonl": [anyhow, _worded, _rejson_lines, _rejson_lines, _relined],
    "npy": [anyhow, header, header, another_array],
    "parquet": [anyhow, _footer, _pages],
}


def _recompressed(r: Random, content: bytes) -> bytes:
    """Return rows of some format that were damaged and then compressed, or the other way round."""
    format = r.choice(list(inputs()))
    if r.random() < 0.5:
        return gzip.compress(r.choice(_INPUT_DAMAGES[format])(r, r.choice(inputs()[format])), 1, mtime=0)
    packed = gzip.compress(r.choice(inputs()[format]), 1, mtime=0)
    lie = struct.pack("<I", r.choice([0, 1, 1 << 31, 2**32 - 1]))
    return r.choice([anyhow(r, packed), packed[:-4] + lie, packed[:-8] + lie + packed[-4:], packed + packed])


@cache
def inputs() -> dict[str, list[bytes]]:
    """Return sound files of the same rows, some in each format."""
    records = [dict(zip(_COLUMNS, row, strict=True)) for row in _ROWS]
    named = np.array([tuple(row) for row in _ROWS], [(name, "f8") for name in _COLUMNS])
    lines = [",".join(map(repr, row)) for row in _ROWS]
    swapped = [f'"{x}";{z};{y}' for x, y, z in _ROWS]
    found = {
        "csv": ["\n".join([",".join(_COLUMNS), *lines]) + "\n", "\n".join(['"x";z;y', *swapped])],
        "json": [
            json.dumps(records),
            json.dumps({"dataframe_split": {"columns": _COLUMNS, "data": _ROWS}}),
            json.dumps({"instances": records}),
            json.dumps({name: {str(i): row[j] for i, row in enumerate(_ROWS)} for j, name in enumerate(_COLUMNS)}),
        ],
        "jsonl": ["\n".join(map(json.dumps, records)) + "\n", "\n".join(map(json.dumps, _ROWS))],
    }
    texts = {format: [text.encode() for text in each] for format, each in found.items()}
    return texts | {"npy": [_npy(named), _npy(np.array(_ROWS))]} | ({"parquet": _parquet()} if _has_arrow() else {})


def _has_arrow() -> bool:
    return find_spec("pyarrow") is not None


def _parquet() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({name: [row[j] for row in _ROWS] for j, name in enumerate(_COLUMNS)})
    files = []
    for options in ({}, {"compression": "none", "use_dictionary": False}, {"compression": "gzip", "row_group_size": 2}):
        file = BytesIO()
        parquet.write_table(table, file, write_page_checksum=True, **options)
        files.append(file.getvalue())
    return files


# Files of a megabyte that claim more than that: by nesting, by sizes, by depth, by digits


def _filled(start: str, part: str, end: str = "") -> bytes:
    """Return a text of a megabyte that repeats a part."""
    count = (LARGE - len(start) - len(end)) // len(part.encode())
    return (start + part * count + end).encode()


def _tensor(shape: str, data: str) -> bytes:
    return f'{{"inputs": [{{"name": "x", "datatype": "FP64", "shape": [{shape}], "data": [{data}]}}]}}'.encode()


def _header_of(size: int, text: bytes, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + text


def _shaped(shape: str, descr: str = "'<f8'", order: bool = False) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return _header_of(len(text), text)


def _nested(content: bytes, layers: int) -> bytes:
    for _ in range(layers):
        content = gzip.compress(content, mtime=0)
    return content


def _zeros(mebibytes: int, start: bytes) -> bytes:
    """Return the gzip of some bytes and of zeros behind them, in members of a mebibyte."""
    return _nested(start, 1) + _nested(bytes(1 << 20), 1) * mebibytes


def _near() -> list[str]:
    """Return names that differ in the order of their letters alone."""
    return ["".join(each) for each in islice(permutations("xyabcdefgh"), LARGE // 12)]


def _large_parquet() -> dict[str, bytes]:
    import pyarrow
    from pyarrow import parquet

    def written(rows: int, columns: int, **options: Any) -> bytes:
        file, zeros = BytesIO(), pyarrow.array(np.zeros(rows))
        names = [*_COLUMNS, *(f"x{i}" for i in range(columns - len(_COLUMNS)))]
        parquet.write_table(pyarrow.table([zeros] * columns, names), file, compression="brotli", **options)
        return file.getvalue()

    one_page = {"use_dictionary": False, "data_page_size": 1 << 30, "max_rows_per_page": 1 << 30}
    page = written(1 << 23, 3, write_batch_size=1 << 23, row_group_size=1 << 23, **one_page)
    small = written(1000, 3, write_batch_size=1000, **one_page)
    return {
        "a page": page,
        "a page in gzip": _nested(page, 1),
        # The size of a page of 8,000 bytes: 16,000 and the sign in seven bits each.
        "the size of a page": small.replace(b"\x15\x80\x7d\x15", b"\x15\xfe\xff\xff\xff\x0f\x15"),
        "row groups": written(20_000, 3, row_group_size=10),
        "zeros in gzip": _zeros(512, b"PAR1"),
    }


@cache
def large() -> dict[str, dict[str, bytes]]:
    """Return files of at most a megabyte by their format, which would take more than they are worth."""
    digits, near = "9" * 4290, _near()
    found = {
        "csv": {
            "nested": _nested(b"x,y,z\n1,2,3\n", 200),
            "members": _nested(b"x,y,z\n1,2,3\n", 1) + _nested(b"", 1) * 20_000,
            "name of a file in gzip": b"\x1f\x8b\x08\x08" + bytes(6) + bytes([65]) * LARGE,
            "columns": _filled("", "1,", "1\n"),
            "digits": _filled("x,y,z\n1,2,", "9"),
            "quotes": _filled("x,y,z\n", '"\n'),
            "lines in quotes": _filled("x,y,z\n", '"a\n"b,'),
            "blank lines": _filled("x,y,z\n1,2,3\n", "\n"),
            "names that are near": ",".join(near).encode() + b"\n",
        },
        "json": {
            "nested": _nested(b"[[1, 2, 3]]", 2),
            "depth": _tensor("1, 3", "1," * (LARGE // 2 - 1000) + "[" * 900 + "]" * 900),
            "lists": _filled("[", "[[[[[[[[]]]]]]]],", "[]]"),
            "objects": _filled("[", '{"":{}},', "{}]"),
            "columns": _filled("[[", "1,", "1]]"),
            "digits": _filled("[[", f"{digits},", "1]]"),
            "sizes of many digits": _tensor(",".join([digits] * 240), "1"),
            "sizes of many digits, and 0": _tensor(",".join(["0", *[digits] * 240]), ""),
            "sizes": _tensor(",".join(["9" * 19] * 50_000), "1"),
            "names that are near": json.dumps([dict.fromkeys([*near[:50_000], "x", "y"], 1)]).encode(),
        },
        "jsonl": {
            "nested": _nested(b"[1, 2, 3]\n", 2),
            "depth": _filled("[1, 2, 3]\n", "[" * 900 + "]" * 900 + "\n"),
            "columns": _filled("[", "1,", "1]\n"),
            "digits": _filled("[1, 2, 3]\n", f"[{digits}, 1, 1]\n"),
            "names that are near": json.dumps(dict.fromkeys([*near[:50_000], "x", "y"], 1)).encode(),
        },
        "npy": {
            "nested": _nested(_shaped("(2, 3)") + bytes(48), 2),
            "rows in gzip": _zeros(240, _shaped("(10485760, 3)")),
            "columns in gzip": _zeros(240, _shaped("(10485760, 3)", order=True)),
            "one row in gzip": _zeros(512, _shaped("(1, 67108864)")),
            "text in gzip": _zeros(480, _shaped("(5,)", "[('x', '<f8'), ('t', 'S100000000')]")),
            "columns": _shaped("(1, 1040000)", "'|u1'") + bytes(1_040_000),
            "columns, each in one piece": _shaped("(4, 260000)", "'|u1'", True) + bytes(1_040_000),
            "header": _header_of(LARGE, b"{}," * (LARGE // 3), 2),
            "depth": _header_of(9000, b"-" * 8999 + b"1"),
            "digits": _shaped(f"({digits}, {digits})"),
        },
    }
    return found | ({"parquet": _large_parquet()} if _has_arrow() else {})


def _read_through(path: Path, format: str, on_error: Callable[[TableError], None]) -> bytes:
    with open_rows(path, format, on_error) as opened:  # type: ignore[arg-type]
        for block in opened.blocks(_COLUMNS):
            if not np.isfinite(block).all():
                raise DamageError("it holds numbers that are not finite")
    return b""


def _forget_peak() -> None:
    """Let the peak of memory be what this process has now, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return the most bytes that this process has had in memory, without those of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def judge_large(format: str, contents: dict[str, bytes], skips: Sequence[bool]) -> list[str]:
    """Return what goes wrong with large files of a format, in this process, whose peak of memory is measured."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large")
        path.write_bytes(inputs()[format][0])
        judged(partial(_read_through, format=format, on_error=stop), path)  # imports take memory too
        _forget_peak()
        base = highest = _peak()
        for name, skip in product(contents, skips):
            path.write_bytes(contents[name])
            skipped, start = Skipped(), time.process_time()
            try:
                judged(partial(_read_through, format=format, on_error=skipped.add if skip else stop), path)
            except DamageError as error:
                wrong.append(f"{name}: {error}")
            took, peak = time.process_time() - start - SKIPPED_TIME * skipped.count, _peak()
            if took > LARGE_TIME * SLOWED or peak > max(highest, base + LARGE_MEMORY):
                wrong.append(f"{name}: it takes {(peak - base) >> 20} MiB and {took:.2f} seconds")
            highest = max(highest, peak)
    return wrong


def large_outcomes(formats: Iterable[str], skips: Sequence[bool] = (False, True)) -> dict[str, list[str]]:
    """Return what goes wrong with the large files of each format, in a process of their own."""
    with ProcessPoolExecutor(1, _SPAWNED) as pool:
        return {format: pool.submit(judge_large, format, large()[format], skips).result() for format in formats}


def rows_of(path: Path, format: str | None, skip: bool, piped: bool) -> bytes:
    """Return all rows of a file, which may be given on standard input."""
    rows: list[list[float]] = []
    stdin = mock.Mock(buffer=BytesIO(path.read_bytes()))
    with (
        mock.patch.object(sys, "stdin", stdin),
        open_rows("-" if piped else path, format, _pass if skip else stop) as opened,  # type: ignore[arg-type]
    ):
        for block in opened.blocks(_COLUMNS):
            if not np.isfinite(block).all():
                raise DamageError(f"it holds {block.tolist()}")
            rows += block.tolist()
    return repr(rows).encode()


def _pass(error: HousingError) -> None:
    """Leave out a bad row, as --on-error skip does."""
    _require_line(error)


# What becomes of each


def groups() -> list[str]:
    """Return the kinds of files that are damaged."""
    return [*artifacts(), *inputs(), "gzip"]


def damaged(group: str, seed: int, case: int) -> tuple[bytes, bytes, Callable[[Path], bytes]]:
    """Return the bytes of a case, a sound file of the same content, and the way to read them."""
    r = Random(f"{seed} {group} {case}")
    if group in artifacts():
        sound = r.choice(artifacts()[group])
        return r.choice(_ARTIFACT_DAMAGES)(r, sound), sound, model_of
    sound = r.choice(inputs().get(group, inputs()["csv"]))
    damage = _recompressed if group == "gzip" else r.choice(_INPUT_DAMAGES[group])
    format = r.choice([group, None]) if group in ("npy", "parquet") else None if group == "gzip" else group
    return damage(r, sound), sound, partial(rows_of, format=format, skip=r.random() < 0.5, piped=r.random() < 0.5)


@cache
def _expected(group: str, sound: bytes) -> bytes:
    """Return what is read of a sound file."""
    if group not in artifacts():
        return repr(_ROWS).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound")
        path.write_bytes(sound)
        return model_of(path)


def _require_line(error: HousingError) -> None:
    text = str(error)
    if len(text.splitlines()) != 1 or len(text) > LONGEST_LINE:
        raise DamageError(f"it is not refused in one line: {text[:300]!r}")


def verdict(group: str, seed: int, case: int, folder: Path) -> str:
    """Return what becomes of a damaged file, one of VERDICTS; raise DamageError for anything else."""
    content, sound, read = damaged(group, seed, case)
    expected = _expected(group, sound)
    (folder / "damaged").write_bytes(content)
    with _within_limits():
        found = judged(read, folder / "damaged")
    return "refused" if found is None else "equal" if found == expected else "other"


def judged(read: Callable[[Path], bytes], path: Path) -> bytes | None:
    """Return what is read of a file, or None if it is refused; raise DamageError for any other end."""
    Trap.ran = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found: bytes | None = read(path)
        except HousingError as error:
            _require_line(error)
            found = None
        except Exception as error:
            raise (
                error if isinstance(error, DamageError) else DamageError(f"{type(error).__name__}: {error}")
            ) from error
    if Trap.ran:
        raise DamageError("code in it was run")
    return found


@contextmanager
def _within_limits() -> Iterator[None]:
    """Fail where more memory or time is taken than a small file is worth."""
    traced = tracemalloc.is_tracing()
    tracemalloc.start()
    before, start = tracemalloc.get_traced_memory()[0], time.process_time()
    tracemalloc.reset_peak()
    try:
        yield
    finally:
        memory, took = tracemalloc.get_traced_memory()[1] - before, time.process_time() - start
        if not traced:
            tracemalloc.stop()
    if memory > MOST_MEMORY or took > MOST_TIME:
        raise DamageError(f"it takes {memory / 2**20:.1f} MiB and {took:.2f} seconds")


# A fork would copy the threads' locks.
_SPAWNED = get_context("spawn")


def _work(told: Connection, group: str, seed: int, cases: range) -> None:
    """Judge cases, and tell what becomes of each."""
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            try:
                told.send((case, verdict(group, seed, case, Path(folder)), ""))
            except DamageError as error:
                told.send((case, "failed", str(error)))


def outcomes(group: str, seed: int, count: int) -> Iterator[tuple[int, str, str]]:
    """Yield each case, what becomes of it and why; a process of its own that dies or hangs costs one case."""
    case = 0
    while case < count:
        hears, tells = _SPAWNED.Pipe(duplex=False)
        process = _SPAWNED.Process(target=_work, args=(tells, group, seed, range(case, count)))
        process.start()
        tells.close()
        try:
            while case < count and hears.poll(LONGEST_WAIT):
                yield hears.recv()
                case += 1
            reason = "it does not end"
        except EOFError:
            process.join()
            reason = f"the process ends with {process.exitcode}"
        if case < count:
            process.kill()
            yield case, "failed", reason
            case += 1
        process.join()


def main() -> int:
    """Print the counts of each kind, and each case that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--artifacts", type=int, default=20_000, metavar="N", help="of each kind (default: 20000)")
    parser.add_argument("--inputs", type=int, default=10_000, metavar="N", help="of each format (default: 10000)")
    parser.add_argument("--only", metavar="KIND", choices=groups(), help=", ".join(groups()))
    parser.add_argument("--case", type=int, help="one of the kind in --only, judged in this process")
    parser.add_argument("--jobs", type=int, default=2, help="how many kinds are judged at once (default: 2)")
    options = parser.parse_args()
    if options.case is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(verdict(options.only, options.seed, options.case, Path(folder)))
        return 0
    print(f"{'':12}" + "".join(f"{each:>10}" for each in (*VERDICTS, "failed")))
    with ThreadPoolExecutor(options.jobs) as pool:
        counts = pool.map(partial(_counted, options), [options.only] if options.only else groups())
        failed = sum(map(_told, counts))
    formats = [format for format in large() if options.only in (None, format)]
    wrong = [f"{format}, {each}" for format, found in large_outcomes(formats).items() for each in found]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if failed or wrong else 0


def _counted(options: argparse.Namespace, group: str) -> tuple[str, Counter[str], list[str]]:
    """Return a kind, the counts of what becomes of its files, and a line for each that failed."""
    cases = list(outcomes(group, options.seed, options.artifacts if group in artifacts() else options.inputs))
    again = f"--seed {options.seed} --only {group} --case"
    failures = [f"  {again} {case}: {why}" for case, found, why in cases if found == "failed"]
    return group, Counter(found for _, found, _ in cases), failures


def _told(counted: tuple[str, Counter[str], list[str]]) -> int:
    """Print what became of a kind; return how many failed."""
    group, count, failures = counted
    print(f"{group:12}" + "".join(f"{count[each]:10,}" for each in (*VERDICTS, "failed")))
    print("\n".join(failures[:SHOWN]), end="\n" * bool(failures), flush=True)
    return len(failures)


if __name__ == "__main__":
    sys.exit(main())
