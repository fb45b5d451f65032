"""A pass makes several sums of the same rows at once, in any cutting."""

import threading
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
from cases import every

from housing_np import HousingError
from housing_np.distributed.cluster import tree_sum
from housing_np.fit.passes import CombinedSums, FilteredSum, total
from housing_np.quantized.calibration import Calibration

ROWS = np.random.default_rng(0).normal(size=(40, 3)) * [1, 100, 0.01] + [5, 0, 1]
TARGET = ROWS.sum(axis=1)


@dataclass
class Both(CombinedSums):
    all: Calibration
    positive: FilteredSum[Calibration]


def positive(X, y):
    return X[:, 1] > 0


def empty():
    return Both(Calibration(), FilteredSum(Calibration(), positive))


def blocks(size):
    return [(ROWS[i : i + size], TARGET[i : i + size]) for i in range(0, len(ROWS), size)]


@pytest.mark.parametrize("size", [1, 7, 40])
def test_each_part_is_the_sum_of_its_rows(size):
    both = total(empty(), blocks(size))
    np.testing.assert_allclose(both.all.mean, ROWS.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(both.positive.sum.mean, ROWS[ROWS[:, 1] > 0].mean(axis=0), rtol=1e-13)
    assert (both.all.rows, both.positive.sum.rows) == (40, int((ROWS[:, 1] > 0).sum()))


def test_sums_of_parts_add_up_part_by_part():
    left, right = total(empty(), blocks(9)[:2]), total(empty(), blocks(9)[2:])
    both = left + right
    np.testing.assert_allclose(both.all.covariance, np.cov(ROWS.T, ddof=0), rtol=1e-12)
    np.testing.assert_array_equal(both.positive.sum.low, ROWS[ROWS[:, 1] > 0].min(axis=0))


def test_a_sum_of_selected_rows_goes_on_selecting():
    left, right = total(empty(), blocks(9)[:2]), total(empty(), blocks(9)[2:4])
    both = left + right
    both.update(*blocks(9)[4])
    assert both.positive.sum.rows == int((ROWS[:, 1] > 0).sum())


@every("count", [1, 2, 7, 8, 9, 64, 65, 200])
def test_a_tree_adds_up_every_task_once(count):
    dask = pytest.importorskip("dask")
    tasks = [dask.delayed(3**i) for i in range(count)]
    assert tree_sum(tasks).compute(scheduler="synchronous") == (3**count - 1) // 2


def test_no_task_of_a_tree_adds_up_more_than_eight():
    dask = pytest.importorskip("dask")
    graph = tree_sum([dask.delayed(i) for i in range(65)]).__dask_graph__()
    addends = [len(keys) for keys in graph.get_all_dependencies().values() if keys]
    assert sorted(addends) == [1, 1, 2] + [8] * 9


def test_a_pass_leaves_the_empty_sum_empty():
    start = empty()
    total(start, blocks(9))
    assert start.all.rows == 0


def test_no_blocks_give_the_empty_sum():
    assert total(empty(), []).all.rows == 0


def test_no_more_than_one_block_is_read_ahead():
    read, summed = [], []

    def reading():
        for X, y in blocks(8):
            read.append(len(summed))
            yield X, y

    class Watched(Calibration):
        def update(self, X, y=None):
            super().update(X, y)
            summed.append(len(X))

    assert total(Watched(), reading()).rows == 40
    assert all(i - 1 <= before for i, before in enumerate(read))


def test_what_goes_wrong_in_reading_comes_after_the_blocks_before_it():
    seen = []

    class Watched(Calibration):
        def update(self, X, y=None):
            seen.append(len(X))

    def reading():
        yield from blocks(20)
        raise HousingError("row 41 is cut")

    with pytest.raises(HousingError, match="row 41 is cut"):
        total(Watched(), reading())
    assert seen == [20, 20]


def test_where_no_thread_can_be_started_the_blocks_are_read_all_the_same():
    blocks = [(np.array([[1.0], [3.0]]), np.zeros(2)), (np.array([[5.0]]), np.zeros(1))]
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
        assert total(Calibration(), blocks).mean == [3.0]
