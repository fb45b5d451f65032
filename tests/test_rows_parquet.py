"""Rows of Parquet files, by pyarrow."""

import numpy as np
import pytest
from reading import PLAIN, read_file

from housing_np import TableError
from housing_np.rows import open_rows


def test_parquet_gives_the_numbers_of_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"y": [2, 4], "note": ["a", "b"], "x": [1.0, 3.0]}), tmp_path / "rows.parquet")
    assert read_file(tmp_path / "rows.parquet", ["x", "y"]) == PLAIN


def test_a_damaged_parquet_page_is_refused(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(pyarrow.table({"a": np.random.default_rng(0).normal(size=5000)}), path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[200:20000] = bytes(19800)
    path.write_bytes(content)
    with open_rows(path) as rows, pytest.raises(TableError, match="p.parquet: damaged after row 0"):
        list(rows.blocks(["a"]))
