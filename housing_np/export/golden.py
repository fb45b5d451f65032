"""A test program in C99: rows, Python's answers to them, and whether C gives the same, bit for bit."""

import numpy as np

from ..checks.arrays import Floats
from ..quantized.model import Model, QuantizedLinear, is_quantized
from .c import named
from .c_text import comment, quoted, table
from .facts import Facts
from .fixed import Fixed, sums

_OF_ROW, _OF_ANSWER = ("ROWS", "@FEATURES"), ("ROWS", "@TARGETS")
_INTEGERS = """\
static int integers_are_equal(int i) {
    int32_t sum[@TARGETS], fixed[@TARGETS];
    SUM
    FIX
    return memcmp(sum, sums[i], sizeof sum) == 0 && memcmp(fixed, fixeds[i], sizeof fixed) == 0;
}"""
_UINT8 = """\
static int uint8_is_equal(int i) {
    uint8_t row[@FEATURES];
    @quantize(rows[i], row);
    return memcmp(row, quantized[i], sizeof row) == 0;
}"""
_DOUBLES = """\
static int doubles_are_equal(int i) {
    double prediction[@TARGETS];
    PREDICT
    return memcmp(prediction, predictions[i], sizeof prediction) == 0;
}"""
_MAIN = """\
int main(void) {
    int equal = 0;
    for (int i = 0; i < ROWS; i++) {
        equal += CHECKS;
    }
    printf("%d of %d rows are equal\\n", equal, ROWS);
    return equal == ROWS ? 0 : 1;
}"""
# Without doubles, only the integers are compared.
_WITHOUT = """\
#else
#define uint8_is_equal(i) 1
#define doubles_are_equal(i) 1
#endif"""


def program(model: Model, facts: Facts, header_name: str, X: Floats) -> str:
    """Return a program that predicts rows X (n, p) and exits with 0 if all bits are those of Python's predictions."""
    several = len(facts.targets) > 1
    # NumPy keeps the sign of −0 in a single row; with two rows or more its sums start at 0, as in C.
    predictions = model.predict(np.vstack([X, X[:1]]))[:-1]
    real = [
        table("rows", X, *_OF_ROW),
        table("predictions", predictions.reshape(len(X), -1).view(np.uint64), *_OF_ANSWER),
        _DOUBLES.replace("PREDICT", _call("predict", "rows", "prediction", several)),
    ]
    checks, texts = "doubles_are_equal(i)", real
    if is_quantized(model) and model.scheme == "integer":
        checks = f"integers_are_equal(i) && uint8_is_equal(i) && {checks}"
        texts = [*_integers(model, X, several), "#ifndef @NO_DOUBLE", *real, _UINT8, _WITHOUT]
    about = comment(
        f"Whether {quoted(header_name)} gives Python's answers to these rows: the program ends with 0 then."
    )
    includes = f'#include "{header_name}"\n\n#include <stdio.h>\n#include <string.h>\n\n#define ROWS {len(X)}'
    return "\n\n".join([about, includes, *named([*texts, _MAIN.replace("CHECKS", checks)], facts)]) + "\n"


def _integers(model: QuantizedLinear, X: Floats, several: bool) -> list[str]:
    quantized = model.quantize_input(X)
    of_rows = sums(model, quantized).reshape(len(X), -1)
    check = _INTEGERS.replace("SUM", _call("sum", "quantized", "sum", several))
    return [
        table("quantized", quantized, *_OF_ROW),
        table("sums", of_rows, *_OF_ANSWER),
        table("fixeds", Fixed.of(model)(of_rows), *_OF_ANSWER),
        check.replace("FIX", _call("predict_fixed", "quantized", "fixed", several)),
    ]


def _call(function: str, rows: str, answer: str, several: bool) -> str:
    return f"@{function}({rows}[i], {answer});" if several else f"{answer}[0] = @{function}({rows}[i]);"
