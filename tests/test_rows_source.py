"""The first bytes decide, in a file and on standard input."""

import gzip
import os
import pickle
import signal
import threading
import tracemalloc
import zipfile
from io import BytesIO

import numpy as np
import pytest
from cases import every
from reading import PLAIN, Pieces, outcome, read, read_file

from housing_np import TableError
from housing_np.rows import open_rows, source

TEXT = "x,y\n1,2\n3,4\n"


def npy(**options):
    file = BytesIO()
    np.save(file, np.array(PLAIN), **options)
    return file.getvalue()


def parquet():
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = BytesIO()
    parquet.write_table(pyarrow.table({"x": [1, 3], "y": [2.0, 4.0]}), file)
    return file.getvalue()


def zipped(name):
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


@every("make", [npy, parquet])
@every("format", [None, "csv", "json"])
@every("compressed", [False, True])
def test_binary_rows_are_known_by_their_first_bytes_whatever_is_said(make, format, compressed, tmp_path):
    content = gzip.compress(make()) if compressed else make()
    (tmp_path / "rows.csv").write_bytes(content)
    assert read(content, ["x", "y"], format) == PLAIN
    assert read_file(tmp_path / "rows.csv", ["x", "y"], format=format) == PLAIN


@pytest.mark.matrix("compressed", "piece")
@every("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@every("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_text_is_decoded_by_its_mark_wherever_it_is_cut(encoding, end, compressed, piece):
    content = "größe,x,y\nä,1,2\n日本,3,4\n".replace("\n", end).encode(encoding)
    content = gzip.compress(content) if compressed else content
    assert outcome(Pieces(content, [piece]), "csv", "stop") == (PLAIN, [], None)


def test_utf16_of_the_other_byte_order_is_decoded_too():
    assert read(b"\xfe\xff" + TEXT.encode("utf-16-be"), ["x", "y"]) == PLAIN


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", TEXT),
        ("rows.jsonl.gz", '{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n'),
        ("rows.json.gz", "[[1, 2], [3, 4]]"),
    ],
)
def test_the_name_below_gz_tells_the_format(name, content, tmp_path):
    (tmp_path / name).write_bytes(gzip.compress(content.encode()))
    assert read_file(tmp_path / name, ["x", "y"]) == PLAIN


@every(
    ("content", "what"),
    [
        (zipped("[Content_Types].xml"), "an Excel workbook: save it as CSV"),
        (zipped("xl/workbook.xml"), "an Excel workbook"),
        (zipped("mimetype"), "an OpenDocument spreadsheet"),
        (zipped("rows.csv"), "a zip archive: unpack it first"),
        (zipped("a.npy"), "an .npz archive: save one array"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "an old Excel workbook"),
        (b"ARROW1\0\0 and so on", "an Arrow IPC"),
        (b"%PDF-1.7\n and so on", "a PDF document"),
        (b"\x89HDF\r\n\x1a\n and so on", "an HDF5 file"),
        (b"SQLite format 3\0 and so on", "an SQLite database"),
        (b"BZh91AY&SY\xd1\x0c and so on", "compressed with bzip2"),
        *((pickle.dumps(PLAIN, protocol), "a pickle, which can run code") for protocol in (2, 3, 4, 5)),
    ],
)
@every("compressed", [False, True])
def test_what_is_not_read_is_named_for_what_it_is(content, what, compressed, tmp_path):
    content = gzip.compress(content) if compressed else content
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(TableError, match=rf"rows\.csv: it is {what}"):
        read_file(tmp_path / "rows.csv", ["x"])
    with pytest.raises(TableError, match=rf"^standard input: it is {what}"):
        read(content, ["x"])


@pytest.mark.parametrize("cut", [3, 12, 20, -1])
def test_a_gzip_that_is_cut_short_is_told_as_such(cut):
    content = gzip.compress(("x\n" + "1.5\n" * 1000).encode())
    with pytest.raises(TableError, match="standard input: damaged, or not whole"):
        read(content[:cut], ["x"])


def test_a_slow_pipe_of_text_is_not_waited_for():
    # No mark begins with an x: the first byte is enough to know it for text.
    stream = Pieces(b"x\n1\n2\n", [1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", type("In", (), {"buffer": stream}))
        with open_rows("-") as rows:
            assert stream.stream.tell() <= 3
            assert next(rows.blocks(["x"])).tolist() == [[1.0]]
            assert stream.stream.tell() == 4


def test_a_folder_of_parts_suggests_a_pattern_of_them(tmp_path):
    for name in ("part-0.parquet", "part-1.parquet", "_SUCCESS", ".crc.csv"):
        (tmp_path / name).touch()
    with pytest.raises(TableError, match=r"cannot be read \(a folder\); name the files in it: '.*\*\.parquet'"):
        read_file(tmp_path, ["x"])


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["a.md", "b.md", "c.csv"], r"name the files in it: '.*\*\.csv'$"),
        (["a.md"], "give a file in it$"),
        (["report.json", "float64.npz"], "give a file in it$"),
        (["a.csv.gz"], r"name the files in it: '.*\*\.csv\.gz'$"),
    ],
)
def test_a_folder_suggests_files_of_rows_alone(names, advice, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(TableError, match=rf"cannot be read \(a folder\); {advice}"):
        read_file(tmp_path, ["x"])


@pytest.mark.parametrize("header", ["PAR1,x,y", "ORCHARD,x,y", "BZh,x,y", "ARROW1,x,y"])
def test_a_name_that_begins_like_a_mark_is_a_name(header):
    assert read(f"{header}\n9,1,2\n9,3,4\n", ["x", "y"]) == PLAIN


def test_a_folder_of_folders_suggests_a_pattern_of_them(tmp_path):
    (tmp_path / "k=1").mkdir()
    (tmp_path / "k=1" / "a.parquet").touch()
    with pytest.raises(TableError, match=r"name the files in it: '.*\*/\*\.parquet'"):
        read_file(tmp_path, ["x"])


def test_who_needs_all_columns_waits_for_the_first_rows():
    stream = Pieces(b'{"x": 1}\n' + b'{"x": 1, "y": 2}\n' * 9, [3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", type("In", (), {"buffer": stream}))
        with open_rows("-", "jsonl", wait=True) as rows:
            assert rows.columns == ("x", "y")


@pytest.mark.skipif(os.name != "posix", reason="as POSIX systems do it")
def test_a_signal_ends_the_wait_for_a_pipe_whenever_it_comes():
    seen, (reading, writing) = [], os.pipe()
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(True))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with os.fdopen(reading, "rb") as stream:
            source._wait_for(stream)  # nothing ever comes: a read would not end
            assert seen == [True]
            os.write(writing, b"x")
            source._wait_for(stream)
            assert stream.read1(9) == b"x"
    finally:
        timer.join()
        os.close(writing)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.jsonl", "rows.npy"])
def test_a_small_file_takes_little_memory_to_read(name, tmp_path):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    text = {"csv": "x,y\n1,2\n3,4\n", "json": "[[1, 2], [3, 4]]", "jsonl": "[1, 2]\n[3, 4]\n"}
    if name == "rows.npy":
        np.save(tmp_path / name, np.array(rows))
    else:
        (tmp_path / name).write_text(text[name.partition(".")[2]])
    assert read_file(tmp_path / name, ["x", "y"]) == rows  # what is imported is not counted
    tracemalloc.start()
    read_file(tmp_path / name, ["x", "y"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


@every("layers", [2, 3, 200])
@every("make", [TEXT.encode, npy])
def test_gzip_within_gzip_is_refused_by_name(make, layers, tmp_path):
    content = make()
    for _ in range(layers):
        content = gzip.compress(content)
    (tmp_path / "rows.csv").write_bytes(content)
    message = "gzip within gzip; compress it once$"
    with pytest.raises(TableError, match=rf"rows\.csv: {message}"):
        read_file(tmp_path / "rows.csv", ["x", "y"])
    with pytest.raises(TableError, match=f"^standard input: {message}"):
        read(content, ["x", "y"])
    with pytest.raises(TableError, match=f"^the request: {message}"), open_rows(BytesIO(content)):
        pass


@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_a_long_name_in_gzip_is_read_once(piece):
    content = gzip.compress(TEXT.encode())
    named = content[:3] + b"\x08" + content[4:10] + b"a" * 100_000 + b"\0" + content[10:]
    assert outcome(Pieces(named, [piece]), "csv", "stop") == (PLAIN, [], None)


def test_binary_rows_in_gzip_are_held_up_to_a_limit():
    content = gzip.compress(parquet()) + gzip.compress(bytes(1 << 20)) * 128
    with pytest.raises(
        TableError, match="standard input: more than 128 MiB, all to be held in memory; uncompress it first"
    ):
        read(content, ["x", "y"])
    assert read(gzip.compress(parquet()), ["x", "y"]) == PLAIN


def test_the_checksum_of_gzip_is_seen_below_the_last_row_of_npy():
    content = bytearray(gzip.compress(npy()))
    content[-8] ^= 1
    with pytest.raises(TableError, match="damaged, or not gzip"):
        read(bytes(content), ["x", "y"])
