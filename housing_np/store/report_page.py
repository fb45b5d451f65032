"""The record of a training as a page to read, in HTML or Markdown: a model card, from the data alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from ..errors import counted, printable
from ..evaluation.leave_one_out import rows_alone

_STYLE = (
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid #ccc;text-align:right}"
    "th:first-child,td:first-child{text-align:left}"
    "svg{max-width:100%;height:auto}code{overflow-wrap:anywhere}"
)


class Section(NamedTuple):
    """A section of the page: sentences, a table with its head first, and the names of its pictures."""

    title: str
    lines: Sequence[str]
    table: Sequence[Sequence[str]] = ()
    pictures: Sequence[str] = ()


def markdown(report: Mapping[str, Any]) -> str:
    """Return the page in Markdown, as GitHub reads it, without pictures."""
    return f"# {_marked(_title(report))}\n\n" + "\n".join(
        f"## {each.title}\n\n" + "".join(f"- {_marked(line)}\n" for line in each.lines) + _marked_table(each.table)
        for each in sections(report)
    )


def html(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """Return the page in HTML, with pictures by name in SVG; it loads nothing from anywhere."""
    title = escape(printable(_title(report)))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    parts = [f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>', f"<h1>{title}</h1>"]
    for each in sections(report):
        parts += [f"<h2>{each.title}</h2>", *(f"<p>{escape(printable(line))}</p>" for line in each.lines)]
        parts += [_html_table(each.table), *(pictures[name] for name in each.pictures)]
    return "\n".join([*filter(None, parts), "</body></html>\n"])


def sections(report: Mapping[str, Any]) -> list[Section]:
    """Return what the page says."""
    return [_use(report), _limits(report), _scores(report), _stages(report), _fit(report), _data(report), _made(report)]


def _title(report: Mapping[str, Any]) -> str:
    return f"A linear model of {report['target']['name']}"


def _use(report: Mapping[str, Any]) -> Section:
    target, rows = report["target"], report["data"]["rows"]
    return Section(
        "What it is for",
        [
            f"It predicts {target['name']} from {counted(len(report['features']), 'feature')} of a row: "
            f"{', '.join(report['features'])}.",
            f"It was fitted to {counted(rows, 'row')}, in which {target['name']} is between "
            f"{_number(target['low'])} and {_number(target['high'])}, {_number(target['mean'])} in the mean.",
        ],
    )


def _limits(report: Mapping[str, Any]) -> Section:
    target, unseen = report["target"], report["leave_one_out_others"] or report["leave_one_out"]
    lines = [
        "It adds up one weight times each feature: it cannot model curves or interactions.",
        "It describes correlations in these rows, not causes.",
        "Nothing is known of rows outside the ranges in the table of the data: predictions there extrapolate. "
        "Predictions may leave the range of the target.",
    ]
    if unseen["r2"] is not None:
        lines.append(
            f"On rows outside the fit its mean absolute error is {_number(unseen['mae'])}; it does not explain "
            f"{_share(1 - unseen['r2'])} of the variance of {target['name']}."
        )
    unsure = [name for name, each in report["coefficients"].items() if not _is_sure(each)]
    if unsure:
        lines.append(f"These weights may be positive or negative (within two standard errors): {', '.join(unsure)}.")
    if report["data"]["rows_skipped"]:
        lines.append(f"Bad rows were skipped, and are not in any figure: {report['data']['rows_skipped']:,}.")
    return Section("What it cannot do", lines)


def _is_sure(weight: Mapping[str, float]) -> bool:
    return abs(weight["coefficient"]) > 2 * weight["standard_error"]


def _scores(report: Mapping[str, Any]) -> Section:
    keys, others = ("r2", "mse", "mae"), report["leave_one_out_others"]
    scores = {
        "all rows, float model": report["stages"]["float64"],
        "leave-one-out": others or report["leave_one_out"],
        "held-out fifth": report["held_out"],
    }
    rows = [[name, *(_number(score[key]) for key in keys)] for name, score in scores.items()]
    lines = [
        "Leave-one-out: each row predicted by a fit to all others. Held-out fifth: by one fit to the other four fifths."
    ]
    if others:
        alone = rows_alone(others["rows_alone"], others["features_alone"])
        lines.append(f"Leave-one-out is without {alone}: the other rows say nothing about that.")
    return Section("How good it is", lines, [["rows", "R²", "MSE", "MAE"], *rows], ["predicted", "residuals"])


def _stages(report: Mapping[str, Any]) -> Section:
    keys = ("r2", "mae", "largest_deviation", "rms_deviation", "median_bound", "payload_bytes", "file_bytes")
    head = ["model", "R²", "MAE", "largest deviation", "RMS deviation", "median bound", "payload, bytes", "file, bytes"]
    rows = [[name, *(_number(each[key]) for key in keys)] for name, each in report["stages"].items()]
    lines = [
        f"Deviations are from the float model, in units of {report['target']['name']}; no prediction is further from "
        "it than its bound."
    ]
    return Section("The models", lines, [head, *rows], ["stages"])


def _fit(report: Mapping[str, Any]) -> Section:
    def row(name: str, weight: Mapping[str, float], deviation: float | None) -> list[str]:
        value, error = weight["coefficient"], weight["standard_error"]
        moves = "" if deviation is None else _number(value * deviation)
        return [name, _number(value), _number(error), moves]

    weights = [row(name, each, report["features"][name]["deviation"]) for name, each in report["coefficients"].items()]
    return Section(
        "What each feature contributes",
        ["The contribution is the weight times the standard deviation of the feature, in units of the target."],
        [["", "weight", "standard error", "contribution"], row("intercept", report["intercept"], None), *weights],
        ["contributions"],
    )


def _data(report: Mapping[str, Any]) -> Section:
    keys = ("low", "quartile_1", "median", "quartile_3", "high", "mean", "deviation")
    columns = {**report["features"], report["target"]["name"]: report["target"]}
    data = report["data"]
    lines = [f"{counted(data['rows'], 'row')}; bad rows skipped: {data['rows_skipped']:,}."]
    if data["sampled"] < data["rows"]:
        lines.append(f"Quartiles, medians and pictures are of {data['sampled']:,} rows, drawn at random.")
    if data["left_out"]:
        lines.append(f"Columns left out: {', '.join(data['left_out'])}.")
    rows = [[name, *(_number(each[key]) for key in keys)] for name, each in columns.items()]
    return Section("The data", lines, [["", *(key.replace("_", " ") for key in keys)], *rows])


def _made(report: Mapping[str, Any]) -> Section:
    options = {name: value for name, value in report["options"].items() if value not in (None, False, [])}
    return Section(
        "How it was made",
        [
            "Versions: " + _listed(report["versions"]) + ".",
            "Options: " + _listed(options) + ".",
            *(f"SHA-256 of {name}: {sum or 'not known'}" for name, sum in report["data"]["sha256"].items()),
            *(f"SHA-256 of {name}.npz: {each['sha256']}" for name, each in report["stages"].items()),
        ],
    )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in values.items()
    )


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _marked(text: str) -> str:
    """Return text with escapes for what means something in Markdown, and for what GitHub makes links of."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~$&!@]|:(?=//)|(?<=[Ww]{3})\.)", r"\\\1", printable(text))
    # An address of mail is a link in spite of the escape; nothing is seen of a comment.
    return escaped.replace("\\@", "\\@<!-- -->")


def _marked_table(table: Sequence[Sequence[str]]) -> str:
    if not table:
        return ""
    head, *rows = (f"| {' | '.join(map(_marked, row))} |\n" for row in table)
    return "\n" + head + "|" + " --- |" + " ---: |" * (len(table[0]) - 1) + "\n" + "".join(rows)


def _html_table(table: Sequence[Sequence[str]]) -> str:
    if not table:
        return ""
    head, *rows = table
    return f"<table>{_html_row('th', head)}{''.join(_html_row('td', row) for row in rows)}</table>"


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(printable(cell))}</{tag}>' for cell in cells)}</tr>"
