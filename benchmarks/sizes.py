"""Size: the files of each stage, the wheel, the installed package, the image."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from image_size import ADDED_BYTES
from measure import ROOT, installed, progress, run_process
from start_to_finish import ORIGINAL_STEPS

SOURCES = ("housing_np", "data", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")


def measure(quick: bool) -> dict[str, Any]:
    """Return bytes, by what they are the bytes of."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        progress("size: the stages")
        stages = json.loads(run_process(["-m", "housing_np.train", "--json"], folder)["output"])["stages"]
        bytes_ = (
            {Path(each["file"]).name: each["file_bytes"] for each in stages}
            | ({} if quick else _original(folder))
            | _wheel(folder)
        )
    return {"bytes": bytes_ | _image()}


def _original(folder: Path) -> dict[str, int]:
    if not installed("scikit-learn", "joblib"):
        return {}
    for step in ("train", "quantize"):
        run_process(ORIGINAL_STEPS[step], folder)
    return {f"original's {path.name}": path.stat().st_size for path in sorted(folder.glob("*.joblib"))}


def _wheel(folder: Path) -> dict[str, int]:
    """Build the wheel from a copy, since a build leaves files behind; return its size, packed and unpacked."""
    progress("size: the wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy)]
    if subprocess.run(command, capture_output=True).returncode:
        return {}
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        parts = {part.filename: part.file_size for part in archive.infolist()}
    data = sum(size for name, size in parts.items() if name.endswith(".csv"))
    return {"wheel": wheel.stat().st_size, "installed package": sum(parts.values()), "of it the data": data}


def _image() -> dict[str, int]:
    docker, name = shutil.which("docker"), os.environ.get("HOUSING_NP_IMAGE", "housing-np")
    if docker is None:
        return {}
    command = [docker, "run", "--rm", "--entrypoint", "python", name, "-c", ADDED_BYTES]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    return {"image, without its base": int(done.stdout)} if done.returncode == 0 else {}
