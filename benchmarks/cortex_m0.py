"""A Cortex-M0: flash and cycles of models of many weights, by the bits of a weight."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from measure import agree, progress
from synthetic import SEED

from housing_np import LinearRegression, QuantizedLinear
from housing_np.export import export
from housing_np.export.fixed import Fixed, sums

FEATURES, TARGETS, ROWS = 512, 10, 2_000
QUICK_FEATURES, QUICK_TARGETS = 16, 2
FLAGS = ["-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb", "-ffunction-sections", "-fdata-sections"]
LINKED = [*FLAGS, "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections"]
TYPES = {"float64": "double", "uint8": "uint8_t", "int32": "int32_t"}
ANSWER = """
void answer(const {row} *x, {type} *out);
void answer(const {row} *x, {type} *out) {{
    m_{function}(x, out);
}}
"""
# Calls `answer`, writes what it answers to standard output, and ends: for Linux, whose calls are numbers in r7.
HARNESS = """
{type} answers[{targets}];
const {row} inputs[{features}] = {{{values}}};
void harness(void);
__attribute__((naked)) void harness(void) {{
    __asm__ volatile("ldr r0, =inputs\\n ldr r1, =answers\\n bl answer\\n"
                     "movs r0, #1\\n ldr r1, =answers\\n movs r2, #{bytes}\\n movs r7, #4\\n svc 0\\n"
                     "movs r0, #0\\n movs r7, #1\\n svc 0\\n .ltorg\\n");
}}
"""
# Table 3-1 of the Cortex-M0 Technical Reference Manual (r0p0), with memory that never waits and the fast multiplier.
CYCLES = {"bl": 4, "bx": 3, "blx": 3, "b": 3}
BRANCH, STEP = 3, 1
_LISTED = re.compile(r"^ *([0-9a-f]+):\t[0-9a-f ]+\t([a-z]+)(?:\.n)?(?:\t(.*))?$", re.MULTILINE)
_EXECUTED = re.compile(rb"\[[0-9a-f]+/([0-9a-f]+)/[0-9a-f/]+\] (\S*)")


class Program(NamedTuple):
    """C whose `answer` takes one row to all targets, the row, and what the answers should be."""

    name: str
    bits: int
    payload_bytes: int
    code: str
    row: np.ndarray
    expected: np.ndarray

    @property
    def words(self) -> dict[str, Any]:
        """What the C above is filled with."""
        return {
            "row": TYPES[self.row.dtype.name],
            "type": TYPES[self.expected.dtype.name],
            "function": "predict_fixed" if self.expected.dtype == np.int32 else "predict",
            "features": self.row.size,
            "targets": self.expected.size,
            "values": ",".join(map(str, self.row.tolist())),
            "bytes": self.expected.nbytes,
        }


def measure(quick: bool) -> dict[str, Any]:
    """Return flash and cycles of each program; none without the compiler, no cycles without qemu-arm."""
    shape = (QUICK_FEATURES, QUICK_TARGETS) if quick else (FEATURES, TARGETS)
    programs = []
    if shutil.which("arm-none-eabi-gcc"):
        with TemporaryDirectory() as folder:
            programs = [_measured(each, Path(folder)) for each in _programs(*shape)]
    return {"features": shape[0], "targets": shape[1], "programs": programs}


def _programs(features: int, targets: int) -> Iterator[Program]:
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((ROWS, features))
    model = LinearRegression().fit(X, X @ rng.standard_normal((features, targets)))
    for bits in range(8, 1, -1):
        small = QuantizedLinear.from_linear(model, X, "integer", bits)
        row = small.quantize_input(X[:1])
        fixed, code = Fixed.of(small)(sums(small, row))[0], f"#define M_NO_DOUBLE\n{export(small, 'c', name='m')}"
        yield Program("integer, integers alone", bits, small.payload_bytes, code, row[0], fixed)
    for scheme, bits in (("per-channel", 8), ("per-channel", 4), ("float32", 32)):
        small = QuantizedLinear.from_linear(model, X, scheme, min(bits, 8))
        code, expected = str(export(small, "c", name="m")), small.predict(X[:2])[0]
        yield Program(scheme, bits, small.payload_bytes, code, X[0], expected)


def _measured(program: Program, folder: Path) -> dict[str, Any]:
    progress(f"cortex: {program.name}, {program.bits} bits")
    code = f"{program.code}\n{ANSWER.format(**program.words)}"
    sizes = {
        "flash": _flash(code, [*FLAGS, "-c"], folder),
        "linked_flash": _flash(code, [*LINKED, "-Wl,-eanswer"], folder),
    }
    found: dict[str, Any] = {"name": program.name, "bits": program.bits, "payload_bytes": program.payload_bytes}
    if shutil.which("qemu-arm"):
        found["cycles"] = _cycles(program, f"{code}{HARNESS.format(**program.words)}", folder)
    return found | sizes


def _built(code: str, flags: list[str], folder: Path) -> Path:
    source, target = folder / "program.c", folder / "program"
    source.write_text(code)
    subprocess.run(["arm-none-eabi-gcc", *flags, source, "-o", target, *([] if "-c" in flags else ["-lm"])], check=True)
    return target


def _flash(code: str, flags: list[str], folder: Path) -> int:
    command = ["arm-none-eabi-size", _built(code, flags, folder)]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    text, data = map(int, told.splitlines()[1].split()[:2])
    return text + data


def _cycles(program: Program, code: str, folder: Path) -> int:
    """Run a program instruction by instruction, and return the cycles of `answer`; its answers are checked."""
    target = _built(code, [*LINKED, "-Wl,-eharness"], folder)
    listing = subprocess.run(["arm-none-eabi-objdump", "-d", target], capture_output=True, encoding="utf-8", check=True)
    costs = {int(at, 16): _cost(name, rest) for at, name, rest in _LISTED.findall(listing.stdout)}
    command = ["qemu-arm", "-singlestep", "-d", "exec,nochain", target]
    total = more = following = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for found in filter(None, map(_EXECUTED.search, process.stderr)):
            if found[2] == b"harness":
                continue
            at = int(found[1], 16)
            total += more if at != following else 0
            cycles, more = costs[at]
            total, following = total + cycles, at + 2
        answers = np.frombuffer(process.stdout.read(), program.expected.dtype)
    agree(f"{program.name}, {program.bits} bits", program.expected.astype(float), answers.astype(float), 0)
    # The last instruction returns.
    return total + more


def _cost(name: str, rest: str) -> tuple[int, int]:
    """Return the cycles of an instruction, and how many more it takes where another than the next one follows."""
    if name in ("push", "pop", "ldmia", "stmia"):
        count = len(rest.partition("{")[2].split(","))
        return 1 + count, 3 if name == "pop" else 0
    if name.startswith(("ldr", "str")):
        return 2, 0
    if name in CYCLES:
        return CYCLES[name], 0
    # A branch that is not taken, or an instruction that writes no pc.
    return STEP, BRANCH - STEP
