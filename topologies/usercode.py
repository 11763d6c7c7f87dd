"""Code of the user's own: a function in a Python file that builds a topology, and one line for whatever it raises."""

import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin

import networkx as nx

from topologies.errors import ConfigError, FabricError, TopologyError, unknown
from topologies.graph import Topology, limit_nodes
from topologies.invariants import check
from topologies.parameters import Family, Parameter, read_family
from topologies.parts import Catalogue

_SPEC = re.compile(r"(?P<path>.*\.py)(?::(?P<function>[^:=,]*))?(?::(?P<rest>.*))?", re.DOTALL)
_OURS = os.path.dirname(__file__)


def is_python(spec: str) -> bool:
    """Does a spec name a Python file?

    >>> is_python("mine.py:pod:n=4"), is_python("torus:dims=4x4")
    (True, False)
    """
    return spec.lower().endswith(".py") or ".py:" in spec.lower()


def parse_python(spec: str) -> tuple[Path, str, str]:
    """File, function and `key=value,...` of a spec `path.py:function:key=value,...`; ConfigError where one is missing.

    >>> parse_python("mine.py:pod:n=4,rate_gbps=800")[1:]
    ('pod', 'n=4,rate_gbps=800')
    """
    found = _SPEC.fullmatch(spec)
    path, function, rest = found.group("path", "function", "rest") if found else (spec, None, None)
    if not function or rest == "":
        raise ConfigError(f"'{spec}' names no function; write {path}:function or {path}:function:key=value")
    if not function.isidentifier():
        raise ConfigError(f"'{function}' in '{spec}' is no function name; write {path}:function:key=value")
    return Path(path), function, rest or ""


def python_family(path: Path, function: str) -> Family:
    """The function of a file as a family: its annotated parameters are the keys that a spec takes.

    ConfigError where there is no such file or function, or where the file does not run: file, line and message.
    """
    if not path.is_file():
        raise ConfigError(f"no file '{path}'; give path.py:function of an existing Python file")
    with _beside(path), guarded(str(path)):
        module = _load(path)
    own = [n for n, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == module.__name__]
    builder = getattr(module, function, None)
    if not callable(builder):
        raise ConfigError(f"{path}: {unknown('function', function, own, 'it defines none')}")
    return foreign_family(f"{path.name}:{function}", builder, str(path))


def foreign_family(name: str, builder: Any, origin: str) -> Family:
    """A family of somebody else's builder, guarded: what it raises becomes one line that names file and line.

    The builder may return a Topology, which keeps the family that it says it is of, or a networkx.Graph; it is handed
    `parts` where it has a parameter of that name.
    """
    with guarded(origin):
        read = read_family(name, builder)
        takes_parts = "parts" in inspect.signature(builder).parameters
    for parameter in read.parameters.values():
        _check_type(parameter, origin)

    @wraps(builder)
    def built(*, parts: Catalogue, **given: Any) -> Topology:
        with _beside(Path(origin)), guarded(origin):
            made = builder(**given, **({"parts": parts} if takes_parts else {}))
        return _as_topology(made, name, origin, parts)

    return Family(name, built, read.parameters, read.bundles, origin)


def _check_type(parameter: Parameter, origin: str) -> None:
    """Only what can be written on a command line can be a parameter."""
    kinds = set(get_args(parameter.type)) if NoneType in get_args(parameter.type) else {parameter.type}
    for kind in kinds - {NoneType, Any, bool, int, float, str}:
        if get_origin(kind) is Literal or (get_origin(kind) is tuple and set(get_args(kind)) <= {int, bool, Ellipsis}):
            continue
        told = getattr(kind, "__name__", str(kind))
        raise ConfigError(
            f"{origin}: parameter '{parameter.name}' is of type {told}; annotate it as int, float, bool, str, "
            "tuple[int, ...] or Literal"
        )


def _as_topology(made: Any, name: str, origin: str, parts: Catalogue) -> Topology:
    """What a builder returned as a Topology that has been checked."""
    with guarded(origin):
        if isinstance(made, nx.Graph):
            limit_nodes(name, len(made))  # before it is copied
            return replace(Topology.from_graph(made, name=name, parts=parts), family=name)
        if isinstance(made, Topology):
            check(made)
            made.csr()
            return made
    what = f"{name.rpartition(':')[2]} returned {_short(made)}"
    raise TopologyError(f"{origin}: {what}; return a Topology or a networkx.Graph")


@contextmanager
def guarded(origin: str) -> Iterator[None]:
    """Turn whatever foreign code raises into one line: origin, its line and the message; keep what it prints out of
    the answer."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SyntaxError as error:
        raise ConfigError(f"{error.filename or origin} line {error.lineno}: {error.msg}") from error
    except FabricError as error:
        line = _line(error, origin)
        raise type(error)(f"{line or origin}: {error}") from error
    except MemoryError as error:
        raise TopologyError(f"{_line(error, origin) or origin}: out of memory; build a smaller graph") from error
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:300]
        told = f"{type(error).__name__}{': ' if said else ''}{said}"
        raise TopologyError(f"{_line(error, origin) or origin}: {told}") from error


def _line(error: BaseException, origin: str) -> str:
    """File and line of the deepest frame in the origin, else of the deepest that is not ours."""
    frames = traceback.extract_tb(error.__traceback__)
    same = [f for f in frames if os.path.realpath(f.filename) == os.path.realpath(origin)]
    other = [f for f in frames if not f.filename.startswith(_OURS) and "importlib" not in f.filename]
    if not same and not other:
        return ""
    chosen = (same or other)[-1]
    return f"{origin if same else chosen.filename} line {chosen.lineno}"


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import its neighbours, as a script does."""
    folder = str(path.parent.resolve())
    if not path.is_file():
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _load(path: Path) -> ModuleType:
    name = f"aifabric_own_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: not a Python file; give path.py:function")
    module = module_from_spec(spec)
    sys.modules[name] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    finally:
        sys.dont_write_bytecode = written
    return module


def _short(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = ""
    return f"{type(value).__name__} {text[:40]}".strip()
