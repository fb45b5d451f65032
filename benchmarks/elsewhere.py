"""Elsewhere: the model in C beside what m2cgen and emlearn make of it; bytes on a Cortex-M0, time here."""

import ctypes
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from measure import agree, installed, interleaved, medians, timed

from housing_np import LinearRegression, QuantizedLinear, load_california
from housing_np.export import export
from housing_np.export.fixed import Fixed, sums

M2CGEN, EMLEARN = "m2cgen", "emlearn, a network of one unit"
# A program that predicts and does nothing else: what it does not need is left out.
SMALL = ["-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb", "-ffunction-sections", "-fdata-sections"]
LINKED = [*SMALL, "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections,-eanswer"]
ANSWER = "#include <stdint.h>\n{type} answer(const {row} *x);\n"
LOOP = """\
void answers(const {row} *x, long rows, {type} *out) {{
    for (long i = 0; i < rows; i++) out[i] = answer(x + {features} * i);
}}
"""
TYPES = {"float64": "double", "float32": "float", "uint8": "uint8_t", "int32": "int32_t"}


class Program(NamedTuple):
    """C whose `call` answers a row x, the rows, what the answers should be, and how near to it they come."""

    name: str
    code: str
    call: str
    inputs: np.ndarray
    expected: np.ndarray
    tolerance: float
    include: str = "."

    @property
    def words(self) -> dict[str, Any]:
        """What the C above is filled with."""
        type, row = (TYPES[each.dtype.name] for each in (self.expected, self.inputs))
        return {"type": type, "row": row, "features": self.inputs.shape[1]}


def measure(quick: bool) -> dict[str, Any]:
    """Return the bytes of each program and its time per row; none where there is no compiler."""
    if shutil.which("gcc") is None:
        return {"programs": []}
    programs = list(_programs(1 if quick else 10))
    with TemporaryDirectory() as folder:
        calls = {each.name: _compiled(each, Path(folder)) for each in programs}
        times = interleaved(
            {name: lambda f=call: timed(f) for name, call in calls.items()}, 1 if quick else 21, "elsewhere"
        )
        seconds = medians(times)
        return {
            "programs": [
                {"name": each.name, "inputs": each.inputs.dtype.name, "tolerance": each.tolerance}
                | {"seconds": seconds[each.name] / len(each.inputs), **_bytes(each, Path(folder))}
                for each in programs
            ]
        }


def _programs(times: int) -> Iterator[Program]:
    """Yield our programs, which answer as Python does, and those of peers; each with so many times all rows."""
    table = load_california()
    model = LinearRegression().fit(table.X, table.y)
    X, exact = np.tile(table.X, (times, 1)), np.tile(model.predict(table.X), times)
    yield Program("housing_np, float64", export(model, "c", name="price"), "price_predict(x)", X, exact, 0)
    for scheme in ("per-tensor", "per-channel", "integer"):
        small = QuantizedLinear.from_linear(model, table.X, scheme)
        code = export(small, "c", name="price")
        expected = np.tile(small.predict(table.X), times)
        yield Program(f"housing_np, {scheme}", code, "price_predict(x)", X, expected, 0)
    quantized = small.quantize_input(X)
    fixed = Fixed.of(small)(sums(small, quantized))
    code = f"#define PRICE_NO_DOUBLE\n{code}"
    yield Program("housing_np, integers alone", code, "price_predict_fixed(x)", quantized, fixed, 0)
    if installed("scikit-learn", "m2cgen"):
        yield Program(M2CGEN, _m2cgen(model), "score((double *)x)", X, exact, 1e-12)
    if installed("scikit-learn", "emlearn"):
        import emlearn

        # It writes weights with six decimals, and computes in float32.
        code, rows = _emlearn(model), X.astype(np.float32)
        call = "price_regress1(x, 8)"
        yield Program(EMLEARN, code, call, rows, exact.astype(np.float32), 1e-3, emlearn.includedir)


def _m2cgen(model: LinearRegression) -> str:
    import m2cgen
    from sklearn.linear_model import LinearRegression as Theirs

    theirs = Theirs()
    theirs.coef_, theirs.intercept_ = model.coef_, model.intercept_
    return m2cgen.export_to_c(theirs)


def _emlearn(model: LinearRegression) -> str:
    """Return a network with one hidden unit that passes on what it gets: emlearn takes nothing simpler."""
    import emlearn
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(hidden_layer_sizes=(1,), activation="identity", max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        network.fit(np.eye(len(model.coef_)), model.coef_)
    network.coefs_ = [model.coef_[:, None], np.ones((1, 1))]
    network.intercepts_ = [np.array([model.intercept_]), np.zeros(1)]
    with TemporaryDirectory() as folder, chdir(folder):  # it compiles where it stands
        return emlearn.convert(network, method="loadable", return_type="regressor").save(name="price")


def _compiled(program: Program, folder: Path) -> Callable[[], None]:
    """Return a call that answers all rows, each by a call of its own as a device would; the answers are checked."""
    source, loop, library = _source(program, folder), folder / "loop.c", folder / f"{program.name}.so"
    loop.write_text(ANSWER.format(**program.words) + LOOP.format(**program.words))
    flags = ["-std=c99", "-O2", "-shared", "-fPIC", f"-I{program.include}"]
    subprocess.run(["gcc", *flags, source, loop, "-o", library, "-lm"], check=True)
    inputs, out = np.ascontiguousarray(program.inputs), np.empty_like(program.expected)
    answers = ctypes.CDLL(str(library)).answers

    def call() -> None:
        answers(ctypes.c_void_p(inputs.ctypes.data), ctypes.c_long(len(inputs)), ctypes.c_void_p(out.ctypes.data))

    call()
    agree(program.name, program.expected.astype(float), out.astype(float), program.tolerance)
    return call


def _source(program: Program, folder: Path) -> Path:
    source = folder / f"{program.name}.c"
    function = ANSWER + "{type} answer(const {row} *x) {{\n    return CALL;\n}}\n"
    source.write_text(f"{program.code}\n{function.format(**program.words).replace('CALL', program.call)}")
    return source


def _bytes(program: Program, folder: Path) -> dict[str, int]:
    """Return flash and RAM of the program, alone and with its libraries; nothing without a compiler."""
    if shutil.which("arm-none-eabi-gcc") is None:
        return {}
    source, sizes = folder / f"{program.name}.c", {}
    for kind, flags in (("object", [*SMALL, "-c"]), ("linked", LINKED)):
        target = folder / f"{program.name}.{kind}"
        command = ["arm-none-eabi-gcc", *flags, f"-I{program.include}", source, "-o", target]
        libraries = ["-lm"] if kind == "linked" else []
        if subprocess.run([*command, *libraries], capture_output=True).returncode:
            continue  # newlib is missing
        told = subprocess.run(["arm-none-eabi-size", target], capture_output=True, encoding="utf-8", check=True).stdout
        text, data, zeros = map(int, told.splitlines()[1].split()[:3])
        sizes |= {f"{kind}_flash": text + data, f"{kind}_ram": data + zeros}
    return sizes
