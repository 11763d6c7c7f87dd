"""Foreign formats, one file each: read_*, write_*."""
