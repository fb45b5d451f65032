"""Let atheris look for bytes that are neither refused in one line nor valid numbers, guided by what code they reach.

    python tests/fuzz.py csv -max_total_time=60     # model, csv, json, jsonl or npy; and any option of libFuzzer

Needs atheris: pip install '.[fuzz]'. What it finds is told with the bytes, and the status is not 0.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["housing_np"]):
    import damage

TARGETS = ("model", "csv", "json", "jsonl", "npy")


def sound(target: str) -> list[bytes]:
    """Return what the search begins with; of a model, the record that is in its archive."""
    if target != "model":
        return damage.inputs()[target]
    return [damage.member(content) for files in damage.artifacts().values() for content in files]


def reader(target: str, folder: Path) -> Callable[[bytes], None]:
    """Return what judges bytes of a kind."""
    path = folder / "fuzzed"
    read = damage.model_of if target == "model" else partial(damage.rows_of, format=target, skip=True, piped=True)

    def judge(data: bytes) -> None:
        path.write_bytes(damage.archive(("m.npy", data)) if target == "model" else data)
        damage.judged(read, path)

    return judge


def main() -> None:
    """Search for the kind that is named on the command line, until libFuzzer ends."""
    if sys.argv[1:2] == [] or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python tests/fuzz.py {{{','.join(TARGETS)}}} [libFuzzer's options]")
    target, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for i, content in enumerate(sound(target)):
        (corpus / str(i)).write_bytes(content)
    atheris.Setup([sys.argv[0], *options, str(corpus)], reader(target, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
