"""The record of a training, for report.json: the data, the options, the fit, and the figures of each model."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..checks.arrays import Floats
from ..checks.unchanged import Stamp, changed, unchanged
from ..errors import TableError
from ..evaluation.diagnostics import overlaps, tenths
from ..evaluation.first_pass import FirstPass
from ..evaluation.leave_one_out import LeaveOneOut
from ..evaluation.scores import Figures, OutOfSample
from ..evaluation.second_pass import HELD_OUT, SecondPass
from ..quantized.calibration import Calibration
from ..quantized.model import Model, is_quantized
from ..rows.california import UNITS
from ..rows.columns import MISSING
from ..rows.table import Stream
from .artifact import SUMS
from .report_file import FORMAT, KEY

_ANY_NAME: dict[str, str] = {"encoding": "utf-8", "errors": "surrogateescape"}  # also of a file that is not in UTF-8
_PERCENTILES = {"percentile_1": 1, "quartile_1": 25, "median": 50, "quartile_3": 75, "percentile_99": 99}


def report_of(
    table: Stream,
    sums: Mapping[str, str | None],
    options: Mapping[str, Any],
    first: FirstPass,
    second: SecondPass,
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """Return the record of a training on a table, as JSON has it; equal inputs give equal records.

    ``sums`` are the SHA-256 of the table's files, where they are known, and ``files`` the contents of the models' files
    by the names of their stages. Figures are in target units, and those of a feature in its own; percentiles, quartiles
    and bounds are those of ``sampled`` rows, which are all rows if they are few.
    """
    X, y = first.sample.X, first.sample.y
    return {
        KEY: FORMAT,
        "versions": {"housing_np": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "options": dict(options),
        "data": {
            "sha256": dict(sums),
            "rows": first.all_rows.rows,
            "rows_skipped": table.all_skipped.count,
            "rows_missing": table.all_dropped.count,
            "sampled": len(y),
            "left_out": list(table.left_out),
            "categories": {name: dict(counts) for name, counts in table.counts.items()},
            "filled": {
                name: {"cells": count, "fill": table.columns.fills.get(name, MISSING)}
                for name, count in table.filled.items()
            },
        },
        "target": {
            "name": table.target_name,
            **_columns(["y"], first.target, y[:, None])["y"],
            "rows_at_low": first.ends.at_low,
            "rows_at_high": first.ends.at_high,
            "values": len(np.unique(y)),
        },
        "features": _columns(table.feature_names, first.features, X),
        "units": UNITS if options["data"] is None else {},
        **_coefficients(second.leave_one_out),
        "curvature": _curvature(second.leave_one_out, X, y),
        "stages": {
            name: _stage(second.scores.models[name], figures, files[name], X)
            for name, figures in second.scores.figures().items()
        },
        "leave_one_out": OutOfSample.of(second.leave_one_out.score)._asdict(),
        "leave_one_out_others": _others(second.leave_one_out),
        "held_out": OutOfSample.of(second.held_out.sum.scores.get(HELD_OUT))._asdict(),
    }


def with_stage(
    record: Mapping[str, Any], name: str, model: Model, figures: Figures, file: bytes, X: Floats
) -> dict[str, Any]:
    """Return the record of a training with one more model that was made from its float model, as the stage ``name``.

    ``file`` is the content of its file, and X (n, p) are the rows that the figures are of.
    """
    return {**record, "stages": {**record["stages"], name: _stage(model, figures, file, X)}}


def sums_beside(contents: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """Return the models.sha256 in the folder of these files with their sums, by its path; empty if there is none."""
    path = next(iter(contents)).with_name(SUMS)
    try:
        lines = path.read_bytes().decode(**_ANY_NAME).removesuffix("\n").split("\n")
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        return {}
    for each, content in contents.items():
        # As sha256sum writes names that would break a line.
        name = each.name.replace("\\", "\\\\").replace("\n", "\\n")
        sums[name] = ("\\" if name != each.name else "") + hashlib.sha256(content).hexdigest()
    return {path: "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode(**_ANY_NAME)}


def _others(left_out: LeaveOneOut) -> dict[str, Any] | None:
    """Return the figures of leave-one-out without the rows that have none; None if these are all rows, or no row."""
    if not left_out.alone or not left_out.others.rows:
        return None
    return {
        **OutOfSample.of(left_out.others)._asdict(),
        "rows_alone": left_out.alone,
        "features_alone": [name for name in left_out.model.feature_names if name in left_out.features],
    }


def _columns(names: Iterable[str], seen: Calibration, X: Floats) -> dict[str, dict[str, float]]:
    """Return the figures of each column by its name."""
    figures = {"low": seen.low, "high": seen.high, "mean": seen.mean, "deviation": seen.deviation}
    with np.errstate(over="ignore", invalid="ignore"):
        figures |= zip(_PERCENTILES, np.percentile(X, [*_PERCENTILES.values()], axis=0), strict=True)
    rows = zip(*(column.tolist() for column in figures.values()), strict=True)
    return {name: dict(zip(figures, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def _coefficients(left_out: LeaveOneOut) -> dict[str, Any]:
    """Return the coefficients with their standard errors, and of each feature what they depend on."""
    model, diagnostics = left_out.model, left_out.diagnostics
    fit = model.summary()
    found = zip(fit.coef.tolist(), fit.stderr.tolist(), strict=True)
    intercept, *weights = ({"coefficient": value, "standard_error": error} for value, error in found)
    shares, moved = diagnostics.largest.sum(axis=0).tolist(), diagnostics.dfbetas.tolist()
    overlap = overlaps(model.require_solution("variance inflation"), model.columns)
    return {
        "residual_deviation": float(fit.residual_std[0]),
        "intercept": intercept,
        "coefficients": {
            name: {
                **weight,
                "variance_inflation": overlap[name].inflation,
                "most_correlated": overlap[name].other or None,
                "correlation": overlap[name].correlation if overlap[name].other else None,
                "share_of_five_rows": share,
                "dfbetas": dfbetas,
            }
            for name, weight, share, dfbetas in zip(fit.names[1:], weights, shares, moved, strict=True)
        },
    }


def _curvature(left_out: LeaveOneOut, X: Floats, y: Floats) -> dict[str, Any] | None:
    """Return Ramsey's RESET, and the mean residuals of rows X (n, p) along their predictions; None without a test."""
    reset, predicted = left_out.diagnostics.reset(), left_out.model.predict(X)
    if reset is None:
        return None
    means = zip(("lowest_tenth", "between", "highest_tenth"), tenths(predicted, y - predicted), strict=True)
    return {**reset._asdict(), **dict(means)}


def _stage(model: Model, figures: Figures, file: bytes, X: Floats) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        bound = float(np.median(model.error_bound(X))) if is_quantized(model) else 0.0
    return {
        **figures._asdict(),
        "median_bound": bound,
        "payload_bytes": model.payload_bytes,
        "file_bytes": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
    }


class Sums:
    """The SHA-256 of files, made beside other work."""

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self._threads = ThreadPoolExecutor(1)
        self.stamps: dict[str, Stamp | None] = {}  # of each file when it was read
        self._sums: dict[str, Future[str | None]] = {
            str(path): self._threads.submit(_sum, str(path), self.stamps) for path in paths
        }

    def found(self, read: Mapping[str, Stamp | None]) -> dict[str, str | None]:
        """Return them by path, once all are known; None for what is no file that can be read again.

        Raises TableError if a file is not that of its stamp when its rows were ``read``.
        """
        sums = {path: sum.result() for path, sum in self._sums.items()}
        for path, known in self.stamps.items():
            if read.get(path, known) != known:
                raise changed(path, TableError)
        return sums


def _sum(path: str, stamps: dict[str, Stamp | None]) -> str | None:
    with unchanged(path, stamps):
        if path == "-" or stamps[path] is None:
            return None
        try:
            with Path(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
