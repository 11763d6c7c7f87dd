"""The kinds of parts by the names that the catalogue spells."""

from topologies.device_kinds import Accelerator, Nic, PathLatency, Switch, SwitchChip
from topologies.electrical_kinds import Backplane, Cable, Channel, CopperMode, Fec, Serdes, Twinax
from topologies.facility_kinds import Facility, FailureRate, Floor, Price, Rack
from topologies.kernel_kinds import NumberFormat, OneSidedKernel
from topologies.nameplate import Part
from topologies.optical_kinds import (
    CircuitOperation,
    CircuitSwitch,
    CircuitTechnology,
    Component,
    Optic,
    OpticalBudget,
    OpticalPath,
)
from topologies.power_kinds import EnergyStorage, Generation, PowerDelivery, PowerShare, SideNetwork

__all__ = [
    "KINDS", "Accelerator", "Backplane", "Cable", "Channel", "CircuitOperation", "CircuitSwitch", "CircuitTechnology",
    "Component", "CopperMode", "EnergyStorage", "Facility", "FailureRate", "Fec", "Floor", "Generation", "Nic",
    "NumberFormat", "OneSidedKernel", "Optic", "OpticalBudget", "OpticalPath", "Part", "PathLatency", "PowerDelivery",
    "PowerShare", "Price", "Rack", "Serdes", "SideNetwork", "Switch", "SwitchChip", "Twinax",
]  # fmt: skip

_EVERY: tuple[type[Part], ...] = (
    Accelerator, Switch, SwitchChip, Nic, Cable, Optic, CircuitSwitch, CircuitTechnology, CircuitOperation, Component,
    OpticalBudget, OpticalPath, CopperMode, Twinax, Channel, Backplane, Serdes, Fec, PathLatency, Rack, Floor, Facility,
    PowerDelivery, PowerShare, SideNetwork, Generation, EnergyStorage, FailureRate, Price, NumberFormat,
    OneSidedKernel,
)  # fmt: skip
KINDS = {each.kind: each for each in _EVERY}
