"""A test program in C99: rows, Python's answers to them, and whether C gives the same, bit for bit."""

import numpy as np

from ..checks.arrays import Floats
from ..errors import HousingError
from ..errors import quoted as quoted_value
from ..quantized.model import Model, QuantizedLinear, is_quantized
from ..rows.columns import Columns
from .c import named, row_of
from .c_text import comment, quoted, table, wrapped
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
    QUANTIZE
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
    several, is_plain = len(facts.targets) > 1, facts.columns.is_plain
    if not is_plain:
        cells = with_missing(facts.columns, cells_of(facts.columns, X))
        X = facts.columns.encode(cells)
    # NumPy keeps the sign of −0 in a single row; with two rows or more its sums start at 0, as in C.
    predictions = model.predict(np.vstack([X, X[:1]]))[:-1]
    rows = "rows[i]" if is_plain else "x"
    real = [
        table("rows", X, *_OF_ROW) if is_plain else _structs(facts, cells),
        table("predictions", predictions.reshape(len(X), -1).view(np.uint64), *_OF_ANSWER),
        _encoding(_DOUBLES.replace("PREDICT", _call("predict", rows, "prediction", several)), is_plain),
    ]
    checks, texts = "doubles_are_equal(i)", real
    if is_quantized(model) and model.scheme == "integer":
        uint8 = _encoding(_UINT8.replace("QUANTIZE", f"@quantize({rows}, row);"), is_plain)
        checks = f"integers_are_equal(i) && uint8_is_equal(i) && {checks}"
        texts = [*_integers(model, X, several), "#ifndef @NO_DOUBLE", *real, uint8, _WITHOUT]
    about = comment(
        f"Whether {quoted(header_name)} gives Python's answers to these rows: the program ends with 0 then."
    )
    math = "" if is_plain else "#include <math.h>\n"
    includes = f'#include "{header_name}"\n\n{math}#include <stdio.h>\n#include <string.h>\n\n#define ROWS {len(X)}'
    return "\n\n".join([about, includes, *named([*texts, _MAIN.replace("CHECKS", checks)], facts)]) + "\n"


def _integers(model: QuantizedLinear, X: Floats, several: bool) -> list[str]:
    quantized = model.quantize_input(X)
    of_rows = sums(model, quantized).reshape(len(X), -1)
    check = _INTEGERS.replace("SUM", _call("sum", "quantized[i]", "sum", several))
    return [
        table("quantized", quantized, *_OF_ROW),
        table("sums", of_rows, *_OF_ANSWER),
        table("fixeds", Fixed.of(model)(of_rows), *_OF_ANSWER),
        check.replace("FIX", _call("predict_fixed", "quantized[i]", "fixed", several)),
    ]


def _call(function: str, row: str, answer: str, several: bool) -> str:
    return f"@{function}({row}, {answer});" if several else f"{answer}[0] = @{function}({row});"


def _encoding(function: str, is_plain: bool) -> str:
    """Return a function of row i that makes its features x first, and requires that the model knows all cells."""
    if is_plain:
        return function
    start = "(int i) {\n"
    function = function.replace(start, f"{start}    double x[@FEATURES];\n    int unknown = @encode(&cells[i], x);\n")
    return function.replace("return ", "return unknown == 0 && ")


def _structs(facts: Facts, cells: Floats) -> str:
    """Return the definition of the rows in the user's columns."""
    row = row_of(facts)
    rows = (
        wrapped([row.cell(name, value) for name, value in zip(facts.columns.names, each, strict=True)])
        for each in cells.tolist()
    )
    inner = ",\n    ".join(f"{{{each}}}" for each in rows)
    return f"static const struct @row cells[ROWS] = {{\n    {inner}\n}};"


def cells_of(columns: Columns, X: Floats) -> Floats:
    """Return the rows of cells (n, columns) of which these columns make the rows X (n, p).

    A number that is a column's fill stands for a missing cell. Raises HousingError for a row of which the features of a
    category are no level's.

    >>> columns = Columns(("age", "sea"), levels={"sea": ("far", "near")}, fills={"age": 30.0})
    >>> cells_of(columns, np.array([[10.0, 1.0], [30.0, 0.0]]))
    array([[10.,  1.],
           [nan,  0.]])
    """
    cells = np.empty((len(X), len(columns.names)))
    for i, (name, place) in enumerate(columns.places.items()):
        part = X[:, place]
        if name in columns.levels:
            cells[:, i] = _levels(name, part)
        else:
            cells[:, i] = np.where(part[:, 0] == columns.fills.get(name, np.nan), np.nan, part[:, 0])
    return cells


def _levels(name: str, part: Floats) -> Floats:
    """Return the positions of the levels that rows (n, levels − 1) of 0 and 1 stand for."""
    is_wrong = (part != 0).sum(axis=1) != (part == 1).sum(axis=1)
    is_wrong |= (part != 0).sum(axis=1) > 1
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise HousingError(
            f"row {row + 1} of the test has no level of {quoted_value(name)}: expected one 1 among the features of its "
            f"levels, or none, and 0 in the others"
        )
    return part @ np.arange(1.0, part.shape[1] + 1)


def with_missing(columns: Columns, cells: Floats) -> Floats:
    """Return rows of cells (n, columns), with a missing cell in each column that has a fill, in row after row."""
    cells = cells.copy()
    for i, place in enumerate(place for place, name in enumerate(columns.names) if name in columns.fills):
        cells[i % len(cells), place] = np.nan
    return cells
