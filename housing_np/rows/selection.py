"""Which columns of a table are features, told by the first rows of its first file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress, islice

from ..checks.names import as_name, as_names, in_csv
from ..errors import TableError, cut, quoted, remedy
from . import Rows
from .chosen import left_out_notes
from .columns import Columns
from .kinds import FEW_LEVELS, MOST_LEVELS, Kind, kind_of, target_problem
from .partitions import sampled
from .stream import Stream

# The name that pandas gives to a column without one: the index of a frame that was written.
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")
_INDEX = "the index that pandas wrote; to_csv(index=False) writes none"
_MOST_REASONS = 5  # in one message


def reasons(why: Mapping[str, str]) -> str:
    """Return why columns are left out, as an error lists them."""
    more = f", … ({len(why):,} in all)" if len(why) > _MOST_REASONS else ""
    return ", ".join(f"{quoted(name)} ({reason})" for name, reason in islice(why.items(), _MOST_REASONS)) + more


def with_columns(
    stream: Stream, rows: Rows, features: Sequence[str] | None, ignore: Sequence[str], categories: Sequence[str]
) -> tuple[Stream, dict[str, int]]:
    """Return the stream with its columns, chosen from those of its first file, and how many levels a category has."""
    (target,) = rows.layout.spelled([as_name(stream.target_name, "target")])
    if rows.is_empty() and not rows.columns:
        raise TableError(f"{rows.source}: no rows; expected at least one")
    given = {"features": features, "ignore": ignore, "categories": categories}
    features, ignore, categories = (rows.layout.spelled(as_names(names, what)) for what, names in given.items())
    ignored = set(ignore)
    categories = tuple(name for name in categories if name not in ignored)
    rows.require([name for name in (*ignore, *categories) if name not in rows.left_out], "; name some of these")
    if not features and target not in rows.columns:
        raise rows.missing([target], "; name one of these")
    left_out = {name: _INDEX for name in rows.columns if _UNNAMED.fullmatch(name) and name != target and not features}
    others = {target, *ignore}
    excluded = {*others, *left_out}
    asked, features = features, features or tuple(name for name in rows.columns if name not in excluded)
    if both := [name for name in (*features, *categories) if name in others]:
        what = "the target" if both[0] == target else "to be ignored"
        raise TableError(f"{rows.source}: {quoted(both[0])} is {what}: it cannot be a feature too")
    if not features:
        raise TableError(f"{rows.source}: no column beside the target {quoted(target)}; expected at least one feature")
    if len(set(features)) < len(features):
        raise TableError(f"{rows.source}: a feature is named twice in {cut(in_csv(features))}; name each once")
    require_columns_of(rows, features, target)
    sample = rows.sample() | sampled(stream.paths)
    # Rows without a target do not count.
    has_target = [value is not None for value in sample.get(target, [])]
    if not all(has_target) and any(has_target):
        sample = {name: [*compress(given, has_target)] for name, given in sample.items()}
    if not stream.skip and (problem := target_problem(sample.get(target, []), rows.has_types)):
        raise TableError(f"{rows.source}: column {quoted(target)} holds {problem}")
    kinds = {
        name: Kind(True) if name in categories else kind_of(name, sample.get(name, []), rows.has_types)
        for name in features
    }
    unfit = {name: kind.left_out + kind.advice for name, kind in kinds.items() if kind.left_out}
    if unfit and asked:
        without = remedy("; leave them out of {features}", features=None)
        raise TableError(f"{rows.source}: no features: {reasons(unfit)}{without}")
    if len(unfit) == len(features):
        raise TableError(f"{rows.source}: no column is left to predict from: {reasons(unfit)}")
    if not stream.skip and (mixed := next((name for name in features if kinds[name].mixed), None)) is not None:
        raise TableError(f"{rows.source}: column {quoted(mixed)} holds {kinds[mixed].mixed}")
    left_out |= unfit
    chosen = tuple(name for name in features if name not in unfit)
    used = {target, *chosen}
    unused = [name for name in rows.columns if name not in used]
    notes = left_out_notes(rows.source, {**rows.left_out, **left_out})
    levels = {name: MOST_LEVELS if name in categories else FEW_LEVELS for name in chosen if kinds[name].is_category}
    return replace(
        stream,
        columns=Columns(chosen, rows.named),
        checked={name: levels.get(name, 0) for name in chosen},
        target_name=target,
        left_out=(*rows.left_out, *unused),
        notes=(*(f"{rows.source}: {note}" for note in rows.notes), *notes),
        source=rows.source,
    ), levels


def require_columns_of(rows: Rows, features: Sequence[str], target: str) -> None:
    """Raise a TableError for missing columns; a target that alone is missing is called target."""
    if rows.named and rows.layout.missing([*features, target]) == [target]:
        raise TableError(f"{rows.source}: the rows lack the target {quoted(target)}; add it as a column")
    rows.require([*features, target])
