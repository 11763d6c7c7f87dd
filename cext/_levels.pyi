"""Compiled structures of the fluid kernel; nothing here is called from Python."""
