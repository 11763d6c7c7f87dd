"""Each kernel against a library that does the same, as a ratio in one run: make bench; `all` adds the long cases."""

from benchmarks import build, circuits, fluid, loads, pathflow, throughput


def main() -> None:
    """One table after the other."""
    for part in (build, loads, fluid, pathflow, throughput, circuits):
        print(f"\n{(part.__doc__ or '').splitlines()[0]}")
        part.main()


if __name__ == "__main__":
    main()
