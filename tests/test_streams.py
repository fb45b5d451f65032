"""Pipes, full discs and signals: each stream answers for itself, and a command ends whole whenever it is stopped."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from running import assert_refused, command, environment, run, run_process

from housing_np import ArtifactError, LinearRegression, load
from housing_np.__main__ import COMMANDS
from housing_np.command import cli
from housing_np.evaluation.scores import figures
from housing_np.service.served import Served
from housing_np.service.settings import Settings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="as POSIX systems do it")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells when a process catches signals")
NAMES = "MedInc,HouseAge,AveRooms,AveBedrms,Population,AveOccup,Latitude,Longitude"
ROWS = f"{NAMES},other\n" + "8.3252,41,6.98,1.02,322,2.56,37.88,-122.23,0\n" * 3
NOTE = "note: ignored columns: other\n"


@contextlib.contextmanager
def broken(how):
    """A descriptor that cannot be written to."""
    if how == "full":
        with Path("/dev/full").open("wb") as file:
            yield file.fileno()
        return
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


# Which stream


@pytest.mark.matrix("how", "unbuffered")
@pytest.mark.parametrize("how", ["gone", pytest.param("full", marks=full)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["train", "--max-deviation", "0.1"], 1), (["predict", "none.npz"], 3), (["predict", "MODEL", "rows.csv"], 0)],
    ids=["gate", "no model", "a note"],
)
def test_what_cannot_be_said_changes_nothing_else(arguments, status, unbuffered, how, models, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    arguments = [str(models / "float64.npz") if each == "MODEL" else each for each in arguments]
    said = run(*arguments, cwd=tmp_path)
    with broken(how) as stderr:
        done = run_process(*arguments, cwd=tmp_path, stderr=stderr, env={"PYTHONUNBUFFERED": unbuffered})
    assert (done.returncode, done.stdout) == (said.returncode, said.stdout)
    assert said.returncode == status
    assert said.stderr != ""


class Hung(io.TextIOWrapper):
    """A terminal that is gone."""

    def isatty(self):
        return True

    def write(self, text):
        raise OSError(5, "Input/output error")


@contextlib.contextmanager
def streams(stdout, stderr):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        yield


@pytest.mark.parametrize(
    "say",
    [
        lambda: list(cli.Progress("fit")([("X", range(9))])),
        lambda: print("a library's own words", file=sys.stderr, flush=True),
        lambda: cli.say("an error"),
        lambda: warnings.warn("a warning", stacklevel=1),
    ],
    ids=["progress", "print", "say", "warning"],
)
def test_whoever_speaks_to_a_terminal_that_is_gone_goes_on(say):
    out = io.TextIOWrapper(io.BytesIO())

    def speak(_):
        say()
        print("result")
        return 1

    with streams(out, Hung(io.BytesIO())):
        assert cli.run(speak, []) == 1
    assert out.buffer.getvalue() == b"result\n"


@full
@pytest.mark.matrix("unbuffered", "option", "name")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_that_cannot_be_written_is_an_error(name, option, unbuffered, tmp_path):
    arguments = ([name] if name else []) + [option]
    with broken("full") as stdout:
        done = run_process("__main__", *arguments, cwd=tmp_path, stdout=stdout, env={"PYTHONUNBUFFERED": unbuffered})
    assert_refused(done, 2, "standard output cannot be written (No space left on device)")


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), PermissionError(13, "No access", "a")])
def test_an_error_of_anything_else_is_not_taken_for_one_of_standard_output(error):
    def fail(_):
        raise error

    err = io.TextIOWrapper(io.BytesIO())
    with streams(io.TextIOWrapper(io.BytesIO()), err):
        assert cli.run(fail, []) == 2
    assert err.buffer.getvalue().decode() == f"error: {error}\n"


# --output


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/1", pytest.param("/proc/self/fd/1", marks=linux), ">(cat)"])
def test_an_output_may_be_any_pipe(output, models, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    line = f"{sys.executable} -m housing_np.predict {models / 'float64.npz'} rows.csv --output {output} | cat; "
    done = subprocess.run(
        [shutil.which("bash"), "-c", f"{line} exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, NOTE)
    assert done.stdout == run("predict", models / "float64.npz", "rows.csv", cwd=tmp_path).stdout != ""


def test_an_output_that_the_shell_appends_to_is_not_replaced(models, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    expected = run("predict", models / "float64.npz", "rows.csv", cwd=tmp_path).stdout
    with (tmp_path / "log").open("w+b", buffering=0) as log:
        log.write(b"before\n")
        run_process("predict", models / "float64.npz", "rows.csv", "--output", "/dev/stdout", cwd=tmp_path, stdout=log)
        log.write(b"after\n")
    assert (tmp_path / "log").read_text() == f"before\n{expected}after\n"


def test_a_reader_that_leaves_a_named_pipe_is_no_error(models, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS + ROWS.splitlines()[1] + ("\n" + ROWS.splitlines()[1]) * 60_000)
    os.mkfifo(tmp_path / "pipe")
    arguments = [str(models / "float64.npz"), "rows.csv", "--output", "pipe", "--quiet"]
    with subprocess.Popen(
        command("predict", *arguments), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as process:
        with (tmp_path / "pipe").open("rb") as pipe:
            assert pipe.readline() == b"MedHouseVal\n"
        assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0


# Models through pipes


def shell(line, cwd):
    """Run a line of bash, in which the package's name stands for its command."""
    line = f'set -o pipefail; housing_np() {{ {sys.executable} -m housing_np "$@"; }}; {line}'
    bash = [shutil.which("bash"), "-c", line]
    return subprocess.run(bash, cwd=cwd, env=environment(), capture_output=True, check=False, timeout=60)


@pytest.fixture
def quantized(models, tmp_path):
    """A folder with the float model, rows, and the report; and the uint8 model as a file."""
    for name in ("float64.npz", "report.json"):
        shutil.copy(models / name, tmp_path)
    (tmp_path / "rows.csv").write_text(ROWS)
    assert run("quantize", "float64.npz", "--out", "uint8.npz", cwd=tmp_path).returncode == 0
    return tmp_path


def test_a_model_is_quantized_to_a_pipe_with_all_else_on_stderr(quantized):
    done = shell("housing_np quantize float64.npz --out -", quantized)
    assert (done.returncode, done.stdout) == (0, (quantized / "uint8.npz").read_bytes())
    assert b"note: scheme: per-channel\n" in done.stderr
    done = run("quantize", "float64.npz", "--out", "-", "--json", cwd=quantized)
    assert_refused(done, 2, "--json tells what was written: name a file with --out")
    done = shell("housing_np quantize float64.npz --out /dev/stdout | cmp - uint8.npz", quantized)
    assert done.returncode == 0, done.stdout  # the model alone, by each name of standard output
    done = shell("housing_np quantize float64.npz --out - --max-deviation 0", quantized)
    assert (done.returncode, done.stdout) == (1, b"")
    smallest = "housing_np quantize float64.npz --out - --smallest --scheme per-channel --bits 8 --max-deviation"
    for limit, status, size in (("0.2", 0, len((quantized / "uint8.npz").read_bytes())), ("0", 1, 0)):
        done = shell(f"{smallest} {limit} --rounding nearest", quantized)
        assert (done.returncode, len(done.stdout)) == (status, size)
        assert b"note: per-channel 8 nearest " in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "housing_np quantize float64.npz --out - --quiet | housing_np predict /dev/stdin rows.csv",
        "housing_np predict <(cat uint8.npz) <(cat rows.csv)",
        "housing_np predict <(cat uint8.npz) - < rows.csv",
        "housing_np predict /dev/fd/3 3< uint8.npz < rows.csv",
        "mkfifo pipe.npz; cat uint8.npz > pipe.npz & sleep 0.1; housing_np predict pipe.npz rows.csv",
    ],
)
def test_a_model_is_read_from_a_pipe(line, quantized):
    done = shell(line, quantized)
    expected = run("predict", "uint8.npz", "rows.csv", cwd=quantized)
    assert (done.returncode, done.stdout.decode()) == (0, expected.stdout)


@pytest.mark.parametrize("to", ["c", "onnx", "html"])
def test_an_export_goes_from_pipe_to_pipe(to, quantized):
    done = shell(f"cat uint8.npz | housing_np export /dev/stdin --to {to} -o -", quantized)
    assert done.returncode == 0, done.stderr
    (quantized / "alone").mkdir()
    shutil.copy(quantized / "uint8.npz", quantized / "alone" / "model.npz")
    expected = shell(f"housing_np export alone/model.npz --to {to} -o -", quantized)
    # Of a pipe no report is known, and its facts are those of a file without one: the hash too.
    assert done.stdout == expected.stdout != b""


def test_a_pipe_is_explained_and_served_by_its_content(quantized):
    told = json.loads(shell("cat uint8.npz | housing_np explain /dev/stdin --json", quantized).stdout)
    assert told["file_bytes"] == (quantized / "uint8.npz").stat().st_size
    with (quantized / "uint8.npz").open("rb") as file:
        piped = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
    served = Served.read(Settings(f"/dev/fd/{piped.stdout.fileno()}"))
    assert served.facts.sha256 == sha256((quantized / "uint8.npz").read_bytes()).hexdigest()
    assert served.name == "model"  # in its routes, whatever the number of the pipe
    piped.stdout.close()
    piped.wait()


def test_a_model_that_is_replaced_while_a_server_reads_its_files_is_refused(quantized):
    os.mkfifo(quantized / "range.csv")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(Served.read, Settings(str(quantized / "uint8.npz"), str(quantized / "range.csv")))
        with (quantized / "range.csv").open("w") as rows:  # once the model is read
            shutil.copy(quantized / "float64.npz", quantized / "uint8.npz")
            rows.write(ROWS)
        with pytest.raises(ArtifactError, match="it changed while it was read; start the server again"):
            reading.result(60)


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        (": | housing_np predict /dev/stdin rows.csv", 3, b"/dev/stdin: not a whole .npz file"),
        ("cat rows.csv | housing_np predict /dev/stdin /dev/stdin", 2, b"INPUT and --range only one can be standard"),
        ("cat float64.npz | housing_np quantize /dev/stdin --data - -o -", 2, b"of MODEL and --data only one can be"),
        ("housing_np predict /dev/zero rows.csv", 3, b"/dev/zero: neither a regular file nor a pipe"),
        ("housing_np quantize float64.npz --out - -q > /dev/full", 2, b"standard output cannot be written"),
        ("housing_np export uint8.npz --to onnx -o - > /dev/full", 2, b"standard output cannot be written"),
        ("housing_np export uint8.npz --to html -o - | true", 0, b""),
    ],
)
def test_a_broken_pipe_is_one_line_or_none(line, status, said, quantized):
    done = shell(line, quantized)
    assert (done.returncode, len(done.stderr.splitlines())) == (status, int(bool(said))), done.stderr
    assert said in done.stderr


# Signals

STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.mark.matrix(module="housing_np.", number=signal.SIGTERM)
@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("module", ["housing_np", "housing_np."])
def test_a_command_is_stopped_while_modules_are_imported(module, name, number, tmp_path):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(f"import os, time\nos.kill(os.getpid(), {number})\ntime.sleep(9)")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    run = [f"{module}{name}"] if module.endswith(".") else [module, name]
    done = subprocess.run(
        [sys.executable, "-m", *run], env=environment(PYTHONPATH=path), capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (STOPS[number], b"", b"")


def homes(path, seed):
    x = np.random.default_rng(seed).normal(size=(5000, 4))
    np.savetxt(path, x, "%.6f", ",", header="a,b,c,price", comments="")
    return ["--data", str(path), "--target", "price"]


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A folder with the models of one run, and the rows of another."""
    folder = tmp_path_factory.mktemp("before")
    assert run("train", *homes(folder / "old.csv", 0), cwd=folder).returncode == 0
    homes(folder / "new.csv", 1)
    return folder


def is_whole(folder):
    """Whether the models in a folder are those of one run, with nothing beside them."""
    sums = dict(line.split("  ")[::-1] for line in (folder / "models.sha256").read_text().splitlines())
    assert {path.name for path in folder.iterdir()} == {*sums, "models.sha256"}
    return all(sha256((folder / name).read_bytes()).hexdigest() == sum for name, sum in sums.items())


def catches(pid):
    """Whether a process has a handler for SIGTERM."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@linux
@pytest.mark.matrix("part")
@pytest.mark.parametrize("part", range(5))
def test_train_is_stopped_at_any_moment_and_leaves_whole_what_was_there(part, before, tmp_path):
    arguments = command("train", "--data", str(before / "new.csv"), "--target", "price")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    for i in range(part, 30, 5):
        folder, number = tmp_path / str(i), [*STOPS][i % 2]
        folder.mkdir()
        shutil.copytree(before / "models", folder / "models")
        with subprocess.Popen(arguments, cwd=folder, env=environment(), **pipes) as process:
            while not catches(process.pid) and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(i * 0.02)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        assert process.returncode in (0, STOPS[number])
        assert said == b""
        assert is_whole(folder / "models")
        assert os.listdir(folder) == ["models"]  # noqa: PTH208


def in_train(code, arguments, cwd):
    """Run train as a process of its own, after some code."""
    script = (
        f"import os, signal, sys\nfrom pathlib import Path\n{code}\nfrom housing_np.__main__ import script\nscript()"
    )
    return subprocess.run(
        [sys.executable, "-c", script, "train", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def each_replace(action):
    """Code that does something before the second file of a run is put in its place."""
    return (
        "replace, count = Path.replace, iter(range(99))\n"
        f"Path.replace = lambda *a: ({action} if next(count) == 1 else None) or replace(*a)"
    )


@pytest.fixture
def folder(before, tmp_path):
    shutil.copytree(before / "models", tmp_path / "models")
    (tmp_path / "models" / "notes.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_between_two_files_waits_for_the_last(number, before, folder):
    code = each_replace(f"os.kill(os.getpid(), {number})")
    done = in_train(code, ["--data", str(before / "new.csv"), "--target", "price"], folder)
    assert (done.returncode, done.stderr) == (STOPS[number], "")
    assert (folder / "models" / "notes.txt").read_text() == "mine"
    (folder / "models" / "notes.txt").unlink()
    assert is_whole(folder / "models")
    assert (folder / "models" / "float64.npz").read_bytes() != (before / "models" / "float64.npz").read_bytes()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_a_kill_between_two_files_is_seen_by_who_checks_the_sums(before, folder):
    code = each_replace("os.kill(os.getpid(), 9)")
    done = in_train(code, ["--data", str(before / "new.csv"), "--target", "price"], folder)
    assert done.returncode == -signal.SIGKILL
    page = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
    check = re.search(r"^cp .* sha256sum --check .*$", page, re.MULTILINE)[0]
    checked = {"shell": True, "cwd": folder, "check": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    assert subprocess.run(check, **checked).returncode == 1
    assert run("train", "--data", before / "new.csv", "--target", "price", cwd=folder).returncode == 0
    shutil.rmtree(folder / "taken")
    assert subprocess.run(check, **checked).returncode == 0
    (folder / "models" / "notes.txt").unlink()
    assert is_whole(folder / "models")


def test_a_disc_that_is_full_half_way_leaves_the_old_models(before, folder, monkeypatch):
    fsync, count = os.fsync, iter(range(99))

    def full_at_the_third(number):
        if next(count) == 2:
            raise OSError(28, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    done = run("train", "--data", before / "new.csv", "--target", "price", cwd=folder)
    assert_refused(done, 3, "uint8-per-channel.npz: cannot be written (No space left on device)")
    assert done.stdout == ""
    (folder / "models" / "notes.txt").unlink()
    assert is_whole(folder / "models")
    assert (folder / "models" / "float64.npz").read_bytes() == (before / "models" / "float64.npz").read_bytes()


def test_the_sums_are_last_and_no_model_of_an_earlier_run_is_beside_them(folder, monkeypatch):
    placed, replace, unlink = [], Path.replace, Path.unlink
    monkeypatch.setattr(Path, "replace", lambda self, to: placed.append(to.name) or replace(self, to))
    monkeypatch.setattr(Path, "unlink", lambda self, **_: placed.append(self.name) or unlink(self, missing_ok=True))
    x = np.arange(20.0)
    np.savetxt(folder / "wide.csv", np.column_stack([x * 1e41, x**2]), "%.17g", ",", header="a,price", comments="")
    assert run("train", "--data", "wide.csv", "--target", "price", cwd=folder).returncode == 0
    in_order = [name for name in placed if not name.startswith(".")]
    assert in_order[-1] == "models.sha256"
    assert "uint8-integer.npz" in in_order[:-1]
    assert not (folder / "models" / "uint8-integer.npz").exists()
    assert "integer" not in (folder / "models" / "models.sha256").read_text()


def waits_for_a_lock(process):
    """Whether a process waits until another gives up a lock."""
    locks = Path("/proc/locks").read_text()
    return any("->" in line and str(process.pid) in line.split() for line in locks.splitlines())


@linux
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "new.csv", "--target", "price"),
        ("quantize", "models/float64.npz", "--data", "old.csv", "--out", "models/small.npz"),
        ("quantize", "before/float64.npz", "--data", "old.csv", "--out", "models/uint8-integer.npz", "--bits", "7"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_second_writer_of_a_folder_waits_for_the_first(arguments, before, folder):
    fcntl = pytest.importorskip("fcntl")
    for name in ("old.csv", "new.csv"):
        shutil.copy(before / name, folder)
    shutil.copytree(before / "models", folder / "before")
    old = contents_of(folder / "models")
    lock = os.open(folder / "models", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with subprocess.Popen(command(*arguments), cwd=folder, env=environment(), stdout=subprocess.DEVNULL) as process:
        while not waits_for_a_lock(process):
            assert process.poll() is None
            time.sleep(0.01)
        assert contents_of(folder / "models") == old
        os.close(lock)
        assert process.wait(timeout=60) == 0
    assert contents_of(folder / "models") != old


def contents_of(folder):
    """The content of each model, report and sums by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_quantize_adds_nothing_to_the_report_of_a_training_that_came_meanwhile(before, folder, monkeypatch):
    def train_meanwhile(*arguments):
        assert run("train", "--data", before / "new.csv", "--target", "price", cwd=folder).returncode == 0
        return figures(*arguments)

    monkeypatch.setattr("housing_np.quantize.figures", train_meanwhile)
    rows = ["--data", before / "old.csv", "--out", "models/small.npz"]
    done = run("quantize", "models/float64.npz", *rows, cwd=folder)
    assert_refused(done, 2, "models/float64.npz changed while it was read; run again")
    (folder / "models" / "notes.txt").unlink()
    assert is_whole(folder / "models")


def test_models_of_which_the_sums_are_gone_are_read_all_the_same(folder):
    (folder / "models" / "models.sha256").unlink()
    assert isinstance(load(folder / "models" / "float64.npz"), LinearRegression)


def test_a_folder_may_be_a_link(before, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "models").symlink_to("there")
    assert run("train", "--data", before / "new.csv", "--target", "price", cwd=tmp_path).returncode == 0
    assert (tmp_path / "models").is_symlink()
    assert is_whole(tmp_path / "there")


def test_a_signal_that_the_caller_had_ignored_stays_ignored(before, tmp_path):
    code = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + each_replace("os.kill(os.getpid(), signal.SIGINT)")
    done = in_train(code, ["--data", str(before / "new.csv"), "--target", "price"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_train_that_waits_for_a_pipe_in_a_thread_is_stopped(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = command("train", "--data", "-", "--target", "y")
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment(), bufsize=0, **pipes) as process:
        process.stdin.write(b"x,y\n" + b"1,2\n2,3\n3,5\n" * 200_000)  # more than a pipe holds: all but the end is read
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b""


@pytest.mark.parametrize("end", ["pass", "raise OSError('cannot be undone')"])
def test_what_was_undone_is_not_undone_again_by_a_signal(end, tmp_path):
    code = (
        "import contextlib, os, signal\nfrom housing_np.store import signals\n"
        f"def undo():\n    os.write(1, b'undone ')\n    {end}\n"
        "signals.catch()\n"
        "with contextlib.suppress(OSError), signals.undone(undo):\n    os.write(1, b'begun ')\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (STOPS[signal.SIGTERM], b"begun undone ", b"")


# Memory


def no_memory(*_, **__):
    raise MemoryError


@pytest.mark.parametrize(
    "where",
    [
        "housing_np.train._samples",
        "housing_np.fit.passes.deepcopy",
        "housing_np.fit.linear.np.linalg.inv",
        "housing_np.fit.summary.Summary.update",
        "housing_np.rows.csv.np.array",
    ],
)
def test_memory_that_is_used_up_is_one_line(where, before, tmp_path, monkeypatch):
    monkeypatch.setattr(where, no_memory)
    done = run("train", "--data", before / "new.csv", "--target", "price", cwd=tmp_path)
    assert_refused(done, 2, "the memory is used up")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("format", "error", "status", "said"),
    [
        ("csv", "ArrowMemoryError: malloc of size 64 failed", 2, "the memory is used up"),
        ("csv", "ArrowException: Unknown error: Failed to launch worker thread", 0, ""),  # numpy's parser does it
        ("parquet", "ArrowMemoryError: malloc of size 64 failed", 2, "more memory"),
        ("parquet", "ArrowException: Unknown error: Failed to launch worker thread", 2, "more memory"),
    ],
)
def test_what_the_system_refuses_to_pyarrow_is_no_damage(format, error, status, said, tmp_path, monkeypatch):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    numbers = np.random.default_rng(0).normal(size=(120_000, 2))  # from 4 MiB of CSV on
    table = pyarrow.table({"x": numbers[:, 0], "y": numbers[:, 1]})
    parquet.write_table(table, tmp_path / "t.parquet")
    csv.write_csv(table, tmp_path / "t.csv")

    def fail(*_, **__):
        kind, message = error.split(": ", 1)
        raise getattr(pyarrow, kind)(message)

    monkeypatch.setattr(csv, "read_csv", fail)
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", lambda *_, **__: iter(fail, None))
    done = run("train", "--data", f"t.{format}", "--target", "y", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (status, bool(said))
    assert said in done.stderr
    assert "damaged" not in done.stderr


@pytest.mark.parametrize(
    "failing",
    [
        "raise SystemError('no segment')",
        "try:\n    raise ImportError('no segment')\nexcept ImportError as error:\n    raise ImportError from error",
    ],
    ids=["SystemError", "ImportError"],
)
def test_a_numpy_that_cannot_be_loaded_is_one_line(failing, tmp_path):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(failing)
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = run_process("predict", cwd=tmp_path, env={"PYTHONPATH": path})
    assert_refused(done, 2, "numpy cannot be loaded (no segment)", "more memory")


def test_a_numpy_that_is_not_installed_is_said_to_be_that(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = run_process("predict", cwd=tmp_path, env={"PYTHONPATH": path})
    assert done.stderr == "error: numpy is not installed; in a checkout: pip install .\n"
