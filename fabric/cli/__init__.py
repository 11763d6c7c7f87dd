"""The command `aifabric`: one thin file per command; only click and the names are loaded to start."""

import os
import sys
from typing import Any

import click

from fabric.cli.lazy import LazyGroup

# name -> (module, one line of help); a command's module is imported when it runs
COMMANDS = {
    "compare": ("fabric.cli.compare", "Configurations side by side: time, watts, dollars, copper."),
    "solve": ("fabric.cli.solve", "One configuration in depth."),
    "workload": ("fabric.cli.workload", "A training step, or a model served: tokens a second and a joule."),
    "trace": ("fabric.cli.trace", "A recorded step: what sets its time, what is exposed, who waits."),
    "tune": ("fabric.cli.tune", "The best algorithm at every size, and where it changes."),
    "show": ("fabric.cli.show", "What a topology is made of."),
    "walls": ("fabric.cli.walls", "Which limit is met first: copper, power, heat or memory."),
    "power": ("fabric.cli.power", "Watts of network and site, by kind; delivery, swing."),
    "size": ("fabric.cli.size", "How many accelerators a site holds: megawatts, dollars, racks."),
    "cost": ("fabric.cli.cost", "Dollars: parts, cables, electricity, over years."),
    "fail": ("fabric.cli.fail", "What breaks, how often, and what it takes with it."),
    "plan": ("fabric.cli.plan", "A reconfiguration plan that keeps a floor in every stage."),
    "topologies": ("fabric.cli.topologies", "What topologies can be named, with parameters and sources."),
    "parts": ("fabric.cli.parts", "The device catalogue, with sources."),
    "models": ("fabric.cli.models", "The models whose steps can be asked, with shapes and sources."),
    "validate": ("fabric.cli.validate", "Published figures against our answers."),
    "import": ("fabric.cli.importing", "Read a fabric from a foreign format."),
    "export": ("fabric.cli.export", "Write a fabric in a foreign format."),
    "schema": ("fabric.cli.schema", "The JSON schema of the files that you write."),
}
EXIT_CODES = {"ConfigError": 3, "TopologyError": 3, "ReachError": 3, "InfeasibleError": 4}


@click.group(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda c, _, v: _version(c, v),
    help="Show the version.",
)
def group() -> None:
    """Compare copper, packet-switched and optical-circuit fabrics of AI clusters.

    A SPEC is a ready-made system (nvl72), family:key=value,... (torus:dims=4x4x8,twist=true), or a file.
    """


def _version(ctx: click.Context, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"aifabric {version('aifabric')}")
        ctx.exit()


def main(argv: list[str] | None = None) -> None:
    """Run a command line and exit.

    0 done, 1 the answer is no, 2 usage, 3 bad input, 4 infeasible, 70 a bug, 130 interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    told, sys.unraisablehook = sys.unraisablehook, _heard_again
    try:
        _refuse_foreign()
        _limit_memory()
        status: Any = group.main(arguments, prog_name="aifabric", standalone_mode=False, auto_envvar_prefix="AIFABRIC")
        sys.stdout.flush()
        code = status if isinstance(status, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        click.echo(f"error: {_one_line(error.format_message())}", err=True)
        code = 2
    except Exception as error:
        code = _report(error, arguments)
    finally:
        sys.unraisablehook = told
    sys.exit(code)


def _heard_again(dropped: Any) -> None:
    """A Ctrl-C that fell into a callback, where Python drops exceptions, comes again a moment later."""
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)
        return
    import signal

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def _report(error: Exception, arguments: list[str]) -> int:
    """One line on stderr and the exit code of an exception."""
    from fabric.cli.options import debugging

    debug = debugging(arguments)
    if debug:
        import traceback

        traceback.print_exc()
    code = next((EXIT_CODES[c.__name__] for c in type(error).__mro__ if c.__name__ in EXIT_CODES), 70)
    if code != 70:
        click.echo(f"error: {_one_line(str(error))}", err=True)
    elif isinstance(error, OSError):
        click.echo(f"error: {error.filename or 'stdout'}: {error.strerror}", err=True)
        code = 3
    elif isinstance(error, MemoryError):
        click.echo("error: not enough memory for this size; ask for less", err=True)
        code = 4
    else:
        hint = "" if debug else "; --debug shows where"
        click.echo(f"error: a bug: {type(error).__name__}: {_one_line(str(error))}{hint}", err=True)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _refuse_foreign() -> None:
    """PyPI's `fabric` is an SSH library that overwrites this package's files; its modules give it away."""
    if os.path.exists(os.path.join(os.path.dirname(__file__), "..", "connection.py")):
        raise click.ClickException(
            "the SSH library 'fabric' is installed over this package; use an environment of its own for aifabric"
        )


def _limit_memory() -> None:
    """Let what is too large fail here, with a message, before the kernel kills it: nine tenths of the machine."""
    try:
        import resource

        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        if soft == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_AS, (int(0.9 * whole), hard))
    except (ImportError, OSError, ValueError):
        return
