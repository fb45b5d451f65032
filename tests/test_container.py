"""The container, built for real wherever a ``docker`` answers.

HOUSING_NP_REQUIRE_DOCKER=1 makes a missing engine a failure; HOUSING_NP_IMAGE names an image that is
built already, and HOUSING_NP_MODELS a folder of trained models, instead of building and training here.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_size import ADDED_BYTES

ROOT = Path(__file__).parent.parent
MAX_ADDED_BYTES = 60_000_000
LOCKED_DOWN = [
    *("--read-only", "--network", "none"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
]
LIMITS = ["--memory", "256m", "--pids-limit", "64"]
RANGES = {
    "MedInc": (0.5, 15.0),
    "HouseAge": (1, 52),
    "AveRooms": (0.8, 140),
    "AveBedrms": (0.3, 34),
    "Population": (3, 35_682),
    "AveOccup": (0.7, 1243),
    "Latitude": (32.54, 41.95),
    "Longitude": (-124.35, -114.31),
}

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def _call(*command: str | Path, **options: Any) -> Done:
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        **{"capture_output": True, "text": True, "timeout": 600, **options},
    )


def _host(*arguments: str | Path, **options: Any) -> Done:
    return _call(sys.executable, "-m", "housing_np", *arguments, cwd=ROOT, **options)


def _missing_engine() -> str | None:
    if not shutil.which("docker"):
        return "there is no docker on PATH"
    try:
        info = _call("docker", "info", timeout=120)
    except subprocess.TimeoutExpired:
        return "docker info gives no answer"
    if info.returncode:
        return f"docker info fails: {info.stderr.strip()}"
    if "OSType: windows" in info.stdout:
        return "this docker runs Windows containers only"
    return None


@pytest.fixture(scope="session")
def image() -> str:
    missing = _missing_engine()
    if missing and os.environ.get("HOUSING_NP_REQUIRE_DOCKER") == "1":
        pytest.fail(f"{missing}, and HOUSING_NP_REQUIRE_DOCKER=1")
    if missing:
        pytest.skip(missing)
    if built := os.environ.get("HOUSING_NP_IMAGE"):
        return built
    build = _call("docker", "build", "--tag", "housing-np:test", ROOT)
    assert build.returncode == 0, (build.stdout + build.stderr)[-4000:]
    return "housing-np:test"


@pytest.fixture(scope="session")
def flags(image: str) -> list[str]:
    """Return the flags of a locked-down run; an engine that knows no limits is not asked for them."""
    known = _call("docker", "run", "--help").stdout
    return LOCKED_DOWN + (LIMITS if "--pids-limit" in known else [])


@pytest.fixture(scope="session")
def run(image: str, flags: list[str]) -> Run:
    """Return a function that runs the image, locked down, with arguments for its command."""

    def run(*arguments: str, extra: tuple[str, ...] = (), **options: Any) -> Done:
        if "input" in options:
            extra = ("-i", *extra)
        return _call("docker", "run", "--rm", *flags, *extra, image, *arguments, **options)

    return run


@pytest.fixture(scope="session")
def python(run: Run) -> Callable[[str], Done]:
    """Return a function that runs a line of Python in the image."""
    return lambda code: run("-c", code, extra=("--entrypoint", "python"))


@pytest.fixture(scope="session")
def config(image: str) -> dict[str, Any]:
    inspected = _call("docker", "image", "inspect", image)
    result: dict[str, Any] = json.loads(inspected.stdout)[0]["Config"]
    return result


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """Return a folder that the image's own user may read: pytest's are private."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def models(open_folder: Path) -> Path:
    """Return models that were trained outside the container."""
    folder = open_folder / "models"
    if trained := os.environ.get("HOUSING_NP_MODELS"):
        shutil.copytree(ROOT / trained, folder)
    else:
        done = _host("train", "--out", folder)
        assert done.returncode == 0, done.stderr
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)  # whatever the umask here: the image's user must read it
    return folder


def _rows(count: int) -> str:
    numbers = random.Random(0)
    rows = [[repr(numbers.uniform(*ends)) for ends in RANGES.values()] for _ in range(count)]
    return "".join(",".join(row) + "\n" for row in [list(RANGES), *rows])


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text)]


def test_prints_the_sample_predictions(run: Run, models: Path) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    ours = _host("predict", models / "uint8-per-channel.npz")
    # Trained apart, on another machine's BLAS: the last bits may differ here, and only here.
    np.testing.assert_allclose(_numbers(done.stdout), _numbers(ours.stdout), rtol=1e-6)
    assert len(_numbers(done.stdout)) >= 5


def test_agrees_with_the_host_bit_for_bit(run: Run, models: Path) -> None:
    rows = _rows(1000)
    files = sorted(models.glob("*.npz"))
    assert files
    for model in files:
        ours = _host("predict", model, "-", input=rows)
        theirs = run(
            "predict",
            f"/models/{model.name}",
            "-",
            extra=("-v", f"{models}:/models:ro"),
            input=rows,
        )
        assert theirs.returncode == ours.returncode == 0, theirs.stderr
        assert theirs.stdout == ours.stdout, model.name
        assert len(theirs.stdout.splitlines()) >= 1000


def test_lists_the_commands(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("predict", "train", "quantize"))


@pytest.mark.parametrize(
    "rows",
    [
        "MedInc,HouseAge\n1,2\n",
        _rows(0) + "1,2,3,4,5,6,7,abc\n",
        _rows(0) + "1,2,3,4,5,6,7,nan\n",
        _rows(0) + "1,2,3\n",
    ],
    ids=["a missing column", "text", "not a number", "a ragged row"],
)
def test_refuses_bad_input(run: Run, rows: str) -> None:
    done = run("predict", "-", input=rows)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert not _numbers(done.stdout)


def test_refuses_an_unknown_command(run: Run) -> None:
    done = run("guess")
    assert (done.returncode, done.stdout) == (2, "")
    assert "guess" in done.stderr


def test_refuses_a_bad_artifact(run: Run, open_folder: Path) -> None:
    (open_folder / "broken.npz").write_bytes(b"not an artifact")
    done = run("predict", "/models/broken.npz", extra=("-v", f"{open_folder}:/models:ro"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "broken.npz" in done.stderr
    assert "Traceback" not in done.stderr


def test_trains_into_a_mounted_folder(run: Run, tmp_path: Path) -> None:
    owner = ("-v", f"{tmp_path}:/out", "--user", f"{os.getuid()}:{os.getgid()}")
    done = run("train", "--out", "/out/models", extra=owner)
    assert done.returncode == 0, done.stderr
    again = run("predict", "/out/models/uint8-per-channel.npz", extra=owner)
    assert again.stdout == run("predict").stdout


OWN_TABLE = """price,area,place
100,10,far
190,20,near
310,30,
400,,far
520,50,near
590,60,
680,70,far
"""


def test_a_model_of_ones_own_goes_into_an_image_in_five_lines(image: str, flags: list[str], open_folder: Path) -> None:
    page = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
    (dockerfile,) = re.findall(r"^```dockerfile\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(dockerfile.splitlines()) == 5
    (open_folder / "own.csv").write_text(OWN_TABLE)
    own = open_folder / "own"
    trained = _host("train", "--data", open_folder / "own.csv", "--target", "price", "--missing", "mean", "--out", own)
    assert trained.returncode == 0, trained.stderr
    for path in own.iterdir():
        path.chmod(0o600)  # as under a strict umask
    (own / "Dockerfile").write_text(re.sub(r"^FROM .*", f"FROM {image}", dockerfile))
    built = _call("docker", "build", "--tag", "housing-np-own:test", own)
    assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]
    rows = "place,area\nnear,15\n,25\nfar,\n"
    done = _call("docker", "run", "--rm", "-i", *flags, "housing-np-own:test", "predict", "-", input=rows)
    ours = _host("predict", own / "uint8-per-channel.npz", "-", input=rows)
    assert (done.returncode, done.stdout) == (0, ours.stdout), done.stderr
    assert len(_numbers(done.stdout)) == 3


def test_user_is_not_root(config: dict[str, Any], python: Callable[[str], Done]) -> None:
    user = config["User"].split(":")[0]
    assert user.isdecimal()
    assert int(user) > 0
    assert python("import os; print(os.getuid())").stdout.strip() == user


def test_entry_point_is_the_package(config: dict[str, Any]) -> None:
    assert config["Entrypoint"] == ["python", "-m", "housing_np"]
    assert config["Cmd"] == ["predict"]
    assert config["Labels"]["org.opencontainers.image.version"]


@pytest.mark.parametrize("module", ["pip", "ensurepip", "setuptools", "numpy.f2py", "numpy.tests"])
def test_holds_no_module_that_predicts_nothing(python: Callable[[str], Done], module: str) -> None:
    done = python(f"import {module}")
    assert done.returncode == 1
    assert f"No module named '{module}'" in done.stderr


def test_holds_no_compiler(python: Callable[[str], Done]) -> None:
    tools = ["cc", "gcc", "c++", "ld", "make", "pip", "pip3"]
    done = python(f"import shutil; print([t for t in {tools} if shutil.which(t)])")
    assert done.stdout.strip() == "[]"


def test_adds_little_to_the_base_image(python: Callable[[str], Done]) -> None:
    assert 0 < int(python(ADDED_BYTES).stdout) <= MAX_ADDED_BYTES


def test_obeys_sigterm(image: str, flags: list[str]) -> None:
    if _call("docker", "kill", "--help").returncode:
        pytest.skip("this docker has no kill")
    name = f"housing-np-{os.getpid()}"
    command = ["docker", "run", "--rm", "-i", "--name", name, *flags, image, "predict", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        # Before Python has begun there is no one to hear the signal: it is sent until it is heard.
        for _ in range(100):
            if process.poll() is not None:
                break
            _call("docker", "kill", "--signal", "TERM", name)
            time.sleep(0.1)
        process.kill()
    assert process.returncode == 143


ROW = "8.3252,41,6.984126984126984,1.0238095238095237,322,2.5555555555555554,37.88,-122.23"
SERVES = f"""
import json, subprocess, sys, urllib.request

serve = [sys.executable, "-m", "housing_np", "serve", "--port", "0"]
server = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
url = server.stderr.readline().split(" is served at ")[1].strip()
headers = {{"Content-Type": "text/csv; header=absent", "Accept": "application/json"}}
asked = urllib.request.Request(url + "/invocations", b"{ROW}", headers)
print(url.rpartition(":")[0], json.load(urllib.request.urlopen(asked)))
print(urllib.request.urlopen(url).read(15).decode(), urllib.request.urlopen(url + "/metrics").status)
server.terminate()
print(server.wait())
"""


def test_it_serves_locked_down_to_all_who_are_let_in(python: Callable[[str], Done], run: Run) -> None:
    served = python(SERVES)
    assert served.returncode == 0, served.stderr
    answer = float(run("predict", "-", "--no-header", input=ROW).stdout.splitlines()[1])
    assert served.stdout.splitlines() == [
        f"http://0.0.0.0 {{'predictions': [{answer!r}]}}",
        "<!doctype html> 200",
        str(128 + 15),
    ]
