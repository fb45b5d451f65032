"""A program of a user's, for type checkers: all of it passes, but for the lines whose error it names."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from pathlib import Path

import numpy as np
import numpy.typing as npt

from housing_np import (
    Affine,
    ArtifactError,
    HousingError,
    LinearRegression,
    QuantizedLinear,
    Table,
    TableError,
    load,
    load_california,
    read_table,
    save,
)


def right(folder: Path) -> npt.NDArray[np.float64]:
    table: Table = load_california(rows=100)
    model = LinearRegression(fit_intercept=True).fit(table.X, table.y, feature_names=table.feature_names)
    small = QuantizedLinear.from_linear(model, table.X, scheme="integer", bits=8, rounding="optimal")
    size: int = save(small, folder / "model.npz")
    assert size < 1000
    try:
        loaded: LinearRegression | QuantizedLinear = load(folder / "model.npz")
    except ArtifactError as error:
        problem: HousingError = error
        raise problem from None
    weights: npt.NDArray[np.float64] = model.coef_
    steps: npt.NDArray[np.uint8] = Affine.fit(weights, axis=0).quantize(weights)
    assert steps.shape == model.summary().stderr[1:].shape
    return loaded.predict(table.X)


def wrong(model: LinearRegression, path: Path) -> None:
    from housing_np import nope  # type: ignore[attr-defined]

    print(nope)
    QuantizedLinear.from_linear(model, [[0.0]], scheme="per-chanel")  # type: ignore[arg-type]
    QuantizedLinear.from_linear(model, [[0.0]], rounding="best")  # type: ignore[arg-type]
    QuantizedLinear.from_linear(model, [[0.0]], bits="8")  # type: ignore[arg-type]
    read_table(path, "price", format="xls")  # type: ignore[arg-type]
    read_table(path, "price", on_error="raise")  # type: ignore[arg-type]
    read_table(path, "price", decimal=";")  # type: ignore[arg-type]
    Affine.fit([1.0], axis="feature")  # type: ignore[arg-type]
    LinearRegression(fit_intercep=True)  # type: ignore[call-arg]
    save([1.0], path)  # type: ignore[arg-type]
    load(path).fit([[0.0]], [1.0])  # type: ignore[union-attr]
    print(model.weights_)  # type: ignore[attr-defined]
    print(TableError.row)  # type: ignore[attr-defined]
