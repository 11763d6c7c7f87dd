"""The files that the README shows are files that the program takes."""

import json
import re
from pathlib import Path

README = Path(__file__).parent.parent.parent / "README.md"


def block(first):
    """The indented lines that begin with one that has this text."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README.read_text(encoding="utf-8"), re.M)
    (found,) = [text for text in blocks if text.lstrip().startswith(first)]
    return "".join(line[4:] or "\n" for line in found.splitlines(keepends=True))


def test_a_spec_in_toml(run, tmp_path):
    (tmp_path / "pod.toml").write_text(block('name = "my-pod"'))
    found = json.loads(run("show", tmp_path / "pod.toml", "--json").out)["topology"]
    assert (found["name"], found["accelerators"], found["link_classes"][0]["rate_gbps"]) == ("my-pod", 128, 800)


def test_a_composition_in_toml(run, tmp_path):
    (tmp_path / "both.toml").write_text(block("racks = ["))
    found = json.loads(run("show", tmp_path / "both.toml", "--json").out)["topology"]
    (span,) = found["spans"]
    assert (found["accelerators"], span["gb_per_s"], span["fibre_round_trip_us"]) == (2 * 8 * 72, 1600, 784)


def test_a_file_of_parts(run, tmp_path):
    (tmp_path / "ours.toml").write_text(block("[[part]]"))
    (row,) = json.loads(run("parts", "qm9700", "--parts", tmp_path / "ours.toml", "--json").out)["parts"]
    assert (row["values"]["price_usd"], row["ranges"]["power_typical_w"]) == (25000, [750, 900])
    assert row["sources"]["price_usd"] == "our quotation, 2026" and row["values"]["capacity_gbps"] == 25600
