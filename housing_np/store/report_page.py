"""The record of a training as a page to read, in HTML or Markdown: a model card, from the data alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import counted, printable
from ..evaluation.leave_one_out import rows_alone
from .report_limits import limits
from .report_text import deviation_of, number, with_unit

if TYPE_CHECKING:
    from .pictures import Picture

_STYLE = (
    ":root{--page:#fff;--ink:#1f2328;--line:#d1d9e0;--ours:#0969da;color-scheme:light}"
    "@media screen and (prefers-color-scheme:dark){:root{--page:#0d1117;--ink:#e6edf3;--line:#3d444d;--ours:#58a6ff;"
    "color-scheme:dark}}"
    "body{max-width:62rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:break-word;"
    "color:var(--ink);background:var(--page)}"
    "h1{font-size:1.7rem;line-height:1.2}h2{margin:2.5rem 0 .75rem;font-size:1.25rem;break-after:avoid}"
    "ul{padding-left:1.2rem}li{margin:.4rem 0}"
    ".table{margin:1rem 0;overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}"
    "thead th{vertical-align:bottom;white-space:normal}"
    "th:first-child{padding-left:0;text-align:left}"
    "tbody th{min-width:10rem;font-weight:400;white-space:normal;overflow-wrap:anywhere}"
    ".pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1.5rem;"
    "margin:1.5rem 0}"
    "figure{margin:0;break-inside:avoid}figcaption{margin-bottom:.5rem;font-weight:600}"
    "svg{display:block;max-width:100%;height:auto}"
    "@media print{body{max-width:none;margin:0;font-size:10pt}.table{overflow:visible;font-size:.85em}"
    "th,td{padding:.15rem .4rem;white-space:normal}tbody th{min-width:6rem}tr{break-inside:avoid}}"
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


def html(report: Mapping[str, Any], pictures: "Mapping[str, Picture]") -> str:
    """Return the page in HTML, with pictures by name in SVG; it loads nothing from anywhere."""
    title = _text(_title(report))
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style>"
    )
    parts = [f'<!doctype html>\n<html lang="en"><head>{head}</head><body>', f"<h1>{title}</h1>"]
    for each in sections(report):
        shown = [_figure(pictures[name]) for name in each.pictures if name in pictures]
        parts += [f"<h2>{each.title}</h2>", _html_lines(each.lines), _html_table(each)]
        parts += ['<div class="pictures">', *shown, "</div>"] if shown else []
    return "\n".join([*filter(None, parts), "</body></html>\n"])


def sections(report: Mapping[str, Any]) -> list[Section]:
    """Return what the page says."""
    limits_of = Section("What it cannot do", limits(report))
    return [_use(report), limits_of, _scores(report), _stages(report), _fit(report), _data(report), _made(report)]


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
            f"{number(target['low'])} and {number(target['high'])}, {number(target['mean'])} in the mean.",
        ],
    )


def _scores(report: Mapping[str, Any]) -> Section:
    keys, others = ("r2", "mse", "mae"), report["leave_one_out_others"]
    scores = {
        "all rows, float model": report["stages"]["float64"],
        "leave-one-out": others or report["leave_one_out"],
        "held-out fifth": report["held_out"],
    }
    rows = [[name, *(number(score[key]) for key in keys)] for name, score in scores.items()]
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
    rows = [[name, *(number(each[key]) for key in keys)] for name, each in report["stages"].items()]
    lines = [
        f"Deviations are from the float model, in {with_unit(report, report['target']['name'])}. No prediction is "
        "further from it than the bound of its row; the table has the median of the bounds."
    ]
    return Section("The models", lines, [head, *rows], ["bounds"])


def _fit(report: Mapping[str, Any]) -> Section:
    def row(name: str, weight: Mapping[str, Any], deviation: float = nan) -> list[str]:
        value, error = weight["coefficient"], weight["standard_error"]
        return [name, number(value), number(error), number(value * deviation, 3)]

    target, features = report["target"]["name"], report["features"]
    weights = [
        [*row(name, each, features[name]["deviation"]), deviation_of(report, name)]
        for name, each in report["coefficients"].items()
    ]
    head = ["feature", "weight", "standard error", "effect of one deviation", "one deviation"]
    return Section(
        "What each feature contributes",
        [
            f"A weight is in {with_unit(report, target)} per unit of its feature. The effect of a feature is its "
            "weight times its standard deviation, in the same unit: effects can be compared, weights cannot."
        ],
        [head, [*row("intercept", report["intercept"]), ""], *weights],
        ["effects"],
    )


def _data(report: Mapping[str, Any]) -> Section:
    keys = ("low", "quartile_1", "median", "quartile_3", "high", "mean", "deviation")
    head = ["column", "lowest", "1st quartile", "median", "3rd quartile", "highest", "mean", "standard deviation"]
    columns = {**report["features"], report["target"]["name"]: report["target"]}
    data = report["data"]
    lines = [f"{counted(data['rows'], 'row')}; bad rows skipped: {data['rows_skipped']:,}."]
    if data["sampled"] < data["rows"]:
        lines.append(f"Quartiles, medians and pictures are of {data['sampled']:,} rows, drawn at random.")
    if data["left_out"]:
        lines.append(f"Columns left out: {', '.join(data['left_out'])}.")
    rows = [[with_unit(report, name), *(number(each[key]) for key in keys)] for name, each in columns.items()]
    return Section("The data", lines, [head, *rows])


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


def _text(text: str) -> str:
    return escape(printable(text))


def _html_lines(lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return f"<p>{_text(lines[0])}</p>"
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _html_table(section: Section) -> str:
    """Return the table of a section, which scrolls by itself, by the keyboard too."""
    if not section.table:
        return ""
    head, *rows = section.table
    heads = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row">{_text(name)}</th>{_cells(cells)}</tr>' for name, *cells in rows)
    return (
        f'<div class="table" role="region" aria-label="{section.title}" tabindex="0">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{_text(cell)}</td>" for cell in cells)


def _figure(picture: "Picture") -> str:
    svg = picture.svg.replace("<svg", f'<svg role="img" aria-label="{_text(picture.text)}"', 1)
    return f"<figure><figcaption>{_text(picture.title)}</figcaption>{svg}</figure>"
