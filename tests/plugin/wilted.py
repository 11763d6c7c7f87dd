"""A plugin that does not load."""

raise ImportError("no water")
