"""Writes fabric/intervals.toml: 90 % intervals from residuals of measured collectives, systems left out.

python -m benchmarks.intervals MEASURED.csv [--left-out PREDICTED.csv] [-o fabric/intervals.toml]

PREDICTED.csv holds row (of MEASURED.csv, from 1) and predicted_us, each predicted with its system left out of the fit.
Without it the model's own residuals stand in, which are too small where constants were fitted to these very rows.
"""

import argparse
from pathlib import Path

from fabric.intervals import BANDS
from fabric.measuring.comparing import compare_collectives
from fabric.measuring.residuals import calibrated, coverage, read_left_out, residuals, table, widening, written


def main() -> None:
    """Residuals, the scale of each band, the table, and how much it covers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--left-out", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("fabric/intervals.toml"))
    given = parser.parse_args()
    left_out = None if given.left_out is None else read_left_out(given.left_out)
    wider = widening()
    every = [r for r in residuals(compare_collectives(given.measured), left_out) if r.kind not in wider["accidents"]]
    scale = calibrated(every, wider)
    covered = {band: round(coverage(every, scale[band], wider, band), 4) for band in BANDS}
    how = {
        "rows": len(every),
        "systems": len({residual.system for residual in every}),
        "residuals": "systems left out of the fit" if left_out is not None else "of the model as it is",
        "scale": {band: round(value, 4) for band, value in scale.items()},
        "left_out_coverage": covered,
    }
    given.output.write_text(written(table(every, scale, wider), how), encoding="utf-8")
    print(f"{given.output}: {how}")


if __name__ == "__main__":
    main()
