"""The kinds of parts by the names that the catalogue spells."""

from topologies.device_kinds import Accelerator, Nic, PathLatency, Switch, SwitchChip
from topologies.electrical_kinds import Backplane, Cable, Channel, CopperMode, Fec, Serdes, Twinax
from topologies.facility_kinds import Cage, Coolant, Facility, Floor, Price, Rack
from topologies.failure_kinds import FailureRate, Host, Recovery
from topologies.kernel_kinds import NumberFormat, OneSidedKernel
from topologies.library_kinds import (
    DirectTransport,
    DomainTransport,
    Harness,
    Library,
    NetworkTransport,
    PeerTransport,
    StripedTransport,
)
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
    "KINDS", "Accelerator", "Backplane", "Cable", "Cage", "Channel", "CircuitOperation", "CircuitSwitch",
    "CircuitTechnology", "Component", "Coolant", "CopperMode", "DirectTransport", "DomainTransport", "EnergyStorage",
    "Facility", "FailureRate", "Fec", "Floor", "Generation", "Harness", "Host", "Library", "NetworkTransport", "Nic",
    "NumberFormat", "OneSidedKernel", "Optic", "OpticalBudget", "OpticalPath", "Part", "PathLatency", "PeerTransport",
    "PowerDelivery", "PowerShare", "Price", "Rack", "Recovery", "Serdes", "SideNetwork", "StripedTransport", "Switch",
    "SwitchChip", "Twinax",
]  # fmt: skip

_EVERY: tuple[type[Part], ...] = (
    Accelerator, Switch, SwitchChip, Nic, Cable, Optic, CircuitSwitch, CircuitTechnology, CircuitOperation, Component,
    OpticalBudget, OpticalPath, CopperMode, Twinax, Channel, Backplane, Serdes, Fec, PathLatency, Rack, Floor, Facility,
    Coolant, Cage, PowerDelivery, PowerShare, SideNetwork, Generation, EnergyStorage, FailureRate, Price, NumberFormat,
    OneSidedKernel, Library, DomainTransport, PeerTransport, NetworkTransport, DirectTransport, StripedTransport,
    Harness, Host, Recovery,
)  # fmt: skip
KINDS = {each.kind: each for each in _EVERY}
