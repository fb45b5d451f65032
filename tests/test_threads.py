"""Threads: as many as are allowed and pay, and the same results however many there are."""

import os
import threading
from unittest import mock

import numpy as np
import pytest
from cases import every
from numpy.testing import assert_array_equal

from housing_np import HousingError, LinearRegression, QuantizedLinear
from housing_np.rows import threads

RNG = np.random.default_rng(3)


@every(
    ("work", "settings", "processors", "expected"),
    [
        (1.0, {}, 8, 1),
        (100.0, {}, 8, 8),
        (35.0, {}, 8, 3),
        (100.0, {"OPENBLAS_NUM_THREADS": "2"}, 8, 2),
        (100.0, {"OMP_NUM_THREADS": "3"}, 8, 3),
        (100.0, {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"}, 8, 1),
        (100.0, {"OMP_NUM_THREADS": "0"}, 8, 1),
        (100.0, {"OMP_NUM_THREADS": "many"}, 8, 8),
        (100.0, {"OMP_NUM_THREADS": "64"}, 2, 2),
    ],
)
def test_there_are_as_many_threads_as_pay_and_are_allowed(work, settings, processors, expected, monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors), raising=False)
    assert threads.thread_count(work, per_thread=10.0) == expected


@pytest.mark.parametrize("number", [1, 2, 7])
def test_results_come_in_the_order_of_the_items(number):
    assert threads.parallel_map(lambda i: i * i, range(50), number) == [i * i for i in range(50)]


def test_each_item_is_computed_once_and_by_several_threads():
    seen, together = [], threading.Barrier(3, timeout=10)

    def work(item):
        if item < 3:
            together.wait()  # which one thread alone would never pass
        seen.append((item, threading.get_ident()))

    threads.parallel_map(work, range(9), 3)
    assert sorted(item for item, _ in seen) == list(range(9))
    assert len({thread for _, thread in seen}) == 3


def test_where_no_thread_can_be_started_the_callers_does_it_all():
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
        assert threads.parallel_map(lambda _: threading.get_ident(), range(5), 4) == [threading.get_ident()] * 5


def test_an_error_in_a_thread_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        threads.parallel_map(lambda i: 1 // (i - 7), range(20), 3)


def with_threads(number, monkeypatch, compute):
    """What is computed where a user allows so many threads, on a machine of as many processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(number), raising=False)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, str(number))
    return compute()


def test_predictions_do_not_depend_on_the_number_of_threads(monkeypatch):
    rows = RNG.standard_normal((70_000, 3))
    model = QuantizedLinear.from_linear(LinearRegression().fit(rows[:99], rows[:99, 0] + 2), rows, "integer")
    many = np.resize(model.quantize_input(rows), (3_600_000, 3))  # enough for five threads
    expected = np.concatenate([model.predict_quantized(many[i : i + 7000]) for i in range(0, len(many), 7000)])
    for number in (1, 2, 5):
        assert_array_equal(with_threads(number, monkeypatch, lambda: model.predict_quantized(many)), expected)


def test_a_fit_does_not_depend_on_the_number_of_threads(monkeypatch):
    X = RNG.standard_normal((600_000, 8)) + np.arange(8) * 3
    y = X @ np.arange(8.0) + RNG.standard_normal(600_000)
    one, *others = (with_threads(n, monkeypatch, lambda: LinearRegression().fit(X, y)) for n in (1, 2, 5))
    for other in others:
        assert_array_equal(other.coef_, one.coef_)
        assert other.intercept_ == one.intercept_


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_results_computed_ahead_come_in_order_beside_their_items(number):
    assert list(threads.map_ahead(lambda i: i * i, range(50), number)) == [(i, i * i) for i in range(50)]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_no_more_items_are_taken_ahead_than_there_are_threads(number):
    taken = []
    for i, _ in threads.map_ahead(abs, (taken.append(i) or i for i in range(20)), number):
        assert len(taken) <= i + 1 + number


def test_work_ahead_is_done_by_several_threads():
    together = threading.Barrier(3, timeout=10)  # which one thread alone would never pass
    assert len(list(threads.map_ahead(lambda _: together.wait(), range(9), 3))) == 9


@pytest.mark.parametrize("number", [0, 1, 3])
def test_results_before_an_error_of_the_items_come_before_it(number):
    def items():
        yield from range(5)
        raise HousingError("the disk is gone")

    seen = []
    with pytest.raises(HousingError, match="the disk is gone"):
        for item, _ in threads.map_ahead(abs, items(), number):
            seen.append(item)
    assert seen == list(range(5))


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_more_threads_can_be_started_the_callers_does_the_rest_of_the_work_ahead(allowed):
    start, started = threading.Thread.start, []

    def limited(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with mock.patch.object(threading.Thread, "start", limited):
        assert [result for _, result in threads.map_ahead(lambda i: -i, range(9), 3)] == [-i for i in range(9)]
