"""The command line run in this process or in one of its own, in an environment without settings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from fabric.cli import main

PROGRAM = [sys.executable, "-c", "from fabric.cli import main; main()"]
SETTINGS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


class Ran(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/cli/golden from what is printed now")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Neither the width and colours of this terminal nor the user's own defaults."""
    for name in list(os.environ):
        if name in SETTINGS or name.startswith("AIFABRIC_"):
            monkeypatch.delenv(name)


@pytest.fixture
def run(capsys):
    """Run an argument list in this process."""

    def run_main(*argv):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in argv])
        printed = capsys.readouterr()
        return Ran(left.value.code, printed.out, printed.err)

    return run_main


@pytest.fixture
def program_argv():
    """The words that start the program."""
    return PROGRAM


@pytest.fixture
def program():
    """Run an argument list in a process of its own."""

    def run_process(*argv, **options):
        options.setdefault("env", dict(os.environ))  # not the C environment, where readline puts COLUMNS
        done = subprocess.run([*PROGRAM, *argv], capture_output=True, text=True, timeout=60, **options)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run_process


@pytest.fixture
def inputs():
    """The folder of small input files."""
    return Path(__file__).with_name("inputs")
