"""A few hundred of the damaged files that damage.py judges, and that it sees what it looks for."""

import os
import tracemalloc
import warnings

import damage
import numpy as np
import pytest
from cases import every

from housing_np import ArtifactError, load

CASES = 60  # of each kind; the whole count is for `python tests/damage.py`


@pytest.mark.parametrize("group", damage.groups())
def test_a_damaged_file_is_refused_in_one_line_or_holds_valid_numbers(group, tmp_path):
    found = [damage.verdict(group, 0, case, tmp_path) for case in range(CASES)]
    # The pages of Parquet have checksums: other numbers are rare there.
    assert set(found) | ({"other"} if group == "parquet" else set()) == set(damage.VERDICTS)


def test_a_megabyte_that_claims_more_takes_little_memory_and_time():
    assert damage.large_outcomes(damage.inputs(), skips=[False]) == {format: [] for format in damage.inputs()}


def test_a_large_file_that_takes_too_much_is_told(monkeypatch):
    monkeypatch.setattr(damage, "LARGE_TIME", -1.0)
    (wrong,) = damage.judge_large("csv", {"rows": b"x,y,z\n1,2,3\n"}, [False])
    assert wrong.startswith("rows: it takes 0 MiB and 0.")


@every("text", damage.COLUMN_TEXTS, ids=lambda text: text[:40])
def test_columns_that_train_does_not_write_are_one_line_of_an_error(text, tmp_path):
    (sound,) = (each for each in damage.artifacts()["float64"] if b"columns" in damage.member(each))
    path = tmp_path / "model.npz"
    path.write_bytes(damage.archive(("m.npy", damage.with_columns(damage.member(sound), text))))
    with pytest.raises(ArtifactError) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 1000


def test_columns_of_many_entries_take_little_memory(tmp_path):
    (sound,) = (each for each in damage.artifacts()["float64"] if b"columns" in damage.member(each))
    text = b"[" + b"[]," * 500_000 + b"0]"
    path = tmp_path / "model.npz"
    path.write_bytes(damage.archive(("m.npy", damage.with_columns(damage.member(sound), text))))
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="the columns do not say what the features are made of"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(text)


def test_a_case_is_the_same_whenever_it_is_made():
    for group in damage.groups():
        assert damage.damaged(group, 7, 3)[:2] == damage.damaged(group, 7, 3)[:2]
        assert len({damage.damaged(group, 7, case)[0] for case in range(20)}) > 10


def verdict(monkeypatch, read, tmp_path):
    """The verdict on a file that is read like this."""
    monkeypatch.setattr(damage, "damaged", lambda group, seed, case: (b"", damage.artifacts()["float64"][0], read))
    return damage.verdict("float64", 0, 0, tmp_path)


def numbers_that_are_not_finite(path):
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(damage, "load", lambda path: Infinite())
        return damage.model_of(path)


class Infinite:
    columns = None
    coef_, intercept_, feature_names, target_names_ = np.array([np.inf]), 0.0, ("x",), ("y",)

    def predict(self, X):
        return np.zeros(1)


def raises(error):
    def read(path):
        raise error

    return read


def warns(path):
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


WRONG = {
    "RuntimeWarning: overflow": warns,
    "RecursionError: too deep": raises(RecursionError("too deep")),
    "it is not refused in one line: 'aaaa": raises(damage.HousingError("a" * 5000)),
    "code in it was run": lambda path: damage._spring() or b"",
    "it takes 5.0 MiB": lambda path: bytes(bytearray(5 << 20))[:0],
    "it holds .*inf": numbers_that_are_not_finite,
}


@every("told", WRONG)
def test_what_goes_wrong_is_told(told, monkeypatch, tmp_path):
    with pytest.raises(damage.DamageError, match=told.replace("5.0", r"\d+.\d")):
        verdict(monkeypatch, WRONG[told], tmp_path)


def test_a_file_that_is_read_as_before_is_equal(monkeypatch, tmp_path):
    sound = damage.artifacts()["float64"][0]
    assert verdict(monkeypatch, lambda path: damage._expected("float64", sound), tmp_path) == "equal"
    assert verdict(monkeypatch, lambda path: b"", tmp_path) == "other"


def die(told, group, seed, cases):
    """Judge cases as a process that does not come through the second one."""
    for case in cases:
        if case == 1:
            os._exit(3)
        told.send((case, "refused", ""))


def test_a_process_that_dies_costs_one_case(monkeypatch):
    monkeypatch.setattr(damage, "_work", die)
    assert list(damage.outcomes("csv", 0, 3)) == [
        (0, "refused", ""),
        (1, "failed", "the process ends with 3"),
        (2, "refused", ""),
    ]


def test_the_counts_and_what_failed_are_printed(capsys, monkeypatch):
    found = [(0, "refused", ""), (1, "failed", "too slow"), (2, "other", ""), (3, "refused", "")]
    monkeypatch.setattr(damage, "outcomes", lambda group, seed, count: found[:count])
    monkeypatch.setattr(damage, "large", dict)
    for count, status in ((1, 0), (4, 1)):
        monkeypatch.setattr("sys.argv", ["damage.py", "--only", "csv", "--inputs", str(count), "--seed", "5"])
        assert damage.main() == status
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed[:2] == [[*damage.VERDICTS, "failed"], ["csv", "1", "0", "0", "0"]]
    assert printed[3:] == [["csv", "2", "0", "1", "1"], ["--seed", "5", "--only", "csv", "--case", "1:", "too", "slow"]]


def test_one_case_can_be_judged_again(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["damage.py", "--only", "csv", "--case", "3", "--seed", "0"])
    assert damage.main() == 0
    assert capsys.readouterr().out.strip() in damage.VERDICTS
