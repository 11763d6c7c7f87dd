"""Transports: what a communication library adds to raw link rates, and what it achieves of them."""

from fabric.transports.machine import Machine, among, machine
from fabric.transports.naming import AUTO, IDEAL, Transport, parse_transport
from fabric.transports.nccl import Time
from fabric.transports.pricing import Pricing, pricing
from fabric.transports.work import Work

__all__ = [
    "AUTO", "IDEAL", "Machine", "Pricing", "Time", "Transport", "Work", "among", "machine", "parse_transport",
    "pricing",
]  # fmt: skip
