"""Tables: one record of measurements as Markdown. Imports nothing but the standard library."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import targets
from cells import duration, met, mib, signed, spread, table, three_digits, verdict
from targets import ORIGINAL, OURS, Record

FORMATS = {"csv": "CSV", "parquet": "Parquet"}
KINDS = (
    "Synthetic rows, always the same ones. The scales of normal columns go from 0.01 to 100, or are lognormal; *+ 1* "
    "is a mean of one standard deviation, *+ 3* of three. Dummies have 5 to 50 % ones, counts are Poisson with mean "
    "3, skewed columns are exp(normal), and any two correlated columns have that correlation. The target is the sum "
    "of the columns, each divided by its standard deviation, with noise. *worst* and *mean* (geometric) leave out "
    "correlation 0.999, which has a line and targets of its own. All libraries give the same weights and the same "
    "prediction at the mean, up to 1e-8, or 1e-6 where means are 50 or 200 deviations, in units of the scaled columns."
)


def start(record: Record) -> str:
    """Return whole processes, against the original pipeline."""
    section = record["sections"]["start"]
    ours, floor = section["seconds"][OURS], section["seconds"]["import numpy"]["predict"]
    floor_mib = section["peak_mib"]["import numpy"]
    note = f"Python that imports numpy and ends takes {duration(floor)} and {mib(floor_mib)}."
    if ORIGINAL not in section["seconds"]:
        return f"{note} housing_np takes {duration(ours['in all'])} in all."
    theirs, ratios = section["seconds"][ORIGINAL], section["ratio"][ORIGINAL]
    cells = {part: [duration(theirs[part]), duration(ours[part])] for part in ours}
    cells["peak memory"] = [mib(section["peak_mib"][side]) for side in (ORIGINAL, OURS)]
    rows = [
        [part, *pair, spread(ratios[part]), verdict(ratios[part][0], targets.START.get(part))]
        for part, pair in cells.items()
    ]
    return "\n".join([table(["", ORIGINAL, OURS, "ratio", "target"], rows), "", note])


def fit(record: Record) -> str:
    """Return kinds of columns and shapes."""
    shapes = record["sections"]["fit"]["shapes"]
    peers = list(shapes[0]["ratio"])
    rows = [
        [each.get("kind", targets.NORMAL), f"{each['rows']:,} × {each['columns']}"]
        + _times_and_ratios(record, each, peers)
        for each in shapes
    ]
    ratios = {peer: targets.fit_ratios(record, peer) for peer in peers}
    has_kinds = targets.WORST_CORRELATED in ratios[peers[0]]
    for name in ratios[peers[0]]:
        cells = [three_digits(ratios[peer][name]) for peer in peers]
        if has_kinds and not record["quick"]:
            verdicts = (verdict(ratios[peer][name], targets.FIT.get(peer, {}).get(name)) for peer in peers)
            cells = ["; ".join(filter(None, pair)) for pair in zip(cells, verdicts, strict=True)]
        rows.append([name, "", "", "", *cells])
    note = KINDS if has_kinds else "Normal columns of mean 0. Other kinds of columns were not measured in this run."
    return f"{note}\n\n{table(['columns', 'rows × features', OURS, 'limit', *peers], rows, left=2)}"


def growth(record: Record) -> str:
    """Return time against rows of 8 features."""
    each_size = record["sections"]["fit"]["growth"]
    if not each_size:  # in a quick run
        return ""
    peers = list(each_size[0]["ratio"])
    rows = [[f"{each['rows']:,}", each["source"], *_times_and_ratios(record, each, peers)] for each in each_size]
    return table(["rows", "data", OURS, "limit", *peers], rows)


def memory(record: Record) -> str:
    """Return peak memory of the whole process against rows."""
    each_size = record["sections"]["fit"]["growth"]
    if not each_size:
        return ""
    libraries = sorted(each_size[0]["seconds"], key=lambda name: name != OURS)
    rows = [
        [f"{each['rows']:,}", each["source"], mib(each["bytes"] / 2**20)]
        + [mib(each["peak_mib"].get(name)) for name in libraries]
        for each in each_size
    ]
    return table(["rows", "data", "size of the data", *libraries], rows)


def predict(record: Record) -> str:
    """Return one row and a million."""
    rows = []
    for case in record["sections"]["predict"]["cases"]:
        for peer, ratio in case["ratio"].items():
            what = [f"{case['rows']:,}", case["kind"], threads_of(case, peer), peer]
            figures = [
                duration(case["seconds"][OURS]),
                duration(_limit(record, "predict", case["bytes"])),
                spread(ratio),
            ]
            target = targets.PREDICT.get((case["rows"], case["threads"], peer))
            rows.append([*what, *figures, verdict(ratio[0], target)])
    return table(["rows", "inputs", "threads", "peer", OURS, "limit", "ratio", "target"], rows, left=4)


def threads_of(case: dict[str, Any], peer: str) -> str:
    """Return the threads of both sides; older records have numpy's alone, and one for ONNX Runtime."""
    both = "all; ONNX Runtime one" if peer.startswith("ONNX") else "all each"
    return {"default": both, "one": "one each"}.get(case["threads"], case["threads"])


def tables(record: Record) -> str:
    """Return train and predict from files: time and peak memory."""
    rows = []
    for case in record["sections"]["tables"]["cases"]:
        for peer, ratio in case["ratio"].items():
            key, memory_ratio = (case["command"], case["format"], peer), case["memory_ratio"][peer]
            what = [f"{case['command']}, {case['rows']:,} rows of {FORMATS[case['format']]}", peer]
            time = [duration(case["seconds"][OURS]), spread(ratio), verdict(ratio[0], targets.TABLES.get(key))]
            peak = [mib(case["peak_mib"][OURS]), spread(memory_ratio)]
            rows.append([*what, *time, *peak, verdict(memory_ratio[0], targets.TABLES_MEMORY.get(key))])
    return table(["", "peer", OURS, "ratio", "target", "peak memory", "ratio", "target"], rows, left=2)


def texts(record: Record) -> str:
    """Return train and predict from text as people have it: time and peak memory."""
    rows = []
    for case in record["sections"]["texts"]["cases"]:
        for peer, ratio in case["ratio"].items():
            what = [f"{case['command']}, {case['rows']:,} rows, {case['kind']}", peer]
            library, memory_ratio = peer.split()[0], case["memory_ratio"][peer]
            time = [duration(case["seconds"][OURS]), spread(ratio), verdict(ratio[0], targets.TEXTS.get(library))]
            peak = [mib(case["peak_mib"][OURS]), spread(memory_ratio), verdict(memory_ratio[0], 1)]
            rows.append([*what, *time, *peak])
    return table(["", "peer", OURS, "ratio", "target", "peak memory", "ratio", "target"], rows, left=2)


def digits(record: Record) -> str:
    """Return correct decimals of the worst coefficient."""
    section = record["sections"]["digits"]
    libraries, ours = list(section["digits"]), section["digits"][OURS]
    rows = []
    for name, value in ours.items():
        found = [f"{section['digits'][each][name]:.1f}" for each in libraries]
        rows.append([name, *found, verdict(value, targets.digits(name), "")])
    rows.append(["mean", *(f"{section['mean'][each]:.1f}" for each in libraries), targets.mean_digits(record)])
    return table(["set", *libraries, "target"], rows)


def quantization(record: Record) -> str:
    """Return the usual casts, ONNX Runtime, and our schemes at 8 bits."""
    return _schemes(each for each in record["sections"]["quantization"]["schemes"] if each.get("bits", 8) == 8)


def schemes(record: Record) -> str:
    """Return our schemes at every number of bits."""
    return _schemes(each for each in record["sections"]["quantization"]["schemes"] if each["kind"] == "ours")


def bits(record: Record) -> str:
    """Return what each bit costs: the drop of R²."""
    every = record["sections"]["quantization"]["schemes"]
    exact = next(each["r2"] for each in every if each["scheme"] == "float64")
    ours = [each for each in every if each["kind"] == "ours"]
    rows, widths = [], sorted({each["bits"] for each in ours}, reverse=True)
    for (way, rounding), group in groupby(ours, key=lambda each: (each["way"], each["rounding"])):
        drops = {each["bits"]: exact - each["r2"] for each in group}
        rows.append([f"{way}, {rounding}", *(signed(f"{drops[width]:.1e}") for width in widths)])
        if (way, rounding) == ("per-channel", "optimal"):
            verdicts = {width: f"{most:.1e}: {met(drops[width] <= most)}" for width, most in targets.DROP.items()}
            rows.append(["target of the line above", *(verdicts.get(width, "") for width in widths)])
    return table(["R² lost at", *(f"{width} bits" for width in widths)], rows)


def worth(record: Record) -> str:
    """Return bytes and deviations by features and targets."""
    section = record["sections"]["worth"]
    rows = []
    for each in section["cases"]:
        share = each["payload_bytes"] / (4 * (each["features"] + 1) * each["targets"])
        sizes = [f"{each['payload_bytes']:,} B", f"{share:.2f}", f"{each['file_bytes']:,} B"]
        deviations = [f"{each[name]:.2g}" for name in ("rms_deviation", "largest_deviation")]
        rows.append([str(each["features"]), str(each["targets"]), each["kind"], *sizes, *deviations])
    head = ["features", "targets", "numbers", "payload", "÷ float32", "file", "RMS deviation", "largest deviation"]
    note = (
        f"{section['rows']:,} made-up rows, always the same: standard normal features of scales from 0.01 to 100, and "
        "targets that are random sums of them with noise; 8 bits, nearest rounding. Deviations are from the float "
        "model's predictions, in standard deviations of these. uint8 pays where its payload is less than float32's "
        "(÷ float32 below 1) and its deviation is one that you can bear."
    )
    return f"{note}\n\n{table(head, rows, left=3)}"


def size(record: Record) -> str:
    """Return bytes of files."""
    sizes = record["sections"]["size"]["bytes"]
    return table(["", "bytes"], [[name, f"{value:,}"] for name, value in sizes.items()])


def elsewhere(record: Record) -> str:
    """Return bytes on a Cortex-M0 and time per row of programs in C."""
    programs = record["sections"]["elsewhere"]["programs"]
    if not programs:
        return ""
    sizes = ("object_flash", "linked_flash", "linked_ram")
    rows = [
        [each["name"], each["inputs"], *(f"{each[size]:,}" if size in each else "" for size in sizes)]
        + [duration(each["seconds"]), f"{each['tolerance']:g}" if each["tolerance"] else "to the last bit"]
        for each in programs
    ]
    head = ["program", "inputs", "flash", "flash with libraries", "RAM", "time per row", "same answer up to"]
    note = (
        "C of the bundled model: one function that predicts a row, in bytes on a Cortex-M0 (gcc -Os, without what is "
        "not called), alone and with the parts of libgcc and newlib that it needs; and its time here (gcc -O2). Each "
        "gives Python's answer for all 20,640 rows, peers up to a share of the largest prediction."
    )
    return f"{note}\n\n{table(head, rows, left=2)}"


def cortex(record: Record) -> str:
    """Return bytes and cycles on a Cortex-M0 by the bits of a weight."""
    section = record["sections"]["cortex"]
    weights, rows = section["features"] * section["targets"], []
    for each in section["programs"]:
        sizes = [f"{each[name]:,}" for name in ("payload_bytes", "flash", "linked_flash")]
        cycles = [f"{each['cycles']:,}", f"{each['cycles'] / weights:.1f}"] if "cycles" in each else ["", ""]
        rows.append([each["name"], str(each["bits"]), *sizes, *cycles])
    if not rows:
        return ""
    head = ["program", "bits", "payload", "flash", "flash with libraries", "cycles per row", "cycles per weight"]
    note = (
        f"Made-up rows, {section['features']} features and {section['targets']} targets: one function that predicts a "
        "row (gcc -Os, without what is not called). Below 8 bits weights are packed, and unpacked as they are used. "
        "Cycles are those of the instructions that QEMU ran, by the processor's manual: memory that never waits, the "
        "multiplier of one cycle. Each gives Python's answer to the last bit."
    )
    return f"{note}\n\n{table(head, rows)}"


def _better(by: float, target: float | None) -> list[str]:
    return [f"{by:.3g}×", verdict(by, target)]


def serve(record: Record) -> str:
    """Return what a server takes, and how it answers, beside its peers."""
    servers = record["sections"]["serve"]["servers"]
    if not servers:
        return ""
    ours, *peers = servers
    names = " and behind ".join(f"`{each['name']}`" for each in peers)
    note = (
        f"The same float model behind {ours['name']} and behind {names}, one client that waits for each "
        f"answer, rows as JSON; {'both' if len(peers) == 1 else 'all'} give the same predictions up to 1e-9."
    )
    if "p50 ping" in ours:
        times = ours["p50 1"] / ours["p50 ping"]
        note += (
            f" Answering one row takes {times:.2f} times as long as answering `/ping`, {duration(ours['p50 ping'])} "
            f"(at most {targets.MOST_PINGS}×: {met(times <= targets.MOST_PINGS)})."
        )
    tables = (
        _beside(ours, peer, target) for peer, target in zip(peers, (targets.MLFLOW, targets.FASTAPI), strict=False)
    )
    return "\n\n".join([note, *tables])


def _beside(ours: dict[str, Any], peer: dict[str, Any], target: dict[str, float]) -> str:
    """Return the table of a server beside one of its peers."""
    rows = [
        [
            "start, to the first answer",
            duration(ours["start"]),
            *_better(peer["start"] / ours["start"], target.get("start")),
        ],
        [
            "peak memory of its processes",
            f"{ours['memory']:.0f} MiB",
            *_better(peer["memory"] / ours["memory"], target.get("memory")),
        ],
    ]
    for count in (1, 1000):
        what, least = f"{count:,} row{'s' * (count > 1)}", target.get(f"{count}")
        rate = f"{ours[f'rate {count}']:,.0f} a second"
        rows.append([f"{what}: requests", rate, *_better(ours[f"rate {count}"] / peer[f"rate {count}"], least)])
        for key in ("p50", "p99"):
            own, other = (each[f"{key} {count}"] for each in (ours, peer))
            rows.append([f"{what}: {key}", duration(own), *_better(other / own, least)])
    head = ["", ours["name"], "better by" if peer["name"].startswith("mlflow") else f"than {peer['name']} by", "target"]
    return table(head, rows)


# The tables of each section, and their titles.
SECTIONS: dict[str, dict[Callable[[Record], str], str]] = {
    "start": {start: "Start to finish, as whole processes"},
    "fit": {
        fit: "Fit",
        growth: "Fit, as rows grow: 8 features",
        memory: "Fit, as rows grow: peak memory of the process, mapped pages left out",
    },
    "predict": {predict: "Predict"},
    "tables": {tables: "Train and predict from tables in files, as whole processes"},
    "texts": {texts: "Train and predict from text as people have it, as whole processes"},
    "digits": {digits: "Correct digits of the worst coefficient, NIST's reference sets"},
    "quantization": {
        quantization: "Quantization at 8 bits",
        schemes: "Quantization at fewer bits",
        bits: "What each bit costs",
    },
    "worth": {worth: "Where uint8 pays"},
    "size": {size: "Size"},
    "elsewhere": {elsewhere: "In C, on a microcontroller and here"},
    "cortex": {cortex: "Fewer bits on a microcontroller"},
    "serve": {serve: "Over HTTP"},
}


def _schemes(every: Iterable[dict[str, Any]]) -> str:
    head = ["scheme", "R²", "MSE", "largest deviation", "RMS deviation", "payload", "file"]
    rows = []
    for each in every:
        deviations = [f"{each[name]:.3g}" for name in ("largest_deviation", "rms_deviation")]
        sizes = [f"{each[name]:,} B" for name in ("payload_bytes", "file_bytes")]
        rows.append([each["scheme"], signed(f"{each['r2']:,.4f}"), f"{each['mse']:,.4g}", *deviations, *sizes])
    return table(head, rows)


def _times_and_ratios(record: Record, each: dict[str, Any], peers: list[str]) -> list[str]:
    count = each.get("bytes", each["rows"] * (each.get("columns", 8) + 1) * 8)
    ratios = [spread(each["ratio"][peer]) for peer in peers]
    return [duration(each["seconds"][OURS]), duration(_limit(record, "fit", count)), *ratios]


def _limit(record: Record, section: str, count: int) -> float:
    """Return the seconds of one pass over memory; a section that was measured later has a machine of its own."""
    machine = record["sections"][section].get("machine", record["machine"])
    return count / machine["memory_bytes_per_second"]
