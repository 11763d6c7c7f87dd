"""Help is instant: it loads click and the names of the commands, nothing that computes or draws."""

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


def test_a_command_does_load_them():
    """What the other test looks for can be found."""
    done = subprocess.run([sys.executable, "-c", ASK, "show", "ring:n=4"], capture_output=True, text=True, timeout=60)
    loaded = done.stdout.splitlines()[-1]
    assert all(repr(name) in loaded for name in ("numpy", "networkx", "rich", "topologies.graph"))
