"""A server's processes: how they start, what they share, how they end; and the names and files they start from."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from running import assert_refused, command, environment, run
from server import served

from housing_np import LinearRegression, load, save

ROW = "[[1, 1, 1, 1, 1, 1, 1, 1]]"
JSON = {"Content-Type": "application/json"}


def ask(server, path="/invocations"):
    return requests.post(server.url + path, data=ROW, headers=JSON, timeout=30)


def children(pid):
    """The processes that answer for a server; not the one that cleans up after multiprocessing."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_for(fact, seconds=30):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_workers_serve_what_was_read_first_whatever_becomes_of_the_file(models, tmp_path):
    model = shutil.copy(models / "uint8-integer.npz", tmp_path / "m.npz")
    with served(model, "--workers", 2, cwd=tmp_path) as server:
        expected = ask(server).json()
        Path(model).write_bytes(b"damaged")
        for pid in children(server.process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len([pid for pid in children(server.process.pid) if not is_gone(pid)]) == 2)
        assert [ask(server).json() for _ in range(8)] == [expected] * 8
        assert requests.get(server.url, timeout=30).text.startswith("<!doctype html>")


def test_ctrl_c_ends_workers_with_130_and_leaves_no_folder(models, tmp_path):
    (tmp_path / "tmp").mkdir()
    model, options = models / "uint8-integer.npz", {"stop": signal.SIGINT, "env": {"TMPDIR": str(tmp_path / "tmp")}}
    with served(model, "--workers", 2, cwd=models, **options) as server:
        assert ask(server).status_code == 200
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("stop", "seconds"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGINT, 0.1), (signal.SIGINT, 0.3)]
)
def test_a_signal_while_workers_start_leaves_no_folder_and_no_word(models, tmp_path, stop, seconds):
    arguments = command(
        "serve", str(models / "uint8-integer.npz"), "--workers", "2", "--port", "0", "--timeout", "2", "--quiet"
    )
    process = subprocess.Popen(
        arguments,
        env=environment(TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        process_group=0,
    )
    wait_for(lambda: children(process.pid))
    time.sleep(seconds)
    os.killpg(process.pid, stop)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + stop
    assert list(tmp_path.iterdir()) == []
    assert said == b""


def test_workers_end_with_a_server_that_is_killed(models, tmp_path):
    arguments = command("serve", str(models / "uint8-integer.npz"), "--workers", "2", "--port", "0")
    process = subprocess.Popen(arguments, env=environment(TMPDIR=str(tmp_path)), stderr=subprocess.DEVNULL)
    wait_for(lambda: len(children(process.pid)) == 2)
    workers = children(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: all(map(is_gone, workers)))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--timeout", "inf"], "--timeout is inf: expected more than 0, and at most"),
        (["--timeout", "nan"], "--timeout is nan"),
        (["--timeout", "1e300"], "--timeout is 1e+300"),
        (["--workers", "3000000000"], "--workers is 3000000000: expected more than 0, and at most"),
        (["--max-body", str(10**30)], "--max-body is 1e+30"),
        (["--max-connections", "0"], "--max-connections is 0"),
    ],
)
def test_limits_that_are_none_are_refused(models, arguments, text):
    assert_refused(run("serve", models / "uint8-integer.npz", *arguments, cwd=models), 2, text)


def test_a_folder_of_metrics_that_is_not_there_is_refused(models):
    env = {"PROMETHEUS_MULTIPROC_DIR": "/not/there"}
    done = run("serve", models / "uint8-integer.npz", "--port", "0", cwd=models, env=env)
    assert_refused(done, 2, "PROMETHEUS_MULTIPROC_DIR is '/not/there'")


@pytest.mark.parametrize("name", [b"{b:nope}", b"{x:path}", b"a b?#%41", b"gr\xfc\xdfe", "größe".encode()])
def test_any_name_of_a_file_is_a_name_of_a_model(models, tmp_path, name):
    model = os.fsdecode(bytes(tmp_path) + b"/" + name + b".npz")
    shutil.copy(models / "uint8-integer.npz", model)
    with served(model, cwd=tmp_path) as server:
        of_model = f"/v2/models/{quote(name.decode('utf-8', 'replace'))}"
        answers = [requests.get(server.url + path, timeout=30) for path in (of_model, "/metrics", "/", "/openapi.json")]
        inputs = '{"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP64", "data": [1, 1, 1, 1, 1, 1, 1, 1]}]}'
        found = requests.post(f"{server.url}{of_model}/infer", data=inputs, headers=JSON, timeout=30)
        other = requests.get(f"{server.url}/v2/models/other", timeout=30)
    assert [each.status_code for each in (*answers, found, other)] == [200, 200, 200, 200, 200, 404]
    assert f"{of_model}/infer" in answers[-1].json()["paths"]
    assert answers[0].json()["name"] == found.json()["model_name"] == name.decode("utf-8", "replace")


def test_the_float_model_of_another_training_is_a_note(models, tmp_path):
    shutil.copy(models / "uint8-integer.npz", tmp_path)
    true = load(models / "float64.npz")
    false = LinearRegression.from_coefficients(-9 * true.coef_, 5.0, true.feature_names, true.target_names_)
    save(false, tmp_path / "float64.npz")
    says = "note: float64.npz is not on the page: against is further from the model than its bound"
    with served("uint8-integer.npz", cwd=tmp_path, says=says) as server:
        assert [requests.get(server.url, timeout=30).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(("path", "key"), [("/invocations", "message"), ("/v2/models/m/infer", "error")])
def test_a_failure_of_the_server_has_the_form_of_its_route_and_is_counted(models, tmp_path, path, key):
    shutil.copy(models / "uint8-integer.npz", tmp_path / "m.npz")
    # Imported by every Python that starts with this folder in its path.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'housing_np.service.app':\n"
        "            from housing_np.service import answering\n"
        "            answering.answered = lambda *_: 1 / 0\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{environment()['PYTHONPATH']}"}
    says = f"error: {path}: ZeroDivisionError: division by zero ("
    with served("m.npz", cwd=tmp_path, env=env, says=says) as server:
        failed = ask(server, path)
        metrics = requests.get(f"{server.url}/metrics", timeout=30).text
    assert (failed.status_code, failed.json()[key].startswith("the server failed at this request")) == (500, True)
    assert f'housing_np_requests_total{{route="{path}",status="500"}} 1.0' in metrics
