"""Workloads: what a training or an inference step of a model computes, and what it puts on a fabric."""
