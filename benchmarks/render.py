"""Tables: a record of measurements as Markdown. Imports nothing but the standard library."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import log10, prod
from typing import Any

Record = dict[str, Any]
OURS = "housing_np"
ORIGINAL = "scikit-learn + joblib"

# What was aimed at. A ratio is the peer's time, or memory, in ours.
START_REACH = {"in all": 12, "predict": 10, "peak memory": 3}
FIT_REACH, INTELEX_REACH = 4, 1
PREDICT_REACH = {
    (1, "ONNX Runtime, MatMul + Add in float32"): 1,
    (1_000_000, "scikit-learn"): 2,
    (1_000_000, "ONNX Runtime, MatMulInteger"): 3,
    (1_000_000, "ONNX Runtime, QLinearMatMul + DequantizeLinear"): 5,
}
# Filip's design is a polynomial of degree 10, whose powers are rounded before any library sees them.
DIGITS_REACH, FILIP_REACH, MEAN_DIGITS_REACH = 9, 7, 12.5
DROP_REACH = {8: 1.5e-5, 6: 1.6e-4, 5: 1.1e-3, 4: 3.3e-3, 3: 1.4e-2, 2: 3.2e-2}


def machine(record: Record) -> str:
    """Where and when, in a paragraph."""
    about = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    memory = f", {about['memory_gib']:g} GiB" if about["memory_gib"] else ""
    speed = about["memory_bytes_per_second"] / 1e9
    where = f"{about['processor']}, {about['cores']} cores{memory}, {about['system']}"
    lines = [
        f"Measured on {about['date']} on {where}, whose memory was read at {speed:.0f} GB/s; {versions}. "
        "Ratios are the other's time or memory in ours: medians of interleaved rounds in one run, with the least and "
        "the most in brackets. Times are context. *Limit* is one pass over the bytes at the memory's speed."
    ]
    if record["quick"]:
        lines.append("A quick run: smaller sizes and fewer rounds.")
    if about["missing"]:
        lines.append(f"Left out, since not installed: {', '.join(about['missing'])}.")
    return "\n\n".join(lines)


def start(record: Record) -> str:
    """Whole processes, against the original pipeline."""
    section = record["sections"]["start"]
    ours, floor = section["seconds"][OURS], section["seconds"]["import numpy"]["predict"]
    note = f"Python that imports numpy and ends takes {_time(floor)} and {section['peak_mib']['import numpy']:.0f} MiB."
    if ORIGINAL not in section["seconds"]:
        return f"{note} housing_np takes {_time(ours['in all'])} in all."
    theirs, ratios = section["seconds"][ORIGINAL], section["ratio"][ORIGINAL]
    peaks = {side: f"{section['peak_mib'][side]:.0f} MiB" for side in (ORIGINAL, OURS)}
    cells = {part: [_time(theirs[part]), _time(ours[part])] for part in ours}
    cells["peak memory"] = [peaks[ORIGINAL], peaks[OURS]]
    rows = [
        [part, *pair, _ratio(ratios[part]), _verdict(ratios[part][0], START_REACH.get(part))]
        for part, pair in cells.items()
    ]
    return "\n".join([_table(["", ORIGINAL, OURS, "ratio", "reach"], rows), "", note])


def fit(record: Record) -> str:
    """Four shapes."""
    shapes = record["sections"]["fit"]["shapes"]
    peers = list(shapes[0]["ratio"])
    rows = [[f"{each['rows']:,} × {each['columns']}", *_times_and_ratios(record, each, peers)] for each in shapes]
    medians = {peer: [each["ratio"][peer][0] for each in shapes] for peer in peers}
    means = {peer: prod(each) ** (1 / len(each)) for peer, each in medians.items()}
    reach = {
        "scikit-learn": lambda: f"{FIT_REACH} at each: {_met(min(medians['scikit-learn']) >= FIT_REACH)}",
        "intelex": lambda: f"{INTELEX_REACH} in the mean: {_met(means['intelex'] >= INTELEX_REACH)}",
    }
    rows.append(["geometric mean", "", "", *(f"{means[peer]:.3g}" for peer in peers)])
    if not record["quick"]:
        rows.append(["reach", "", "", *(reach.get(peer, str)() for peer in peers)])
    return _table(["rows × features", OURS, "limit", *peers], rows)


def growth(record: Record) -> str:
    """Time against rows of 8 features."""
    each_size = record["sections"]["fit"]["growth"]
    if not each_size:  # in a quick run
        return ""
    peers = list(each_size[0]["ratio"])
    rows = [[f"{each['rows']:,}", each["source"], *_times_and_ratios(record, each, peers)] for each in each_size]
    return _table(["rows", "data", OURS, "limit", *peers], rows)


def memory(record: Record) -> str:
    """Peak memory of the whole process against rows."""
    each_size = record["sections"]["fit"]["growth"]
    if not each_size:
        return ""
    libraries = sorted(each_size[0]["seconds"], key=lambda name: name != OURS)
    rows = [
        [f"{each['rows']:,}", each["source"], _mib(each["bytes"] / 2**20)]
        + [_mib(each["peak_mib"].get(name)) for name in libraries]
        for each in each_size
    ]
    return _table(["rows", "data", "size of the data", *libraries], rows)


def predict(record: Record) -> str:
    """One row and a million."""
    rows = []
    for case in record["sections"]["predict"]["cases"]:
        for peer, ratios in case["ratio"].items():
            reach = PREDICT_REACH.get((case["rows"], peer)) if case["threads"] == "default" else None
            what = [f"{case['rows']:,}", case["kind"], {"default": "all", "one": "one"}[case["threads"]], peer]
            figures = [_time(case["seconds"][OURS]), _time(_limit(record, case["bytes"])), _ratio(ratios)]
            rows.append([*what, *figures, _verdict(ratios[0], reach)])
    return _table(["rows", "inputs", "threads of numpy", "against", OURS, "limit", "ratio", "reach"], rows, left=4)


def digits(record: Record) -> str:
    """Correct decimals of the worst coefficient."""
    section = record["sections"]["digits"]
    libraries, ours = list(section["digits"]), section["digits"][OURS]
    rows = []
    for name, value in ours.items():
        reach = FILIP_REACH if name == "Filip" else DIGITS_REACH
        rows.append([name, *(f"{section['digits'][each][name]:.1f}" for each in libraries), _verdict(value, reach, "")])
    others = [value for name, value in ours.items() if name != "Filip"]
    verdict = f"{MEAN_DIGITS_REACH} without Filip: {_met(sum(others) / len(others) >= MEAN_DIGITS_REACH)}"
    rows.append(["mean", *(f"{section['mean'][each]:.1f}" for each in libraries), verdict])
    return _table(["set", *libraries, "reach"], rows)


def quantization(record: Record) -> str:
    """The usual casts, ONNX Runtime, and our schemes at 8 bits."""
    return _schemes(each for each in record["sections"]["quantization"]["schemes"] if each.get("bits", 8) == 8)


def onnx(record: Record) -> str:
    """ONNX Runtime's ways, and ours at as many bits."""
    every = record["sections"]["quantization"]["schemes"]
    ours = [each for each in every if each.get("bits") == 8 and each["rounding"] == "nearest"]
    return _schemes([each for each in every if each["kind"] == "ONNX Runtime"] + ours)


def schemes(record: Record) -> str:
    """Our schemes at every number of bits."""
    return _schemes(each for each in record["sections"]["quantization"]["schemes"] if each["kind"] == "ours")


def bits(record: Record) -> str:
    """What each bit costs: the drop of R²."""
    every = record["sections"]["quantization"]["schemes"]
    exact = next(each["r2"] for each in every if each["scheme"] == "float64")
    ours = [each for each in every if each["kind"] == "ours"]
    rows, widths = [], sorted({each["bits"] for each in ours}, reverse=True)
    for (way, rounding), group in groupby(ours, key=lambda each: (each["way"], each["rounding"])):
        drops = {each["bits"]: exact - each["r2"] for each in group}
        rows.append([f"{way}, {rounding}", *(_minus(f"{drops[width]:.1e}") for width in widths)])
        if (way, rounding) == ("per-channel", "optimal"):
            verdicts = {width: f"{most:.1e}: {_met(drops[width] <= most)}" for width, most in DROP_REACH.items()}
            rows.append(["reach of the line above", *(verdicts.get(width, "") for width in widths)])
    return _table(["R² lost at", *(f"{width} bits" for width in widths)], rows)


def size(record: Record) -> str:
    """Bytes of files."""
    sizes = record["sections"]["size"]["bytes"]
    return _table(["", "bytes"], [[name, f"{value:,}"] for name, value in sizes.items()])


TABLES: dict[str, Callable[[Record], str]] = {
    each.__name__: each
    for each in (machine, start, fit, growth, memory, predict, digits, quantization, onnx, schemes, bits, size)
}
OF_SECTION = {
    "start": ("start",),
    "fit": ("fit", "growth", "memory"),
    "predict": ("predict",),
    "digits": ("digits",),
    "quantization": ("quantization", "schemes", "bits"),
    "size": ("size",),
}
TITLES = {
    "start": "Start to finish, as whole processes",
    "fit": "Fit: how many times as long others take",
    "growth": "Fit, as rows grow: 8 features",
    "memory": "Fit, as rows grow: peak memory of the process, mapped pages left out",
    "predict": "Predict: how many times as long others take",
    "digits": "Correct digits of the worst coefficient, NIST's reference sets",
    "quantization": "Quantization at 8 bits",
    "schemes": "Quantization at fewer bits",
    "bits": "What each bit costs",
    "size": "Size",
}


def whole(record: Record) -> str:
    """Every table that the record has numbers for, with its title."""
    parts = ["# Benchmarks", machine(record)]
    for section in record["sections"]:
        for name in OF_SECTION[section]:
            if table := TABLES[name](record):
                parts += [f"## {TITLES[name]}", table]
    return "\n\n".join(parts)


def filled(text: str, record: Record) -> str:
    """The text with the record's table wherever a comment asks for one: <!-- benchmarks: NAME --> … <!-- end -->."""
    place = r"(<!-- benchmarks: (\w+) -->\n).*?(<!-- end -->)"
    return re.sub(place, lambda found: f"{found[1]}{TABLES[found[2]](record)}\n{found[3]}", text, flags=re.DOTALL)


def _schemes(every: Iterable[dict[str, Any]]) -> str:
    head = ["scheme", "R²", "MSE", "largest deviation", "RMS deviation", "payload", "file"]
    rows = []
    for each in every:
        deviations = [f"{each[name]:.3g}" for name in ("largest_deviation", "rms_deviation")]
        sizes = [f"{each[name]:,} B" for name in ("payload_bytes", "file_bytes")]
        rows.append([each["scheme"], _minus(f"{each['r2']:,.4f}"), f"{each['mse']:,.4g}", *deviations, *sizes])
    return _table(head, rows)


def _minus(number: str) -> str:
    return number.replace("-", "−", 1) if number.startswith("-") else number


def _times_and_ratios(record: Record, each: dict[str, Any], peers: list[str]) -> list[str]:
    count = each.get("bytes", each["rows"] * (each.get("columns", 8) + 1) * 8)
    ratios = [_ratio(each["ratio"][peer]) for peer in peers]
    return [_time(each["seconds"][OURS]), _time(_limit(record, count)), *ratios]


def _limit(record: Record, count: int) -> float:
    return count / record["machine"]["memory_bytes_per_second"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _time(seconds: float) -> str:
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(value: float) -> str:
    places = max(0, 2 - int(log10(value))) if value >= 1 else 2
    return f"{value:,.{places}f}"


def _ratio(values: Sequence[float]) -> str:
    middle, least, most = map(_three_digits, values)
    return f"{middle} ({least}–{most})"


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} MiB"


def _verdict(value: float, reach: float | None, unit: str = "×") -> str:
    return "" if reach is None else f"{reach}{unit}: {_met(value >= reach)}"


def _met(met: bool) -> str:
    return "met" if met else "missed"
