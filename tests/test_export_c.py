"""A model in C: the same numbers as Python's to the last bit, whatever the compiler, the model and the names."""

import platform
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cases import every
from hypothesis import example, given
from hypothesis import strategies as st
from running import ROOT, environment
from strategies import MODELS, drawn, examples, integer_model, integer_models, linear, quantizable
from tools import SANITIZERS, STRICT, Library, compile, run_program, tool, write

from housing_np import HousingError, LinearRegression, QuantizedLinear, load
from housing_np.export import export
from housing_np.export.c import header, header_and_source, renamed
from housing_np.export.facts import Facts
from housing_np.export.fixed import Fixed, sum_range, sums
from housing_np.export.golden import program
from housing_np.quantized.schemes import FIELDS, INTEGERS
from housing_np.rows.california import UNITS

FILES = ["float64", "uint8-per-tensor", "uint8-per-channel", "uint8-integer", "float32"]
C99 = ["-std=c99", *STRICT]
# Where products can be fused with additions: always on 64-bit ARM.
NATIVE = ["-march=native"] if platform.machine() == "x86_64" else []
INT32_MAX = 2**31 - 1
# What would end a comment, begin one, join lines, turn text around; keywords, and what is no identifier.
HOSTILE = [
    *(
        "a*/b",
        "/*",
        "//",
        "*",
        "/",
        "??/",
        "end\\",
        "\\u0041",
        "line\nbreak",
        "\r",
        '"',
        "'",
        "%d",
        "#error no",
        "\u202ex",
    ),
    *(
        "\u2028",
        "é",
        "価格",
        "😀",
        "\x7f",
        "\x01",
        "int",
        "class",
        "double",
        "1st",
        "a b",
        "a_b",
        "a-b",
        "A_B",
        "_",
        "__x",
    ),
    *("FEATURES", "FEATURE_a", "@", "@SCALE", "# t", "x" * 300),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where hypothesis's models are compiled."""
    return tmp_path_factory.mktemp("c")


@pytest.fixture(scope="module")
def golden(models, california, tmp_path_factory):
    """A folder with each model in C, and a test with all bundled rows."""
    folder = tmp_path_factory.mktemp("golden")
    for name in FILES:
        model = load(models / f"{name}.npz")
        facts = write(model, folder, name, units=UNITS)
        (folder / f"{name}-only.h").write_text(header(model, facts), encoding="ascii")
        few = california.table.X[::100]
        for test, included, rows in (("", "", california.table.X), ("-few", "", few), ("-only", "-only", few)):
            (folder / f"{name}{test}_test.c").write_text(program(model, facts, f"{name}{included}.h", rows))
    return folder


def same_bits(a, b):
    np.testing.assert_array_equal(np.asarray(a, np.float64).view(np.uint64), np.asarray(b, np.float64).view(np.uint64))


def among_others(model, rows):
    """Predictions for rows of which each stands among others: alone, a sum of −0 keeps its sign in NumPy."""
    return model.predict(np.vstack([rows, rows[:1]]))[:-1]


# The bundled rows


@pytest.fixture(scope="module")
def all_rows(golden):
    """A folder with the test of all bundled rows of each model, compiled: its tables take long."""
    for name in FILES:
        assert compile("cc", "-std=c99", "-O0", "-c", f"{name}_test.c", cwd=golden).returncode == 0
    return golden


@pytest.mark.matrix("compiler")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", FILES)
def test_all_bundled_rows_are_equal_under_the_sanitizers(name, compiler, all_rows, tmp_path):
    for test, rows in (("_test.o", 20640), ("-few_test.c", 207)):
        files = [all_rows / f"{name}.c", all_rows / f"{name}{test}"]
        done = run_program(compiler, *C99, *SANITIZERS, *files, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{rows} of {rows} rows are equal\n", "")


@pytest.mark.matrix("compiler")
@pytest.mark.parametrize(
    "flags",
    [
        ["-std=gnu99", "-O3", "-ffp-contract=fast", *NATIVE],
        ["-std=gnu99", "-Os", "-funroll-loops", "-ffp-contract=fast"],
    ],
    ids=["fused", "small"],
)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", FILES)
def test_no_optimization_changes_a_bit(name, compiler, flags, golden, tmp_path):
    files = [golden / f"{name}.c", golden / f"{name}-few_test.c"]
    done = run_program(compiler, *flags, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "207 of 207 rows are equal\n")


@pytest.mark.matrix("standard", "compiler")
@pytest.mark.parametrize("standard", ["c++98", "c++11", "c++20"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("name", FILES)
def test_it_is_c_plus_plus_too(name, compiler, standard, golden, tmp_path):
    for files in ([f"{name}.c", f"{name}-few_test.c"], [f"{name}-only_test.c"]):
        flags = ["-x", "c++", f"-std={standard}", *STRICT]
        done = run_program(compiler, *flags, *(golden / each for each in files), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "207 of 207 rows are equal\n")


def test_a_program_of_c_plus_plus_links_what_c_compiled(golden, tmp_path):
    assert compile("cc", *C99, "-c", golden / "uint8-integer.c", cwd=tmp_path).returncode == 0
    (tmp_path / "test.cpp").write_text((golden / "uint8-integer-few_test.c").read_text())
    assert run_program("c++", f"-I{golden}", "test.cpp", "uint8-integer.o", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("name", FILES)
def test_a_header_alone_serves_several_sources(name, golden, tmp_path):
    (tmp_path / "other.c").write_text(f'#include "{name}-only.h"\nint other(void);\nint other(void) {{ return 1; }}\n')
    files = [f"-I{golden}", golden / f"{name}-only_test.c", "other.c"]
    assert run_program("cc", *C99, *files, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("name", FILES)
def test_the_test_program_tells_wrong_answers(name, golden, tmp_path):
    source = (golden / f"{name}.c").read_text()
    wrong = (
        source.replace("bias[t];\n", "bias[t] + 1;\n")
        if "integer" in name
        else source.replace("= x[i] *", "= 2 * x[i] *")
    )
    assert wrong != source
    (tmp_path / "wrong.c").write_text(wrong)
    done = run_program("cc", "-std=c99", f"-I{golden}", "wrong.c", golden / f"{name}-few_test.c", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "0 of 207 rows are equal\n")


@pytest.mark.parametrize("flag", ["-ffast-math", "-mfpmath=387"])
def test_arithmetic_that_is_not_float64_s_is_refused(flag, golden, tmp_path):
    if flag == "-mfpmath=387" and platform.machine() != "x86_64":
        flag = "-ffast-math"
    done = compile("gcc", "-std=c99", flag, "-c", golden / "float64.c", cwd=tmp_path)
    assert done.returncode != 0 and "Python's predictions take IEEE's float64: no -ffast-math" in done.stderr


# Integers alone


def test_the_integers_are_had_without_floats(golden, tmp_path):
    flags = ["-DUINT8_INTEGER_NO_DOUBLE", *C99, "-ffast-math"]
    files = [golden / "uint8-integer.c", golden / "uint8-integer-few_test.c"]
    done = run_program("cc", *flags, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "207 of 207 rows are equal\n")
    assert compile("cc", *flags, "-c", files[0], cwd=tmp_path).returncode == 0
    assert compile("nm", "--undefined-only", "uint8-integer.o", cwd=tmp_path).stdout == ""


def test_the_integers_take_no_float_and_no_division_on_a_cortex_m0(golden, tmp_path):
    flags = ["-DUINT8_INTEGER_NO_DOUBLE", *C99, "-Os", "-mcpu=cortex-m0", "-mthumb", "-c"]
    done = compile("arm-none-eabi-gcc", *flags, golden / "uint8-integer.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    needed = compile("arm-none-eabi-nm", "--undefined-only", "uint8-integer.o", cwd=tmp_path).stdout
    assert needed.split() == ["U", "__aeabi_lmul"]  # the product of 64 bits
    sizes = compile("arm-none-eabi-size", "uint8-integer.o", cwd=tmp_path).stdout.splitlines()[1].split()
    assert int(sizes[0]) < 160 and sizes[1:3] == ["0", "0"]


def test_four_bits_take_half_the_flash_of_eight_on_a_cortex_m0_and_no_ram(tmp_path):
    rng, sizes = np.random.default_rng(0), {}
    X = rng.normal(size=(600, 512))
    float_model = LinearRegression().fit(X, X @ rng.normal(size=(512, 10)))
    for bits in (8, 4):
        write(QuantizedLinear.from_linear(float_model, X, "integer", bits), tmp_path)
        flags = ["-DMODEL_NO_DOUBLE", *C99, "-Os", "-mcpu=cortex-m0", "-mthumb", "-c"]
        assert compile("arm-none-eabi-gcc", *flags, "model.c", cwd=tmp_path).returncode == 0
        needed = compile("arm-none-eabi-nm", "--undefined-only", "model.o", cwd=tmp_path).stdout
        assert needed.split() == ["U", "__aeabi_lmul"]
        sizes[bits], *ram = map(
            int, compile("arm-none-eabi-size", "model.o", cwd=tmp_path).stdout.splitlines()[1].split()[:3]
        )
        assert ram == [0, 0]
    assert sizes[8] - sizes[4] >= 512 * 10 // 2 - 100 and sizes[4] <= 0.54 * sizes[8]


@pytest.mark.parametrize("name", FILES)
def test_a_cortex_m0_takes_every_scheme(name, golden, tmp_path):
    flags = [*C99, "-Os", "-mcpu=cortex-m0", "-mthumb", "-c"]
    done = compile("arm-none-eabi-gcc", *flags, golden / f"{name}.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# Fixed point: proven in rational numbers


def distance(fixed, scale, total):
    """How far the fixed-point number of a sum is from scale · sum, exactly."""
    return abs(int(fixed([total])[0]) * fixed.scale - Fraction(scale) * int(total))


@given(
    scale=st.floats(2.0**-149, 2.0**127, width=32, exclude_min=False),
    largest=st.integers(0, INT32_MAX),
    parts=st.lists(st.fractions(-1, 1), max_size=20),
)
@example(scale=1.0, largest=INT32_MAX, parts=[Fraction(1, 3)])
@example(scale=2.0**-149, largest=INT32_MAX, parts=[])
@example(scale=float(np.finfo(np.float32).max), largest=INT32_MAX, parts=[])
@example(scale=float(np.float32(0.1)), largest=1, parts=[])
@example(scale=1 - 2.0**-24, largest=2, parts=[])
def test_no_fixed_point_number_is_further_than_stated(scale, largest, parts):
    fixed = Fixed.of_scale(scale, largest)
    totals = [largest, -largest, *(int(part * largest) for part in parts)]
    assert max(distance(fixed, scale, total) for total in totals) <= fixed.largest_error
    # Jacob et al. 2018, section 2.2: the multiplier has at least 30 bits; here it is exact.
    assert 2**30 <= fixed.multiplier < 2**31 and 0 <= fixed.shift <= 31
    assert fixed.multiplier * fixed.scale / 2**fixed.shift == Fraction(scale)


@given(scale=st.floats(2.0**-40, 2.0**40, width=32), largest=st.integers(1, INT32_MAX))
def test_a_fixed_point_number_fits_int32_and_leaves_no_bit_unused(scale, largest):
    fixed = Fixed.of_scale(scale, largest)
    exact = Fraction(scale) * largest / fixed.scale
    assert exact + Fraction(1, 2) < INT32_MAX + 1
    assert fixed.shift == 0 or exact * 2 > INT32_MAX - 1


def test_the_half_step_that_is_stated_is_reached():
    fixed = Fixed.of_scale(0.5 + 2.0**-24, INT32_MAX)
    assert max(distance(fixed, 0.5 + 2.0**-24, total) for total in range(-4096, 4096)) >= fixed.largest_error * 9 / 10


@drawn(15, weekly=100)  # each is compiled
@given(model=integer_models(max_features=40), seed=st.integers(0, 2**32 - 1))
def test_every_integer_model_has_the_same_integers(model, seed, folder):
    p = model.weights.shape[-1]
    steps = np.atleast_2d(model.weights.astype(int) - int(model.affine.zero_point))
    # Random rows, and those that give the least and the largest sum of each target.
    rows = np.random.default_rng(seed).integers(0, 256, (20, p), np.uint8)
    rows = np.vstack([rows, 255 * (steps > 0), 255 * (steps < 0)]).astype(np.uint8)
    library, fixed = Library(model, folder), Fixed.of(model)
    found = library.sum(rows)
    expected = rows.astype(object) @ steps.T.astype(object) + np.atleast_1d(model.bias).astype(object)
    np.testing.assert_array_equal(found.reshape(len(rows), -1), expected.astype(np.int64))
    assert [found.min(), found.max()] == sum_range(model).tolist()
    scale = Fraction(model.affine.scale.item())
    numbers = library.predict_fixed(rows)
    np.testing.assert_array_equal(numbers, fixed(found))
    errors = [abs(int(n) * fixed.scale - scale * int(s)) for n, s in zip(numbers.flat, found.flat, strict=True)]
    assert max(errors) <= fixed.largest_error


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_at_the_ends_of_int32_do_not_overflow(sign, tmp_path):
    p = 1000
    zero_point = 0 if sign > 0 else 255
    bias = sign * (INT32_MAX - 255 * 255 * p)
    model = integer_model(np.full(p, 255 - zero_point), zero_point, bias, 2.0**-3 * 0.7)
    facts = write(model, tmp_path)
    rows = np.vstack([np.full(p, 255.0), np.zeros(p), np.full(p, 1e300)])
    assert sums(model, model.quantize_input(rows)).tolist() == [sign * INT32_MAX, bias, sign * INT32_MAX]
    (tmp_path / "test.c").write_text(program(model, facts, "model.h", rows))
    done = run_program("gcc", *C99, *SANITIZERS, "model.c", "test.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# Any model


def quantized(case):
    """The quantized model of (float model, rows, scheme, bits); the float one where an int32 sum could overflow."""
    model, X, scheme, bits = case
    try:
        return QuantizedLinear.from_linear(model, X, scheme, bits)
    except HousingError as error:
        if "the int32 sum" in str(error):
            return model
        raise


def far_rows(X):
    """Rows, halves between steps and rows far outside: what is in range, saturates, or is a tie."""
    rng = np.random.default_rng(len(X))
    low, high = X.min(axis=0), X.max(axis=0)
    steps = low + (high - low) * rng.integers(-3, 514, (20, X.shape[1])) / 510
    wild = rng.normal(size=X.shape) * 10.0 ** rng.uniform(-3, 6, X.shape)
    return np.vstack([X, steps, X * wild, -1e3 * X, np.zeros((1, X.shape[1])), wild])


@drawn(10, weekly=100)  # each is compiled
@given(case=quantizable())
def test_any_float_model_predicts_as_in_python(case, folder):
    model, rows = case[0], far_rows(case[1])
    same_bits(Library(model, folder).predict(rows), among_others(model, rows))


@drawn(20, weekly=100)
@examples("case", MODELS)
@given(case=quantizable())
def test_any_quantized_model_predicts_and_bounds_as_in_python(case, folder):
    model, rows = quantized(case), far_rows(case[1])
    library = Library(model, folder)
    same_bits(library.predict(rows), among_others(model, rows))
    if isinstance(model, QuantizedLinear):
        bound, expected = library.error_bound(rows), model.error_bound(rows)
        assert np.all((expected <= bound) & (bound <= 2 * expected))
        if model.scheme == "integer":
            found, outside = library.quantize(rows)
            np.testing.assert_array_equal(found, model.quantize_input(rows))
            np.testing.assert_array_equal(outside > 0, model.saturated(rows))


@pytest.mark.matrix("bits", "compiler")
@pytest.mark.parametrize("bits", range(2, 8))
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("scheme", INTEGERS)
def test_weights_of_few_bits_are_packed_and_python_s_under_the_sanitizers(scheme, compiler, bits, tmp_path):
    # An odd number of weights: most begin within a byte, and the last byte is not full.
    rng = np.random.default_rng(bits)
    X = rng.normal(size=(50, 7)) * 10.0 ** rng.uniform(-3, 3, 7)
    model = QuantizedLinear.from_linear(LinearRegression().fit(X, X @ rng.normal(size=(7, 3))), X, scheme, bits)
    facts = write(model, tmp_path)
    (tmp_path / "test.c").write_text(program(model, facts, "model.h", far_rows(X)))
    done = run_program(compiler, *C99, *SANITIZERS, "model.c", "test.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    # As many bytes as in the file; where weights cross bytes, one more.
    (size,) = re.findall(r"static const uint8_t model_weights\[(\d+)\]", (tmp_path / "model.c").read_text())
    assert int(size) == -(-21 * bits // 8) + (bits not in (2, 4))
    if scheme == "integer":
        rows = rng.integers(0, 256, (40, 7), np.uint8)
        steps = model.weights.astype(np.int64) - int(model.affine.zero_point)
        np.testing.assert_array_equal(Library(model, tmp_path).sum(rows), rows @ steps.T + model.bias)


def test_halves_are_rounded_to_even_and_what_is_outside_saturates_and_is_counted(tmp_path):
    model = integer_model(np.full(1, 1), 0, 0)
    library = Library(model, tmp_path)
    halves = np.arange(-3, 515) / 2
    values = np.concatenate(
        [np.nextafter(halves, -np.inf), halves, np.nextafter(halves, np.inf), [-0.0, 5e-324, 1e308, -1e308]]
    )
    quantized, outside = library.quantize(values[:, None])
    np.testing.assert_array_equal(quantized[:, 0], np.clip(np.rint(values), 0, 255))
    np.testing.assert_array_equal(outside, (np.rint(values) < 0) | (np.rint(values) > 255))
    # To even: 0.5 to 0, 1.5 and 2.5 to 2; and 255.5 would be 256.
    for value, (expected, is_outside) in {
        0.5: (0, 0),
        1.5: (2, 0),
        2.5: (2, 0),
        254.5: (254, 0),
        255.5: (255, 1),
    }.items():
        (found,), counted = library.quantize(np.array([[value]]))
        assert (found.tolist(), counted.tolist()) == ([expected], [is_outside])


def test_each_feature_outside_the_range_is_counted(tmp_path):
    library = Library(integer_model([1, 2, 3], 0, 0), tmp_path)
    rows = np.array([[0.0, 9.0, 255.0], [-1.0, 9.0, 256.0], [-1.0, np.nan, np.inf], [0.0, -np.inf, 1.0]])
    quantized, outside = library.quantize(rows)
    assert outside.tolist() == [0, 2, 3, 1]
    assert quantized.tolist() == [[0, 9, 255], [0, 9, 255], [0, 0, 255], [0, 0, 1]]


@every("name", FILES)
@every("value", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_no_prediction_and_has_no_bound(name, value, models, tmp_path):
    model = load(models / f"{name}.npz")
    library = Library(model, tmp_path)
    rows = np.where(np.eye(8) > 0, value, 1.0)
    assert not np.isfinite(library.predict(rows)).any()
    if name == "uint8-integer":
        assert np.isnan(library.predict(rows)).all()
    if name != "float64":
        assert np.all(library.error_bound(rows) == np.inf)


@pytest.mark.parametrize("name", FILES[1:])
def test_the_bound_of_a_bundled_row_is_python_s(name, models, california, tmp_path):
    model, rows = load(models / f"{name}.npz"), california.table.X[::10]
    bound, expected = Library(model, tmp_path).error_bound(rows), model.error_bound(rows)
    assert np.all(bound >= expected)
    # Of float32's bound, which is small, a part that can be seen is for the rounding of float64.
    np.testing.assert_allclose(bound, expected, rtol=1e-6 if name == "float32" else 1e-8)


@pytest.mark.parametrize("scale", [2.0**-149, 2.0**-126, 2.0**99 * 0.7, float(np.finfo(np.float32).max)])
def test_extreme_scales_are_exact(scale, tmp_path):
    scale = float(np.float32(scale))
    rows = np.array([[0.0, 255.0, 3.0], [255.0, 0.0, 1.0], [1.0, 2.0, 3.0]])
    weights = [200, 0, 255]
    integers = integer_model(weights, 100, -7, scale)
    numbers = integers.numbers()
    for scheme, shape in (("per-tensor", ()), ("per-channel", (3,))):
        known = numbers | {"intercept": np.float64(0.25), "scale": np.full(shape, numbers["scale"])}
        known |= {"zero_point": np.full(shape, np.uint8(100)), "center": np.zeros(3, np.float32)}
        known = {name: known[name] for name in FIELDS[scheme]}
        model = QuantizedLinear.from_numbers(scheme, known, ("a", "b", "c"), ("y",))
        same_bits(Library(model, tmp_path).predict(rows), among_others(model, rows))
    library = Library(integers, tmp_path)
    same_bits(library.predict(rows), integers.predict(rows))
    fixed = Fixed.of(integers)
    assert (
        max(distance(fixed, scale, total) for total in library.sum(rows.astype(np.uint8)).tolist())
        <= fixed.largest_error
    )


def test_a_model_without_an_intercept_begins_with_zero(tmp_path):
    model = linear([0.0, -1.0], 0.0)
    rows = np.array([[-1.0, 0.0], [1.0, 0.0], [-0.0, 0.0]])
    same_bits(Library(model, tmp_path).predict(rows), among_others(model, rows))


def test_several_targets_fill_an_array_and_have_names(tmp_path):
    model = LinearRegression.from_coefficients([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], ["a", "b"], ["y one", "z"])
    facts = write(model, tmp_path)
    text = (tmp_path / "model.h").read_text()
    assert "void model_predict(const double x[MODEL_FEATURES], double predict[MODEL_TARGETS]);" in text
    assert 'MODEL_TARGET_y_one = 0, /* "y one" */' in text and 'MODEL_TARGET_z = 1 /* "z" */' in text
    assert renamed(facts) == ['as constants of C, "y one" is MODEL_TARGET_y_one']
    assert Library(model, tmp_path).predict(np.array([[1.0, 1.0]])).tolist() == [[3.5, 6.5]]


# What the header tells


def test_the_header_tells_what_the_model_is(models, golden):
    text = (golden / "uint8-integer.h").read_text()
    model, content = load(models / "uint8-integer.npz"), (models / "uint8-integer.npz").read_bytes()
    assert f"SHA-256  {sha256(content).hexdigest()}, of the model's file" in text
    assert f"scheme   integer, {model.payload_bytes} bytes of numbers" in text
    assert '"MedHouseVal" in 100,000 US dollars' in text
    assert 'UINT8_INTEGER_FEATURE_HouseAge = 1, /* "HouseAge" in years, from 1 to 52: 1.0 + 0.2 * uint8 */' in text
    fixed = Fixed.of(model)
    for name, value in (
        ("FIXED_BITS", fixed.fraction_bits),
        ("SCALE", model.affine.scale.item()),
        ("FIXED_SCALE", fixed.scale),
        ("FIXED_ERROR", fixed.largest_error),
    ):
        assert float(re.search(rf"#define UINT8_INTEGER_{name} (\S+)", text)[1]) == float(value)
    least, most = sum_range(model)
    assert f"It lies between {least} and {most}." in " ".join(text.split())


def test_the_range_is_that_of_the_rows_that_are_given():
    model = linear([1.0, 2.0], 0.0)
    text = export(model, "c", X=[[1.0, -2.5], [3.0, 4.0]])
    assert 'MODEL_FEATURE_x1 = 1 /* "x1", from -2.5 to 4 */' in text
    assert "from" not in export(model, "c").split("enum")[1].split("}")[0]


def test_equal_models_give_equal_text(models):
    model = load(models / "uint8-per-channel.npz")
    assert export(model, "c", name="price") == export(model, "c", name="price")


# Names


def constants(text):
    return re.findall(r"^    (\w+) = \d+,? /\*", text, flags=re.MULTILINE)


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_no_name_does_harm(compiler, tmp_path):
    model = LinearRegression.from_coefficients(np.arange(len(HOSTILE)), 1.0, HOSTILE, ["*/ int y; /*"])
    facts = Facts.of(model, "*/model")
    text, source = header_and_source(model, facts, "model.h")
    assert text.isascii() and all(c.isprintable() or c == "\n" for c in text)
    names = constants(text)
    assert len(names) == len(set(names)) == len(HOSTILE) and all(name.startswith("MODEL_FEATURE_") for name in names)
    (tmp_path / "model.h").write_text(text)
    (tmp_path / "model.c").write_text(source)
    checks = " && ".join(f"{name} == {i}" for i, name in enumerate(names))
    answer = float(len(HOSTILE) * (len(HOSTILE) - 1) // 2 + 1)
    fill = "for (int i = 0; i < MODEL_FEATURES; i++) x[i] = 1.0;"
    main = f"{fill}\n    return {checks} && model_predict(x) == {answer} ? 0 : 1;"
    (tmp_path / "main.c").write_text(
        f'#include "model.h"\nint main(void) {{\n    double x[MODEL_FEATURES];\n    {main}\n}}\n'
    )
    flags = ["-x", "c++", "-std=c++98", *STRICT] if "++" in compiler else [*C99, "-trigraphs"]
    assert run_program(compiler, *flags, "model.c", "main.c", cwd=tmp_path).returncode == 0


def test_a_name_that_is_an_identifier_stays_and_others_are_told():
    model = LinearRegression.from_coefficients([1.0, 2.0, 3.0, 4.0], 0.0, ["a b", "a_b", "int", "a-b"], ["y"])
    facts = Facts.of(model, "model")
    assert constants(header(model, facts)) == [f"MODEL_FEATURE_{name}" for name in ("a_b_2", "a_b", "int", "a_b_3")]
    assert renamed(facts) == ['as constants of C, "a b" is MODEL_FEATURE_a_b_2, "a-b" is MODEL_FEATURE_a_b_3']
    assert renamed(Facts.of(linear([1.0], 0.0), "model")) == []


@pytest.mark.parametrize(
    ("name", "begin"),
    [("price", "price"), ("my-model.v2", "my_model_v2"), ("2nd", "model_2nd"), ("§", "model"), ("int", "int")],
)
def test_the_model_s_name_is_what_its_functions_begin_with(name, begin):
    facts = Facts.of(linear([1.0], 0.0), name)
    text = header(linear([1.0], 0.0), facts)
    assert f"static inline double {begin}_predict(" in text and f"#ifndef {begin.upper()}_H" in text
    assert [f"begin with {begin}_" in each for each in renamed(facts)] == [True] * (name != begin)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True
    )
)
def test_whatever_the_names_constants_are_unique_and_comments_whole(names):
    model = LinearRegression.from_coefficients(np.ones(len(names)), 0.0, names, ["the target"])
    try:
        text = header(model, Facts.of(model, "model"))
    except HousingError:  # two names of one normal form, as a file refuses them
        return
    found = constants(text)
    assert len(set(found)) == len(found) == len(names)
    assert text.count("/*") == text.count("*/") and text.isascii() and "??" not in text


# The page


def test_the_page_leads_from_a_training_to_a_program(tmp_path):
    text = (Path(ROOT) / "docs" / "elsewhere.md").read_text(encoding="utf-8")
    section = re.search(r"^## C$(.*?)(^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)[1]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE))
    tool("cc")
    (tmp_path / "main.c").write_text(blocks["c"], encoding="utf-8")
    python = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    command, expected = blocks["console"].removeprefix("$ ").split("\n", 1)
    script = python + "set -e\n" + (blocks["sh"] + command).replace("-std=c99", " ".join(C99))
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1000 of 1000 rows are equal\n" + expected)
