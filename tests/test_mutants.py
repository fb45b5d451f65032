"""What mutants.py is told of the code is true of it."""

import mutants


def test_each_equivalent_mutant_changes_a_line_that_is_there():
    assert mutants.stale() == []


def test_an_entry_that_matches_no_line_is_said(monkeypatch):
    entries = {"errors": [{"was": "no such line", "now": ""}], "no/module": [{"was": "x = 1", "now": "x = 2"}]}
    monkeypatch.setattr(mutants, "_table", lambda name: entries)
    assert mutants.stale() == ["errors: no such line", "no/module: x = 1"]


def test_what_is_recorded_is_of_modules_that_are_there():
    assert set(mutants.recorded()) <= set(mutants.modules())


def test_each_module_has_tests():
    paths = {path for module in mutants.modules() for path in mutants.tests_of(module)}
    assert {path for path in paths if not (mutants.ROOT / path).exists()} == set()


def test_only_modules_that_are_there_have_tests_of_their_own():
    assert set(mutants.ROOMS) <= set(mutants.modules())
