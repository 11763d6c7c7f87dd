"""Expert-parallel collectives on the command line."""

import json

import pytest


def test_solve(run):
    done = run("solve", "rail:servers=8", "-c", "moe-dispatch", "--max-domains", "4", "--tokens", "128", "--json")
    found = json.loads(done.out)
    assert found["result"]["algorithm"] == "two-hop" and found["result"]["collective"] == "moe-dispatch"
    assert found["result"]["time_us"] >= found["result"]["bound_time_us"]
    told = found["provenance"]["parameters"]
    assert told["tokens"] == 128 and told["max_domains"] == 4 and told["size"] is None
    assert any("128 tokens, one copy for each rank" in line for line in found["result"]["estimates"])


def test_compare_takes_the_default_layer(run):
    found = json.loads(run("compare", "rail:servers=2", "switch:n=16", "-c", "moe-combine", "--json").out)
    assert len(found["rows"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["-c", "all-reduce", "--tokens", "3"], "--tokens belongs to moe-dispatch and moe-combine", 2),
        (["-c", "moe-dispatch", "--size", "1MiB"], "--size has no effect with moe-dispatch", 2),
        (["-c", "moe-dispatch", "--even", "--copies", "expert"], "even routing is balanced", 2),
        (["-c", "moe-combine", "--topk", "2", "--experts", "4"], "4 experts leave ranks of 8 idle", 3),
        (["-c", "moe-combine", "--explain", "--transport", "one-sided"], "are of links at line rate", 2),
        (["-c", "moe-combine", "--precision", "fp9"], "did you mean 'fp8'", 3),
        (["-c", "moe-combine", "--algorithm", "two-hop"], "no two scale-up domains of equal size", 4),
    ],
)
def test_refused(run, arguments, said, code):
    done = run("solve", "switch:n=8", *arguments)
    assert done.code == code and done.out == ""
    assert said in done.err and done.err.count("\n") == 1
