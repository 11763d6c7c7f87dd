"""Circuit states: the states of one fabric among which a training step could switch, from a spec and a layout."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations_with_replacement
from typing import Any

from fabric.planning.phases import Configuration
from fabric.workloads.models.model import Model
from fabric.workloads.steps.least import spread
from fabric.workloads.steps.mix import mix
from fabric.workloads.steps.parallel import Parallel
from topologies.errors import ConfigError, FabricError
from topologies.parts import Catalogue
from topologies.registry import build, named, with_parameters
from topologies.tpu_pod import CUBE

RAIL, POD = "photonic-rail", "tpu-pod"
MOST = 12  # states of one question


def states_of(specs: Iterable[str], model: Model, parallel: Parallel, parts: Catalogue) -> list[Configuration]:
    """The specs as they are given; of a single one the states that its family has for the dimensions of a layout: on
    photonic rails rings of each dimension's groups, of a TPU pod every straight or twisted slice of as many cubes.

    ConfigError for a single spec of another family, or of no second state.

    >>> from fabric.workloads.steps.parallel import Parallel
    >>> from fabric.workloads.models.zoo import model
    >>> from topologies.parts import catalogue
    >>> llama = model("llama-3.1-8b")
    >>> layout = Parallel(tp=8, pp=2, global_batch=32, sequence=8192).on(64, llama)
    >>> [c.name for c in states_of(["photonic-rail:servers=8"], llama, layout, catalogue())]
    ['photonic-rail:servers=8,ring=4,stride=1', 'photonic-rail:servers=8,ring=2,stride=4']
    """
    given = list(specs)
    if len(given) == 1:
        given = list(_of_family(given[0], model, parallel, parts))
    if len(given) < 2:
        raise ConfigError(
            f"one state of circuits is given; give another SPEC of the same accelerators, or one of {RAIL} or {POD}"
        )
    if len(given) > MOST or len(set(given)) < len(given):
        raise ConfigError(f"{len(given)} states of circuits; give 2 to {MOST} that differ")
    return [Configuration(spec, spec) for spec in given]


def _of_family(spec: str, model: Model, parallel: Parallel, parts: Catalogue) -> Iterator[str]:
    try:
        found = named(spec)
    except FabricError:
        yield spec
        return
    if found.family.name == RAIL:
        topology = build(spec, parts)
        domain = min(len(members) for members in topology.domains)
        for ring, stride in _rings(model, parallel, domain):
            yield with_parameters(spec, {"ring": str(ring), "stride": str(stride)})
    elif found.family.name == POD:
        yield spec
        yield from _slices(spec, found.stated, len(build(spec, parts).accelerators) // CUBE**3)
    else:
        yield spec


def _rings(model: Model, parallel: Parallel, domain: int) -> list[tuple[int, int]]:
    """(servers, how far apart) of the rings of every dimension whose groups leave their server."""
    found: dict[tuple[int, int], None] = {}
    for exchange in mix(model, parallel):
        stride, ranks = spread(exchange)
        if domain % (stride * ranks) == 0:
            continue
        servers = ranks if stride % domain == 0 else -(-stride * ranks // domain)
        found[servers, max(1, stride // domain)] = None
    return [ring for ring in found if ring[0] > 1]


def _slices(spec: str, stated: Mapping[str, Any], cubes: int) -> Iterator[str]:
    """The other slices of so many cubes, straight, and twisted where a twist is known.

    >>> list(_slices("tpu-pod:slice=4x4x8", {"slice": "4x4x8"}, 2)), list(_slices("tpu-v4-64", {"slice": "4x4x4"}, 1))
    (['tpu-pod:slice=4x4x8,twist=true'], [])
    """
    own = str(stated["slice"]).replace(" ", ""), str(stated.get("twist", False)).lower() in ("true", "yes", "1")
    for sides in combinations_with_replacement(range(1, cubes + 1), 3):
        a, b, c = sides
        if a * b * c != cubes:
            continue
        shape = "x".join(str(CUBE * side) for side in sides)
        for twist in (False, True)[: 1 + ((b, c) in ((a, 2 * a), (2 * a, 2 * a)))]:
            if (shape, twist) != own:
                yield with_parameters(spec, {"slice": shape, "twist": str(twist).lower()} if twist or own[1]
                                      else {"slice": shape})  # fmt: skip
