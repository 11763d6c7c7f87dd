"""Goodput of a pod in slices: fixed ones that lose all with one host, and ones made of any cubes that are up."""

from dataclasses import dataclass
from math import comb

from topologies.errors import ConfigError
from topologies.failure_kinds import Host
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of `cubes`, each of so many accelerators on so many hosts; circuits join any of them into a slice."""

    cubes: int
    accelerators: int
    hosts: float

    def cubes_of(self, slice_accelerators: int) -> int:
        """Cubes of a slice; ConfigError where it is no whole number of them, or more than there are."""
        cubes, rest = divmod(slice_accelerators, self.accelerators)
        if rest or not 0 < cubes <= self.cubes:
            raise ConfigError(
                f"a slice of {slice_accelerators:,} accelerators is no whole number of the pod's {self.cubes} cubes of "
                f"{self.accelerators}; give a multiple of {self.accelerators} up to {self.cubes * self.accelerators:,}"
            )
        return cubes


def pod_of(topology: Topology) -> Pod | None:
    """The pod that a fabric is a slice of; None where no circuits join blocks of accelerators.

    >>> from topologies.registry import build
    >>> pod_of(build("tpu-v4-1024"))
    Pod(cubes=64, accelerators=64, hosts=16.0)
    """
    layer = topology.circuits
    if layer is None or topology.family != "tpu-pod":
        return None
    blocks = len(set(layer.blocks))
    each = len(topology.accelerators) // blocks
    host = host_of(topology)
    return Pod(round(blocks / layer.share), each, each / (1 if host is None else host.accelerators))


def host_of(topology: Topology) -> Host | None:
    """The host of a fabric's accelerators; None where the catalogue has none for them, or they differ.

    >>> from topologies.registry import build
    >>> host_of(build("nvl72")).accelerators
    4
    """
    models = {topology.graph.nodes[node].get("part") for node in topology.accelerators}
    model = models.pop() if len(models) == 1 else None
    return next((row for row in topology.catalogue.of_kind(Host) if model in row.houses), None)


def goodput(pod: Pod, slice_accelerators: int, host_availability: float, *, reconfigurable: bool = True) -> float:
    """The share of a pod's accelerators that work in whole slices, expected over which hosts are up.

    A cube is up when all its hosts are. Reconfigurable: floor(up / cubes of a slice) slices from any cubes that are up,
    whose number is binomial. Fixed: a slice works when all its own hosts are up (Jouppi et al., TPU v4, ISCA 2023,
    Figure 4, both curves).

    >>> pod = Pod(cubes=64, accelerators=64, hosts=16)
    >>> round(goodput(pod, 1024, 0.99), 3), round(goodput(pod, 1024, 0.99, reconfigurable=False), 3)
    (0.747, 0.076)
    """
    if not 0 < host_availability <= 1:
        raise ConfigError(f"host availability {host_availability:g} is no share; give one above 0 up to 1, e.g. 0.999")
    each, whole = pod.cubes_of(slice_accelerators), float(host_availability**pod.hosts)
    if not reconfigurable:
        return with_up(pod, each, pod.cubes) * whole**each
    chance = (comb(pod.cubes, up) * whole**up * (1 - whole) ** (pod.cubes - up) for up in range(pod.cubes + 1))
    return sum(p * with_up(pod, each, up) for up, p in enumerate(chance))


def goodput_with_down(pod: Pod, slice_accelerators: int, cubes_down: int) -> float:
    """The share of a pod that works in whole reconfigurable slices when so many cubes are down.

    >>> pod = Pod(cubes=64, accelerators=64, hosts=16)
    >>> goodput_with_down(pod, 3072, 1), goodput_with_down(pod, 2048, 1)
    (0.75, 0.5)
    """
    if not 0 <= cubes_down <= pod.cubes:
        raise ConfigError(f"{cubes_down} cubes down of {pod.cubes}; give a number from 0 to {pod.cubes}")
    return with_up(pod, pod.cubes_of(slice_accelerators), pod.cubes - cubes_down)


def with_up(pod: Pod, each: int, up: int) -> float:
    """Whole slices of `each` cubes among those that are up, as a share of the pod."""
    return up // each * each / pod.cubes
