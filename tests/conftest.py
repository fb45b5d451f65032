"""What all tests share: hypothesis's settings, and the bundled table with the model that is fitted to it."""

import json
import os
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings

from housing_np import LinearRegression, Table, load_california

# Before scipy is imported: else scikit-learn skips one of its checks.
os.environ["SCIPY_ARRAY_API"] = "1"
pytest.register_assert_rewrite("reading", "running")
settings.register_profile("housing_np", deadline=None, database=None, max_examples=60)
settings.load_profile("housing_np")


class California(NamedTuple):
    """The bundled table, and the float model fitted to all of it."""

    table: Table
    model: LinearRegression


@pytest.fixture(scope="session")
def california() -> California:
    table = load_california()
    names = {"feature_names": table.feature_names, "target_names": (table.target_name,)}
    return California(table, LinearRegression().fit(table.X, table.y, **names))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """One training on the bundled data: the folder of its models, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    from running import run  # once its asserts are rewritten

    return folder / "models", run("train", cwd=folder)


@pytest.fixture(scope="session")
def models(trained):
    return trained[0]


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """Two hundred rows of the bundled data in every format, columns in another order, and in CSV one too many."""
    folder = tmp_path_factory.mktemp("rows")
    table = load_california()
    order = [3, 0, 7, 1, 6, 2, 5, 4]
    names = [table.feature_names[i] for i in order]
    data = table.X[::100, order][:200]
    records = [dict(zip(names, row, strict=True)) for row in data.tolist()]
    lines = [",".join(map(repr, row)) for row in data.tolist()]
    (folder / "rows.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    (folder / "rows.json").write_text(json.dumps(records))
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "split.json").write_text(json.dumps({"dataframe_split": {"columns": names, "data": data.tolist()}}))
    np.save(folder / "rows.npy", np.rec.fromrecords(data.tolist(), names=names))
    np.save(folder / "plain.npy", table.X[::100][:200])
    return folder
