"""Help is instant: it loads click and the names of the commands, nothing that computes or draws."""

import resource
import subprocess
import sys

import pytest

from fabric.cli import COMMANDS

HEAVY = ("numpy", "networkx", "rich", "scipy", "cext", "topologies.graph", "topologies.parts")
ASK = f"""
import sys
from fabric.cli import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    print("left with", left.code, "loaded", [name for name in {HEAVY!r} if name in sys.modules])
"""
HELP = [["--help"], ["-h"], ["--version"], *([name, "-h"] for name in COMMANDS)]


@pytest.mark.parametrize("argv", HELP, ids=" ".join)
def test_help_loads_nothing_heavy(argv):
    done = subprocess.run([sys.executable, "-c", ASK, *argv], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "left with 0 loaded []"


@pytest.mark.parametrize("argv", [["--help"], ["tune", "-h"]], ids=" ".join)
def test_help_takes_a_moment(argv):
    """Of processor time, some 0.06 s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-c", ASK, *argv], capture_output=True, timeout=60)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 0.3


def test_a_command_does_load_them():
    """What the other test looks for can be found."""
    done = subprocess.run([sys.executable, "-c", ASK, "show", "ring:n=4"], capture_output=True, text=True, timeout=60)
    loaded = done.stdout.splitlines()[-1]
    assert all(repr(name) in loaded for name in ("numpy", "networkx", "rich", "topologies.graph"))
