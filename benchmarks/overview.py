"""The overview: each figure for which a target was set, and the size of the file, for every kind of processor."""

from collections.abc import Iterator
from typing import NamedTuple

import targets
from cells import duration, met, mib, table, three_digits
from render import FORMATS, threads_of
from targets import ORIGINAL, OURS, WORST, WORST_CORRELATED, Record


class Line(NamedTuple):
    """A figure: what was done, against whom, the target ("" for none), and what came out."""

    what: str
    peer: str
    target: str
    cell: str


def overview(records: dict[str, Record]) -> str:
    """Return a line for each figure, with a column for each record, by the name of its processor."""
    shown: dict[tuple[str, str], dict[str, Line]] = {}
    for section, lines in LINES.items():
        for name, record in records.items():
            for line in lines(record) if section in record["sections"] else ():
                shown.setdefault((line.what, line.peer), {})[name] = line
    rows = [
        [*key, max((line.target for line in lines.values()), key=len)]
        + [lines[name].cell if name in lines else "" for name in records]
        for key, lines in shown.items()
    ]
    return table(["", "peer", "target", *records], rows, left=3)


def _line(what: str, peer: str, own: str, ratio: float, target: float | None) -> Line:
    """Return the line of a ratio."""
    wanted, judged = ("", "") if target is None else (f"{target}×", f": {met(ratio >= target)}")
    return Line(what, peer, wanted, f"{own}, {three_digits(ratio)}×{judged}")


def _start(record: Record) -> Iterator[Line]:
    section = record["sections"]["start"]
    if ORIGINAL in section["ratio"]:
        ratios = {part: each[0] for part, each in section["ratio"][ORIGINAL].items()}
        own, what = duration(section["seconds"][OURS]["in all"]), "train, quantize, predict: whole processes"
        yield _line(what, ORIGINAL, own, ratios["in all"], targets.START["in all"])
        own, what = mib(section["peak_mib"][OURS]), "their peak memory"
        yield _line(what, ORIGINAL, own, ratios["peak memory"], targets.START["peak memory"])


def _fit(record: Record) -> Iterator[Line]:
    usual = targets.fit_cells(record, correlated=False)
    for peer, wanted in targets.FIT.items():
        if peer in usual[0]["ratio"]:
            ratios = targets.fit_ratios(record, peer)
            is_met = all(ratios[name] >= ratio for name, ratio in wanted.items() if name in ratios)
            worst = min(usual, key=lambda each: each["ratio"][peer][0])
            where = f"{worst.get('kind', targets.NORMAL)}, {worst['rows']:,} × {worst['columns']}"
            figures = [f"{duration(worst['seconds'][OURS])}, {three_digits(ratios[WORST])}× {WORST} ({where})"]
            figures += [f"{three_digits(ratios[name])}× {name}" for name in wanted if name in ratios and name != WORST]
            has_kinds = WORST_CORRELATED in ratios
            if not has_kinds:
                figures.append("other kinds of columns not measured")
            # Normal columns alone can miss a target, but not meet it.
            judged = f": {met(is_met)}" if has_kinds or not is_met else ""
            target = "; ".join(f"{ratio}× {name}" for name, ratio in wanted.items())
            yield Line("fit: all kinds of columns and shapes", peer, target, "; ".join(figures) + judged)


def _predict(record: Record) -> Iterator[Line]:
    # Older records compare all threads with one: their table has it, and a comparison of equals stands here.
    for case in (each for each in record["sections"]["predict"]["cases"] if each["threads"] != "default"):
        rows = case["rows"]
        for peer, ratio in case["ratio"].items():
            threads = threads_of(case, peer)
            target = targets.PREDICT.get((rows, case["threads"], peer))
            if target or (rows, threads, peer) in targets.PREDICT:
                what = f"predict 1 row, {case['kind']}"
                if rows > 1:
                    what = f"predict {rows:,} rows, {case['kind']}; threads: {threads}"
                yield _line(what, peer, duration(case["seconds"][OURS]), ratio[0], target)


def _tables(record: Record) -> Iterator[Line]:
    for case in record["sections"]["tables"]["cases"]:
        what = f"{case['command']}, {case['rows']:,} rows of {FORMATS[case['format']]}"
        for peer, ratio in case["ratio"].items():
            key = (case["command"], case["format"], peer)
            if target := targets.TABLES.get(key):
                yield _line(what, peer, duration(case["seconds"][OURS]), ratio[0], target)
            if target := targets.TABLES_MEMORY.get(key):
                own, ratio = mib(case["peak_mib"][OURS]), case["memory_ratio"][peer]
                yield _line(f"its peak memory: {what}", peer, own, ratio[0], target)


def _digits(record: Record) -> Iterator[Line]:
    section = record["sections"]["digits"]
    ours, peers = section["digits"][OURS], [name for name in section["digits"] if name != OURS]
    what, against = "correct digits on NIST's sets, {}", f"best of {', '.join(peers)}"
    worst, mean = min(ours.values()), section["mean"][OURS]
    best_worst = max(min(section["digits"][name].values()) for name in peers)
    best_mean = max(section["mean"][name] for name in peers)
    judged = met(all(value >= targets.digits(name) for name, value in ours.items()))
    wanted = f"{targets.digits('')}, {targets.digits('Filip')} on Filip"
    yield Line(what.format("worst"), against, wanted, f"{worst:.1f} ({best_worst:.1f}): {judged}")
    wanted, _, judged = targets.mean_digits(record).partition(": ")
    yield Line(what.format("mean"), against, wanted, f"{mean:.1f} ({best_mean:.1f}): {judged}")


def _size(record: Record) -> Iterator[Line]:
    bytes_ = record["sections"]["size"]["bytes"]
    if peer := bytes_.get("original's quantized.joblib"):
        for scheme in ("per-tensor", "per-channel"):
            cell = f"{bytes_[f'uint8-{scheme}.npz']:,} B ({peer:,} B)"
            yield Line(f"file of the uint8 model, {scheme}", "joblib, the truncated weights", "", cell)


LINES = {
    "start": _start,
    "fit": _fit,
    "predict": _predict,
    "tables": _tables,
    "digits": _digits,
    "size": _size,
}
