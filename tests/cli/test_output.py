"""What all commands have in common: colours, files, pipes, threads, environment variables, help."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module

import click
import pytest

from fabric.algorithms import ALGORITHMS
from fabric.cli import COMMANDS, group

TWISTED = ["solve", "torus:dims=4x4x8,twist=true", "-c", "all-to-all"]
PXN = ["solve", "dgx-h100-superpod-256", "-c", "all-to-all", "--algorithm", "pxn"]
COMPARED = ["compare", "torus:dims=4x4x4", "torus:dims=4x4x8,twist=true", "switch:n=64"]
EACH = [
    TWISTED, COMPARED, ["show", "nvl72"], ["topologies", "torus"], ["parts", "qm9700"], ["parts", "--kind", "ocs"],
]  # fmt: skip
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])[;m]")
SLOW = ["compare"]  # the standing questions take seconds


def words(argv):
    return " ".join(argv)


@pytest.mark.parametrize("argv", EACH, ids=words)
def test_file_is_what_a_pipe_gets(argv, run, tmp_path):
    for form in ([], ["--json"]):
        told = run(*argv, *form)
        written = run(*argv, *form, "-o", tmp_path / "answer")
        assert (written.code, written.out, written.err) == (0, "", "")
        assert (tmp_path / "answer").read_text(encoding="utf-8") == told.out
        assert [path.name for path in tmp_path.iterdir()] == ["answer"]


def test_file_has_no_colour_and_replaces_what_stood_there(run, tmp_path):
    (tmp_path / "answer").write_text("old\n" * 1000)
    assert run(*TWISTED, "--color", "-o", tmp_path / "answer").code == 0
    assert (tmp_path / "answer").read_text() == run(*TWISTED).out


@pytest.mark.parametrize("argv", [PXN, TWISTED, COMPARED], ids=words)
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=words)
def test_any_number_of_threads_prints_the_same_bytes(argv, form, run):
    assert run(*argv, *form, "-j", "1") == run(*argv, *form, "-j", "2") == run(*argv, *form)


@pytest.mark.parametrize("argv", EACH, ids=words)
def test_colour_only_where_asked_for(argv, run, monkeypatch):
    assert "\x1b" not in run(*argv).out
    assert "\x1b" not in run(*argv, "--no-color").out
    assert "\x1b[" in run(*argv, "--color").out
    assert "\x1b" not in run(*argv, "--json", "--color").out


def test_colour_changes_no_text(run):
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", run(*COMPARED, "--color").out)
    assert [line.rstrip() for line in coloured.splitlines()] == run(*COMPARED).out.splitlines()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
@pytest.mark.parametrize(
    ("options", "settings", "coloured"),
    [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        (["--color"], {"NO_COLOR": "1"}, True),
    ],
    ids=["terminal", "--no-color", "NO_COLOR", "--color over NO_COLOR"],
)
def test_terminal(options, settings, coloured, program_argv):
    """Colour by default; with --no-color or NO_COLOR none (bold and dim may stay)."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **settings}
    argv = [*program_argv, "compare", "ring:n=8", "-c", "all-reduce", *options]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:
                break
            if not block:
                break
            shown += block
        os.close(ours)
        assert running.stderr.read() == b""
    assert running.returncode == 0
    assert bool(COLOUR.search(shown.decode())) is coloured


@pytest.mark.parametrize(
    ("name", "value", "argv", "options"),
    [
        ("AIFABRIC_COMPARE_SIZE", "1MiB", ["compare", "ring:n=4", "ring:n=4,rate_gbps=200"], ["-s", "1MiB"]),
        ("AIFABRIC_SOLVE_SIZE", "1KiB", ["solve", "ring:n=4"], ["-s", "1KiB"]),
        ("AIFABRIC_SOLVE_ROUTING", "ecmp", ["solve", "ring:n=4"], ["--routing", "ecmp"]),
        ("AIFABRIC_SOLVE_COLLECTIVE", "broadcast", ["solve", "ring:n=4"], ["-c", "broadcast"]),
        ("AIFABRIC_COMPARE_COLLECTIVE", "broadcast", ["compare", "ring:n=4"], ["-c", "broadcast"]),
        ("AIFABRIC_SOLVE_JSON", "1", ["solve", "ring:n=4"], ["--json"]),
        ("AIFABRIC_SHOW_CSV", "1", ["show", "ring:n=4"], ["--csv"]),
        ("AIFABRIC_PARTS_KIND", "ocs", ["parts"], ["--kind", "ocs"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_environment_variable_is_the_option_of_its_name(name, value, argv, options, run, monkeypatch):
    plain, given = run(*argv), run(*argv, *options)
    monkeypatch.setenv(name, value)
    assert run(*argv) == given != plain


def test_option_wins_over_environment_variable(run, monkeypatch):
    given = run("solve", "ring:n=4", "-s", "1KiB")
    monkeypatch.setenv("AIFABRIC_SOLVE_SIZE", "1MiB")
    assert run("solve", "ring:n=4", "-s", "1KiB") == given


def commands(command, name):
    """(words, command) of a command and its subcommands."""
    yield name, command
    for sub, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, [*name, sub])


EVERY = [pair for name in COMMANDS for pair in commands(import_module(COMMANDS[name][0]).command, [name])]


@pytest.mark.parametrize(("argv", "command"), EVERY, ids=[" ".join(name) for name, _ in EVERY])
def test_help_mentions_every_option(argv, command, run):
    for flag in ("-h", "--help"):
        told = run(*argv, flag)
        assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"Usage: aifabric {' '.join(argv)} ")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert all(f"{option}" in told.out for option in (*parameter.opts, *parameter.secondary_opts))
            assert parameter.help, f"{argv}: {parameter.name} has no help"
    assert not [line for line in told.out.splitlines() if len(line) > 80]


def test_help_lists_every_algorithm():
    command = import_module(COMMANDS["solve"][0]).command
    (option,) = [parameter for parameter in command.params if parameter.name == "algorithm"]
    assert set(option.help.rstrip(".").split(", ")) == {"auto", *ALGORITHMS}


def test_help_of_the_program(run):
    told = run("-h")
    assert told.code == 0 and all(re.search(rf"^  {name} ", told.out, re.M) for name in COMMANDS)
    assert "..." not in "".join(line for line in told.out.splitlines() if line.startswith("  ") and "=" not in line)
    assert all(option.help for option in group.params), "--version has no help"


def test_version(run):
    told = run("--version")
    assert told.code == 0 and re.fullmatch(r"aifabric \d+\.\d+\S*\n", told.out)


@pytest.mark.parametrize("argv", [[], ["import"]], ids=["aifabric", "aifabric import"])
def test_no_command_is_not_answered_with_a_squeezed_help_page(argv, run):
    told = run(*argv)
    assert told.code in (0, 2)
    assert not told.err or (len(told.err) < 300 and "Usage:" not in told.err)


def test_debug_shows_where(run):
    told = run("solve", "rong:n=4", "--debug")
    assert told.code == 3 and "Traceback" in told.err
    assert told.err.splitlines()[-1].startswith("error: no topology is named 'rong'")


def test_a_bug_says_so(run, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("topologies.registry.build", broken)
    told = run("show", "ring:n=4")
    assert (told.code, told.out) == (70, "")
    assert told.err == "error: a bug: ZeroDivisionError: of all things; --debug shows where\n"


@pytest.mark.parametrize(("raised", "code"), [(MemoryError(), 4), (KeyboardInterrupt(), 130)])
def test_what_the_machine_stops(raised, code, run, monkeypatch):
    def stopped(*_):
        raise raised

    monkeypatch.setattr("topologies.registry.build", stopped)
    told = run("show", "ring:n=4")
    assert (told.code, told.out, told.err.strip().count("\n")) == (code, "", 0)


def test_process_answers_like_main(program, run):
    assert program(*TWISTED) == run(*TWISTED)
    told = program("solve", "torsu:dims=4x4")
    assert told == run("solve", "torsu:dims=4x4") and told.code == 3


@pytest.mark.parametrize("argv", [["parts", "--json"], ["parts"], ["topologies", "--tree"], TWISTED], ids=words)
def test_a_closed_pipe_is_no_error(argv, program_argv):
    with subprocess.Popen([*program_argv, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_interrupt():
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from fabric.cli import main; import fabric.cli.compare, fabric.simulation\n"
        "print('ready', flush=True); main()"
    )
    argv = [sys.executable, "-c", start, *SLOW]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err.strip()) == (130, "", "interrupted")


def test_json_is_one_document_in_utf_8(program):
    told = program("parts", "--json", env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert json.loads(told.out)["schema"] == "aifabric.parts/1" and told.out.endswith("}\n")


@pytest.mark.parametrize("argv", [["show", "nvl72"], ["parts"], ["parts", "--json"]], ids=words)
def test_output_survives_a_c_locale(argv, program):
    told = program(*argv, env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert (told.code, told.err) == (0, "") and told.out


MIXED = ["compare", "torus:dims=4x4", "switch:n=16", "-c", "all-reduce", "--algorithm", "bucket"]
NOTHING = ["compare", "switch:n=16", "-c", "all-reduce", "--algorithm", "bucket"]


def test_a_row_without_an_answer_is_shown(run):
    told = run(*MIXED)
    assert (told.code, told.err) == (0, "")
    assert "infeasible: switch:n=16, all-reduce: bucket needs a grid" in told.out
    found = json.loads(run(*MIXED, "--json").out)
    assert [row["topology"] for row in found["rows"]] == ["torus:dims=4x4"]
    assert [sorted(row) for row in found["infeasible"]] == [["collective", "error", "topology"]]
    told = run(*MIXED, "--csv")
    assert told.code == 0 and len(told.out.splitlines()) == 2 and told.err.startswith("infeasible: switch:n=16")


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=words)
def test_nothing_but_rows_without_an_answer_is_exit_code_4(form, run):
    assert run(*NOTHING, *form).code == 4


@pytest.mark.parametrize(
    "argv", [[*COMPARED], ["solve", "nvl72"], ["show", "nvl72"], ["validate", "nvl72-*"]], ids=words
)
def test_quiet_says_less_and_verbose_more(argv, run):
    plain, quiet, verbose = (run(*argv, *more) for more in ([], ["-q"], ["-v"]))
    assert (plain.code, quiet.code, verbose.code) == (0, 0, 0)
    assert len(quiet.out.splitlines()) < len(plain.out.splitlines()) < len(verbose.out.splitlines())


def test_unknown_power_says_so(run):
    assert "network power     unknown; 9.6 W" not in run("show", "switch:n=16").out
    (line,) = [line for line in run("show", "switch:n=16").out.splitlines() if line.startswith("network power")]
    assert line.split(maxsplit=2)[2].startswith("unknown") and "- " not in line


def test_energy_of_a_tiny_message_is_marked(run):
    assert "pJ/bit, mostly of waiting: latency is" in run("solve", "nvl72", "-s", "1").out
    assert "waiting" not in run("solve", "nvl72").out


def test_times_that_differ_are_about_one(run):
    differing = run(
        "compare", "dgx-b200-superpod-512", "dgx-b200-superpod-512:planes=2", "-c", "all-reduce",
        "--transport", "ideal", "--algorithm", "hierarchical",
    )  # fmt: skip
    assert re.search(r"All take about 5\.\d+ ms", differing.out)
    assert "All take 10.74 ms" in run("compare", "torus:dims=4x4", "torus:dims=4x4,technology=aec").out


def test_a_picture_is_written_whole_beside_the_answer(run, tmp_path):
    told = run("show", "ring:n=8", "--svg", str(tmp_path / "ring.svg"))
    assert told.code == 0 and "ring:n=8" in told.out and "drawn into" in told.err
    assert (tmp_path / "ring.svg").read_text().rstrip().endswith("</svg>")
    told = run("solve", "ring:n=8", "--svg", str(tmp_path / "loads.svg"), "--json")
    assert told.code == 0 and "busy" in (tmp_path / "loads.svg").read_text()


def test_a_picture_that_cannot_be(run, tmp_path):
    assert run("show", "ring:n=8", "--svg", str(tmp_path / "no" / "x.svg")).code == 2
    told = run("solve", "ring:n=8", "--fidelity", "bound", "--svg", str(tmp_path / "x.svg"))
    assert told.code == 2 and "--svg" in told.err and not (tmp_path / "x.svg").exists()


def test_the_catalogue_is_listed_by_kind_within_80_columns(run, monkeypatch):
    from topologies.parts import KINDS, catalogue

    monkeypatch.setenv("COLUMNS", "80")
    lines = run("parts").out.splitlines()
    assert max(map(len, lines)) <= 80
    first = [line.split()[0] for line in lines if line[:1].strip()]
    assert {name: first.count(name) for name in catalogue()} == dict.fromkeys(catalogue(), 1)
    heads = [line.split(" (")[0] for line in lines if re.match(r"[a-z-]+ \(\d+\): ", line)]
    assert heads == list(KINDS)
    assert max(len(line) for line in run("parts", "gb200-nvl72").out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("ocs-operation", ["ocs-path", "nic-activation", "training-window"]),
        ("nvlink cartridge", ["nvlink5-cartridge", "nvlink6-cartridge"]),
        ("NVIDIA switch", ["qm9700", "nvswitch4", "sn5600"]),
        ("palomar", ["palomar-136"]),
        ("qm9700", ["qm9700"]),
    ],
)
def test_parts_of_a_kind_or_with_words(words, names, run):
    found = [part["name"] for part in json.loads(run("parts", words, "--json").out)["parts"]]
    assert set(names) <= set(found) and len(found) < 40
    told = run("parts", words).out
    assert all(name in told for name in found)


def test_a_full_disc_behind_a_pipe(program_argv):
    with open("/dev/full", "w") as full:
        ran = subprocess.run([*program_argv, "show", "ring:n=4"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 3 and ran.stderr == "error: stdout: No space left on device\n"


def test_an_interrupt_in_a_callback_is_heard():
    start = (
        "import time, weakref\n"
        "from fabric.cli import main; import fabric.cli.show as show\n"
        "class Dropped: pass\n"
        "def callback(_): raise KeyboardInterrupt\n"
        "def late(*a, **k):\n"
        "    thing = Dropped(); ref = weakref.ref(thing, callback); del thing\n"
        "    time.sleep(5); print('never')\n"
        "show.command.callback = late; main(['show', 'nvl72'])"
    )
    ran = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "interrupted")


def test_measured_against_predicted_is_drawn(run, inputs, tmp_path):
    told = run("validate", "--measured", str(inputs / "measured.csv"), "--svg", str(tmp_path / "errors.svg"))
    assert told.code == 0 and "errors.svg" in told.err
    assert (tmp_path / "errors.svg").read_text().count("<title>Tr") == 4


def test_measured_rows_that_are_none_are_listed_without_tables(run, tmp_path):
    (tmp_path / "none.csv").write_text("system,collective,size_bytes,time_us\nH100,scan,8,1\n")
    told = run("validate", "--measured", str(tmp_path / "none.csv"))
    assert told.code == 0 and "'scan' is none of the collectives" in told.out and "by system" not in told.out
