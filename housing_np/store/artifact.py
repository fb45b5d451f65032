"""Models to files of a few hundred bytes and back: one structured record in an .npz, laid out as in docs/format.md."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import cast

import numpy as np

from ..checks.names import is_storable, require_apart
from ..checks.paths import as_path, shown_path
from ..errors import ArtifactError, HousingError, counted, cut, quoted
from ..fit.linear import FittedLinear, LinearRegression
from ..quantized.model import Model, QuantizedLinear, as_model, is_quantized
from ..quantized.packing import packed, packed_size, unpacked
from ..quantized.schemes import FIELDS, INTEGERS, Scheme
from ..quantized.schemes.scheme import Field
from .columns_text import columns_of_text, columns_text
from .files import write_all

FORMAT = "housing_np 1"
WITH_COLUMNS = "housing_np 2"  # the same record with what its features are made of
PACKED = "housing_np 3"  # with weights of fewer than 8 bits packed, and columns if its features are made of some
SUMS = "models.sha256"
_FLOAT = "float64"
# The numbers of a record, after format and names, by the kind of model.
_FIELDS: dict[str, dict[str, Field]] = {
    _FLOAT: {"coef": Field("<f8", "weight"), "intercept": Field("<f8", "target")},
    **FIELDS,
}
_TEXTS = ("format", "names", "columns")
_MEMBER = "m.npy"
_SIZE_CAP = 16 << 20
_HEAD = 1 << 17  # more than the longest header of an .npy file and the format behind it
_EPOCH = (1980, 1, 1, 0, 0, 0)

# What zipfile raises for a file that is truncated, corrupt, encrypted or of an unknown compression method.
_NOT_A_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)

# The only form in which NumPy writes the header of a record; a pattern, so that no header is parsed as Python.
_FIELD = r"\('(\w+)', '([<|][a-zA-Z][1-9]\d{0,8})'(?:, \((\d{1,9}(?:, \d{1,9})*),?\))?\)"
_HEADER = re.compile(
    rf"\{{'descr': \[{_FIELD}(?:, {_FIELD})*\], 'fortran_order': False, 'shape': \(\), \}} *\n", re.ASCII
)
_MAGIC = b"\x93NUMPY\x01\x00"


def save(model: Model | FittedLinear, path: str | Path) -> int:
    """Write a model to a file, whole or not at all; equal models give equal bytes.

    Parameters
    ----------
    model : LinearRegression or QuantizedLinear
    path : str or Path
        Missing folders are made.

    Returns
    -------
    int
        The size of the file in bytes.

    Raises
    ------
    HousingError
        If a file cannot hold the model; see `to_bytes`.
    ArtifactError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(model, Path(folder, "model.npz"))
    ...     load(Path(folder, "model.npz")).predict([[2.0]])
    array([5.])
    """
    content = to_bytes(model)
    write_all({as_path(path, ArtifactError): content}, ArtifactError, make_folders=True)
    return len(content)


def load(path: str | Path) -> LinearRegression | QuantizedLinear:
    """Read a model from a file, trusting nothing in it.

    Parameters
    ----------
    path : str or Path
        Of a file, or of a pipe, such as ``/dev/stdin``.

    Returns
    -------
    LinearRegression or QuantizedLinear
        As it was saved. A file does not say whether a model was fitted with an intercept: `fit_intercept` is True.

    Raises
    ------
    ArtifactError
        If there is no such file, or it is not as `save` writes it.
    """
    return read(path)[0]


def read(path: str | Path) -> tuple[LinearRegression | QuantizedLinear, bytes]:
    """Return the model in a file, as `load` does, and the content of the file, which a pipe gives only once."""
    path = as_path(path, ArtifactError)
    content = _content(path)
    try:
        return _model(_inflated(content)), content
    except HousingError as error:
        from ..rows.formats import format_of  # imported here because only an error needs it

        if format_of(path):
            raise ArtifactError(f"{shown_path(path)} is not a model file; give one that train wrote (.npz)") from None
        raise ArtifactError(f"{shown_path(path)}: {error}; make the file again with train or quantize") from None


def to_bytes(model: Model | FittedLinear) -> bytes:
    """Return the content of a model's file.

    Raises HousingError if the model is not fitted, a number is not finite, the file would be too large, or names are
    empty, not str, or repeated.
    """
    array = BytesIO()
    np.lib.format.write_array(array, _to_record(model), allow_pickle=False)
    if len(array.getvalue()) > _SIZE_CAP - 1024:
        raise HousingError(f"the model takes {len(array.getvalue())} bytes: a file holds {_SIZE_CAP - 1024} at most")
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        # A fixed date and system: equal models give equal bytes.
        member = zipfile.ZipInfo(_MEMBER, _EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        member.create_system = 0
        archive.writestr(member, array.getvalue(), compresslevel=9)
    return file.getvalue()


def write_set(
    contents: Mapping[str, bytes | None], folder: str | Path, beside: Mapping[Path, bytes] | None = None
) -> None:
    """Write the files of one run to a folder: all of them, or none if one cannot be written (ArtifactError).

    None deletes the file of an earlier run. ``models.sha256`` is written last: if ``sha256sum --check`` accepts it, the
    models are from one run; files ``beside`` the folder are not in it. Another process that writes to it is waited for.
    """
    import hashlib

    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items() if content is not None
    )
    inside = {Path(folder, name): content for name, content in {**contents, SUMS: sums.encode()}.items()}
    write_all({**(beside or {}), **inside}, ArtifactError, make_folders=True, alone_in=Path(folder))


def _to_record(model: Model | FittedLinear) -> np.ndarray:
    """Return the record that a file holds."""
    ours = as_model(model, "a LinearRegression or a QuantizedLinear to save")
    floats = {"coef": ours.coef_, "intercept": np.asarray(ours.intercept_)}
    numbers = floats if ours.scheme is None else ours.numbers()
    _check_names(ours.feature_names, ours.target_names_)
    for name, array in numbers.items():
        if not np.isfinite(array).all():
            raise HousingError(f"{name} holds a number that is not finite in its file: rescale the features or targets")
    kind, bits = ours.scheme or _FLOAT, ours.bits if is_quantized(ours) else 64
    shape = numbers["weights" if is_quantized(ours) else "coef"].shape
    if prod(shape) > _SIZE_CAP:
        raise HousingError(f"the model has {prod(shape)} weights: a file holds {_SIZE_CAP} at most")
    version = PACKED if bits < 8 else FORMAT if ours.columns.is_plain else WITH_COLUMNS
    head = {"format": _format(kind, version), "names": "\0".join((*ours.feature_names, *ours.target_names_)).encode()}
    if not ours.columns.is_plain:
        head["columns"] = columns_text(ours.columns)
    if bits < 8:
        numbers = numbers | {"weights": packed(numbers["weights"], bits)}
    record = np.zeros((), _layout(kind, shape, {name: len(text) for name, text in head.items()}, bits))
    for name, value in (head | numbers).items():
        record[name] = value
    return record


def _declared(data: bytes, size: int) -> tuple[str, tuple[int, ...], np.dtype, memoryview]:
    """Return the kind of model, the shape of its weights, the dtype of the record and its bytes.

    The head of the data is enough; a file of another size than declared is refused before the rest is inflated.
    """
    fields, numbers = _split(data)
    if [(name, type[:2]) for name, type, _ in fields[:2]] != [("format", "|S"), ("names", "|S")]:
        raise HousingError("the record does not begin with a format and names, as bytes")
    texts = {name: int(type[2:]) for name, type, _ in fields[:3] if name in _TEXTS and type[:2] == "|S"}
    kind, version = _kind(bytes(numbers[: texts["format"]]), WITH_COLUMNS if "columns" in texts else FORMAT)
    names = bytes(numbers[texts["format"] : texts["format"] + texts["names"]])
    field, shapes = "coef" if kind == _FLOAT else "weights", {name: shape for name, _, shape in fields}
    weights, bits, is_known = shapes.get(field, ()), 8, True
    if version == PACKED:
        is_known = len(numbers) > (place := sum(texts.values()))
        bits = numbers[place] if is_known else 7
        count = names.count(0) + 1 if is_known else (texts["names"] + 1) // 2
        weights = _unpacked_shape(prod(weights), shapes.get("slack", ()), count, bits)
    if len(weights) not in (1, 2) or not 0 < prod(weights) <= _SIZE_CAP:
        raise HousingError(f"{field} has shape {weights}, expected (features,) or (targets, features)")
    layout = _layout(kind, weights, texts, bits)
    expected = [(name, layout[name].base.str, layout[name].shape) for name in layout.names or ()]
    for found, wanted in zip_longest(fields, expected if is_known else fields):
        if found != wanted:
            raise HousingError(f"the record is {quoted(found)} where {quoted(wanted)} is expected")
    found_bytes = size - len(data) + len(numbers)
    if found_bytes != (expected_bytes := sum(int(type[2:]) * prod(shape) for _, type, shape in fields)):
        raise HousingError(f"{_MEMBER} holds {found_bytes} bytes of numbers, expected {expected_bytes}")
    count = prod(weights[:-1]) + weights[-1]
    if (is_known and texts["names"] < 2 * count - 1) or (len(names) < texts["names"] and names.count(0) >= count):
        raise HousingError(f"{texts['names']} bytes of names, expected {count} names that are not empty")
    return kind, weights, layout, numbers


def _unpacked_shape(content: int, targets: tuple[int, ...], names: int, bits: int) -> tuple[int, ...]:
    """Return the shape of weights that are packed in these bytes, for as many names of features and targets at most.

    Names and bits are complete in the whole record; its head alone may give too many of either.
    """
    if not 2 <= bits < 8:
        raise HousingError(f"bits is {bits}: expected 2 to 7 in {PACKED}")
    features = min(names - prod(targets), min(4 * content, _SIZE_CAP) // max(prod(targets), 1))
    if content > packed_size(prod(targets) * features, bits):
        raise HousingError(f"{content} bytes of weights, more than {features} features have")
    return (*targets, features)


def _split(data: bytes) -> tuple[list[tuple[str, str, tuple[int, ...]]], memoryview]:
    """Return the name, type and shape of each field in the header of a .npy file, and the bytes after the header."""
    end = len(_MAGIC) + 2 + int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 2], "little")
    header = data[len(_MAGIC) + 2 : end].decode("latin-1")
    if not data.startswith(_MAGIC) or len(data) < end or not _HEADER.fullmatch(header):
        raise HousingError(f"{_MEMBER} does not begin with the header of a .npy file 1.0: expected one record")
    fields = [
        (name, type, tuple(map(int, shape.split(", "))) if shape else ())
        for name, type, shape in re.findall(_FIELD, header)
    ]
    return fields, memoryview(data)[end:]


def _model(data: bytes) -> LinearRegression | QuantizedLinear:
    """Return the model of a .npy file's one record."""
    kind, weights, layout, content = _declared(data, len(data))
    record = np.frombuffer(content, layout)[0]
    numbers = {name: record[name] for name in _FIELDS[kind]}
    for name, array in numbers.items():
        if not np.isfinite(array).all():
            raise HousingError(f"{name} holds a number that is not finite")
    if bytes(record["format"]).startswith(PACKED.encode()):
        numbers["weights"] = _unpacked(numbers["weights"], weights, int(numbers["bits"]))
    features = weights[-1]
    names = _names(bytes(record["names"]), features + prod(weights[:-1]))
    _check_names(names[:features], names[features:])
    columns = (
        columns_of_text(bytes(record["columns"]), names[:features]) if "columns" in (record.dtype.names or ()) else None
    )
    if kind == _FLOAT:
        return LinearRegression.from_coefficients(
            numbers["coef"], numbers["intercept"], names[:features], names[features:], columns
        )
    return QuantizedLinear.from_numbers(cast(Scheme, kind), numbers, names[:features], names[features:], columns)


def _unpacked(content: np.ndarray, weights: tuple[int, ...], bits: int) -> np.ndarray:
    """Return the weights; refuse bytes whose last bits, which are no weight's, are not 0."""
    integers = unpacked(content, weights, bits)
    if not np.array_equal(packed(integers, bits), content):
        raise HousingError(f"the last byte of weights holds bits of no weight: expected 0 after {prod(weights) * bits}")
    return integers


def _layout(kind: str, weights: tuple[int, ...], texts: Mapping[str, int], bits: int) -> np.dtype:
    """Return the dtype of a record for weights of this shape, (p,) or (k, p), and texts of these lengths."""
    shapes = {name: field.shape(weights) for name, field in _FIELDS[kind].items()}
    if bits < 8:
        shapes["weights"] = (packed_size(prod(weights), bits),)
    head = [(name, f"S{texts[name]}", ()) for name in _TEXTS if name in texts]
    return np.dtype([*head, *((name, field.type, shapes[name]) for name, field in _FIELDS[kind].items())])


def _format(kind: str, version: str) -> bytes:
    return f"{version} {kind}".encode()


def _kind(format: bytes, version: str) -> tuple[str, str]:
    """Return the kind of model and the version: this one, or that of packed weights."""
    for kind in _FIELDS:
        for known in (version, PACKED) if kind in INTEGERS else (version,):
            if format == _format(kind, known):
                return kind, known
    found = quoted(format.decode("ascii", "replace"))
    raise HousingError(f"format is {found}, expected {version!r} and one of {', '.join(_FIELDS)}")


def _names(data: bytes, count: int) -> tuple[str, ...]:
    try:
        names = tuple(data.decode().split("\0"))
    except UnicodeDecodeError:
        raise HousingError("the names are not UTF-8") from None
    if len(names) != count or not all(names):
        raise HousingError(f"{counted(len(names), 'name')}, expected {count} that are not empty")
    return names


def _check_names(features: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse names that a file cannot hold, and repeated names, as rows and answers are matched by name."""
    for name in (*features, *targets):
        if not isinstance(name, str) or not name or not is_storable(name):
            raise HousingError(f"{quoted(name)} cannot name a feature or target: give it a name in UTF-8, without NUL")
    require_apart(features, targets)


def _instead(path: Path) -> str:
    """Return what to do where there is no such file."""
    with suppress(OSError):  # of a name that is too long
        if (beside := path.with_name(f"{path.name}.npz")).is_file():
            return f"did you mean {shown_path(beside)}?"
    return "make it with python -m housing_np.train"


def _content(path: Path) -> bytes:
    """Return the content of a file or a pipe; refuse one larger than any model, and devices, which may have no end."""
    try:
        status = path.stat()
        is_file, is_pipe = stat.S_ISREG(status.st_mode), stat.S_ISFIFO(status.st_mode)
        if is_pipe or (is_file and status.st_size <= _SIZE_CAP):
            with path.open("rb") as file:
                content = file.read(_SIZE_CAP + 1 if is_pipe else status.st_size)
            if len(content) <= _SIZE_CAP:
                return content
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        advice = _instead(path) if is_missing else "expected a model file (.npz)"
        raise ArtifactError(f"{shown_path(path)}: cannot be read ({error.strerror or error}); {advice}") from None
    if stat.S_ISDIR(status.st_mode):
        raise ArtifactError(f"{shown_path(path)}: a folder, not a regular file; give a model file (.npz) in it")
    found = f"{status.st_size} bytes" if is_file else "more bytes" if is_pipe else "neither a regular file nor a pipe"
    raise ArtifactError(f"{shown_path(path)}: {found}; expected a model file (.npz) of at most {_SIZE_CAP} bytes")


def _inflated(content: bytes) -> bytes:
    """Return the only member of an .npz; its declared size is checked before it is inflated."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            if [member.filename for member in members] != [_MEMBER]:
                raise HousingError(f"expected one member, {_MEMBER}; found {len(members)}")
            if members[0].file_size > _SIZE_CAP:
                raise HousingError(f"{_MEMBER} declares {members[0].file_size} bytes, expected at most {_SIZE_CAP}")
            if members[0].compress_type != zipfile.ZIP_DEFLATED:
                raise HousingError(f"{_MEMBER} is not deflated")
            with archive.open(members[0]) as member:
                head = member.read(_HEAD)
                _declared(head, members[0].file_size)
                return head + member.read(members[0].file_size + 1 - len(head))
    except HousingError:
        raise
    except _NOT_A_ZIP as error:
        raise HousingError(f"not a whole .npz file ({cut(str(error))})") from None
