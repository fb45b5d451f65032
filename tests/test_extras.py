"""Extras that are absent or broken: each door says in one line what to install, and small ones work without."""

import importlib.abc
import sys

import numpy as np
import pytest
from cases import every
from running import assert_refused, run

from housing_np import LinearRegression, export
from housing_np.errors import HousingError, TableError, extra

BROKEN = {
    "AttributeError": AttributeError("_ARRAY_API not found"),
    "RuntimeError": RuntimeError("CPU dispatcher tracer already initialized"),
    "SystemError": SystemError("initialization of _x raised unreported exception"),
    "ImportError": ImportError("numpy.core.multiarray failed to import"),
    "ValueError": ValueError("numpy.dtype size changed"),
}
FILES = {
    "matplotlib": ("train", "--report", "page.html"),
    "onnx": ("export.__main__", "MODEL", "-o", "model.onnx"),
    "pyarrow": ("predict", "MODEL", "rows.parquet"),
    "dask": ("train", "--data", "rows.npy", "--target", "x8", "--dask", "tcp://127.0.0.1:9"),
    "uvicorn": ("serve", "MODEL"),
    "starlette": ("serve", "MODEL"),
    "prometheus_client": ("serve", "MODEL"),
}


class Breaking(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Raises an error where a package is imported."""

    def __init__(self, package, error):
        self.package, self.error = package, error

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name.partition(".")[0] == self.package else None

    def exec_module(self, module):
        raise self.error


@pytest.fixture
def broken(monkeypatch):
    def broken(package, error):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Breaking(package, error), *sys.meta_path])

    return broken


@every("package", FILES)
def test_a_command_says_that_an_extra_is_broken(package, models, tmp_path, broken):
    np.save(tmp_path / "rows.npy", np.ones((9, 9)))
    (tmp_path / "rows.parquet").write_bytes(b"PAR1\0\1\2\3" * 20)
    broken(package, BROKEN["AttributeError"])
    arguments = [models / "uint8-integer.npz" if each == "MODEL" else each for each in FILES[package]]
    done = run(*arguments, cwd=tmp_path)
    assert_refused(
        done, 2, "is broken here (AttributeError: _ARRAY_API not found); install it again: install the extra"
    )


def test_statistics_say_that_scipy_is_broken(broken):
    broken("scipy", BROKEN["SystemError"])
    with pytest.raises(HousingError, match=r"^p-values and intervals need scipy, which is broken here \(SystemError: "):
        LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 4.0]).summary().p  # noqa: B018


def test_weights_that_are_not_negative_say_that_scipy_is_broken(broken):
    broken("scipy", BROKEN["ImportError"])
    with pytest.raises(HousingError, match="^positive=True needs scipy, which is broken here .*the extra stats, from"):
        LinearRegression(positive=True).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 4.0])


def test_a_plot_says_that_matplotlib_is_broken(broken, tmp_path):
    broken("matplotlib", BROKEN["RuntimeError"])
    done = run("compare", "--plot", "plot.svg", cwd=tmp_path)
    assert_refused(done, 2, "--plot needs matplotlib, which is broken here (RuntimeError: CPU dispatcher")


def test_a_large_csv_is_read_without_pyarrow_if_that_is_broken(broken, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "housing_np.rows.arrow_csv", raising=False)
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i},{i * i:0900}\n" for i in range(5000)))
    broken("pyarrow", BROKEN["AttributeError"])
    assert run("train", "--data", "rows.csv", "--target", "y", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("kind", BROKEN)
def test_what_an_import_raises_is_one_error_with_its_reason(kind):
    with pytest.raises(TableError) as caught, extra("plot", "It needs x", TableError):
        raise BROKEN[kind]
    assert str(caught.value).startswith(
        f"It needs x, which is broken here ({kind}: {BROKEN[kind]}); install it again: "
    )


def test_what_is_absent_is_to_be_installed():
    with pytest.raises(HousingError) as caught, extra("plot", "It needs x"):
        raise ModuleNotFoundError("No module named 'x'", name="x")
    assert str(caught.value) == "It needs x: install the extra plot, from a checkout: pip install '.[plot]'"


def test_a_lack_of_memory_is_no_broken_extra():
    with pytest.raises(MemoryError), extra("plot", "It needs x"):
        raise MemoryError


def test_an_export_says_that_onnx_is_broken(broken):
    broken("onnx", BROKEN["ValueError"])
    with pytest.raises(HousingError, match=r"^ONNX takes the package onnx, which is broken here \(ValueError: numpy"):
        export.to_onnx(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]))
