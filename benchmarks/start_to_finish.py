"""Start to finish: the usual scikit-learn + joblib scripts against our commands, as whole processes."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import HERE, OURS, agree, installed, interleaved, medians, ratios, run_process

ORIGINAL = "scikit-learn + joblib"
ORIGINAL_STEPS = {name: [str(HERE / "original" / f"{name}.py")] for name in ("train", "quantize", "predict")}
OUR_STEPS = {"train": ["-m", "housing_np.train"], "predict": ["-m", "housing_np.predict"]}
FLOOR = "import numpy"
TOLERANCE = 1e-9


def measure(quick: bool) -> dict[str, Any]:
    """Return wall seconds and peak memory of each side's steps, in interleaved rounds."""
    sides = {OURS: OUR_STEPS, FLOOR: {"predict": ["-c", "import numpy"]}}
    if installed("scikit-learn", "joblib"):
        sides = {ORIGINAL: ORIGINAL_STEPS} | sides
    with TemporaryDirectory() as name:
        folder = Path(name)
        runs = {side: lambda steps=steps: _run(steps, folder) for side, steps in sides.items()}
        # The first round compiles what is imported; it is not counted, unless it is the only one.
        rounds = interleaved(runs, 1 if quick else 11, "start to finish", uncounted=0 if quick else 1)
        original = rounds[ORIGINAL][-1]["predict"]["output"] if ORIGINAL in rounds else None
        difference = None if original is None else _same_answers(original, folder)
    seconds = {side: _seconds(each) for side, each in rounds.items()}
    peaks = {side: [max(step["peak_mib"] for step in steps.values()) for steps in rounds[side]] for side in sides}
    memory, peers = ratios(peaks), [side for side in sides if side != OURS]
    return {
        "seconds": {side: medians(parts) for side, parts in seconds.items()},
        "peak_mib": medians(peaks),
        "ratio": {
            side: {part: ratios({side: each, OURS: seconds[OURS][part]})[side] for part, each in seconds[side].items()}
            | {"peak memory": memory[side]}
            for side in peers
        },
        "rounds": len(rounds[OURS]),
        "tolerance": TOLERANCE,
        "difference": difference,
    }


def _run(steps: dict[str, list[str]], folder: Path) -> dict[str, dict[str, Any]]:
    return {step: run_process(arguments, folder) for step, arguments in steps.items()}


def _seconds(rounds: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return seconds by part of the work: what quantizes is a script on one side, and part of train on the other."""
    predict = [each["predict"]["seconds"] for each in rounds]
    whole = [sum(step["seconds"] for step in each.values()) for each in rounds]
    if len(rounds[0]) == 1:
        return {"predict": predict}
    prepare = [a - b for a, b in zip(whole, predict, strict=True)]
    return {"train and quantize": prepare, "predict": predict, "in all": whole}


def _same_answers(original: str, folder: Path) -> float:
    """Compare what both float models predict for the first rows."""
    theirs = np.array([float(line.split()[0]) for line in original.splitlines()])
    answer = run_process([*OUR_STEPS["predict"], "models/float64.npz", "--json"], folder)["output"]
    return agree("start to finish", np.array(json.loads(answer)["predictions"]), theirs, TOLERANCE)
