"""How tests run commands: in their own process, or in one of the commands' own where only that can show it."""

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import housing_np
from housing_np.command import cli

ROOT = str(Path(housing_np.__file__).parent.parent)


def environment(**changes):
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    # With PYTHONUNBUFFERED, answers would come at once whatever the commands do.
    left_out = {"HOUSING_NP_MODEL", "PYTHONUNBUFFERED"}
    if os.environ.get("MUTANT_UNDER_TEST") == "stats":  # what mutmut counts, it counts in this process alone
        left_out.add("MUTANT_UNDER_TEST")
    inherited = {k: v for k, v in os.environ.items() if k not in left_out}
    return {**inherited, "PYTHONPATH": path, **changes}


def command(name, *arguments):
    return [sys.executable, "-m", f"housing_np.{name}", *arguments]


def run(name, *arguments, cwd, input=b"", env=None):
    """Run a command in this process, as a process of its own would: what it ends with, and what it wrote."""
    given = input.encode() if isinstance(input, str) else input
    streams = {
        name: io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
        for name, content in (("stdin", given), ("stdout", b""), ("stderr", b""))
    }
    main = import_module(f"housing_np.{name}").main
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(cwd), warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.delenv("HOUSING_NP_MODEL", raising=False)
        for key, value in (env or {}).items():
            patch.setenv(key, value)
        for key, stream in streams.items():
            patch.setattr(sys, key, stream)
        try:
            status = cli.run(main, [os.fspath(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    for stream in streams.values():
        stream.seek(0)
    stdout, stderr = streams["stdout"].read(), streams["stderr"].read()
    return subprocess.CompletedProcess([name, *arguments], status, stdout, stderr)


def run_process(name, *arguments, cwd, input=None, env=None, **options):
    """Run a command as a process of its own, for what only that can show: pipes, signals, locale."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "check": False, "timeout": 60} | options
    stdin = {"input": input.encode()} if input is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        command(name, *map(os.fspath, arguments)), cwd=cwd, env=environment(**env or {}), **stdin, **options
    )
    done.stdout, done.stderr = ((text or b"").decode() for text in (done.stdout, done.stderr))
    return done


def answer(*arguments, **options):
    """What a command prints that has nothing else to say."""
    done = run(*arguments, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def assert_refused(done, status, *texts):
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert all(text in done.stderr for text in texts), done.stderr


def strict(text):
    def refuse(name):
        raise ValueError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)
