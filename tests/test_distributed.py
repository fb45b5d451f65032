"""Fits on a real Dask cluster equal local ones."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from housing_np.errors import HousingError
from housing_np.linear import LinearRegression

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
fit = pytest.importorskip("housing_np.distributed").fit


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
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


def test_data_frame_fit_keeps_the_names(client, rows):
    pandas = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame(rows[0], columns=list("abcd")).assign(price=rows[1])
    table = dd.from_pandas(frame, npartitions=5)
    model = fit(table[list("abcd")], table["price"])
    assert model.feature_names_in_ == ("a", "b", "c", "d")
    assert_allclose(model.coef_, LinearRegression().fit(*rows).coef_, rtol=1e-12)


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
    with pytest.raises(HousingError, match="X has 4 partitions and y has 2"):
        fit(da.from_array(rows[0], chunks=(10000, 4)), da.from_array(rows[1], chunks=20000))


def test_local_arrays_are_refused(rows):
    with pytest.raises(HousingError, match="expected a Dask array or data frame, not ndarray"):
        fit(*rows)
