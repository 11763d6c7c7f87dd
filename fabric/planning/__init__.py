"""Reconfiguration plans: from one state of the circuit switches to another, in stages that keep a floor."""
