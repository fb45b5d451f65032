"""python benchmarks/run.py: measure what this project says about itself, beside its peers, in one run.

Prints Markdown; with --json and --plots it leaves the record and its pictures. The recorded run is made by

    cd benchmarks/results
    python ../run.py --json record.json --plots . --readme ../../README.md > README.md
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STORED = HERE / "results" / "record.json"
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests")]

import render  # noqa: E402

# Each section, and the file that measures it.
SECTIONS = {
    "start": "start_to_finish",
    "fit": "fitting",
    "predict": "predicting",
    "digits": "digits",
    "quantization": "quantizing",
    "size": "sizes",
}


def measured(names: list[str], quick: bool) -> dict[str, Any]:
    """A record: the machine, and each section's measurements."""
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
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the record there")
    parser.add_argument("--plots", metavar="DIR", type=Path, help="draw the pictures there")
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=SECTIONS, help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--stored", action="store_true", help="no run: the record that is stored beside this script")
    parser.add_argument("--readme", metavar="FILE", type=Path, help="put the tables in their places there")
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    if options.stored:
        record = json.loads(STORED.read_text(encoding="utf-8"))
    else:
        record = measured(options.only or list(SECTIONS), options.quick)
    print(render.whole(record))
    if options.readme:
        text = options.readme.read_text(encoding="utf-8")
        options.readme.write_text(render.filled(text, record), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.plots:
        from plots import draw

        draw(record, options.plots)


if __name__ == "__main__":
    main()
