"""Python files as specs: a function's annotations are its keys, whatever it raises is one line."""

import pytest

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.registry import build
from topologies.usercode import parse_python

TEXT = '''
from typing import Annotated, Literal
import networkx as nx
from topologies.registry import build
from topologies.errors import ConfigError

def cycle(n: Annotated[int, "nodes"], rate_gbps: float = 400.0, kind: Literal["a", "b"] = "a", d: tuple[int, ...] = ()):
    """A cycle."""
    print("on the way")
    graph = nx.cycle_graph(n)
    nx.set_edge_attributes(graph, rate_gbps, "rate_gbps")
    return graph

def ours(parts, n: int = 4):
    return build(f"ring:n={n}", parts)

def loose(n, half=2.5, name="x", flag=True):
    assert (type(n), type(half), type(name), type(flag)) == (int, float, str, bool)
    return nx.path_graph(n)

def any_keys(*args, **kwargs):
    return nx.path_graph(4)

def boom(n: int = 3):
    return 1 / (n - 3)

def refuses():
    raise ConfigError("not today")

def leaves():
    raise SystemExit(7)

def deep():
    return deep()

def hungry():
    raise MemoryError

def silent():
    raise ValueError

def nothing():
    return None

def directed():
    return nx.DiGraph([(0, 1)])

def multi():
    return nx.MultiGraph([(0, 1)])

def empty():
    return nx.Graph()

def loop():
    return nx.Graph([(0, 0), (0, 1)])

def apart():
    return nx.Graph([(0, 1), (2, 3)])

def endless():
    graph = nx.path_graph(3)
    nx.set_edge_attributes(graph, float("inf"), "rate_gbps")
    return graph

def odd():
    graph = nx.path_graph(3)
    graph.nodes[0]["kind"] = "teapot"
    return graph

def bare():
    from topologies.graph import Topology
    from topologies.parts import catalogue
    return Topology("x", "y", {}, nx.path_graph(3), catalogue())

def listed(x: list[int]):
    return nx.path_graph(3)

def unknown_type(x: "Nowhere"):
    return nx.path_graph(3)

def infinite(n: int):
    class Vast(nx.Graph):
        def __len__(self):
            return 2**24 + n
    return Vast()

value = 3
'''


@pytest.fixture
def spec(tmp_path):
    """`function:keys` as a spec of a file."""
    path = tmp_path / "mine.py"
    path.write_text(TEXT)
    return lambda rest, text=None: (path.write_text(text) if text else None, f"{path}:{rest}")[1]


def test_a_graph(spec, capsys):
    built = build(spec("cycle:n=6,rate_gbps=800 Gb/s"))
    assert (built.family, built.links, built.parameters["n"]) == ("mine.py:cycle", 6, 6)
    assert {edge["rate_gbps"] for *_, edge in built.edges} == {800}
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "on the way\n")


def test_a_name_of_ours_is_no_family_of_ours(spec):
    """Routing and bisection go by the family: a graph of somebody's own is none, a Topology is what it says."""
    from fabric.routing.policy import preferred

    text = "import networkx as nx\ndef dragonfly():\n    return nx.cycle_graph(6)\n"
    assert preferred(build(spec("dragonfly", text))) == "ecmp"
    text = "from topologies.registry import build\ndef mine(parts):\n    return build('dragonfly:p=1,a=2,h=1', parts)\n"
    built = build(spec("mine", text))
    assert built.family == "dragonfly" and preferred(built) == "ugal"


def test_a_topology_and_loose_keys(spec):
    assert build(spec("ours")).links == 4 and build(spec("ours:n=9")).links == 9
    assert len(build(spec("loose:n=5,flag=false")).accelerators) == 5
    assert len(build(spec("any_keys")).accelerators) == 4


def test_a_file_may_import_its_neighbour(spec, tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("SIZE = 7\n")
    text = "import networkx as nx, neighbour_of_mine\ndef f():\n    return nx.path_graph(neighbour_of_mine.SIZE)\n"
    assert len(build(spec("f", text)).accelerators) == 7


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("", "names no function"), ("cycle:", "names no function"), ("1cycle", "no function name"),
        ("cycel:n=3", "did you mean 'cycle'"), ("value", "no function is named 'value'"),
        ("cycle", "needs n (nodes)"), ("cycle:n=x", "not a whole number"), ("cycle:n=3,m=4", "no parameter 'm'"),
        ("cycle:n=3,n=4", "gives n twice"), ("cycle:n=3,kind=c", "is not one of a, b"), ("cycle:n", "is not key=value"),
        ("boom", "mine.py line 25: ZeroDivisionError"), ("refuses", "mine.py line 28: not today"),
        ("leaves", "line 31: SystemExit: 7"), ("deep", "RecursionError"), ("hungry", "line 37: out of memory"),
        ("silent", "line 40: ValueError"), ("nothing", "returned NoneType None; return a Topology or a networkx.Graph"),
        ("directed", "undirected simple graph"), ("multi", "undirected simple graph"), ("empty", "0 accelerators"),
        ("loop", "joins a node to itself"), ("apart", "not connected"), ("endless", "not a positive number"),
        ("odd", "no kind"), ("bare", "kind None is not one of"), ("listed:x=3", "annotate it as int"),
        ("unknown_type:x=3", "NameError"), ("infinite:n=99", "at most 16,777,216"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_line(spec, rest, said):
    with pytest.raises(FabricError) as error:
        build(spec(rest))
    assert said in str(error.value), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n", "line 1: invalid syntax"), ("x = 1\n  y = 2\n", "line 2: unexpected indent"),
        ("import no_such_module_at_all\n", "line 1: ModuleNotFoundError"), ("raise ValueError('no\\nway')\n", "no way"),
        ("\0", "null bytes"), ("exit(3)\n", "line 1: SystemExit"), ("", "no function is named 'f'; it defines none"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_run(spec, text, said):
    where = spec("f", text or " ")
    with pytest.raises((ConfigError, TopologyError)) as error:
        build(where)
    assert said in str(error.value)


def test_no_file_and_no_function(tmp_path):
    with pytest.raises(ConfigError, match=r"no file 'absent\.py'"):
        build("absent.py:f")
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(ConfigError, match="names no function"):
        build(str(tmp_path / "mine.py"))


def test_the_grammar():
    assert parse_python("a/b.py:f:dims=2x3,k=v")[1:] == ("f", "dims=2x3,k=v")
