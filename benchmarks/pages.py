"""The records of several processors, and what pages say of them."""

import json
import re
from pathlib import Path

from overview import overview
from render import SECTIONS
from targets import Record

WORDS = (
    "Ratios are peer ÷ housing_np, of times unless memory is named: medians of interleaved rounds in one run. "
    "*Target*: set before measuring. In the overview housing_np's own figure comes first, then the ratio, or in "
    "brackets the peer's own figure."
)
MORE_WORDS = (
    "In the other tables the brackets hold the least and the most of the rounds. *Limit* is one pass over the bytes at "
    "the memory's speed, *intelex* is scikit-learn-intelex, and *lstsq* is numpy's own. ONNX Runtime predicts in uint8 "
    "by MatMulInteger, without bias and scale, and by QLinearMatMul + DequantizeLinear, with a uint8 output."
)
# The picture that follows a table: its file, for each processor where the name asks for it, and its words.
PICTURES = {
    "growth": (
        "fit-{}",
        "Seconds of a fit against rows, from 10,000 to 10 million, for each library, and of one pass over memory",
    ),
    "bits": ("deviation", "RMS deviation from the float model against bytes of numbers, for every scheme"),
}
MODEL_PICTURES = {
    "residuals": "Map of California: actual value minus predicted, mean of each cell",
    "predicted": "Predicted value against actual value, as density; the census stops at $500,000",
}


def processor(record: Record) -> str:
    """Return the processor's name, without its marks."""
    return re.sub(r"\((?:R|TM)\)", "", record["machine"]["processor"])


def slug(record: Record) -> str:
    """Return the name of the record's file."""
    return re.sub(r"[^a-z0-9]+", "-", processor(record).lower()).strip("-")


def keep(record: Record, folder: Path) -> None:
    """Write a record in place of the one of the same processor, whose other sections stay."""
    path = folder / f"{slug(record)}.json"
    if path.exists():
        record = merged(json.loads(path.read_text(encoding="utf-8")), record)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def merged(stored: Record, record: Record) -> Record:
    """Return a record with the other sections of a stored one; its own then carry the machine of their run."""
    if stored["sections"].keys() <= record["sections"].keys():
        return record
    later = {name: section | {"machine": record["machine"]} for name, section in record["sections"].items()}
    return stored | {"sections": stored["sections"] | later}


def records_in(folder: Path) -> dict[str, Record]:
    """Return the records in a folder by the name of their processor."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return {processor(record): record for record in records}


def machine(records: dict[str, Record]) -> str:
    """Return what the records were measured on, and when, and how ratios and targets are meant."""
    return "\n\n".join([*map(_measured, records.values()), WORDS])


def page(records: dict[str, Record], pictures: Path) -> str:
    """Return all tables, each for every processor that has other numbers, with the pictures that are in a folder."""
    parts = ["# Benchmarks", machine(records), overview(records), MORE_WORDS]
    for section, tables in SECTIONS.items():
        having = {name: record for name, record in records.items() if section in record["sections"]}
        for table, title in tables.items():
            shown: dict[str, list[str]] = {}
            for name, record in having.items():
                if text := table(record):
                    shown.setdefault(text, []).append(name)
            if shown:
                parts.append(f"## {title}")
            for text, names in shown.items():
                parts += [f"**{', '.join(names)}**", text] if len(records) > 1 else [text]
            file, words = PICTURES.get(table.__name__, ("", ""))
            for each in dict.fromkeys(file.format(slug(record)) for record in having.values()):
                parts += _picture(each, words, pictures)
    model = [part for file, words in MODEL_PICTURES.items() for part in _picture(file, words, pictures)]
    parts += ["## What a linear model can do here", *model] if model else []
    return "\n\n".join(parts)


def filled(text: str, records: dict[str, Record]) -> str:
    """Return a text with what comments ask for: <!-- benchmarks: machine (or overview) --> … <!-- end -->."""
    kinds = {"machine": machine, "overview": overview}
    place = r"(<!-- benchmarks: (\w+) -->\n).*?(<!-- end -->)"
    return re.sub(place, lambda found: f"{found[1]}{kinds[found[2]](records)}\n{found[3]}", text, flags=re.DOTALL)


def _measured(record: Record) -> str:
    about = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    memory = f", {about['memory_gib']:g} GiB" if about["memory_gib"] else ""
    speed = about["memory_bytes_per_second"] / 1e9
    where = f"{processor(record)}, {about['cores']} cores{memory}, {about['system']}"
    parts = [f"Measured on {about['date']} on {where}, whose memory was read at {speed:.0f} GB/s; {versions}."]
    if record["quick"]:
        parts.append("A quick run: smaller sizes and fewer rounds.")
    parts += [_later(record, name) for name, section in record["sections"].items() if "machine" in section]
    if about["missing"]:
        parts.append(f"Left out, since not installed: {', '.join(about['missing'])}.")
    return " ".join(parts)


def _later(record: Record, section: str) -> str:
    """Return when a section was measured by itself, and which versions were others then."""
    before, about = record["machine"], record["sections"][section]["machine"]
    speed = about["memory_bytes_per_second"] / 1e9
    versions = (f"{name} {new}" for name, new in about["versions"].items() if before["versions"].get(name, new) != new)
    parts = [f"Section {section}: measured on {about['date']}", f"memory read at {speed:.0f} GB/s", *versions]
    return f"{', '.join(parts)}."


def _picture(file: str, words: str, folder: Path) -> list[str]:
    """Return a picture for light pages and for dark ones, if there is one."""
    if not (file and (folder / f"{file}-light.svg").exists()):
        return []
    return [
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{file}-dark.svg">\n'
        f'  <img src="{file}-light.svg" alt="{words}">\n'
        "</picture>"
    ]
