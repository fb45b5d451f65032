"""What the README shows is what its commands print."""

import re
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SHOWN = re.findall(r"```console\n\$ python (.+?)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


@pytest.mark.skipif("zlib-ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng packs the files to other sizes")
@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_prints_what_the_readme_shows(command, output, folder):
    done = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == output


def test_the_readme_begins_with_a_command_and_its_output():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert "$ python -m housing_np.train" in lines[:8]


def test_every_command_is_in_the_readme():
    from housing_np.__main__ import COMMANDS

    assert [name for name in COMMANDS if f"`{name} " not in README.read_text(encoding="utf-8")] == []
