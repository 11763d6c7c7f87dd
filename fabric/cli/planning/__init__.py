"""The commands of `aifabric plan`, one a file."""
