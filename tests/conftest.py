"""What all tests share: hypothesis's settings, and the bundled table with the model that is fitted to it."""

import json
import os
import random
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, settings

from housing_np import LinearRegression, Table, load_california

# Before scipy is imported: else scikit-learn skips one of its checks.
os.environ["SCIPY_ARRAY_API"] = "1"
pytest.register_assert_rewrite("reading", "running")
# All combinations of a matrix, and more examples: the weekly run.
ALL = os.environ.get("HOUSING_NP_MATRIX") == "1"
settings.register_profile("housing_np", deadline=None, database=None, max_examples=100 if ALL else 30)
# For tests/mutants.py: few examples, the same for each mutant and in each run, and none made smaller.
_FOUND = (Phase.explicit, Phase.generate)
settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    max_examples=10,
    derandomize=True,
    phases=_FOUND,
    report_multiple_bugs=False,
)
settings.load_profile(os.environ.get("HOUSING_NP_PROFILE", "housing_np"))
# Worker processes inherit it, so that all of them draw the same cases.
SEED = os.environ.setdefault("HOUSING_NP_MATRIX_SEED", str(random.SystemRandom().randrange(2**32)))


# Files that take longest, the longest first: whoever gets one last keeps the others waiting.
LONG = ("container", "distributed", "docs", "serve_limits", "serve_workers", "serve", "types", "tutorial", "export_c")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """With -n auto, half as many processes again as there are processors: many tests wait for other processes."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_configure(config):
    # -n alone stands for --dist loadfile: what a file prepares is prepared once; and the order stays that below.
    if config.getoption("dist", "no") == "load":
        config.option.dist = "loadfile"
    config.option.loadscopereorder = False
    config.addinivalue_line(
        "markers",
        "matrix(*axes, **likely): try each fact with the likely values of these parameters and with one other"
        " combination, or, where no value is likely, with one; HOUSING_NP_MATRIX=1 tries all combinations",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Deselect what the matrix leaves to the weekly run, and begin with the longest files."""
    _deselect(config, items)
    yield
    long = {f"test_{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: long.get(item.path.name, len(long)))


def _deselect(config, items):
    """A case that is named on the command line stays."""
    if ALL or any("[" in argument for argument in config.args):
        return
    facts = defaultdict(list)
    for item in items:
        if axes := _axes(item):
            fact = [id(value) for name, value in item.callspec.params.items() if name not in axes]
            facts[(item.path, item.originalname, *fact)].append(item)
    left_out = {item for cases in facts.values() for item in set(cases) - _drawn(cases)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _axes(item):
    """The parameters of a test that its matrix varies, each with its likely value, if it has one."""
    axes = {}
    for marker in reversed(list(item.iter_markers("matrix"))):
        axes |= dict.fromkeys(marker.args) | marker.kwargs
    return {name: value for name, value in axes.items() if name in item.callspec.params} if axes else {}


def _drawn(cases):
    draw = random.Random(f"{SEED} {cases[0].nodeid}")
    likely = {name: value for name, value in _axes(cases[0]).items() if value is not None}
    first = [case for case in cases if all(case.callspec.params[name] == value for name, value in likely.items())]
    if not first:
        raise pytest.UsageError(f"{cases[0].nodeid}: no case has what its matrix calls likely, {likely}")
    one = draw.choice(first)
    return {one, *draw.sample([case for case in cases if case is not one], 1 if likely and len(cases) > 1 else 0)}


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


@pytest.fixture(params=["numpy", "pyarrow"])
def engine(request, monkeypatch):
    """Each parser of plain lines of CSV: what is read and refused is the same."""
    if request.param == "pyarrow":
        arrow_csv = pytest.importorskip("housing_np.rows.arrow_csv")
        monkeypatch.setattr("housing_np.rows.csv.fast_parser", lambda *_: arrow_csv.Parser())
        monkeypatch.setattr("housing_np.rows.csv.allowed_threads", lambda: 0)
