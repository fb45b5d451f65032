"""Models to files of a few hundred bytes and back: one structured record in an .npz, see the README for its layout."""

import stat
import struct
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np

from .affine import Affine
from .errors import ArtifactError, HousingError
from .files import NOT_A_HEADER, open_whole
from .linear import LinearRegression
from .quantized import SCHEMES, QuantizedLinear

FORMAT = "housing_np 1"
_MEMBER = "m.npy"
_SIZE_CAP = 16 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)

# What zipfile raises for files that are cut, garbled, encrypted or packed in a way that it does not know.
_NOT_A_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)

Model = LinearRegression | QuantizedLinear


def save(model: Model, path: str | Path) -> int:
    """Write a model to a file: whole or not at all, and equal models to equal bytes.

    Parameters
    ----------
    model : LinearRegression or QuantizedLinear
    path : str or Path
        Its folder is made if need be.

    Returns
    -------
    int
        The size of the file in bytes.

    Raises
    ------
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
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror})") from None
    return len(content)


def load(path: str | Path) -> Model:
    """Read a model from a file, trusting nothing in it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LinearRegression or QuantizedLinear
        As it was saved.

    Raises
    ------
    ArtifactError
        If there is no such file, or anything in it is not as `save` writes it.
    """
    try:
        return _from_record(_record(_content(Path(path))))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); expected a model file (.npz)") from None
    except HousingError as error:
        raise ArtifactError(f"{path}: {error}; make the file again with train or quantize") from None


def to_bytes(model: Model) -> bytes:
    """The content of a model's file."""
    record = _to_record(model)
    array = BytesIO()
    np.lib.format.write_array(array, record, allow_pickle=False)
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


def _layout(scheme: str, weights: tuple[int, ...], names_bytes: int) -> np.dtype:
    """The record of a model whose weights have this shape, (p,) or (k, p)."""
    targets, p = weights[:-1], weights[-1]
    per_channel = (p,) if scheme == "per-channel" else ()
    head = [("format", f"S{len(FORMAT) + 1 + len(scheme)}", ()), ("names", f"S{names_bytes}", ())]
    if scheme == "float64":
        return np.dtype([*head, ("coef", "<f8", weights), ("intercept", "<f8", targets)])
    body = [
        ("bits", "u1", ()),
        ("weights", "u1", weights),
        ("scale", "<f4", per_channel),
        ("zero_point", "u1", per_channel),
        ("radius", "<f4", ()),
        ("slack", "<f4", targets),
    ]
    tail = {
        "per-tensor": [("intercept", "<f8", targets)],
        "per-channel": [("intercept", "<f8", targets), ("center", "<f4", (p,))],
        "integer": [
            ("bias", "<i4", targets),
            ("center", "u1", (p,)),
            ("input_scale", "<f4", (p,)),
            ("input_offset", "<f8", (p,)),
        ],
    }
    return np.dtype([*head, *body, *tail[scheme]])


def _to_record(model: Model) -> np.ndarray:
    if isinstance(model, LinearRegression):
        model.require_fitted()
        scheme, weights = "float64", model.coef_.shape
        numbers = {"coef": model.coef_, "intercept": np.asarray(model.intercept_)}
    else:
        scheme, weights = model.scheme, model.weights.shape
        numbers = model.numbers()
    names = (*model.feature_names_in_, *model.target_names_)
    for name in names:
        if not name or "\0" in name or name.encode(errors="replace").decode() != name:
            raise HousingError(f"{name!r} cannot name a feature or target: give it a name in UTF-8, without NUL")
    for name, array in numbers.items():
        if not np.isfinite(array).all():
            raise HousingError(f"{name} holds a number that is not finite in its file: rescale the features or targets")
    head = {"format": f"{FORMAT} {scheme}".encode(), "names": "\0".join(names).encode()}
    record = np.zeros((), _layout(scheme, weights, len(head["names"])))
    for name, value in (head | numbers).items():
        record[name] = value
    return record


def _from_record(record: np.void) -> Model:
    fields = record.dtype.names or ()
    if fields[:2] != ("format", "names") or record.dtype["format"].kind + record.dtype["names"].kind != "SS":
        raise HousingError("the record does not begin with a format and names, as bytes")
    format = bytes(record["format"]).decode("ascii", "replace")
    scheme = format.removeprefix(f"{FORMAT} ")
    if scheme not in ("float64", *SCHEMES) or format == scheme:
        raise HousingError(f"format is {format!r}, expected {FORMAT!r} and one of float64, {', '.join(SCHEMES)}")
    field = "coef" if scheme == "float64" else "weights"
    weights: tuple[int, ...] = record[field].shape if field in fields else ()
    if len(weights) not in (1, 2) or 0 in weights:
        raise HousingError(f"{field} has shape {weights}, expected (features,) or (targets, features)")
    expected = _layout(scheme, weights, record.dtype["names"].itemsize)
    if record.dtype != expected:
        raise HousingError(f"the record is {record.dtype.descr}, expected {expected.descr}")
    for name in fields[2:]:
        if not np.isfinite(record[name]).all():
            raise HousingError(f"{name} holds a number that is not finite")
    k, p = weights[0] if len(weights) == 2 else 1, weights[-1]
    names = _names(bytes(record["names"]), k + p)
    if scheme == "float64":
        return LinearRegression.from_coefficients(record["coef"], record["intercept"], names[:p], names[p:])
    return _quantized(scheme, record, names[:p], names[p:])


def _names(data: bytes, count: int) -> tuple[str, ...]:
    try:
        names = tuple(data.decode().split("\0"))
    except UnicodeDecodeError:
        raise HousingError("the names are not UTF-8") from None
    if len(names) != count or not all(names):
        raise HousingError(f"{len(names)} names, expected {count} that are not empty")
    return names


def _quantized(scheme: str, record: np.void, features: tuple[str, ...], targets: tuple[str, ...]) -> QuantizedLinear:
    if np.any(record["radius"] < 0) or np.any(record["slack"] < 0):
        raise HousingError("radius and slack must not be negative")
    axis = -1 if scheme == "per-channel" else None
    affine = Affine(record["scale"], record["zero_point"], axis, int(record["bits"]))
    affine.dequantize(record["weights"])
    if scheme == "integer":
        if np.any(record["input_scale"] <= 0):
            raise HousingError("input_scale must be positive")
        inputs = {"input_scale": record["input_scale"].copy(), "input_offset": record["input_offset"].copy()}
        intercept = record["bias"] * affine.scale.astype(np.float64)
    else:
        inputs = {}
        intercept = record["intercept"]
    center = np.zeros(len(features), np.float32) if scheme == "per-tensor" else record["center"]
    return QuantizedLinear(
        scheme,
        record["weights"].copy(),
        affine,
        np.array(intercept, np.float64),
        np.array(center),
        record["radius"],
        np.array(record["slack"]),
        features,
        targets,
        **inputs,
    )


def _content(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise HousingError("not a regular file")
    if status.st_size > _SIZE_CAP:
        raise HousingError(f"{status.st_size} bytes, expected at most {_SIZE_CAP}")
    with path.open("rb") as file:
        return file.read(_SIZE_CAP + 1)


def _record(content: bytes) -> np.void:
    """The one record of an .npz, with every declared size checked before anything is allocated for it."""
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
                data = member.read(members[0].file_size + 1)
    except HousingError:
        raise
    except _NOT_A_ZIP as error:
        raise HousingError(f"not a whole .npz file ({error})") from None
    stream = BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            version = np.lib.format.read_magic(stream)
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except NOT_A_HEADER as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise HousingError(f"{_MEMBER} has no valid .npy header ({reason})") from None
    if version != (1, 0) or shape != () or not dtype.names or dtype.hasobject:
        raise HousingError(f"{_MEMBER} holds shape {shape} of {dtype}, expected one record")
    if len(data) - stream.tell() != dtype.itemsize:
        raise HousingError(f"{_MEMBER} holds {len(data) - stream.tell()} bytes of numbers, expected {dtype.itemsize}")
    return cast(np.void, np.frombuffer(data, dtype, count=1, offset=stream.tell())[0])
