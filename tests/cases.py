"""Many cases that state one fact together: one test, in which each case is a subtest that fails by itself."""

import functools
import inspect

import pytest


def every(names, cases, ids=None):
    """Like `pytest.mark.parametrize`, but one test; each case has a folder and a monkeypatch of its own."""
    names = names.split(", ") if isinstance(names, str) else names
    cases = list(cases)
    rows = [case if len(names) > 1 else (case,) for case in cases]
    labels = list(map(ids, cases) if callable(ids) else ids or cases)
    assert rows and all(len(row) == len(names) for row in rows) and len(labels) == len(rows)

    def decorate(test):
        wanted = inspect.signature(test).parameters
        fixtures = {name: wanted[name] for name in wanted if name not in names}
        subtests = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)

        @functools.wraps(test)
        def together(**given):
            for number, (label, row) in enumerate(zip(labels, rows, strict=True)):
                # ASCII, because pytest-xdist sends it, and a label may be half a pair of UTF-16.
                with given["subtests"].test(ascii(label)), pytest.MonkeyPatch.context() as patch:
                    own = {name: given[name] for name in fixtures}
                    if "tmp_path" in own:
                        own["tmp_path"] /= str(number)
                        own["tmp_path"].mkdir()
                    if "monkeypatch" in own:
                        own["monkeypatch"] = patch
                    test(**own, **dict(zip(names, row, strict=True)))

        together.__signature__ = inspect.Signature([*({"subtests": subtests} | fixtures).values()])
        return together

    return decorate
