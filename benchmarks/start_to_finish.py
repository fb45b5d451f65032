"""Start to finish: the usual scikit-learn + joblib scripts against our commands, as whole processes."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import HERE, OURS, agree, installed, progress, ratio, run_process

ORIGINAL = "scikit-learn + joblib"
ORIGINAL_STEPS = {name: [str(HERE / "original" / f"{name}.py")] for name in ("train", "quantize", "predict")}
OUR_STEPS = {"train": ["-m", "housing_np.train"], "predict": ["-m", "housing_np.predict"]}
FLOOR = "import numpy"
TOLERANCE = 1e-9


def measure(quick: bool) -> dict[str, Any]:
    """Wall seconds and peak memory of each side's steps, in interleaved rounds."""
    sides = {OURS: OUR_STEPS, FLOOR: {"predict": ["-c", "import numpy"]}}
    if installed("scikit-learn") and installed("joblib"):
        sides = {ORIGINAL: ORIGINAL_STEPS} | sides
    with TemporaryDirectory() as name:
        folder = Path(name)
        # The first round compiles what is imported; it is not counted.
        rounds = [_round(sides, folder, i) for i in range((1 if quick else 11) + 1)][1:]
        last = rounds[-1].get(ORIGINAL)
        difference = _same_answers(last["predict"]["output"], folder) if last else None
    seconds = {side: _seconds([each[side] for each in rounds]) for side in sides}
    peaks = {side: [max(step["peak_mib"] for step in each[side].values()) for each in rounds] for side in sides}
    return {
        "seconds": {
            side: {part: float(np.median(each)) for part, each in parts.items()} for side, parts in seconds.items()
        },
        "peak_mib": {side: float(np.median(each)) for side, each in peaks.items()},
        "ratio": {
            side: {part: ratio(each, seconds[OURS][part]) for part, each in parts.items()}
            | {"peak memory": ratio(peaks[side], peaks[OURS])}
            for side, parts in seconds.items()
            if side != OURS
        },
        "rounds": len(rounds),
        "tolerance": TOLERANCE,
        "difference": difference,
    }


def _round(sides: dict[str, dict[str, list[str]]], folder: Path, i: int) -> dict[str, dict[str, Any]]:
    done: dict[str, dict[str, Any]] = {}
    for side, steps in sides.items():
        progress(f"start to finish, round {i}: {side}")
        done[side] = {step: run_process(arguments, folder) for step, arguments in steps.items()}
    return done


def _seconds(rounds: list[dict[str, Any]]) -> dict[str, list[float]]:
    """By part of the work; quantization is a script of its own on one side, and a part of train on the other."""
    predict = [each["predict"]["seconds"] for each in rounds]
    whole = [sum(step["seconds"] for step in each.values()) for each in rounds]
    if len(rounds[0]) == 1:
        return {"predict": predict}
    prepare = [a - b for a, b in zip(whole, predict, strict=True)]
    return {"train and quantize": prepare, "predict": predict, "in all": whole}


def _same_answers(original: str, folder: Path) -> float:
    """Both float models predict the same for the first rows."""
    theirs = np.array([float(line.split()[0]) for line in original.splitlines()])
    answer = run_process([*OUR_STEPS["predict"], "models/float64.npz", "--json"], folder)["output"]
    return agree("start to finish", np.array(json.loads(answer)["predictions"]), theirs, TOLERANCE)
