"""python benchmarks/run.py: measure what this project says about itself, beside its peers, in one run.

Prints Markdown. The record of this kind of processor is made, or made again, and the pages that show it are written, by

    python benchmarks/run.py --out benchmarks/results --readme README.md

which leaves the records of other processors as they are. With --only NAME the other sections of this processor's record
stay; with --stored the same pages are written without a run.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests")]

import pages  # noqa: E402

# Each section, and the file that measures it.
SECTIONS = {
    "start": "start_to_finish",
    "fit": "fitting",
    "predict": "predicting",
    "tables": "tables",
    "texts": "texts",
    "digits": "digits",
    "quantization": "quantizing",
    "worth": "worth",
    "size": "sizes",
    "elsewhere": "elsewhere",
    "cortex": "cortex_m0",
    "serve": "serving",
}


def measured(names: list[str], quick: bool) -> dict[str, Any]:
    """Return a record: the machine, and each section's measurements."""
    from measure import machine, progress

    progress("the machine")
    record = {"format": 1, "quick": quick, "machine": machine(), "sections": {}}
    for name in names:
        record["sections"][name] = import_module(SECTIONS[name]).measure(quick)
    progress("")
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure housing_np beside its peers; print Markdown tables.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds: about a minute")
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=SECTIONS, help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--stored", action="store_true", help="no run: the records that are stored beside this script")
    parser.add_argument("--out", metavar="DIR", type=Path, help="keep the record, its pictures and the page there")
    parser.add_argument("--readme", metavar="FILE", type=Path, help="put the overview in its place there")
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    folder = options.out or HERE / "results"
    stored = pages.records_in(folder).values() if options.out else ()
    if options.only and any(record["quick"] != options.quick for record in stored):
        parser.error(f"--only adds to the records in {folder}: all of them with --quick, or none")
    if options.stored:
        records = pages.records_in(HERE / "results")
    else:
        record = measured(options.only or list(SECTIONS), options.quick)
        records = {pages.processor(record): record}
        if options.out:
            from plots import draw

            folder.mkdir(parents=True, exist_ok=True)
            pages.keep(record, folder)
            draw(record, folder)
            records = pages.records_in(folder)
    text = pages.page(records, folder)
    print(text)
    if options.out:
        (folder / "README.md").write_text(text + "\n", encoding="utf-8")
    if options.readme:
        old = options.readme.read_text(encoding="utf-8")
        options.readme.write_text(pages.filled(old, records), encoding="utf-8")


if __name__ == "__main__":
    main()
