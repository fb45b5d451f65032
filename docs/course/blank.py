"""Write exercises.ipynb: solutions.ipynb with ``...`` for each answer, and without what explains them."""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ANSWER = re.compile(r"^(\w+) = .*(?=  # answer$)", re.MULTILINE)


def blanked(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook in which each line that ends in ``# answer`` has its answer replaced by ``...``."""
    cells = [cell for cell in notebook["cells"] if not "".join(cell["source"]).startswith("**Answer.**")]
    sources = [ANSWER.sub(r"\1 = ...", "".join(cell["source"])).splitlines(keepends=True) for cell in cells]
    return notebook | {"cells": [cell | {"source": source} for cell, source in zip(cells, sources, strict=True)]}


if __name__ == "__main__":
    solutions = json.loads((HERE / "solutions.ipynb").read_text(encoding="utf-8"))
    text = json.dumps(blanked(solutions), indent=1, ensure_ascii=False)
    (HERE / "exercises.ipynb").write_text(f"{text}\n", encoding="utf-8")
