"""Fits and training on a real Dask cluster equal local ones."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from running import ROOT, environment

from housing_np import train
from housing_np.command import cli
from housing_np.distributed.cluster import connect, total_on_cluster
from housing_np.errors import HousingError
from housing_np.evaluation.first_pass import FirstPass
from housing_np.evaluation.scores import OutOfSample
from housing_np.evaluation.second_pass import HELD_OUT, SecondPass
from housing_np.fit.linear import LinearRegression
from housing_np.fit.passes import total
from housing_np.quantized.calibration import Calibration
from housing_np.rows.columns import Columns
from housing_np.rows.table import Stream, open_table

distributed = pytest.importorskip("distributed")
# A cluster that waits for what does not come waits for ever.
pytestmark = pytest.mark.timeout(120)
da = pytest.importorskip("dask.array")
fit = pytest.importorskip("housing_np.distributed").fit


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40000, 4)) * [1e-3, 1, 10, 1e4] + [0, 1, 100, 0]
    return X, X @ [1e3, 1, 0.1, 1e-4] + rng.standard_normal(40000)


def test_array_fit_equals_the_local_one(client, rows):
    X, y = rows
    model, local = fit(da.from_array(X, chunks=(3000, 2)), da.from_array(y, chunks=3000)), LinearRegression().fit(X, y)
    assert_allclose(model.coef_, local.coef_, rtol=1e-12)
    assert_allclose(model.intercept_, local.intercept_, rtol=1e-11)
    assert model.fit_intercept is True


def test_a_warning_is_of_the_line_that_calls():
    x = da.arange(6, chunks=3)[:, None].astype(float)

    def call():
        return fit(da.hstack([x, x]).rechunk((3, 2)), x[:, 0])

    with pytest.warns(np.exceptions.RankWarning) as caught:
        call()
    assert (caught[0].filename, caught[0].lineno) == (__file__, call.__code__.co_firstlineno + 1)


def test_data_frame_fit_keeps_the_names(client, rows):
    pandas = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame(rows[0], columns=list("abcd")).assign(price=rows[1])
    table = dd.from_pandas(frame, npartitions=5)
    model = fit(table[list("abcd")], table["price"])
    assert model.feature_names_in_ == ("a", "b", "c", "d")
    assert_allclose(model.coef_, LinearRegression().fit(*rows).coef_, rtol=1e-12)


def test_names_can_be_given(client, rows):
    X, y = rows
    targets = np.column_stack([y, -y])
    names = {"feature_names": list("abcd"), "target_names": ["up", "down"]}
    model = fit(da.from_array(X, chunks=(20000, 4)), da.from_array(targets, chunks=(20000, 2)), **names)
    assert (model.feature_names_in_, model.target_names_) == (("a", "b", "c", "d"), ("up", "down"))
    assert_allclose(model.coef_[1], -LinearRegression().fit(X, y).coef_, rtol=1e-12)


def test_names_that_are_given_are_stronger_than_those_of_a_frame(client, rows):
    pandas = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    table = dd.from_pandas(pandas.DataFrame(rows[0], columns=list("abcd")), npartitions=2)
    target = dd.from_pandas(pandas.Series(rows[1], name="price"), npartitions=2)
    model = fit(table, target, feature_names=list("efgh"), target_names=["value"])
    assert (model.feature_names_in_, model.target_names_) == (("e", "f", "g", "h"), ("value",))


def test_weights_and_no_intercept_are_those_of_the_local_fit(client, rows):
    X, y = rows
    w = np.random.default_rng(1).uniform(0.5, 2, len(y))
    lazy = [da.from_array(each, chunks=(10000, *each.shape[1:])) for each in (X, y, w)]
    model, local = fit(*lazy, fit_intercept=False), LinearRegression(fit_intercept=False).fit(X, y, w)
    assert_allclose(model.coef_, local.coef_, rtol=1e-12)
    assert model.intercept_ == 0


def test_each_partition_is_summed_up_under_what_the_fit_was_given(rows):
    dask = pytest.importorskip("dask")
    X, y = rows[0][:100], np.column_stack([rows[1], rows[1] ** 2])[:100]
    w = np.random.default_rng(1).uniform(0.5, 2, 100)
    names = {"feature_names": list("abcd"), "target_names": ["up", "down"]}
    with dask.config.set(scheduler="synchronous"):
        lazy = [da.from_array(each, chunks=(40, *each.shape[1:])) for each in (X, y, w)]
        model = fit(*lazy, fit_intercept=False, **names)
    local = LinearRegression(fit_intercept=False).fit(X, y, w, **names)
    assert_allclose(model.coef_, local.coef_, rtol=1e-12)
    assert (model.feature_names_in_, model.target_names_) == (("a", "b", "c", "d"), ("up", "down"))
    assert_allclose(model.intercept_, [0, 0])
    assert model.fit_intercept is False


@pytest.mark.parametrize("name", ["dask", "distributed"])
def test_without_dask_its_installation_is_told(name, rows, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(HousingError, match=r"^work on a cluster needs Dask: .*pip install '\.\[dask\]'$"):
        fit(*rows)


def slow(block):
    time.sleep(0.3)
    return block


def test_killed_worker_counts_nothing_twice(client, rows):
    X, y = rows
    lazy = da.from_array(X, chunks=(4000, 4)).map_blocks(slow)
    pids = client.run(os.getpid)
    timer = threading.Timer(0.8, os.kill, (next(iter(pids.values())), signal.SIGKILL))
    timer.start()
    model = fit(lazy, da.from_array(y, chunks=4000))
    timer.join()
    assert model.summary().rows == 40000
    assert_allclose(model.coef_, LinearRegression().fit(X, y).coef_, rtol=1e-12)


def test_bad_number_on_a_worker_is_named(client, rows):
    X, y = rows[0].copy(), rows[1]
    X[20001, 1] = np.nan
    with pytest.raises(HousingError, match="row 1, column 'x1': nan is not a finite number"):
        fit(da.from_array(X, chunks=(10000, 4)), da.from_array(y, chunks=10000))


def test_partitions_must_match(client, rows):
    X, y = da.from_array(rows[0], chunks=(10000, 4)), da.from_array(rows[1], chunks=10000)
    with pytest.raises(HousingError, match="^X has 4 partitions and y has 2: repartition one like the other$"):
        fit(X, da.from_array(rows[1], chunks=20000))
    with pytest.raises(HousingError, match="^X has 4 partitions and sample_weight has 2: repartition one like"):
        fit(X, y, da.from_array(rows[1] ** 2, chunks=20000))


def test_local_arrays_are_refused(rows):
    with pytest.raises(HousingError, match="^expected a Dask array or data frame, not ndarray: use fit instead$"):
        fit(*rows)
    with pytest.raises(HousingError, match="^expected a Dask array or data frame, not list: use fit instead$"):
        fit([[1.0]], [1.0])


@pytest.fixture
def parts(tmp_path, rows):
    names = ",".join([*"abcd", "price"])
    table = np.column_stack(rows)[:4000]
    for i, part in enumerate(np.array_split(table, 20)):
        np.savetxt(tmp_path / f"part-{i:02}.csv", part, fmt="%.17g", delimiter=",", header=names, comments="")
    return str(tmp_path / "part-*.csv")


def trained(capsys, out, *arguments):
    status = train.main([*arguments, "--target", "price", "--out", str(out), "--json"])
    assert status == cli.DONE
    return json.loads(capsys.readouterr().out)


def test_training_on_a_cluster_equals_training_here(client, parts, tmp_path, capsys):
    address = client.scheduler.address
    there = trained(capsys, tmp_path / "there", "--data", parts, "--dask", address)
    here = trained(capsys, tmp_path / "here", "--data", parts)
    assert there["rows"] == here["rows"] == 4000
    assert there["leave_one_out"] == pytest.approx(here["leave_one_out"], rel=1e-9)
    for a, b in zip(there["stages"], here["stages"], strict=True):
        figures = [[stage[name] for name in ("r2", "mse", "rms_deviation")] for stage in (a, b)]
        assert_allclose(*figures, rtol=1e-6, atol=1e-12)


def test_the_held_out_fifth_on_a_cluster_is_that_of_a_pass_here_over_the_same_files(client, parts, tmp_path, capsys):
    there = trained(capsys, tmp_path / "there", "--data", parts, "--dask", client.scheduler.address)
    stream = open_table(parts, "price", in_memory=False)
    model = LinearRegression()
    first = total(FirstPass.of(stream, model), stream)
    second = total(SecondPass.of({}, model.set_solution(first.all_rows), first), stream)
    here = OutOfSample.of(second.held_out.sum.scores[HELD_OUT])
    assert there["held_out"] == pytest.approx(here._asdict(), rel=1e-9)


def test_a_bad_number_in_a_part_is_named_with_its_file(client, parts, tmp_path):
    path = tmp_path / "part-07.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "1,2,three,4,5\n", *lines[4:]]))
    with pytest.raises(HousingError, match=r"part-07.csv: row 3 \(line 4\), column 'c': 'three' is not a number"):
        train.main(["--data", parts, "--target", "price", "--dask", client.scheduler.address])


@pytest.mark.parametrize("how", ["cut short", "overwritten"])
def test_files_that_change_between_the_passes_end_the_training(how, client, parts, tmp_path, monkeypatch):
    solve = LinearRegression.set_solution

    def change_files(self, *arguments, **options):
        for path in tmp_path.glob("part-*.csv"):
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(lines[:100] if how == "cut short" else [lines[0], *reversed(lines[1:])]))
        return solve(self, *arguments, **options)

    monkeypatch.setattr(LinearRegression, "set_solution", change_files)
    out = tmp_path / "models"
    with pytest.raises(HousingError, match=r"part-\d\d\.csv changed while it was read; run again"):
        train.main(["--data", parts, "--target", "price", "--out", str(out), "--dask", client.scheduler.address])
    assert not out.exists()


def test_a_file_that_is_cut_while_a_worker_reads_it_ends_the_training(client, parts):
    path = Path(parts.replace("*", "00"))
    head, *lines = path.read_text().splitlines(keepends=True)
    # So large that it is not read ahead to its end.
    path.write_text(head + "".join(lines) * (1 + (24 << 20) // len("".join(lines))))
    stream = Stream((str(path),), Columns(tuple("abcd")), "price")
    with pytest.raises(HousingError, match=r"part-00\.csv changed while it was read; run again"):
        total_on_cluster(client, stream, Cutting(parts.replace("*", "00")))


class Cutting(Calibration):
    """A sum that cuts the file that it is of."""

    def __init__(self, path=""):
        super().__init__()
        self.path = path

    def update(self, X, y=None):
        # Shorter each time: Dask may run a task again.
        os.truncate(self.path, os.path.getsize(self.path) // 2)  # noqa: PTH202


def test_a_file_that_a_worker_does_not_see_is_named(client, tmp_path, rows):
    stream = Stream((str(tmp_path / "gone.csv"),), Columns(("a",)), "price")
    with pytest.raises(HousingError, match=r"gone.csv: a worker does not see this file"):
        total_on_cluster(client, stream, Calibration())


def test_no_scheduler_is_an_error():
    with (
        pytest.raises(HousingError, match="no Dask scheduler answers at tcp://127.0.0.1:9 "),
        connect("tcp://127.0.0.1:9", timeout=0.2),
    ):
        pytest.fail("connected")


def test_no_worker_is_an_error():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        pytest.raises(HousingError, match="no worker came to the scheduler at .* in 0.5 seconds; start one"),
        connect(cluster.scheduler_address, timeout=0.5),
    ):
        pytest.fail("connected")


def test_a_cluster_needs_files(capsys):
    with pytest.raises(SystemExit, match="2"):
        train.main(["--dask", "tcp://127.0.0.1:9"])
    assert "--dask needs --data" in capsys.readouterr().err


def test_no_worker_left_in_the_middle_is_an_error(parts):
    stream = Stream((parts.replace("*", "00"),), Columns(tuple("abcd")), "price")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        timer = threading.Timer(0.5, cluster.scale, (0,))
        timer.start()
        with pytest.raises(HousingError, match="no worker is left in the middle of a pass"):
            total_on_cluster(client, stream, Slow(), timeout=0.5)
        timer.join()


@pytest.fixture
def dask_process():
    """Start a part of a cluster as a process of its own."""
    started = []

    def start(part, *arguments, path):
        line = [sys.executable, "-m", f"distributed.cli.dask_{part}", *arguments, "--dashboard-address", ":0"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(line, env=environment(PYTHONPATH=os.pathsep.join(path)), **quiet))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.mark.matrix("number")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_is_killed_in_the_middle_is_one_line(number, dask_process, parts, capfd):
    port, path = free_port(), [ROOT, os.path.dirname(__file__)]  # noqa: PTH120
    scheduler = dask_process("scheduler", "--host", "127.0.0.1", "--port", port, path=path)
    dask_process("worker", f"tcp://127.0.0.1:{port}", "--no-nanny", "--nthreads", "1", path=path)
    stream = Stream((parts.replace("*", "00"),), Columns(tuple("abcd")), "price")
    with (
        pytest.raises(
            HousingError,
            match="(scheduler was lost|no worker is left) in the middle of a pass; start",
        ),
        contextlib.ExitStack() as opened,
    ):
        client = opened.enter_context(connected(f"tcp://127.0.0.1:{port}"))
        threading.Timer(1, scheduler.send_signal, (number,)).start()
        total_on_cluster(client, stream, Slow(), timeout=0.5)
    assert capfd.readouterr().err == ""


@contextlib.contextmanager
def connected(address):
    """A client that gives up soon, of a cluster that is only starting."""
    with contextlib.ExitStack() as opened:
        for _ in range(20):
            with contextlib.suppress(HousingError):
                client = opened.enter_context(connect(address, timeout=3))
                break
        yield client


def test_a_worker_without_the_package_is_one_line(dask_process, tmp_path):
    hidden = "import sys\nclass Hidden:\n    def find_spec(name, *_):\n        if name == 'housing_np':\n"
    hidden += "            raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, Hidden)\n"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    port = free_port()
    dask_process("scheduler", "--host", "127.0.0.1", "--port", port, path=[ROOT])
    dask_process("worker", f"tcp://127.0.0.1:{port}", "--no-nanny", "--nthreads", "1", path=[str(tmp_path)])
    message = r"^tcp://\S+ has no housing_np: install it there, in the same version$"
    with pytest.raises(HousingError, match=message):
        for _ in range(20):
            try:
                with connect(f"tcp://127.0.0.1:{port}", timeout=3):
                    pytest.fail("connected")
            except HousingError as error:
                if " has no " in str(error):
                    raise


def test_a_task_that_lacks_a_package_is_one_line(client, parts):
    stream = Stream((parts.replace("*", "00"),), Columns(tuple("abcd")), "price")
    with pytest.raises(HousingError, match=r"^a worker lacks what a task needs \(no_such_package\); install it there$"):
        total_on_cluster(client, stream, Lacking())


class Lacking(Calibration):
    """A sum that needs a package which a worker does not have."""

    def update(self, X, y=None):
        raise ModuleNotFoundError("no_such_package")


class Slow(Calibration):
    """A sum that outlives its worker."""

    def update(self, X, y=None):
        time.sleep(3)


def test_the_bad_rows_that_workers_skip_are_counted(client, parts, tmp_path, capsys):
    for number, bad in (("07", 1), ("13", 2)):
        with (tmp_path / f"part-{number}.csv").open("a") as file:
            file.write("1,2,three,4,5\n" * bad)
    arguments = ["--data", parts, "--on-error", "skip", "--dask", client.scheduler.address]
    report = trained(capsys, tmp_path / "out", *arguments)
    assert (report["rows"], report["rows_skipped"]) == (4000, 3)


def test_a_part_without_rows_is_as_good_as_none(client, parts, tmp_path, capsys):
    before = trained(capsys, tmp_path / "before", "--data", parts, "--dask", client.scheduler.address)
    (tmp_path / "part-99.csv").write_text("a,b,c,d,price\n")
    after = trained(capsys, tmp_path / "after", "--data", parts, "--dask", client.scheduler.address)
    assert [stage["r2"] for stage in after["stages"]] == [stage["r2"] for stage in before["stages"]]
