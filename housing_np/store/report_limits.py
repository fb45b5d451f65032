"""What a model cannot do, in sentences from the record of its training: each with its number, and what it means."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from typing import Any

from ..errors import counted, cut, listed
from .report_text import number, share

# From where on a figure is told. The inflation of a variance: James et al., "An Introduction to Statistical Learning".
_CAPPED, _CAPPED_VALUES = 0.01, 5  # a share of the rows, and how many times that of a usual value
_BENT, _UNLIKELY = 0.01, 0.001  # a share of the squared residuals, and a p-value
_HELD, _FEW_ROWS = 0.5, 100  # by five rows, of at least so many
_MOVED, _MOVED_SHARE = 1.0, 0.1  # by one row: in standard errors, and as a share of the weight
_INFLATED = 5.0
_MOST = 20  # features in a sentence, each with its numbers


def limits(report: Mapping[str, Any]) -> list[str]:
    """Return what the model of a record cannot do."""
    return [*_of_any_model(report), *_of_the_target(report), *_of_the_residuals(report), *_of_the_weights(report)]


def _of_any_model(report: Mapping[str, Any]) -> Iterator[str]:
    target, unseen = report["target"], report["leave_one_out_others"] or report["leave_one_out"]
    yield "It adds up one weight times each feature: it cannot model curves or interactions."
    yield "It describes correlations in these rows, not causes."
    yield (
        "Outside the ranges in the table of the data it extrapolates: nothing is known there. Predictions may leave "
        "the range of the target."
    )
    if unseen["r2"] is not None:
        what = f"it does not explain {share(1 - unseen['r2'])} of the variance of {target['name']}"
        if unseen["r2"] < 0:
            what = f"it is worse there than the mean of {target['name']} (R² {number(unseen['r2'], 2)})"
        yield f"On rows outside the fit its mean absolute error is {number(unseen['mae'])}; {what}."
    if report["data"]["rows_skipped"]:
        yield f"Bad rows were skipped, and are not in any figure: {report['data']['rows_skipped']:,}."


def _of_the_target(report: Mapping[str, Any]) -> Iterator[str]:
    target = report["target"]
    for end, size, low, high in (("high", "largest", "above", "low"), ("low", "smallest", "below", "high")):
        if _is_capped(report, end):
            rows = target[f"rows_at_{end}"]
            yield (
                f"{counted(rows, 'row')} ({share(rows / report['data']['rows'])}) have the {size} {target['name']}, "
                f"{number(target[end], 6)}. If it is a cap, the true values lie {low} it: the model predicts such rows "
                f"too {high}, its weights are too close to 0, and its errors on such rows are not known."
            )


def _is_capped(report: Mapping[str, Any], end: str) -> bool:
    """Whether many rows have the smallest target, for the end "low", or the largest, for "high"."""
    portion = report["target"][f"rows_at_{end}"] / report["data"]["rows"]
    return bool(portion >= max(_CAPPED, _CAPPED_VALUES / report["target"]["values"]))


def _of_the_residuals(report: Mapping[str, Any]) -> Iterator[str]:
    bend = report["curvature"]
    if bend is not None and bend["p"] < _UNLIKELY and bend["share"] >= _BENT:
        means = [number(bend[place], 2) for place in ("lowest_tenth", "between", "highest_tenth")]
        yield (
            f"The residuals bend: squares and cubes of the predictions would explain {share(bend['share'])} of what "
            f"the model leaves unexplained (Ramsey's RESET: F {number(bend['f'])}, p < {_UNLIKELY}). In the mean, "
            f"actual minus predicted is {means[0]} in the lowest tenth of the predictions, {means[1]} in the "
            f"middle and {means[2]} in the highest tenth. A transformed feature, such as a logarithm or a square, may "
            "follow the curve."
        )


def _of_the_weights(report: Mapping[str, Any]) -> Iterator[str]:
    weights, rows = report["coefficients"], report["data"]["rows"]
    unsure = [name for name, each in weights.items() if not _is_sure(each)]
    if unsure:
        yield f"These weights may be positive or negative (within two standard errors): {', '.join(unsure)}."
    if few := [_influence(name, each) for name, each in weights.items() if _depends_on_few(each, rows)]:
        yield (
            f"These weights depend on a handful of the {rows:,} rows: {_together(few)}. In brackets: the share of the "
            "weight's partial leverage that five rows hold, and by how many standard errors leaving out one moves it "
            "(DFBETAS). Look at the rows that are extreme in these features before the weights are used."
        )
    if unknown := [name for name, each in weights.items() if isnan(_known(each["variance_inflation"]))]:
        yield (
            f"The rows do not determine the weights of {listed(unknown)}: these features depend on each other, and "
            "other weights predict as well. Do not interpret them."
        )
    if pairs := _overlaps(weights):
        yield (
            f"These features nearly repeat each other: {_together(pairs)}. The rows hardly tell their weights apart: "
            "do not interpret them one by one, and do not rely on predictions for rows in which such features part."
        )


def _known(value: float | None) -> float:
    """Return a number of a record; NaN for null, which stands for it in JSON."""
    return nan if value is None else value


def _is_sure(weight: Mapping[str, Any]) -> bool:
    return bool(abs(weight["coefficient"]) > 2 * _known(weight["standard_error"]))


def _depends_on_few(weight: Mapping[str, Any], rows: int) -> bool:
    moved = weight["dfbetas"] * _known(weight["standard_error"])
    is_moved = weight["dfbetas"] >= _MOVED and moved >= _MOVED_SHARE * abs(weight["coefficient"])
    return is_moved or (weight["share_of_five_rows"] >= _HELD and rows >= _FEW_ROWS)


def _influence(name: str, weight: Mapping[str, Any]) -> str:
    return f"{cut(name)} ({share(weight['share_of_five_rows'])}, {number(weight['dfbetas'], 2)})"


def _together(parts: Sequence[str]) -> str:
    """Return the first of several parts, each whole: its numbers are at its end."""
    return ", ".join([*parts[:_MOST], *([f"… ({len(parts):,} in all)"] if len(parts) > _MOST else [])])


def _overlaps(weights: Mapping[str, Any]) -> list[str]:
    """Return the features of an inflated variance, each with the feature that is most correlated with it."""
    told, pairs = set[str](), list[str]()
    for name, each in weights.items():
        if name not in told and _known(each["variance_inflation"]) >= _INFLATED:
            other = each["most_correlated"]
            told |= {name, other}
            inflated = " and ".join(number(weights[key]["variance_inflation"], 2) for key in (name, other))
            figures = f"correlation {number(each['correlation'], 2)}, variance inflation {inflated}"
            pairs.append(f"{cut(name)} and {cut(other)} ({figures})")
    return pairs
