"""Machines that keep weights in SRAM, or stream them: what a layer and a prompt cost on each."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from topologies.errors import ConfigError, unknown
from topologies.kinds import Accelerator
from topologies.toml_documents import read_toml

_FILE = Path(__file__).with_name("machines.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class SramMachine:
    """One of them, as sram_machines.toml explains its keys."""

    layer_s: float
    expert_layer_s: float
    request_layer_s: float
    spatial: bool
    tflops: float
    prompt_share: float
    prompt_reads: float
    read_share: float
    usable: float
    weights: str
    cache: str
    source: str
    estimate: str


def sram_machine(row: Accelerator) -> SramMachine:
    """The machine of a row of the catalogue; ConfigError for others."""
    machines = _machines()
    if row.name not in machines:
        raise ConfigError(unknown("SRAM machine", row.name, machines, "what a layer takes on others is not modelled"))
    return machines[row.name]


def is_sram(accelerator: str) -> bool:
    """Is it one of these machines?

    >>> is_sram("wse-3"), is_sram("h100-sxm")
    (True, False)
    """
    return accelerator in _machines()


def own_format(row: Accelerator) -> str:
    """The number format in which a machine keeps weights where none is asked for.

    >>> from topologies.parts import part
    >>> own_format(part("wse-3", Accelerator))
    'bf16'
    """
    return sram_machine(row).weights


@lru_cache(maxsize=1)
def _machines() -> dict[str, SramMachine]:
    rows = read_toml(_FILE, "SRAM machines")["machines"]
    return {name: SramMachine(**row) for name, row in rows.items()}
