"""What the README shows is what its commands print."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SHOWN = re.findall(r"```console\n\$ python (.+?)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def sizes_apart(text):
    """The text without its sizes in bytes, and the sizes: they change a little with zlib and with the last bits."""
    size = r" *(\d+)(?= B\b| bytes)"
    return re.sub(size, " N", text), [int(number) for number in re.findall(size, text)]


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_prints_what_the_readme_shows(command, output, folder):
    done = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    (printed, printed_sizes), (shown, shown_sizes) = sizes_apart(done.stdout), sizes_apart(output)
    assert printed == shown
    assert printed_sizes == pytest.approx(shown_sizes, abs=8)


def test_the_readme_begins_with_a_command_and_its_output():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert "$ python -m housing_np.train" in lines[:8]


def test_every_command_is_in_the_readme():
    from housing_np.__main__ import COMMANDS

    assert [name for name in COMMANDS if f"`{name} " not in README.read_text(encoding="utf-8")] == []
