"""Machines that hold weights in SRAM."""
