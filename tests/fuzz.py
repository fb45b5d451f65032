"""Let atheris look for bytes that are neither refused in one line nor valid numbers, guided by what code they reach.

    python tests/fuzz.py csv -max_total_time=60     # model, csv, json, jsonl or npy; and any option of libFuzzer

Needs atheris: pip install '.[fuzz]'. What it finds is told with the bytes, and the status is not 0.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

TARGETS = ("model", "csv", "json", "jsonl", "npy")


def main() -> None:
    """Search for the kind that is named on the command line, until libFuzzer ends."""
    if sys.argv[1:2] == [] or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python tests/fuzz.py {{{','.join(TARGETS)}}} [libFuzzer's options]")
    import atheris

    with atheris.instrument_imports(include=["housing_np"]):
        import damage
    target, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    path, corpus = folder / "fuzzed", folder / "corpus"
    corpus.mkdir()
    # Of a model, the record that is in its archive: no search would get past the checksum.
    records = [damage.member(content) for files in damage.artifacts().values() for content in files]
    for i, content in enumerate(records if target == "model" else damage.inputs()[target]):
        (corpus / str(i)).write_bytes(content)
    read = damage.model_of if target == "model" else partial(damage.rows_of, format=target, skip=True, piped=True)

    def judge(data: bytes) -> None:
        path.write_bytes(damage.archive(("m.npy", data)) if target == "model" else data)
        damage.judged(read, path)

    atheris.Setup([sys.argv[0], *options, str(corpus)], judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
