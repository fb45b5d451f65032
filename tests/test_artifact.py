import contextlib
import hashlib
import os
import re
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.recfunctions import drop_fields
from numpy.testing import assert_array_equal
from strategies import MODELS, linear, quantizable

from housing_np import ArtifactError, HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.quantized.schemes import FIELDS, INTEGERS, SCHEMES
from housing_np.rows.columns import Columns
from housing_np.store.artifact import to_bytes

KINDS = ("float64", *SCHEMES)
LAYOUTS = (*KINDS, "packed")
X = np.random.default_rng(0).normal(size=(9, 3)) * [1.0, 30.0, 1e-3]
FLOAT = linear([0.5, -0.03, 200.0], 4.0)
CAP = 16 << 20


def quantize(model, rows, kind):
    if kind == "packed":
        return QuantizedLinear.from_linear(model, rows, "per-channel", 3)
    return model if kind == "float64" else QuantizedLinear.from_linear(model, rows, kind)


def state(model):
    """All that a model is made of, by name."""
    names = {"features": model.feature_names_in_, "targets": model.target_names_}
    if isinstance(model, QuantizedLinear):
        arrays = {"center": model.center, "bias": model.bias, "intercept": model.intercept, "slack": model.slack}
        return names | model.numbers() | arrays | {"scheme": model.scheme, "radius": model.radius}
    return names | {"coef": model.coef_, "intercept": np.asarray(model.intercept_)}


def assert_same(model, other):
    assert type(model) is type(other)
    expected, found = state(model), state(other)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            assert_array_equal(found[name], value, strict=True)
        else:
            assert found[name] == value


def refusal(path):
    """The message with which `load` refuses a file: an ArtifactError of one line that names the file."""
    with pytest.raises(ArtifactError, match=re.escape(str(path))) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def loads_or_refuses(path):
    try:
        model = load(path)
    except ArtifactError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert np.isfinite(model.predict(np.zeros((1, model.coef_.shape[-1])))).all()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def record_of(kind, model=FLOAT, rows=X):
    """The record that a model's file holds, to be tampered with."""
    return record_of_model(quantize(model, rows, kind))


def record_of_model(model):
    with zipfile.ZipFile(BytesIO(to_bytes(model))) as archive:
        content = BytesIO(archive.read("m.npy"))
    return np.lib.format.read_array(content)


def saved(kind, model=FLOAT, rows=X):
    return to_bytes(quantize(model, rows, kind))


def npy(array, allow_pickle=False, version=None):
    content = BytesIO()
    np.lib.format.write_array(content, np.asarray(array), version, allow_pickle)
    return content.getvalue()


def npz(*members, method=zipfile.ZIP_DEFLATED):
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def header(text, padding=0):
    """A .npy file of version 1.0 with this header and no numbers."""
    text = text.encode() + b" " * padding + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def write_record(path, record):
    path.write_bytes(npz(("m.npy", npy(record))))


def tampered(kind, **fields):
    record = record_of(kind)
    for name, value in fields.items():
        record[name] = value
    return record


@pytest.mark.parametrize("kind", KINDS)
def test_load_gives_back_what_was_saved(path, kind):
    model = quantize(FLOAT, X, kind)
    save(model, path)
    assert_same(model, load(path))
    assert_array_equal(load(path).predict(X), model.predict(X), strict=True)


@every("kind", KINDS)
@every("targets", [1, 3])
def test_several_targets_come_back(path, kind, targets):
    model = quantize(linear(np.arange(1.0, 3 * targets + 1).reshape(targets, 3), np.ones(targets)), X, kind)
    save(model, path)
    assert_same(model, load(path))
    assert load(path).predict(X).shape == (9, targets)


@given(case=quantizable(exponent=3))
def test_any_quantized_model_comes_back(tmp_path_factory, case):
    path = tmp_path_factory.mktemp("models") / "model.npz"
    try:
        model = QuantizedLinear.from_linear(*case)
    except HousingError:
        return
    save(model, path)
    assert_same(model, load(path))
    assert_array_equal(load(path).error_bound(case[1]), model.error_bound(case[1]), strict=True)


def test_edge_cases_come_back(path):
    for case in MODELS:
        model = QuantizedLinear.from_linear(*case)
        save(model, path)
        assert_same(model, load(path))


FEW_BITS = linear([[0.5, -0.03, 200.0], [1.5, 0.01, -90.0], [-0.25, 0.02, 0.0]], [4.0, -2.0, 0.0])


def in_bits(weights, bits):
    """The bytes of integers, the lowest bit first, by Python's own large integers."""
    total = sum(int(q) << bits * i for i, q in enumerate(np.ravel(weights)))
    return total.to_bytes((np.size(weights) * bits + 7) // 8, "little")


@pytest.mark.parametrize("scheme", INTEGERS)
def test_weights_of_few_bits_are_packed_and_come_back(path, scheme):
    for float_model, bits in product((FLOAT, FEW_BITS), range(2, 9)):
        model = QuantizedLinear.from_linear(float_model, X, scheme, bits)
        save(model, path)
        assert_same(model, load(path))
        assert load(path).bits == bits
        record = record_of_model(model)
        assert record["format"].item().decode() == f"housing_np {3 if bits < 8 else 1} {scheme}"
        assert record["weights"].tobytes() == in_bits(model.weights, bits)
        assert model.payload_bytes == sum(record[name].nbytes for name in record.dtype.names[2:])


def test_four_bits_are_packed_as_onnx_packs_them(path):
    helper = pytest.importorskip("onnx").helper
    model = QuantizedLinear.from_linear(FEW_BITS, X, "per-channel", 4)
    proto = helper.make_tensor("w", helper.onnx.TensorProto.UINT4, [9], model.weights.ravel().tolist())
    packed = proto.raw_data or bytes(proto.int32_data)
    assert record_of_model(model)["weights"].tobytes() == packed


def unpacked_record(model, *texts):
    """The record of a model as it was written before weights of fewer than 8 bits were packed: a byte for each."""
    scheme = model.scheme
    head = [(name, f"S{len(text)}") for name, text in zip(("format", "names", "columns"), texts, strict=False)]
    numbers = [(name, field.type, field.shape(model.weights.shape)) for name, field in FIELDS[scheme].items()]
    record = np.zeros((), head + numbers)
    for name, value in zip(record.dtype.names, [*texts, *model.numbers().values()], strict=True):
        record[name] = value
    return record


@pytest.mark.parametrize("scheme", INTEGERS)
def test_unpacked_weights_of_earlier_versions_are_read_for_good(path, scheme):
    columns = [b"age\0sea=near\0sea=out\0y0", b'[null,["sea","far","near","out"]]']
    for bits in range(2, 9):
        model = QuantizedLinear.from_linear(FLOAT, X, scheme, bits)
        for version, texts, names in (
            (1, [b"x0\0x1\0x2\0y0"], ("x0", "x1", "x2")),
            (2, columns, ("age", "sea")),
        ):
            write_record(path, unpacked_record(model, f"housing_np {version} {scheme}".encode(), *texts))
            found = load(path)
            assert (found.columns.names, found.bits) == (names, bits)
            assert all(np.array_equal(value, found.numbers()[name]) for name, value in model.numbers().items())
            np.testing.assert_array_equal(found.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [0, 0xF0]}, "the last byte of weights holds bits of no weight: expected 0 after 12"),
        ({"bits": 8}, "bits is 8: expected 2 to 7 in housing_np 3"),
        ({"bits": 1}, "bits is 1: expected 2 to 7 in housing_np 3"),
        ({"bits": 7}, "the record is ('weights', '|u1', (2,)) where ('weights', '|u1', (3,)) is expected"),
        ({"format": b"housing_np 3 float64"}, "expected 'housing_np 1' and one of"),
        ({"format": b"housing_np 1 per-tensor"}, "4 names, expected 3 that are not empty"),
        ({"names": b"a\0b\0c\0d\0e\0y"}, "where ('weights', '|u1', (3,)) is expected"),
    ],
)
def test_packed_weights_are_those_of_their_names_and_bits(path, changes, message):
    record = record_of_model(QuantizedLinear.from_linear(FLOAT, X, "per-tensor", 4))
    for name, value in changes.items():
        record[name] = value
    write_record(path, record)
    assert message in refusal(path)


def test_packed_weights_of_columns_come_back(path):
    columns = Columns(("age", "sea"), levels={"sea": ("far", "near", "out")}, fills={"age": 3.5})
    model = LinearRegression.from_coefficients([1.0, 2.0, -3.0], 0.5, columns.feature_names, ["y"], columns)
    save(QuantizedLinear.from_linear(model, X, bits=3), path)
    assert record_of_model(load(path))["format"].item() == b"housing_np 3 per-channel"
    assert (load(path).columns, load(path).bits) == (columns, 3)


@every(
    "names",
    [
        ("Größe", "価格", "🏠"),
        ("a b", "a,b", 'a"b'),
        ("a", "a ", " a"),
        ("y", "x\n", "\t"),
        ("y bound", "Y", "x" * 999),
    ],
)
@every("kind", ["float64", "per-channel"])
def test_names_come_back(path, kind, names):
    model = LinearRegression.from_coefficients([1.0, 2.0, 3.0], 0.0, names, ["target"])
    save(quantize(model, X, kind), path)
    assert load(path).feature_names_in_ == names
    assert load(path).target_names_ == ("target",)


def named(features, targets, kind="float64"):
    """A model with these names, however they came about."""
    model = quantize(linear(np.ones((len(targets), len(features))), np.ones(len(targets))), np.eye(len(features)), kind)
    vars(model).update(feature_names_in_=tuple(features), target_names_=tuple(targets))
    return model


@every("name", ["", "a\0b", "\0", "\udc80", 7, None, b"a"])
@every("kind", ["float64", "integer"])
def test_names_that_cannot_be_stored_are_refused(path, name, kind):
    model = named(["a", name], ["y"], kind)
    with pytest.raises(HousingError, match=f"{re.escape(repr(name))} cannot name a feature or target"):
        save(model, path)
    assert not path.exists()


TWICE = [
    (["a", "b", "a"], ["y"], "'a' names 2 features or targets: give each a name of its own"),
    (["a", "y"], ["y"], "'y' names 2 features or targets"),
    (["a", "b"], ["y", "z", "y"], "'y' names 2 features or targets"),
    (["a", "b"], ["y", "y_bound"], "'y_bound' is what the bound of 'y' is called: give it another name"),
    (["a", "y_bound"], ["y"], "'y_bound' is what the bound of 'y' is called"),
]


@every(("features", "targets", "message"), TWICE)
@every("kind", ["float64", "per-channel"])
def test_names_that_cannot_be_told_apart_are_not_saved(path, kind, features, targets, message):
    with pytest.raises(HousingError, match=message):
        save(named(features, targets, kind), path)
    assert not path.exists()


@every(("features", "targets", "message"), TWICE)
@every("kind", ["float64", "per-channel"])
def test_names_that_cannot_be_told_apart_are_not_loaded(path, kind, features, targets, message):
    apart = named(
        [f"{i}" * len(name) for i, name in enumerate(features)],
        [f"{9 - i}{n[1:]}" for i, n in enumerate(targets)],
        kind,
    )
    record = record_of_model(apart)
    record["names"] = "\0".join(features + targets).encode()
    write_record(path, record)
    assert message in refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_models_give_equal_bytes(tmp_path, kind):
    for name in ("a.npz", "b.npz"):
        save(quantize(FLOAT, X, kind), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_loaded_model_is_saved_to_the_same_bytes(tmp_path, kind):
    save(quantize(FLOAT, X, kind), tmp_path / "a.npz")
    save(load(tmp_path / "a.npz"), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def fixed(kind):
    """A model of numbers that no arithmetic made, two features and one target."""
    if kind == "float64":
        return linear([0.1, -2e-300], 1 / 3)
    numbers = {
        "bits": 8,
        "weights": np.float32([0.1, -3e7]) if kind == "float32" else np.array([3, 255], np.uint8),
        "scale": np.float32([0.1, 1e-30] if kind == "per-channel" else 0.1),
        "zero_point": np.uint8([7, 0] if kind == "per-channel" else 7),
        "radius": np.float32(0.3),
        "slack": np.float32(1e-9),
        "intercept": np.float32(-0.7) if kind == "float32" else np.float64(-0.7),
        "bias": np.int32(-12345),
        "center": np.uint8([1, 2]) if kind == "integer" else np.float32([0.2, -3e7]),
        "input_scale": np.float32([0.01, 1e9]),
        "input_offset": np.array([-0.1, 1e300]),
    }
    used = {name: numbers[name] for name in FIELDS[kind]}
    return QuantizedLinear.from_numbers(kind, used, ("größe", "x1"), ("y",))


def digest(model):
    with zipfile.ZipFile(BytesIO(to_bytes(model))) as archive:
        return hashlib.sha256(archive.read("m.npy")).hexdigest()


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("float64", "bbe6c923317c918eb110a25dff881485248b48d17c9e76cc88946ea604f008c3"),
        ("per-tensor", "96361ee4a5cd8951eb0bd53f2bd382bd7df148dfddc07ecd1f98f077f3aeac83"),
        ("per-channel", "4a27939c2a1b2af01a162578d073ce3d58210bbdac19b3468c6f8c528839fd4a"),
        ("integer", "97cd89488867ebe202b6d663f164e2db0d3eb6e86de3f947a83ab92797353d6d"),
    ],
)
def test_fixed_numbers_give_the_known_record_on_every_numpy(kind, known):
    assert digest(fixed(kind)) == known


def test_rows_that_are_summed_exactly_give_the_known_record_on_every_numpy(california):
    table = california.table
    model = LinearRegression().fit(table.X[:1000], table.y[:1000])
    assert digest(model) == "db70ed8b9f82cd9165d9e8c614ff252c21b708dc13d78f5713dedb3342cd38a6"


@pytest.mark.parametrize("kind", KINDS)
def test_around_the_deflated_record_is_nothing_that_could_differ(kind):
    """The archive by the words of the zip specification (APPNOTE.TXT, 4.3), the date in it 1980-01-01."""
    content = to_bytes(fixed(kind))
    with zipfile.ZipFile(BytesIO(content)) as archive:
        record = archive.read("m.npy")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(record) + packer.flush()
    common = struct.pack("<5H3L2H", 20, 0, 8, 0, 33, zlib.crc32(record), len(packed), len(record), 5, 0)
    local = b"PK\3\4" + common + b"m.npy" + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<3H2L", 0, 0, 0, 0o600 << 16, 0) + b"m.npy"
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)
    assert content == local + central + end


def test_save_returns_the_size_of_the_file(path):
    assert save(FLOAT, path) == path.stat().st_size


def test_paths_may_be_str(path):
    save(FLOAT, str(path))
    assert_same(FLOAT, load(str(path)))


def test_folders_are_made(tmp_path):
    save(FLOAT, tmp_path / "a" / "b" / "model.npz")
    assert_same(FLOAT, load(tmp_path / "a" / "b" / "model.npz"))


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_reads_one_member_with_one_record(path, kind):
    save(quantize(FLOAT, X, kind), path)
    with np.load(path) as archive:
        assert archive.files == ["m"]
        assert archive["m"].shape == ()
        assert archive["m"].dtype.names[:2] == ("format", "names")
        assert archive["m"]["format"] == f"housing_np 1 {kind}".encode()


def test_sizes_on_california(california, tmp_path):
    table, model = california
    sizes = {kind: save(quantize(model, table.X, kind), tmp_path / f"{kind}.npz") for kind in KINDS}
    assert sizes["per-tensor"] <= 400
    assert sizes["per-tensor"] < sizes["float64"]
    # What numpy.savez of the same numbers takes, one member each: two containers.
    np.savez(tmp_path / "plain.npz", coef=model.coef_, intercept=model.intercept_)
    assert max(sizes.values()) < 697
    assert sizes["float64"] < (tmp_path / "plain.npz").stat().st_size


@pytest.mark.parametrize("where", ["fsync", "rename"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, where):
    def fail(*args):
        raise OSError(28, "No space left on device")

    path = tmp_path / "model.npz"
    save(FLOAT, path)
    monkeypatch.setattr(*((os, "fsync") if where == "fsync" else (type(path), "replace")), fail)
    with pytest.raises(ArtifactError, match=r"model\.npz: cannot be written \(No space left on device\)"):
        save(linear([9.0], 9.0), path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    assert_same(FLOAT, load(path))


def test_saving_to_a_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"cannot be written \(Is a directory\)"):
        save(FLOAT, tmp_path)


def test_saving_below_a_file_is_refused(path):
    path.write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"cannot be written \("):
        save(FLOAT, path / "model.npz")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a\nb\0"])
def test_what_no_file_can_be_called_is_refused_in_one_line(tmp_path, name):
    path = f"{tmp_path}/{name}"
    for use in (load, lambda path: save(FLOAT, path)):
        with pytest.raises(ArtifactError, match=r"^'.*': no file can be called so \(.*\)") as caught:
            use(path)
        assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["x", None, np.ones(3), LinearRegression])
def test_what_is_not_a_model_is_not_saved(path, model):
    with pytest.raises(HousingError, match="expected a LinearRegression or a QuantizedLinear to save, not "):
        save(model, path)
    assert not path.exists()


def test_a_missing_file_is_refused(path):
    assert "cannot be read (No such file or directory)" in refusal(path)


def test_a_missing_file_beside_a_model_of_that_name_asks_for_it(path):
    save(FLOAT, path)
    assert refusal(path.with_suffix("")).endswith(f"; did you mean {path.as_posix()}?")


def test_a_folder_is_refused(tmp_path):
    assert "a folder, not a regular file; give a model file (.npz) in it" in refusal(tmp_path)


def write_until_closed(path, content):
    with contextlib.suppress(BrokenPipeError):
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("extra", "refused"), [(0, ""), (16 << 20, "more bytes; expected a model file (.npz) of at most 16777216 bytes")]
)
def test_a_pipe_is_read_as_a_file_is(path, extra, refused):
    content = to_bytes(FLOAT)
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_until_closed, path, content + bytes(extra))
        if refused:
            assert refused in refusal(path)
        else:
            assert_array_equal(load(path).coef_, FLOAT.coef_)
        writing.result()


def test_a_device_is_refused():
    assert "neither a regular file nor a pipe" in refusal("/dev/null")
    assert "neither a regular file nor a pipe" in refusal("/dev/zero")


def test_a_link_to_a_model_is_loaded(path):
    save(FLOAT, path)
    path.with_name("link").symlink_to(path)
    assert_same(FLOAT, load(path.with_name("link")))


@every("content", [b"", b"\0", b"hello", b"PK\x05\x06" + bytes(18), npy(1.0), b"\x93NUMPY"])
def test_what_is_not_a_zip_with_a_model_is_refused(path, content):
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_file_cut_at_any_length_is_refused(path, kind):
    content = saved(kind)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refusal(path)


# Single bits, all bits, and from deflate (8) to bzip2 (12), LZMA (14) and Zstandard (93).
@pytest.mark.matrix(pattern=1)
@pytest.mark.parametrize("pattern", [1, 2, 4, 8, 16, 32, 64, 128, 255, 8 ^ 12, 8 ^ 14, 8 ^ 93])
@every("kind", LAYOUTS)
def test_any_changed_byte_is_refused_or_harmless(path, kind, pattern):
    content = saved(kind)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= pattern
        path.write_bytes(changed)
        loads_or_refuses(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_other_compression_is_refused_or_harmless(path, kind):
    content = saved(kind)
    for position in (at for at, byte in enumerate(content) if byte == 8):
        for method in (12, 14, 93):
            path.write_bytes(content[:position] + bytes([method]) + content[position + 1 :])
            loads_or_refuses(path)


EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=4)


def edited(content, edits):
    for position, length, replacement in edits:
        position %= len(content) + 1
        content = content[:position] + replacement + content[position + length :]
    return content


@given(st.sampled_from(LAYOUTS), EDITS)
def test_random_edits_of_the_file_are_refused_or_harmless(tmp_path_factory, kind, edits):
    path = tmp_path_factory.mktemp("models") / "model.npz"
    path.write_bytes(edited(saved(kind), edits))
    loads_or_refuses(path)


@given(st.sampled_from(LAYOUTS), EDITS)
def test_random_edits_under_a_valid_checksum_are_refused_or_harmless(tmp_path_factory, kind, edits):
    path = tmp_path_factory.mktemp("models") / "model.npz"
    path.write_bytes(npz(("m.npy", edited(npy(record_of(kind)), edits))))
    loads_or_refuses(path)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_member_cut_at_any_length_is_refused(path, kind):
    content = npy(record_of(kind))
    for length in range(len(content)):
        path.write_bytes(npz(("m.npy", content[:length])))
        refusal(path)


def test_numbers_beyond_the_record_are_refused(path):
    path.write_bytes(npz(("m.npy", npy(record_of("float64")) + b"\0")))
    assert "bytes of numbers, expected" in refusal(path)


def test_a_file_larger_than_the_cap_is_refused(path):
    with path.open("wb") as file:
        file.truncate(CAP + 1)
    assert f"{CAP + 1} bytes; expected a model file (.npz) of at most {CAP} bytes" in refusal(path)


def test_a_member_that_declares_more_than_the_cap_is_refused(path):
    path.write_bytes(npz(("m.npy", bytes(CAP + 1))))
    assert path.stat().st_size < 100_000
    assert f"m.npy declares {CAP + 1} bytes, expected at most {CAP}" in refusal(path)


def declaring(content, size):
    """The archive with another size of its member in its directory."""
    at = content.rfind(b"PK\x01\x02") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_larger_than_it_declares_is_not_inflated(path, method):
    path.write_bytes(declaring(npz(("m.npy", bytes(64 << 20)), method=method), 500))
    tracemalloc.start()
    try:
        refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * CAP


def test_a_header_that_declares_a_huge_record_is_refused(path):
    descr = "[('format', '|S20'), ('names', '|S999999999'), ('coef', '<f8', (3,)), ('intercept', '<f8')]"
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (), }}"
    path.write_bytes(npz(("m.npy", header(text) + b"housing_np 1 float64")))
    assert f"holds 20 bytes of numbers, expected {20 + 999_999_999 + 4 * 8}" in refusal(path)


def test_a_header_that_declares_huge_weights_is_refused(path):
    for shape in ("(999999999,)", "(4096, 4097)", f"({', '.join(['999999999'] * 8)})"):
        descr = f"[('format', '|S20'), ('names', '|S7'), ('coef', '<f8', {shape}), ('intercept', '<f8')]"
        text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (), }}"
        path.write_bytes(npz(("m.npy", header(text) + b"housing_np 1 float64")))
        assert "expected (features,) or (targets, features)" in refusal(path)


def test_names_of_no_bytes_are_refused(path):
    descr = "[('format', '|S20'), ('names', '|S0'), ('coef', '<f8', (1,)), ('intercept', '<f8')]"
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (), }}"
    path.write_bytes(npz(("m.npy", header(text) + b"housing_np 1 float64" + bytes(16))))
    assert "expected one record" in refusal(path)


def test_the_header_is_read_as_numpy_writes_it(path):
    # What else the header of the same record could look like; NumPy reads all of them.
    record = record_of("float64")
    content = npy(record)
    for old, new in [
        (b"'shape': (), }", b"'shape': ()}  "),
        (b"'fortran_order': False, 'shape': ()", b"'shape': (), 'fortran_order': False"),
        (b"('coef'", b"('\\x63oef'"),
        (b"'<f8', (3,)", b"'<f8', 3"),
    ]:
        changed = content.replace(old, new, 1)
        start = changed.index(b"{")
        text = changed[start : changed.index(b"\n", start)].strip()
        other = header(text.decode()) + content[content.index(b"\n", 10) + 1 :]
        assert np.lib.format.read_array(BytesIO(other)) == record
        path.write_bytes(npz(("m.npy", other)))
        assert "does not begin with the header of a .npy file 1.0: expected one record" in refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_loading_leaves_the_filters_of_warnings_alone(path, kind, monkeypatch):
    save(quantize(FLOAT, X, kind), path)

    def touched(*args, **kwargs):
        pytest.fail("the filters were touched")

    for name in ("catch_warnings", "simplefilter", "filterwarnings"):
        monkeypatch.setattr(warnings, name, touched)
    load(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_not_deflated_is_refused(path, method):
    path.write_bytes(npz(("m.npy", npy(record_of("float64"))), method=method))
    refusal(path)


def test_an_encrypted_member_is_refused(path):
    content = bytearray(saved("float64"))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path)


@every("names", [[], ["x.npy"], ["m"], ["M.npy"], ["a/m.npy"], ["m.npy", "b.npy"], ["a.npy", "m.npy"]])
def test_other_members_are_refused(path, names):
    path.write_bytes(npz(*((name, npy(record_of("float64"))) for name in names)))
    assert f"expected one member, m.npy; found {len(names)}" in refusal(path)


def test_the_same_member_twice_is_refused(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = npz(*2 * [("m.npy", npy(record_of("float64")))])
    path.write_bytes(content)
    assert "expected one member, m.npy; found 2" in refusal(path)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_pickles_are_refused_and_not_run(path, shape):
    array = np.empty(shape, object)
    array[...] = Trap()
    path.write_bytes(npz(("m.npy", npy(array, allow_pickle=True))))
    assert "expected one record" in refusal(path)


def test_a_record_with_an_object_is_refused(path):
    text = "{'descr': [('format', 'S20'), ('names', 'O')], 'fortran_order': False, 'shape': ()}"
    path.write_bytes(npz(("m.npy", header(text) + bytes(28))))
    assert "expected one record" in refusal(path)


@pytest.mark.parametrize("array", [1.0, [1.0, 2.0], np.zeros((), "S20"), np.zeros(0), np.zeros((), "V8")])
def test_what_is_not_a_record_is_refused(path, array):
    path.write_bytes(npz(("m.npy", npy(array))))
    assert "expected one record" in refusal(path)


def test_several_records_are_refused(path):
    write_record(path, np.array([record_of("float64")]))
    assert "expected one record" in refusal(path)


@pytest.mark.parametrize("version", [2, 3])
def test_another_version_before_the_same_header_is_refused(path, version):
    content = bytearray(npy(record_of("float64")))
    content[6] = version
    path.write_bytes(npz(("m.npy", content)))
    refusal(path)


@pytest.mark.parametrize("version", [(2, 0), (3, 0)])
def test_other_versions_of_npy_are_refused(path, version):
    path.write_bytes(npz(("m.npy", npy(record_of("float64"), version=version))))
    refusal(path)


@every(
    "text",
    [
        "",
        "{",
        "{'descr': [(",
        "'''",
        "\\",
        "(" * 200,
        "[" * 5000,
        "{1: 2, 'a': 3}",
        "{[]: 1}",
        "{'descr': '<f8'}",
        "{'descr': 'nothing', 'fortran_order': False, 'shape': ()}",
        "{'descr': 'a5', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)}",
        "{'descr': [('x', '<f8', (-3,))], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('x', '<f8', (9999999, 9999999, 9999999))], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('x', 'S99999999999999999999')], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('x', None)], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('x', '<f8'), ('x', '<f8')], 'fortran_order': False, 'shape': ()}",
        "{'descr': [(('format', 'title'), 'S3'), ('names', 'S3')], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('x', 'V0')], 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': ()}",
    ],
)
def test_headers_that_are_not_those_of_a_record_are_refused(path, text):
    path.write_bytes(npz(("m.npy", header(text))))
    refusal(path)


def test_a_long_header_is_refused_in_one_line(path):
    text = f"{{'descr': {np.dtype(record_of('float64').dtype).descr}, 'fortran_order': False, 'shape': ()}}"
    path.write_bytes(npz(("m.npy", header(text, padding=20_000))))
    refusal(path)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_field_is_needed(path, kind):
    record = record_of(kind)
    for name in record.dtype.names:
        write_record(path, drop_fields(record.reshape(1), name, usemask=False)[0])
        refusal(path)


def retyped(record, descr):
    """The numbers of a record under other types and shapes."""
    other = np.zeros((), descr)
    for name in record.dtype.names:
        other[name] = record[name] if other[name].shape == record[name].shape else 1
    return other


def refused_with_field(path, record, changed, base, shape):
    fields = [(name, record.dtype[name].base.str, record.dtype[name].shape) for name in record.dtype.names]
    descr = [(changed, base, shape) if field[0] == changed else field for field in fields]
    if np.dtype(descr) != record.dtype:
        write_record(path, retyped(record, descr))
        refusal(path)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_field_has_its_type(path, kind):
    record = record_of(kind)
    for name in record.dtype.names[2:]:
        for base in ("<f2", "<i8", "u1", "<f8", "<f4", ">f8", "S8"):
            with np.errstate(all="ignore"):
                refused_with_field(path, record, name, base, record.dtype[name].shape)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_field_has_its_shape(path, kind):
    record = record_of(kind)
    for name in record.dtype.names[2:]:
        shape = record.dtype[name].shape
        for other in ((*shape, 2), (*shape, 1), shape[:-1], (*shape[:-1], 2)):
            refused_with_field(path, record, name, record.dtype[name].base.str, other)


def test_a_field_too_many_is_refused(path):
    record = record_of("float64")
    wider = np.zeros((), [*record.dtype.descr, ("more", "<f8")])
    for name in record.dtype.names:
        wider[name] = record[name]
    write_record(path, wider)
    assert "the record is" in refusal(path)


@every(
    "format",
    [b"", b"housing_np", b"housing_np 1 ", b"float64", b"housing_np 2 float64", b"housing_np 1 int4", b"\xff\n"],
)
def test_other_formats_are_refused(path, format):
    write_record(path, tampered("float64", format=format))
    assert "expected 'housing_np 1' and one of float64, per-tensor, per-channel, integer" in refusal(path)


def test_a_format_of_another_scheme_is_refused(path):
    write_record(path, tampered("per-tensor", format=b"housing_np 1 float64"))
    refusal(path)


@pytest.mark.matrix("bad")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_are_not_finite_are_refused(path, kind, bad):
    record = record_of(kind)
    for name in record.dtype.names[2:]:
        if record.dtype[name].base.kind == "f":
            write_record(path, tampered(kind, **{name: bad}))
            assert f"{name} holds a number that is not finite" in refusal(path)


@every(
    ("kind", "field", "value", "message"),
    [
        ("per-tensor", "scale", 0.0, "scale must be finite and positive"),
        ("per-tensor", "scale", -1.0, "scale must be finite and positive"),
        ("per-channel", "scale", [1.0, 0.0, 1.0], "scale must be finite and positive"),
        ("integer", "scale", -1e-30, "scale must be finite and positive"),
        ("integer", "input_scale", [1.0, 0.0, 1.0], "input_scale must be positive"),
        ("integer", "input_scale", -1.0, "input_scale must be positive"),
        ("per-tensor", "bits", 9, "bits is 9: expected an integer from 2 to 8"),
        ("per-tensor", "bits", 1, "bits is 1: expected an integer from 2 to 8"),
        ("per-channel", "bits", 255, "bits is 255: expected an integer from 2 to 8"),
        ("per-tensor", "radius", -1.0, "radius and slack must not be negative"),
        ("per-channel", "slack", -1e-9, "radius and slack must not be negative"),
        ("integer", "bias", -(2**31), "the int32 sum of the scheme 'integer' could reach"),
        ("integer", "bias", 2**31 - 1, "the int32 sum of the scheme 'integer' could reach"),
    ],
)
def test_numbers_out_of_range_are_refused(path, kind, field, value, message):
    write_record(path, tampered(kind, **{field: value}))
    assert message in refusal(path)


@every(("field", "message"), [("weights", "q must be integers"), ("zero_point", "zero_point must be")])
@every("kind", INTEGERS)
def test_integers_of_more_bits_are_refused(path, kind, field, message):
    write_record(path, tampered(kind, **({"weights": 0, "zero_point": 0, "bits": 4} | {field: 16})))
    assert message in refusal(path)
    assert "from 0 to 15 with bits=4" in refusal(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (b"a\0b\0c", "3 names, expected 4"),
        (b"a\0b\0c\0d\0e", "5 names, expected 4"),
        (b"a\0\0c\0d", "4 names, expected 4 that are not empty"),
        (b"", "1 name, expected 4"),
        (b"a\0b\0c\0\xff", "the names are not UTF-8"),
    ],
)
def test_bad_names_are_refused(path, names, message):
    write_record(path, tampered("float64", names=names))
    assert message in refusal(path)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1, 1, 1)])
def test_shapes_that_are_not_a_model_are_refused(path, shape):
    descr = [("format", "S20"), ("names", "S3"), ("coef", "<f8", shape), ("intercept", "<f8", shape[:-1])]
    record = np.zeros((), descr)
    record["format"] = b"housing_np 1 float64"
    write_record(path, record)
    assert f"coef has shape {shape}, expected (features,) or (targets, features)" in refusal(path)


def test_a_model_of_many_features_comes_back(path):
    model = linear(np.arange(1.0, 401.0), 0.0)
    save(model, path)
    assert_same(model, load(path))


@pytest.mark.parametrize("coef", [[np.nan], [np.inf]])
def test_what_load_would_refuse_is_not_saved(path, coef):
    with pytest.raises(HousingError, match="coef holds a number that is not finite"):
        save(linear(coef, 0.0), path)
    assert not path.exists()


def test_a_slack_beyond_float32_is_not_saved(path):
    with pytest.raises(HousingError, match="slack holds a number that is not finite in its file"):
        save(QuantizedLinear.from_linear(linear([1.0], 1e60), [[1.0], [2.0]]), path)


def test_a_model_that_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(HousingError, match="no coefficients yet: call fit first"):
        save(LinearRegression(), tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    names = [f"x{i}" for i in range(1500)]
    targets = [f"y{i}" for i in range(1500)]
    model = LinearRegression.from_coefficients(np.ones((1500, 1500)), np.ones(1500), names, targets)
    with pytest.raises(HousingError, match="a file holds 16776192 at most"):
        save(model, tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []


def packed_zeros(features, targets, names):
    numbers = {"bits": 2, "weights": np.zeros((targets, features), np.uint8), "scale": np.float32(1), "zero_point": 0}
    numbers |= {"radius": np.float32(0.5), "slack": np.zeros(targets, np.float32), "intercept": np.zeros(targets)}
    named = tuple(names.format(i) for i in range(features))
    return QuantizedLinear.from_numbers("per-tensor", numbers, named, tuple(f"y{i}" for i in range(targets)))


def test_packed_weights_behind_names_that_are_longer_than_the_head_of_a_file_come_back(path):
    # Two bits of all of these weights take more than a quarter of the largest number of weights.
    model = packed_zeros(15_000, 1_000, "the name of a feature, {}")
    assert sum(map(len, model.feature_names)) > 1 << 18
    save(model, path)
    assert load(path).weights.shape == (1_000, 15_000)


def test_more_weights_than_a_file_is_read_with_are_not_saved(path):
    with pytest.raises(HousingError, match=r"^the model has 16785409 weights: a file holds 16777216 at most$"):
        save(packed_zeros(4097, 4097, "x{}"), path)


@pytest.mark.parametrize("layout", [("S15000000", 2), ("S7", 15_000_000), ("S200000", 15_000_000)])
def test_a_small_packed_file_that_holds_much_is_refused_before_it_is_inflated(layout, path):
    fields = [("format", "S23"), ("names", layout[0]), ("bits", "u1"), ("weights", "u1", (layout[1],))]
    fields += [("scale", "<f4"), ("zero_point", "u1"), ("radius", "<f4"), ("slack", "<f4"), ("intercept", "<f8")]
    record = np.zeros((), fields)
    record["format"], record["bits"] = b"housing_np 3 per-tensor", 4
    write_record(path, record)
    del record
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_several_targets_of_the_best_rounding_predict_the_same_bits_once_loaded(scheme, tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 5))
    model = LinearRegression().fit(X, X @ np.random.default_rng(1).normal(size=(5, 3)))
    quantized = QuantizedLinear.from_linear(model, X, scheme, rounding="optimal")
    save(quantized, tmp_path / "m.npz")
    np.testing.assert_array_equal(load(tmp_path / "m.npz").predict(X), quantized.predict(X))


@pytest.mark.parametrize(
    ("layout", "more"),
    [(None, 0), ((1, (16 << 20) - 2000), 0), (((2 << 20) - 1000, 3), 0), ((1, 3), 15 << 20)],
    ids=["no record", "names without an end", "weights without names", "more behind the record"],
)
def test_a_small_file_that_holds_much_is_refused_before_it_is_inflated(layout, more, tmp_path):
    content = bytes(16 << 20)
    if layout is not None:
        features, names = layout
        fields = [("format", "S20"), ("names", f"S{names}"), ("coef", "<f8", (features,)), ("intercept", "<f8")]
        record = np.zeros((), fields)
        record["format"] = b"housing_np 1 float64"
        file = BytesIO()
        np.lib.format.write_array(file, record)
        content = file.getvalue() + bytes(more)
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.npy", content)
    del content
    tracemalloc.start()
    try:
        refusal(tmp_path / "m.npz")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("level", ["\ud800", "a\0"])
@pytest.mark.parametrize("position", [0, 1])
def test_a_level_that_no_file_can_hold_is_refused_before_it_is_in_a_model(level, position):
    levels = ["b", "c"]
    levels[position] = level
    with pytest.raises(HousingError, match=r"'sea' has the level '.*': expected UTF-8, without NUL$"):
        Columns(("sea",), levels={"sea": tuple(levels)})
