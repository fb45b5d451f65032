"""The columns of a table that become features, after a survey of their cells, and why others are left out."""

from collections import Counter
from collections.abc import Collection, Mapping
from math import isfinite
from typing import NamedTuple

from ..errors import TableError, counted, quoted, remedy
from .cells import same_level
from .columns import MISSING, Columns
from .kinds import FEW_LEVELS, MOST_LEVELS, too_many_levels, up_to_most
from .rows import Skipped, by_count
from .survey import Survey

_LARGE = 0.2  # the share of the rows above which a fill is worth a warning


class Chosen(NamedTuple):
    """The columns that become features."""

    columns: Columns
    left_out: dict[str, str]  # the others, and why they are left out
    # How many missing cells were filled in each column that gets a fill or the level (missing); 0 if all of them were
    # in rows without a target.
    filled: dict[str, int]
    counts: dict[str, dict[str, int]]  # how often each level of a category occurs, by its name


def choose(survey: Survey, named: bool, asked: Collection[str], most: Mapping[str, int], source: str) -> Chosen:
    """Return the features that a survey of the columns leaves, whose last is the target.

    The ``asked`` columns are those that the user names: they stay, even if they never vary, and a category with too
    many levels among them raises TableError. ``most`` is how many levels each may have in the rows that count.
    """
    fills, levels, left_out = dict[str, float](), dict[str, tuple[str, ...]](), dict[str, str]()
    filled, counts, constant = dict[str, int](), dict[str, dict[str, int]](), dict[str, str]()
    kept, features = survey.kept, survey.cells[:-1]
    for i, each in enumerate(features):
        name, missing = each.name, int(kept.missing[i])
        if (survey.rows and survey.missing[i] == survey.rows) or (kept.rows and missing == kept.rows):
            left_out[name] = "all of its cells are missing"
        elif each.levels is None:
            if kept.low[i] == kept.high[i] and kept.rows > 1 and name not in asked:
                constant[name] = same_value(kept.low[i])
            elif missing or (survey.policy == "mean" and survey.missing[i]):
                # Cells that are missing only in rows without a target too: the model must predict those rows.
                _require_finite(source, name, kept.mean[i])
                fills[name], filled[name] = float(kept.mean[i]), missing
        else:
            found = _by_value(kept.levels[i] + Counter({MISSING: missing}))
            if each.is_full or len(found.keys() - {MISSING}) > most[name]:
                left_out[name] = _full(source, name, most[name], next(iter(each.levels)), name in asked)
            elif len(found) < 2:
                left_out[name] = f"it is {quoted(next(iter(found), ''))} in all rows"
            elif len(found) == kept.rows and most[name] == FEW_LEVELS:
                left_out[name] = f"each row has a level of its own, such as {quoted(next(iter(found)))}"
            else:
                counts[name] = dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
                levels[name] = tuple(counts[name])
                filled |= {name: missing} if missing else {}
    if len(left_out) + len(constant) < len(features):
        left_out |= constant
    names = tuple(each.name for each in features if each.name not in left_out)
    columns = Columns(names, named, levels, fills)
    _require_apart(source, columns)
    return Chosen(columns, left_out, filled, counts)


def _by_value(counts: Counter[str]) -> Counter[str]:
    """Return the counts of levels, where those of one value, such as 1 and 1.0, are the most frequent of them."""
    found = Counter[str]()
    for level in sorted(counts, key=lambda each: (-counts[each], each)):
        found[same_level(level, found) or level] += counts[level]
    return found


def _require_finite(source: str, name: str, mean: float) -> None:
    if not isfinite(mean):
        raise TableError(
            f"{source}: column {quoted(name)}: the sum of its cells is too large; rescale the column, or leave it out"
            + remedy(": {ignore}", ignore=[name])
        )


def _require_apart(source: str, columns: Columns) -> None:
    """Refuse a column that is called as a feature of a category, and two categories with features of one name."""
    of_categories = dict[str, str]()
    for name in columns.levels:
        for feature in columns.features_of(name):
            if (other := of_categories.setdefault(feature, name)) != name:
                raise TableError(
                    f"{source}: columns {quoted(other)} and {quoted(name)} would both make the feature "
                    f"{quoted(feature)}; rename one, or leave it out{remedy(': {ignore}', ignore=[name])}"
                )
    if both := [name for name in columns.names if name in of_categories]:
        raise TableError(
            f"{source}: column {quoted(both[0])} has the name of a category's level; rename it, or leave it out"
            + remedy(": {ignore}", ignore=[both[0]])
        )


def _full(source: str, name: str, most: int, example: str, is_asked: bool) -> str:
    if is_asked or most == MOST_LEVELS:
        without = remedy("; {ignore} leaves it out", ignore=[name])
        way = without if most == MOST_LEVELS else up_to_most(name)
        raise TableError(
            f"{source}: column {quoted(name)} has more than {most:,} levels, such as {quoted(example)}{way}"
        )
    return too_many_levels(name, quoted(example))


def same_value(value: float) -> str:
    """Return why a column of numbers that never varies is left out.

    >>> same_value(7.0)
    'it is 7 in all rows'
    """
    return f"it is {value:.6g} in all rows"


def left_out_notes(source: str, why: Mapping[str, str]) -> list[str]:
    """Return a note for each column that is left out."""
    return [f"{source}: {quoted(name)} is left out ({reason})" for name, reason in why.items()]


def missing_error(source: str, absent: Mapping[str, int], rows: int, target: str) -> TableError:
    """Return the error that names all columns with missing cells, and what to say."""
    if absent.get(target) == rows:
        return TableError(f"{source}: the target {quoted(target)} is missing in all rows: nothing to learn from")
    return TableError(
        f"{source}: missing cells, in {counted(rows, 'row')}: {by_count(absent)}"
        + remedy(
            "; say {missing} to fill numbers with their mean and categories with a level of its own", missing="mean"
        )
        + remedy(", or {missing} to leave such rows out", missing="skip")
    )


def no_row_error(source: str, absent: Mapping[str, int], rows: int, target: str) -> TableError:
    """Return the error for rows that all lack a cell, and what to say."""
    if absent.get(target) == rows:
        return missing_error(source, absent, rows, target)
    others = sorted((name for name in absent if name != target), key=absent.__getitem__)
    return TableError(
        f"{source}: no row is left without missing cells: {by_count(absent)}"
        + remedy("; {missing} fills them", missing="mean")
        + remedy(", or {ignore} does without the column that lacks most", ignore=[others[-1]])
    )


def many_skipped(skipped: Skipped, good: int, target: str) -> str:
    """Return a warning where more than a fifth of the rows are bad, with the columns that they are due to; else ""."""
    rows = skipped.count + good
    if skipped.count <= _LARGE * rows:
        return ""
    least = min(_LARGE * rows, max(skipped.columns.values(), default=0) - 1)
    names = [name for name, count in skipped.columns.items() if count > least and name != target]
    advice = remedy("; {ignore} does without what most of them are due to", ignore=names) if names else ""
    return f"{skipped.count:,} of {rows:,} rows are bad, more than a fifth{advice}"


def large_shares(absent: dict[str, int], rows: int, target: str = "") -> str:
    """Return a warning of the columns that lack more than a fifth of their cells; empty if none do."""
    large = {name: count for name, count in absent.items() if count > _LARGE * rows}
    if not large:
        return ""
    features = [name for name in large if name != target]
    advice = remedy("; {ignore} does without", ignore=features) if features else ""
    return f"missing in more than a fifth of the {rows:,} rows: {by_count(large)}{advice}"
