"""Programs that tests need beside Python: compilers, and what they make of an exported model."""

import ctypes
import os
import shutil
import subprocess

import numpy as np
import pytest

from housing_np.export.c import header_and_source
from housing_np.export.facts import Facts

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wdouble-promotion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def tool(name):
    """The path of a program; without it the test is skipped, or fails where all tools have to be there."""
    found = shutil.which(name)
    if found is None or os.name != "posix":
        if os.environ.get("HOUSING_NP_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed, and HOUSING_NP_REQUIRE_TOOLS asks for it")
        pytest.skip(f"{name} is not installed, or not as on POSIX systems")
    return found


def compile(compiler, *arguments, cwd):
    """What a compiler ends with and says."""
    command = [tool(compiler), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=False)


def run_program(compiler, *arguments, cwd):
    """Compile a program without a word and run it; its status and what it prints."""
    compiled = compile(compiler, *arguments, "-o", "program", cwd=cwd)
    assert compiled.returncode == 0 and not compiled.stdout + compiled.stderr, compiled.stderr
    return subprocess.run(["./program"], cwd=cwd, capture_output=True, encoding="utf-8", check=False)


def write(model, folder, name="model", **known):
    """Write NAME.h and NAME.c of a model; its facts."""
    facts = Facts.of(model, name, **known)
    header, source = header_and_source(model, facts, f"{name}.h")
    (folder / f"{name}.h").write_text(header, encoding="ascii")
    (folder / f"{name}.c").write_text(source, encoding="ascii")
    return facts


class Library:
    """The functions of a model in C, called row by row."""

    def __init__(self, model, folder):
        write(model, folder)
        # No file twice: what is loaded stays, whatever becomes of its file.
        path = folder / f"model{len(list(folder.glob('*.so')))}.so"
        done = compile("cc", "-std=c99", "-shared", "-fPIC", *STRICT, "model.c", "-o", path, cwd=folder)
        assert done.returncode == 0, done.stderr
        self.functions, self.targets = ctypes.CDLL(str(path)), model.coef_.shape[:-1]

    def _answers(self, name, rows, dtype):
        """The answers in the shape in which Python gives them."""
        function = getattr(self.functions, f"model_{name}")
        rows, out = np.ascontiguousarray(rows), np.empty((len(rows), *self.targets), dtype)
        several = bool(self.targets) and self.targets[0] > 1
        function.restype = None if several else np.ctypeslib.as_ctypes_type(dtype)
        for i, row in enumerate(rows):
            pointer = ctypes.c_void_p(row.ctypes.data)
            if several:
                function(pointer, ctypes.c_void_p(out[i].ctypes.data))
            else:
                out[i] = function(pointer)
        return out

    def sum(self, rows):
        return self._answers("sum", rows, np.int32)

    def predict_fixed(self, rows):
        return self._answers("predict_fixed", rows, np.int32)

    def predict(self, rows):
        return self._answers("predict", rows, np.float64)

    def error_bound(self, rows):
        return self._answers("error_bound", rows, np.float64)

    def quantize(self, rows):
        """The rows in uint8, and how many features of each lie outside the range."""
        rows, out = np.ascontiguousarray(rows), np.empty(rows.shape, np.uint8)
        function = self.functions.model_quantize
        pointers = (
            (ctypes.c_void_p(a.ctypes.data), ctypes.c_void_p(b.ctypes.data)) for a, b in zip(rows, out, strict=True)
        )
        return out, np.array([function(*pair) for pair in pointers])
