"""Things: what is built, with NetworkX."""
