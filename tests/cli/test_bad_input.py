"""Every kind of bad input ends in one line that names what is wrong and what was given, and in its exit code."""

import json
from pathlib import Path

import pytest

USAGE, CONFIG, INFEASIBLE = 2, 3, 4
TORUS, RING = ["solve", "torus:dims=4x4"], ["solve", "ring:n=8"]
RAILS = ["solve", "rail:servers=64,core=none", "-c", "all-to-all"]
TUNE = ["tune", "torus:dims=4x4"]
WALLS = ["walls", "nvl72"]
SIZE = ["size", "nvl72"]
POWER, COST, FAIL = ([name, "fat-tree:k=4"] for name in ("power", "cost", "fail"))
MOVED = [*RING, "-c", "permutation"]
WRITES = ("compare", "solve", "show", "topologies", "parts", "validate", "walls")

PART = '[[part]]\nname = "odd"\ntitle = "odd"\nyear = 2024\n'
SOURCE = 'source = "made up"\nconfidence = "low"\n'
NIC = f'{PART}{SOURCE}kind = "nic"\n'
CABLE = (
    f'{PART}{SOURCE}kind = "cable"\ntechnology = "dac"\nrate_gbps = 400\nlane_gbps = 100\n'
    "propagation_ns_per_m = 4.6\nphy_latency_ns = 100\n"
)
SPEC = 'family = "torus"\n[parameters]\n'
CASE = (
    '[[case]]\nid = "one"\nsystem = "s"\nkind = "k"\nquantity = "q"\nunit = "u"\nsource = "s"\nexpected = 1\n'
    'tolerance = { abs = 0 }\n[case.compute]\ntopology = "ring:n=4"\ndescribe = "links"\n'
)
NATIVE = {
    "schema": "aifabric.topology/1", "name": "two islands", "family": "graph", "parameters": {}, "notes": [],
    "racks": {}, "halves": [],
    "nodes": [{"id": n, "kind": "accelerator", "forwards": True, "part": "generic"} for n in "abcd"],
    "links": [
        {
            "from": a, "to": b, "rate_gbps": 400.0, "count": 1, "medium": "copper", "technology": "dac",
            "length_m": 1.0, "cable": "dac-400g", "latency_ns": 100.0, "duty": 1.0,
        } for a, b in ("ab", "cd")
    ],
}  # fmt: skip

FILES = {
    "short.txt": "1 2 3\n",
    "same.txt": "0 1 2 3 4 5 6 7\n",
    "twice.txt": "1 1 2 3 4 5 6 7\n",
    "words.txt": "one two three\n",
    "huge.txt": "1 2 3 4 5 6 7 99999999999999999999\n",
    "binary.txt": b"\xff\xfe\x00\x01",
    "cut.toml": 'family = "torus"\n[parameters]\ndims = [4,',
    "colour.toml": f'{SPEC}dims = "4x4"\ncolour = 3\n',
    "width.toml": f'width = 4\n{SPEC}dims = "4x4"\n',
    "bare.toml": f"{SPEC}dims = 12\n",
    "list-negative.toml": f"{SPEC}dims = [4, -4]\n",
    "rate-negative.toml": f'{SPEC}dims = "4x4"\nrate_gbps = -400\n',
    "rate-nan.toml": f'{SPEC}dims = "4x4"\nrate_gbps = nan\n',
    "length-true.toml": f'{SPEC}dims = "4x4"\nlength_m = true\n',
    "dims-none.toml": f"{SPEC}dims = []\n",
    "parameters-number.toml": 'family = "torus"\nparameters = 3\n',
    "name-number.toml": f'name = 3\n{SPEC}dims = "4x4"\n',
    "family.toml": 'family = "torsu"\n',
    "empty.toml": "",
    "binary.toml": b"\x00\x01\xff",
    "parts-cut.toml": "[[part]\n",
    "parts-empty.toml": "",
    "parts-table.toml": "part = 1\n",
    "parts-numbers.toml": "part = [1, 2]\n",
    "parts-kind.toml": f'{PART}{SOURCE}kind = "gizmo"\nrate_gbps = 400\n',
    "parts-negative.toml": f"{NIC}rate_gbps = -400\n",
    "parts-negative-optional.toml": f"{NIC}rate_gbps = 400\nlatency_ns = -5\n",
    "parts-nan.toml": f"{NIC}rate_gbps = nan\n",
    "parts-nan-optional.toml": f"{NIC}rate_gbps = 400\nlatency_ns = nan\n",
    "parts-inf.toml": f"{NIC}rate_gbps = inf\n",
    "parts-text.toml": f'{NIC}rate_gbps = "fast"\n',
    "parts-year.toml": f"{NIC}rate_gbps = 400\n".replace("2024", '"last"'),
    "parts-half.toml": f"{NIC}rate_gbps = 400\nports = 1.5\n",
    "parts-source.toml": f'{PART}confidence = "low"\nkind = "nic"\nrate_gbps = 400\n',
    "parts-confidence.toml": f"{NIC}rate_gbps = 400\n".replace('"low"', '"sure"'),
    "parts-range.toml": f"{NIC}rate_gbps = 400\nlatency_ns = 300\nlatency_ns_low = 310\nlatency_ns_high = 400\n",
    "parts-key.toml": f"{NIC}rate_gbps = 400\nlatency_nss = 300\n",
    "parts-twice.toml": f"{NIC}rate_gbps = 400\n{NIC}rate_gbps = 400\n",
    "parts-sources.toml": f"{NIC}rate_gbps = 400\nsources = 3\n",
    "parts-medium.toml": f'{CABLE}medium = "jelly"\n',
    "parts-default.toml": f'{CABLE}medium = "copper"\ndefault_for_gbps = 4\n',
    "parts-mode.toml": f'{CABLE}medium = "copper"\ngauge_awg = 26\ncopper_mode = "zz"\n',
    "islands.json": json.dumps(NATIVE),
    "cut.json": json.dumps(NATIVE)[:300],
    "empty.json": "",
    "list.json": "[]",
    "answer.json": '{"schema": "aifabric.solve/1"}',
    "nan.json": json.dumps(NATIVE).replace("400.0", "NaN"),
    "minus.json": json.dumps(NATIVE).replace("400.0", "-400.0"),
    "part.json": json.dumps(NATIVE).replace("generic", "genric"),
    "cut.xml": "<system><cpu numaid='0'>",
    "bomb.xml": '<!DOCTYPE system [<!ENTITY a "b">]><system>&a;</system>',
    "odd.xml": "<odd/>",
    "deep.yaml": "topology: " + "[" * 100,
    "minus.yaml": "topology: [Ring]\nnpus_count: [4]\nbandwidth: [-1]\nlatency: [1]\n",
    "cut.csv": "ip,DSW,PSW,ASW\nh0,G1\n",
    "loop.gml": "graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 0 ] ]",
    "empty.graphml": "<graphml/>",
    "empty.out": "",
    "binary.out": b"\x00\x01\x02",
    "prose.out": "Dear diary\n",
    "cases-cut.toml": "[[case",
    "cases-none.toml": "",
    "cases-key.toml": CASE.replace("expected", "expcted"),
    "cases-twice.toml": CASE + CASE,
    "cases-nan.toml": CASE.replace("expected = 1", "expected = nan"),
    "folder.toml/inside": "",
}
SMALL = Path(__file__).with_name("inputs").joinpath("small.out").read_text()
FILES["cut.out"] = SMALL[: len(SMALL) * 2 // 3]
FILES["cut-at-line.out"] = FILES["cut.out"].rsplit("\n", 1)[0] + "\n"

# argv, exit code, what the line must say (pieces between bars)
BAD = [
    # names
    (["solvee", "ring:n=4"], USAGE, "command|'solvee'|did you mean 'solve'?"),
    (["torus:dims=4x4"], USAGE, "command|'torus:dims=4x4'|solve"),
    (["--nonsense"], USAGE, "--nonsense"),
    ([*TORUS, "--colective", "x"], USAGE, "'--colective'|'--collective'"),
    (["compare", "ring:n=4", "--shift", "3"], USAGE, "--shift"),
    (["import", "ibnet", "x"], USAGE, "ibnet"),
    (["solve"], USAGE, "SPEC"),
    (["show"], USAGE, "SPEC"),
    (["import", "ibnetdiscover"], USAGE, "FILE"),
    (["solve", "ring:n=4", "ring:n=8"], USAGE, "extra argument|ring:n=8"),
    (["topologies", "torus", "ring"], USAGE, "extra argument|ring"),
    (["solve", "torsu:dims=4x4"], CONFIG, "topology|'torsu'|did you mean 'torus'?"),
    (["compare", "ring:n=4", "torsu:n=4"], CONFIG, "'torsu'|did you mean 'torus'?"),
    (["show", "nvl27"], CONFIG, "'nvl27'|did you mean 'nvl72'?"),
    (["solve", "Ring:n=4"], CONFIG, "'Ring'|did you mean 'ring'?"),
    (["topologies", "torsu"], CONFIG, "'torsu'|did you mean 'torus'?"),
    (["parts", "qm970"], CONFIG, "'qm970'|did you mean 'qm9700'?"),
    (["parts", ""], CONFIG, "part|''"),
    (["parts", "--kind", "optics"], USAGE, "kind|'optics'|did you mean 'optic'?"),
    (["parts", "--kind", "optic", "qm9700"], CONFIG, "qm9700|switch|optic"),
    (["validate", "nvl72-coper-cables"], CONFIG, "'nvl72-coper-cables'|did you mean 'nvl72-copper-cables'?"),
    ([*TORUS, "-c", "all-redcue"], USAGE, "collective|'all-redcue'|did you mean 'all-reduce'?"),
    ([*TORUS, "--algorithm", "bukcet"], USAGE, "algorithm|'bukcet'|did you mean 'bucket'?"),
    ([*TORUS, "--routing", "emcp"], USAGE, "routing|'emcp'|did you mean 'ecmp'?"),
    ([*TORUS, "--transport", "ideel"], USAGE, "transport|'ideel'|did you mean 'ideal'?"),
    ([*TORUS, "--tie", "spit"], USAGE, "tie|'spit'|split, positive"),
    ([*TORUS, "--overlap", "pipelind"], USAGE, "overlap|'pipelind'|pipelined"),
    ([*TORUS, "--fidelity", "exact"], USAGE, "fidelity|'exact'|steady"),
    (["compare", "--fidelity", "exact"], USAGE, "fidelity|'exact'|steady"),
    (["solve", "torus:dim=4x4"], CONFIG, "parameter|'dim'|did you mean 'dims'?"),
    (["solve", "nvl72:dims=4"], CONFIG, "parameter|'dims'|gpus"),
    (["solve", "mesh:dims=4x4,wrap=true"], CONFIG, "parameter|'wrap'"),
    (["solve", "ring:n=4,accelerator=gb20"], CONFIG, "accelerator|'gb20'|did you mean 'gb200'?"),
    (["solve", "ring:n=4,cable=dac-40g"], CONFIG, "cable|'dac-40g'|did you mean 'dac-400g'?"),
    (["solve", "ring:n=4,technology=daac"], CONFIG, "technology|'daac'|dac"),
    (["solve", "switch:n=4,switch=gb200"], CONFIG, "gb200|accelerator|switch"),
    (["solve", "tpu-pod:slice=4x4x4,ocs=palomar"], CONFIG, "ocs|'palomar'|did you mean 'palomar-136'?"),
    (["solve", "rail:servers=4,core=spin"], CONFIG, "core|'spin'|spine"),
    (["solve", "jupiter:boundary=all"], CONFIG, "boundary|'all'|blocks+spine"),
    # spec grammar
    (["solve", ""], CONFIG, "topology|''"),
    (["solve", "   "], CONFIG, "topology|''"),
    (["compare", "ring:n=4", ""], CONFIG, "topology|''"),
    (["solve", "тор:dims=4x4"], CONFIG, "'тор'"),
    (["solve", "🎉"], CONFIG, "'🎉'"),
    (["solve", "torus:dims=²x4"], CONFIG, "dims|²"),
    (["solve", "torus"], CONFIG, "torus|dims|e.g. torus:dims=4x4x8"),
    (["solve", "torus:"], CONFIG, "'torus:'|colon"),
    (["solve", "torus:dims=4x4,"], CONFIG, "'torus:dims=4x4,'|comma"),
    (["solve", "torus:,dims=4x4"], CONFIG, "'torus:,dims=4x4'|comma"),
    (["solve", "torus:dims=4x4,dims=4x4"], CONFIG, "dims|twice"),
    (["solve", "torus:dims"], CONFIG, "'dims'|key=value"),
    (["solve", "torus:dims="], CONFIG, "'dims='|key=value"),
    (["solve", "torus:=4"], CONFIG, "'=4'|key=value"),
    (["solve", "torus:dims=4,4"], CONFIG, "'4'|key=value"),
    (["solve", "a:b:c"], CONFIG, "'b:c'|key=value"),
    # numbers
    ([*TORUS, "-s", "0"], USAGE, "size '0'|below one byte"),
    ([*TORUS, "-s", "-1"], USAGE, "size '-1'|below one byte"),
    ([*TORUS, "-s", "1.5"], USAGE, "size '1.5'|whole number of bytes"),
    ([*TORUS, "-s", "1QiB"], USAGE, "size '1QiB'|1GiB"),
    ([*TORUS, "-s", "1 GiB of"], USAGE, "size '1 GiB of'|1GiB"),
    ([*TORUS, "-s", "nan"], USAGE, "size 'nan'"),
    ([*TORUS, "-s", "inf"], USAGE, "size 'inf'"),
    ([*TORUS, "-s", ""], USAGE, "size ''"),
    ([*TORUS, "-s", "1e300"], USAGE, "size '1e300'"),
    ([*TORUS, "-s", "1e400"], USAGE, "size '1e400'"),
    (["compare", *TORUS[1:], "-s", "0"], USAGE, "size '0'"),
    ([*TUNE, "--sizes", "1GiB-1KiB"], USAGE, "--sizes|'1GiB-1KiB'|from the larger to the smaller|1KiB-16GiB"),
    ([*TUNE, "--sizes", "1KiB,,1MiB"], USAGE, "--sizes|size ''"),
    ([*TUNE, "--sizes", "1KiB-"], USAGE, "--sizes|size ''"),
    ([*TUNE, "--sizes", "0-1KiB"], USAGE, "--sizes|size '0'|below one byte"),
    ([*TUNE, "-s", "1MiB"], USAGE, "--size|no effect without --msccl|--sizes 1MiB"),
    ([*TUNE, "--tune", "best"], USAGE, "--tune|no effect"),
    ([*TUNE, "--msccl", "short.txt"], USAGE, "--msccl|'short.txt' is a file|a new folder|--size"),
    ([*TUNE, "--msccl", "nowhere/x"], CONFIG, "nowhere|create it first"),
    ([*TUNE, "--msccl", "nowhere/x.xml", "-s", "1MiB"], USAGE, "nowhere|create it first"),
    ([*TUNE, "--msccl", "x", "-c", "permutation"], CONFIG, "msccl has no collective permutation"),
    ([*TUNE, "--msccl", "x", "--ranks", "0-3"], CONFIG, "--ranks|leave"),
    # who takes part
    ([*TORUS, "--ranks", "0-x"], USAGE, "'0-x'|0-7,16-23"),
    ([*TORUS, "--ranks", "7-0"], USAGE, "backwards"),
    ([*TORUS, "--ranks", "0-16"], CONFIG, "16 is out of range|0 to 15"),
    ([*TORUS, "--ranks", "3,0-4"], CONFIG, "3 is given twice"),
    ([*TORUS, "--ranks", "3"], CONFIG, "--ranks|one rank|at least 2"),
    ([*TORUS, "--group", "tp"], USAGE, "'tp'|tp=8,dp=16"),
    ([*TORUS, "--group", "tp=4,dp=4"], USAGE, "--group tp=4,dp=4|--over tp or dp"),
    ([*TORUS, "--group", "tp=4,dp=4", "--over", "pp"], USAGE, "--over pp|tp and dp"),
    ([*TORUS, "--over", "tp"], USAGE, "--over|--group"),
    ([*TORUS, "--group", "tp=3"], CONFIG, "tp 3 = 3|16 ranks|divisor"),
    ([*TORUS, "--placement", "stripped"], CONFIG, "'stripped'|packed, striped, random|file"),
    ([*TORUS, "--placement", "short.txt"], CONFIG, "short.txt|'1 2 3' is no accelerator|0-0"),
    ([*TORUS, "--placement", "striped"], CONFIG, "striped|one accelerator on each"),
    ([*TORUS, "--schedule", "x.xml", "--group", "tp=2"], USAGE, "--group|--schedule"),
    (["compare", "--group", "tp=2"], USAGE, "--group|standing questions"),
    (["tune", "torus:dims=4x4", "--group", "tp=5"], CONFIG, "tp 5 = 5|16 ranks"),
    ([*TUNE, "--fidelity", "fluid"], USAGE, "steady|--fidelity fluid|solve"),
    ([*TUNE, "--shift", "1"], USAGE, "--shift|all-reduce"),
    ([*TUNE, "-c", "all-redcue"], USAGE, "collective|'all-redcue'|did you mean 'all-reduce'?"),
    ([*TUNE, "--json", "--csv"], USAGE, "--json|--csv"),
    ([*TUNE, "--svg", "nowhere/x.svg"], USAGE, "nowhere|folder"),
    (["tune", "switch:n=4", "--algorithm", "bucket"], INFEASIBLE, "bucket|grid"),
    (["tune", "rail:servers=64,core=none", "-c", "all-to-all", "--algorithm", "direct"], INFEASIBLE, "path"),
    (["solve", "ring:n=4,rate_gbps=400furlong"], CONFIG, "rate '400furlong'|400"),
    (["solve", "ring:n=4,rate_gbps=0"], CONFIG, "rate '0'|above zero"),
    (["solve", "ring:n=4,rate_gbps=-400"], CONFIG, "rate '-400'|above zero"),
    (["solve", "ring:n=4,rate_gbps=nan"], CONFIG, "rate 'nan'"),
    (["solve", "ring:n=4,rate_gbps=inf"], CONFIG, "rate 'inf'"),
    (["solve", "ring:n=4,rate_gbps=1e30"], CONFIG, "1e+30 Gb/s|cable"),
    (["solve", "ring:n=4,rate_gbps=1e-308"], CONFIG, "rate|1e-308"),
    (["solve", "ring:n=4,length_m=-1"], CONFIG, "length_m|-1"),
    (["solve", "ring:n=4,length_m=nan"], CONFIG, "length_m|nan"),
    (["solve", "ring:n=4,length_m=inf"], CONFIG, "length_m|inf"),
    (["solve", "ring:n=4,length_m=1e308"], CONFIG, "length_m|1e308"),
    (["solve", "tpu-pod:slice=4x4x4,optical_length_m=1e308"], CONFIG, "optical_length_m|1e308"),
    (["solve", "ring:n=4,length_m=3kg"], CONFIG, "length_m|'3kg'"),
    (["solve", "ring:n=4,latency_ns=-1"], CONFIG, "latency_ns|-1"),
    (["solve", "ring:n=-4"], CONFIG, "n = -4"),
    (["solve", "ring:n=0"], CONFIG, "n = 0"),
    (["solve", "ring:n=2.5"], CONFIG, "n = '2.5'|whole number"),
    (["solve", "ring:n=1"], CONFIG, "ring: n = 1|at least 2"),
    (["solve", "mesh:dims=1x1"], CONFIG, "mesh: dims = 1x1|at least 2"),
    (["solve", "full-mesh:n=1"], CONFIG, "n = 1|at least 2"),
    (["solve", "clos:hosts=1"], CONFIG, "hosts = 1|at least 2"),
    ([*TORUS, "-j", "-1"], USAGE, "--jobs|-1"),
    ([*TORUS, "-j", "two"], USAGE, "--jobs|'two'"),
    ([*TORUS, "--seed", "x"], USAGE, "--seed|'x'"),
    # shapes
    (["solve", "torus:dims=0x4"], CONFIG, "dims = 0"),
    (["solve", "torus:dims=4xx4"], CONFIG, "dims|4xx4"),
    (["solve", "torus:dims=4096x4096x2"], CONFIG, "33,554,432|16,777,216"),
    (["solve", "switch:n=20000000"], CONFIG, "20,000,001|16,777,216"),
    (["solve", "full-mesh:n=100000"], CONFIG, "full-mesh|16,777,216"),
    (["solve", "rail:servers=100000000"], CONFIG, "rail|16,777,216"),
    (["solve", "torus:dims=8x4x4,twist=true"], CONFIG, "8x4x4|a,a,2a or a,2a,2a"),
    (["solve", "torus:dims=2x2x4,twist=true"], CONFIG, "2x2x4|a >= 4"),
    (["solve", "torus:dims=4x4x8,twist=maybe"], CONFIG, "twist|'maybe'"),
    (["solve", "torus:dims=4x4x8,twist=true,wrap=false"], CONFIG, "twist|wrap"),
    (["solve", "torus:dims=4x4,wrap=truextruexfalse"], CONFIG, "wrap|3|2"),
    (["solve", "fat-tree:k=5"], CONFIG, "k = 5|even"),
    (["solve", "switch:n=65,switch=qm9700"], CONFIG, "65|64 ports|qm9700"),
    (["solve", "fat-tree:k=66,switch=qm9700"], CONFIG, "66|64 ports|qm9700"),
    (["solve", "clos:hosts=100,tiers=1"], CONFIG, "100|64 ports|tiers=2"),
    (["solve", "clos:hosts=100,tiers=4"], CONFIG, "tiers = 4"),
    (["solve", "clos:hosts=100000,tiers=2"], CONFIG, "3125 leaves|64 ports|tiers=3"),
    (["solve", "rail:servers=4,tiers=1"], CONFIG, "tiers = 1 is not 2 or 3"),
    (["solve", "nvl:gpus=73"], CONFIG, "73|72 ports|nvswitch4"),
    (["solve", "nvl:gpus=1"], CONFIG, "gpus = 1|at least 2"),
    (["solve", "nvl:layers=3"], CONFIG, "layers = 3"),
    (["solve", "nvl:switches=19"], CONFIG, "19|18 links"),
    (["solve", "tpu-pod:slice=4x4x6"], CONFIG, "4x4x6|multiples of 4"),
    (["solve", "tpu-pod:slice=16x16x20"], CONFIG, "80 cubes|64"),
    (["solve", "tpu-pod:slice=4x4x4,cubes=200"], CONFIG, "200 cubes|palomar-136|128"),
    (["solve", "jupiter:blocks=8,uplinks=63"], CONFIG, "63 uplinks|even"),
    (["solve", "jupiter:blocks=64,uplinks=32"], CONFIG, "32 uplinks|63"),
    (["solve", "jupiter:blocks=200,uplinks=400"], CONFIG, "200 blocks|palomar-136|136"),
    (["solve", "rail:servers=4,rails=3"], CONFIG, "3 rails|8"),
    (["power", "fat-tree:k=16,switch=jocn-switch"], CONFIG, "jocn-switch|100 Gb/s|none of 400|rate_gbps"),
    (["solve", "rail:servers=2,core=ocs"], CONFIG, "core=ocs|palomar-136"),
    (["solve", "rail:servers=4,accelerator=generic"], CONFIG, "'generic'|scaleup_link_gbps|--parts"),
    # questions without an answer
    ([*RAILS, "--algorithm", "direct"], INFEASIBLE, "rail:servers=64,core=none|no path|gpu-|pxn"),
    (["solve", "switch:n=8", "--algorithm", "bucket"], INFEASIBLE, "bucket|switch:n=8|grid"),
    ([*TORUS, "-c", "all-to-all", "--algorithm", "pxn"], INFEASIBLE, "torus:dims=4x4|domains"),
    ([*TORUS, "--algorithm", "pxn"], INFEASIBLE, "pxn|all-reduce"),
    ([*TORUS, "-c", "broadcast", "--algorithm", "bucket"], INFEASIBLE, "bucket|broadcast"),
    ([*TORUS, "-c", "all-to-all", "--algorithm", "ring"], INFEASIBLE, "ring|all-to-all"),
    (["solve", "fat-tree:k=4", "--routing", "dor"], CONFIG, "dor|fat-tree:k=4|ecmp"),
    (["solve", "torus:dims=4x4x8,twist=true", "--routing", "dor"], CONFIG, "dor|twisted|ecmp"),
    # size, vary
    (["size", "nvl72"], USAGE, "nothing limits|4MW|200M$"),
    ([*SIZE, "--power", "4XW"], USAGE, "power '4XW'|4MW"),
    ([*SIZE, "--budget", "lots"], USAGE, "dollars 'lots'|200M$"),
    ([*SIZE, "--budget", "$0"], USAGE, "dollars '$0'|above zero"),
    ([*SIZE, "--power", "4MW", "--pue", "0.5"], USAGE, "--pue|0.5|1<=x<10"),
    ([*SIZE, "--power", "4MW", "--draw", "mean"], USAGE, "draw 'mean'|maximum, typical"),
    ([*SIZE, "--racks", "0"], USAGE, "'--racks'|0"),
    ([*SIZE, "--racks", "2", "--objective", "joy"], USAGE, "objective|joy"),
    (["workload", "hgx-h100", "dlrm", "--parallel", "tp=8"], USAGE, "--parallel is not of dlrm|give --batch"),
    (["workload", "hgx-h100", "dlrm", "--vary", "domain=8"], USAGE, "--vary is not of dlrm|give --batch"),
    (["workload", "dlrm", "hgx-h100"], USAGE, "'dlrm' is a model|it comes last"),
    (["workload", "hgx-h100", "dlrm", "--batch", "12"], CONFIG, "a batch of 12 does not split|give a divisor"),
    ([*SIZE, "--racks", "2", "--input", "9"], USAGE, "--input is of a workload|give --objective train:MODEL or serve"),
    ([*SIZE, "--racks", "2", "--objective", "serve:llama-3.1-8b", "--zero", "1"], USAGE, "--zero is of training"),
    ([*SIZE, "--racks", "2", "--objective", "bandwidth", "-c", "all-reduce"], USAGE, "two rankings|give one"),
    ([*SIZE, "--racks", "2", "-c", "all-rduce"], USAGE, "all-rduce|all-reduce"),
    ([*SIZE, "--racks", "2", "--family", "tours"], USAGE, "tours|torus"),
    ([*SIZE, "--racks", "2", "--vary", "technology"], USAGE, "technology|key=value"),
    (["size", "--racks", "2", "nvl27"], CONFIG, "nvl27|nvl72"),
    (["size", "--racks", "2", "pod.json"], CONFIG, "pod.json|one fabric as it stands"),
    (["size", "--racks", "2", "tpu-v4-64", "--scale-out", "rail:rails=4"], CONFIG, "tpu-v4-64|network of its own"),
    (["compare", "nvl72", "--vary", "technologie=dac"], USAGE, "technologie|technology"),
    (["compare", "--vary", "technology=dac"], USAGE, "--vary|standing questions"),
    # walls
    ([*WALLS, "--scale", "2,x"], USAGE, "--scale|'2,x'|2,4,8"),
    ([*WALLS, "--scale", "2,2"], USAGE, "--scale|different"),
    ([*WALLS, "--density", "-1"], USAGE, "--density|above zero"),
    ([*WALLS, "--lane", "2000"], CONFIG, "2000 Gb/s|100, 200, 400"),
    ([*WALLS, "--per-rack", "0"], USAGE, "--per-rack|0"),
    ([*WALLS, "--rack", "gb200-nvl27"], USAGE, "'gb200-nvl27'|did you mean 'gb200-nvl72'?"),
    ([*WALLS, "--rack", "qm9700"], USAGE, "qm9700|kind rack"),
    ([*WALLS, "--cooling", "wind"], USAGE, "'wind'|immersion"),
    ([*WALLS, "--rise", "0"], USAGE, "rise_k = 0"),
    ([*WALLS, "--site-power", "four"], USAGE, "power 'four'|4MW"),
    ([*WALLS, "--kv", "1GB"], USAGE, "--kv|--weights"),
    ([*WALLS, "--weights", "0"], USAGE, "size '0'"),
    ([*WALLS, "--weights", "1GB", "--read-ms", "nan"], USAGE, "read_s = nan"),
    ([*WALLS, "--supply", "nan"], USAGE, "supply_c = nan"),
    # power, cost, failures
    ([*POWER, "--pue", "nan"], USAGE, "--pue|nan|1<=x<10"),
    ([*POWER, "--load", "nan"], USAGE, "--load|nan|0<=x<=1"),
    ([*POWER, "--delivery", "chain-45v"], USAGE, "'chain-45v'"),
    ([*POWER, "--exclude", "nics"], USAGE, "'nics'|did you mean 'nic'?"),
    ([*POWER, "--scope", "everything"], USAGE, "'everything'|oob"),
    ([*POWER, "--rack", "qm9700"], USAGE, "qm9700|kind rack"),
    ([*POWER, "--generation", "diesel"], USAGE, "'diesel'"),
    ([*POWER, "--compute-ms", "-1"], USAGE, "-1 ms|e.g. 250"),
    ([*POWER, "-c", "all-reduse"], USAGE, "'all-reduse'"),
    ([*COST, "--years", "0"], USAGE, "--years|0<x<=100"),
    ([*COST, "--power-price", "nan"], USAGE, "--power-price|nan"),
    ([*COST, "--power-price", "-1"], USAGE, "--power-price|-1"),
    ([*FAIL, "--checkpoint-minutes", "nan"], USAGE, "--checkpoint-minutes|nan"),
    ([*FAIL, "--gap", "nan"], USAGE, "--gap|nan|0<x<1"),
    ([*FAIL, "-e", "ocs=1"], CONFIG, "'ocs'|leaf, spine, core"),
    ([*FAIL, "-e", "leaf:99"], CONFIG, "'leaf:99'|at most 7"),
    # permutations
    ([*MOVED, "--shift", "0"], CONFIG, "permutation by 0|--shift"),
    ([*MOVED, "--shift", "8"], CONFIG, "permutation by 8|1 to 7"),
    ([*MOVED, "--shift", "1.5"], USAGE, "--shift|'1.5'"),
    ([*RING, "--shift", "1"], USAGE, "--shift|all-reduce"),
    ([*RING, "--permutation", "same.txt"], USAGE, "--permutation|all-reduce"),
    ([*MOVED, "--permutation", "short.txt", "--shift", "1"], USAGE, "--shift|--permutation|not both"),
    ([*MOVED, "--permutation", "none.txt"], CONFIG, "none.txt|No such file"),
    ([*MOVED, "--permutation", "."], CONFIG, ".:|directory"),
    ([*MOVED, "--permutation", "short.txt"], CONFIG, "short.txt|3 numbers|0 to 7"),
    ([*MOVED, "--permutation", "twice.txt"], CONFIG, "twice.txt|not a permutation"),
    ([*MOVED, "--permutation", "same.txt"], CONFIG, "same.txt|itself"),
    ([*MOVED, "--permutation", "words.txt"], CONFIG, "words.txt|8 whole numbers"),
    ([*MOVED, "--permutation", "huge.txt"], CONFIG, "huge.txt"),
    ([*MOVED, "--permutation", "binary.txt"], CONFIG, "binary.txt"),
    # files of specs
    (["solve", "none.toml"], CONFIG, "'none.toml'|file"),
    (["solve", "none.json"], CONFIG, "'none.json'|file"),
    (["solve", "none.out"], CONFIG, "'none.out'|file"),
    (["solve", "folder.toml"], CONFIG, "'folder.toml' is a directory|file"),
    (["solve", "/"], CONFIG, "'/' is a directory"),
    (["show", "./"], CONFIG, "is a directory"),
    ([*TORUS, "--transport", "ncll"], USAGE, "transport|'ncll'|nccl"),
    ([*TORUS, "--transport", "nccl"], CONFIG, "nccl|generic|--transport ideal"),
    ([*TORUS, "--transport", "nccl:nvls=yes"], USAGE, "nvls = yes|true, false"),
    ([*TORUS, "--transport", "nccl:nvl=true"], USAGE, "'nvl'|nvls"),
    ([*TORUS, "--transport", "nccl:nvls"], USAGE, "'nvls' is no option|key=value"),
    (["solve", "nvl72", "--fidelity", "fluid", "--transport", "nccl"], CONFIG, "raw rates|--transport ideal"),
    (["compare", "ring:n=4", "-c", "foo"], USAGE, "collective|'foo'"),
    (["compare", "ring:n=4", "ring:n=8", "--routing", "foo"], USAGE, "routing|'foo'"),
    (["compare", "ring:n=4", "-o", "x.html", "--json"], USAGE, "'x.html' is named as HTML|JSON"),
    (["compare", "ring:n=4", "-o", "x.html"], USAGE, "'x.html' is named as HTML|no HTML report yet"),
    ([*RING, "-o", "x.json"], USAGE, "'x.json' is named as JSON|give --json"),
    ([*RING, "--json", "-o", "x.csv"], USAGE, "'x.csv' is named as CSV|give --csv"),
    (["topologies", "-v"], USAGE, "-v"),
    (["parts", "-q"], USAGE, "-q"),
    (["models", "llama-3.1-406b"], CONFIG, "406b|did you mean"),
    (["models", "absent.toml"], CONFIG, "absent.toml|No such file"),
    (["solve", "cut.toml"], CONFIG, "cut.toml|TOML"),
    (["solve", "binary.toml"], CONFIG, "binary.toml"),
    (["solve", "empty.toml"], CONFIG, "empty.toml|family"),
    (["solve", "family.toml"], CONFIG, "'torsu'|did you mean 'torus'?"),
    (["solve", "colour.toml"], CONFIG, "'colour'|dims"),
    (["solve", "width.toml"], CONFIG, "width.toml|family"),
    (["solve", "bare.toml"], CONFIG, "dims = 12|4x4x8"),
    (["solve", "list-negative.toml"], CONFIG, "dims = -4"),
    (["solve", "dims-none.toml"], CONFIG, "dims"),
    (["solve", "rate-negative.toml"], CONFIG, "rate|-400"),
    (["solve", "rate-nan.toml"], CONFIG, "rate|nan"),
    (["solve", "length-true.toml"], CONFIG, "length_m|rue"),
    (["solve", "parameters-number.toml"], CONFIG, "parameters-number.toml|parameters"),
    (["solve", "name-number.toml"], CONFIG, "name-number.toml|name"),
    (["solve", "islands.json"], CONFIG, "islands.json|not connected|a and c"),
    (["solve", "cut.json"], CONFIG, "cut.json|JSON"),
    (["solve", "empty.json"], CONFIG, "empty.json|JSON"),
    (["solve", "list.json"], CONFIG, "list.json|schema"),
    (["solve", "answer.json"], CONFIG, "answer.json|aifabric.solve/1|aifabric.topology/1"),
    (["solve", "nan.json"], CONFIG, "nan.json|a - b|rate_gbps"),
    (["solve", "minus.json"], CONFIG, "minus.json|a - b|rate_gbps|-400"),
    (["solve", "part.json"], CONFIG, "part.json|genric|--parts"),
    (["solve", "cut.xml"], CONFIG, "cut.xml|line 1|<system>"),
    (["show", "bomb.xml"], CONFIG, "bomb.xml|entit"),
    (["show", "odd.xml"], CONFIG, "odd.xml|nccl|simgrid|graphml"),
    (["import", "nccl", "odd.xml"], CONFIG, "odd.xml|<odd>|<system>"),
    (["solve", "deep.yaml"], CONFIG, "deep.yaml|deep"),
    (["solve", "minus.yaml"], CONFIG, "minus.yaml|dimension 1|bandwidth = -1"),
    (["solve", "cut.csv"], CONFIG, "cut.csv|line 2|2 of 4 columns"),
    (["solve", "loop.gml"], CONFIG, "loop.gml|itself"),
    (["solve", "empty.graphml"], CONFIG, "empty.graphml|0 accelerators"),
    (["import", "astra-sim", "minus.yaml", "--technology", "3"], CONFIG, "minus.yaml"),
    (["import", "gml", "loop.gml", "--rate-gbps", "fast"], USAGE, "rate|'fast'"),
    (["import", "gml", "loop.gml", "--length-m", "-1"], USAGE, "length_m|-1"),
    (["import", "ibnetdiscover", "empty.out", "--infer", "some"], USAGE, "infer|'some'|names"),
    (["import", "simgird", "cut.xml"], USAGE, "'simgird'|did you mean 'simgrid'?"),
    (["import", "gml", "loop.gml", "--rte", "x"], USAGE, "--rte"),
    (["solve", "cut.out"], CONFIG, "cut.out|line"),
    (["import", "ibnetdiscover", "none.out", "-o", "new.json"], CONFIG, "none.out|No such file"),
    (["import", "ibnetdiscover", "cut.out", "-o", "new.json"], CONFIG, "cut.out|line"),
    (["import", "ibnetdiscover", "cut-at-line.out", "-o", "new.json"], CONFIG, "cut-at-line.out|line"),
    (["import", "ibnetdiscover", "empty.out", "-o", "new.json"], CONFIG, "empty.out|empty"),
    (["import", "ibnetdiscover", "binary.out", "-o", "new.json"], CONFIG, "binary.out|not text"),
    (["import", "ibnetdiscover", "prose.out", "-o", "new.json"], CONFIG, "prose.out|line 1|Dear diary"),
    (["import", "ibnetdiscover", ".", "-o", "new.json"], CONFIG, ".:|directory"),
    # files of parts
    ([*RING, "--parts", "none.toml"], CONFIG, "none.toml|No such file"),
    ([*RING, "--parts", "folder.toml"], CONFIG, "folder.toml|directory"),
    ([*RING, "--parts", "binary.toml"], CONFIG, "binary.toml|TOML"),
    ([*RING, "--parts", "parts-cut.toml"], CONFIG, "parts-cut.toml|TOML"),
    ([*RING, "--parts", "parts-empty.toml"], CONFIG, "parts-empty.toml|[[part]]"),
    ([*RING, "--parts", "parts-table.toml"], CONFIG, "parts-table.toml|[[part]]"),
    ([*RING, "--parts", "parts-numbers.toml"], CONFIG, "parts-numbers.toml"),
    ([*RING, "--parts", "parts-kind.toml"], CONFIG, "parts-kind.toml|'gizmo'|nic"),
    ([*RING, "--parts", "parts-negative.toml"], CONFIG, "parts-negative.toml|'odd'|rate_gbps|-400"),
    ([*RING, "--parts", "parts-negative-optional.toml"], CONFIG, "'odd'|latency_ns = -5|negative"),
    ([*RING, "--parts", "parts-nan.toml"], CONFIG, "'odd'|rate_gbps|nan"),
    ([*RING, "--parts", "parts-nan-optional.toml"], CONFIG, "'odd'|latency_ns|nan"),
    ([*RING, "--parts", "parts-inf.toml"], CONFIG, "'odd'|rate_gbps|inf"),
    ([*RING, "--parts", "parts-text.toml"], CONFIG, "'odd'|rate_gbps|fast"),
    ([*RING, "--parts", "parts-year.toml"], CONFIG, "'odd'|year|last"),
    ([*RING, "--parts", "parts-half.toml"], CONFIG, "'odd'|ports = 1.5|whole number"),
    ([*RING, "--parts", "parts-source.toml"], CONFIG, "'odd'|source missing"),
    ([*RING, "--parts", "parts-confidence.toml"], CONFIG, "'odd'|confidence|'sure'"),
    ([*RING, "--parts", "parts-range.toml"], CONFIG, "'odd'|latency_ns = 300|310 to 400"),
    ([*RING, "--parts", "parts-key.toml"], CONFIG, "'odd'|'latency_nss'|did you mean 'latency_ns'?"),
    ([*RING, "--parts", "parts-twice.toml"], CONFIG, "'odd'|twice"),
    ([*RING, "--parts", "parts-sources.toml"], CONFIG, "'odd'|sources"),
    ([*RING, "--parts", "parts-medium.toml"], CONFIG, "'odd'|medium|jelly|copper"),
    ([*RING, "--parts", "parts-default.toml"], CONFIG, "'odd'|default_for_gbps|4"),
    (["solve", "ring:n=4,cable=odd", "--parts", "parts-mode.toml"], CONFIG, "copper-mode|'zz'"),
    # files of cases
    (["validate", "--measured", "none.csv"], CONFIG, "none.csv|No such file"),
    (["validate", "--measured", "short.txt"], CONFIG, "short.txt|no column system|size_bytes"),
    (["validate", "--measured", "", "h100x"], CONFIG, "'h100x'|a pattern"),
    (["validate", "--measured", "", "--file", "none.toml"], USAGE, "--file|--measured"),
    (["validate", "--csv"], USAGE, "--csv|--measured"),
    (["validate", "--svg", "x.svg"], USAGE, "--svg|--measured"),
    (["validate", "--file", "none.toml"], CONFIG, "none.toml|No such file"),
    (["validate", "--file", "cases-cut.toml"], CONFIG, "cases-cut.toml|TOML"),
    (["validate", "--file", "cases-none.toml"], CONFIG, "cases-none.toml|[[case]]"),
    (["validate", "--file", "cases-key.toml"], CONFIG, "cases-key.toml|'expcted'|did you mean 'expected'?"),
    (["validate", "--file", "cases-twice.toml"], CONFIG, "'one'|twice"),
    (["validate", "--file", "cases-nan.toml"], CONFIG, "'one'|expected|nan"),
    # where answers go
    ([*RING, "-o", "nowhere/answer"], USAGE, "nowhere|folder"),
    ([*RING, "-o", "."], USAGE, "--output|'.'|directory"),
    ([*RING, "-o", ""], USAGE, "''|is no file to write into"),
    (["import", "ibnetdiscover", "cut.out", "-o", "."], USAGE, "--output|directory"),
    # options without effect
    (["compare", "--algorithm", "ring"], USAGE, "--algorithm|no effect"),
    (["compare", "--routing", "ecmp"], USAGE, "--routing|no effect"),
    (["compare", "--overlap", "phased"], USAGE, "--overlap|no effect"),
    (["compare", "--tie", "positive"], USAGE, "--tie|no effect"),
    (["compare", "--rank-all"], USAGE, "--rank-all|no effect"),
    (["compare", "-c", "all-reduce"], USAGE, "--collective|no effect"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every bad file, and nothing else."""
    place = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


@pytest.fixture
def refused(folder, monkeypatch, run):
    """Run in the folder; one line on stderr, nothing on stdout, and the folder as it was."""

    def standing(*_):
        raise AssertionError("the standing questions were answered")

    monkeypatch.chdir(folder)
    monkeypatch.setattr("fabric.questions.answers", standing)

    def one_line(argv):
        before = set(folder.rglob("*"))
        told = run(*argv)
        left = set(folder.rglob("*")) - before
        for path in left:
            path.unlink()
        assert not left and before == set(folder.rglob("*"))
        assert "Traceback" not in told.out + told.err
        assert told.out == ""
        assert told.err.startswith("error: ") and told.err.endswith("\n") and told.err.count("\n") == 1
        return told

    return one_line


@pytest.mark.parametrize(("argv", "code", "says"), BAD, ids=[" ".join(argv) for argv, _, _ in BAD])
def test_bad_input(argv, code, says, refused):
    whole = [*argv, "-o", "answer"] if argv[0] in WRITES and "-o" not in argv else argv
    told = refused(whole)
    assert told.code == code, told.err
    missing = [piece for piece in says.split("|") if piece not in told.err]
    assert not missing, told.err


@pytest.mark.parametrize("argv", [[*RING, "--json"], [*RING, "--csv"], ["show", "ring:n=8", "--json"]], ids=" ".join)
def test_a_folder_that_is_missing_is_named_for_every_form(argv, refused):
    assert "nowhere" in refused([*argv, "-o", "nowhere/answer"]).err


def test_a_file_that_stood_there_is_untouched(folder, refused):
    kept = folder / "kept"
    kept.write_text("as it was")
    refused([*TORUS, "-s", "0", "-o", "kept"])
    refused([*TORUS, "-c", "all-redcue", "--json", "-o", "kept"])
    refused(["import", "ibnetdiscover", "cut.out", "-o", "kept"])
    assert kept.read_text() == "as it was"
    kept.unlink()


@pytest.mark.parametrize("shift", ["99999999999999999999999", "-99999999999999999999999", "9", "-1"])
def test_no_shift_is_a_bug(shift, run):
    assert run(*MOVED, "--shift", shift).code in (0, 3)


@pytest.mark.parametrize(
    "argv",
    [
        ["solvee"], ["parts", "qm970"], ["parts", "--kind", "optics"], ["solve", "torus:dim=4x4"],
        [*TORUS, "-c", "all-redcue"], [*TORUS, "--algorithm", "bukcet"], [*TORUS, "--routing", "emcp"],
        [*TORUS, "--transport", "ideel"], ["validate", "nvl72-coper-cables"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_suggestion_is_punctuated(argv, refused):
    told = refused(argv).err
    assert "did you mean" in told and "?;" not in told and "?," not in told


@pytest.mark.parametrize(
    "spec", ["ring:n=4,rate_gbps=400Gb/s", "ring:n=4,rate_gbps=50GB/s", "ring:n=4,rate_gbps=0.4Tb/s", " ring:n=4 "]
)
def test_what_messages_propose_is_taken(spec, run):
    """`rate '400furlong' cannot be read; write it like 400, 400Gb/s or 1.6Tb/s`."""
    told, plain = run("solve", spec, "--json"), run("solve", "ring:n=4", "--json")
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out)["result"]["time_us"] == json.loads(plain.out)["result"]["time_us"]


def test_a_cable_that_is_too_long_is_a_wall_and_no_error(run):
    told = run("solve", "ring:n=4,length_m=100", "--json")
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out)["result"]["walls"]["copper"]["state"] == "over"


def test_bad_environment_variable(monkeypatch, refused):
    monkeypatch.setenv("AIFABRIC_SOLVE_SIZE", "much")
    told = refused(RING)
    assert told.code == USAGE and "'much'" in told.err
    monkeypatch.setenv("AIFABRIC_SOLVE_JOBS", "-1")
    assert refused(RING).code == USAGE


def test_bad_input_in_a_process_of_its_own(program, folder):
    for argv, code, says in BAD[::60]:
        told = program(*argv, cwd=folder)
        assert (told.code, told.out) == (code, "") and told.err.count("\n") == 1
        assert all(piece in told.err for piece in says.split("|"))
