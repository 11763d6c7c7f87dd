"""Every reader against files that are cut, corrupted, huge or malicious: one line that names the file, soon."""

import re
import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError, TopologyError
from topologies.formats import READERS, read_topology, recognised
from topologies.parts import catalogue
from topologies.registry import build

# one small file of every format
NCCL = """<system version="1">
  <cpu numaid="0" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="01" class="0x060400" link_speed="32.0 GT/s PCIe" link_width="16">
      <pci busid="a0" class="0x030200" vendor="0x10de" device="0x2330" link_speed="32.0 GT/s PCIe" link_width="16">
        <gpu dev="0" sm="90" rank="0"><nvlink target="a1" count="9" tclass="0x030200"/></gpu>
      </pci>
      <pci busid="a1" class="0x030200" vendor="0x10de" device="0x2330" link_speed="32.0 GT/s PCIe" link_width="16">
        <gpu dev="1" sm="90" rank="1"><nvlink target="a0" count="9" tclass="0x030200"/></gpu>
      </pci>
    </pci>
  </cpu>
</system>
"""
NVIDIA_SMI = """\tGPU0\tGPU1\tNIC0\tCPU Affinity\tNUMA Affinity
GPU0\t X \tNV4\tPIX\t0-31\t0
GPU1\tNV4\t X \tSYS\t32-63\t1
NIC0\tPIX\tSYS\t X

Legend:

  X = Self
"""
SIMGRID = """<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <zone id="w" routing="Full">
    <cluster id="c" prefix="n" suffix="" radical="0-3" speed="1Gf" bw="125MBps" lat="50us"/>
    <host id="a" speed="1Gf"/>
    <link id="x" bandwidth="1Gbps" latency="1us"/>
    <route src="a" dst="nc_router"><link_ctn id="x"/></route>
  </zone>
</platform>
"""
INFRAGRAPH = """infrastructure:
  name: two
  devices:
  - name: server
    components:
    - {name: npu, choice: npu, count: 2}
    - {name: nvlsw, choice: switch, count: 1}
    links: [{name: nvlink, bandwidth: {gigabytes_per_second: 50}}]
    connections: [npu.0.nvlink.nvlsw.0, npu.1.nvlink.nvlsw.0]
  instances:
  - {name: s, device: server, count: 1}
"""
TOPOGRAPH = """switches:
  core: {switches: [leaf-1, leaf-2]}
blocks:
- {switch: leaf-1, nodes: ["n[1-2]"], annotations: {x/domain: d1}}
- {switch: leaf-2, nodes: ["n[3-4]"], annotations: {x/domain: d2}}
"""
LINGJUN = "ip,DSW,PSW,ASW\nh0,G1,P1,S1\nh1,G1,P1,S1\nh2,G1,P1,S2\nh3,G1,P2,S1\n"
ASTRA_SIM = """# two dimensions
topology: [ Switch, Ring ]
npus_count: [ 4, 3 ]
bandwidth: [ 400.0, 50.0 ]  # GB/s
latency: [ 936.25, 1000 ]  # ns
"""
GRAPHML = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="edge" attr.name="rate_gbps" attr.type="double"/>
  <key id="d1" for="node" attr.name="kind" attr.type="string"><default>accelerator</default></key>
  <graph edgedefault="undirected">
    <node id="a"/><node id="b"/><node id="s"><data key="d1">switch</data></node>
    <edge source="a" target="s"><data key="d0">100.0</data></edge>
    <edge source="b" target="s"><data key="d0">100.0</data></edge>
  </graph>
</graphml>
"""
NODE_LINK = (
    '{"directed": false, "nodes": [{"id": 0}, {"id": 1}, {"id": 2}],\n'
    ' "links": [{"source": 0, "target": 1, "rate_gbps": 100}, {"source": 1, "target": 2, "rate_gbps": 50.5}]}\n'
)
GML = """graph [
  directed 0
  node [ id 0 label "a" ]
  node [ id 1 label "b&amp;c" ]
  edge [ source 0 target 1 rate_gbps 100.0 count 2 ]
]
"""
PORTS = """SW     2  1 0x0000000000000002 4x NDR - CA     5  1 0x0000000000000010 ( 'leaf' - 'dgx-1 mlx5_0' )
SW     2  2 0x0000000000000002 4x NDR - CA     6  1 0x0000000000000040 ( 'leaf' - 'dgx-2 mlx5_0' )
CA     5  1 0x0000000000000010 4x NDR - SW     2  1 0x0000000000000002 ( 'dgx-1 mlx5_0' - 'leaf' )
CA     6  1 0x0000000000000040 4x NDR - SW     2  2 0x0000000000000002 ( 'dgx-2 mlx5_0' - 'leaf' )
"""
SAMPLES = {
    "nccl": (NCCL, ".xml"),
    "nvidia-smi": (NVIDIA_SMI, ".txt"),
    "simgrid": (SIMGRID, ".xml"),
    "infragraph": (INFRAGRAPH, ".yaml"),
    "topograph": (TOPOGRAPH, ".yml"),
    "lingjun": (LINGJUN, ".csv"),
    "astra-sim": (ASTRA_SIM, ".yaml"),
    "graphml": (GRAPHML, ".xml"),
    "node-link": (NODE_LINK, ".json"),
    "gml": (GML, ".gml"),
    "ibnetdiscover": (PORTS, ".txt"),
}
NAMES = list(SAMPLES)


@pytest.fixture(scope="module")
def attempt(tmp_path_factory):
    """What comes of a file: a topology that holds together, or the line of its error."""
    folder = tmp_path_factory.mktemp("damage")

    def read(name, content):
        path = folder / "damaged.file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            topology = read_topology(path, catalogue(), name)
        except (ConfigError, TopologyError) as error:
            assert "damaged.file" in str(error) and "\n" not in str(error) and len(str(error)) < 600
            return str(error)
        assert len(topology.accelerators) > 1
        assert all(edge["rate_gbps"] > 0 for _, _, edge in topology.edges)
        return topology

    return read


def test_every_format_has_a_sample():
    assert set(NAMES) == set(READERS) - {"native"}


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_told_by_content_and_read(tmp_path, name):
    text, ending = SAMPLES[name]
    path = tmp_path / f"fabric{ending}"
    path.write_text(text)
    assert recognised(path) == name
    assert build(str(path)).family == name


@pytest.mark.parametrize("name", NAMES)
def test_cut_at_every_place(attempt, name):
    text = SAMPLES[name][0]
    for end in range(len(text)):
        attempt(name, text[:end])


@pytest.mark.parametrize("name", NAMES)
def test_every_line_left_out_or_twice(attempt, name):
    lines = SAMPLES[name][0].splitlines(keepends=True)
    for i in range(len(lines)):
        attempt(name, "".join(lines[:i] + lines[i + 1 :]))
        attempt(name, "".join(lines[: i + 1] + lines[i:]))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_corrupt_bytes(attempt, name, data):
    content = bytearray(SAMPLES[name][0].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    attempt(name, bytes(content))


NUMBERS = ["-1", "0", "nan", "NaN", ".nan", "inf", "1e400", "9" * 5000, "1.5", "''", "x", "[]", "{}", "null", "true"]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_are_none(attempt, name):
    """Each number of the sample in turn as something else."""
    text = SAMPLES[name][0]
    for match in re.finditer(r"(?<![A-Za-z0-9_.])[0-9]+(\.[0-9]+)?(?![A-Za-z0-9_.])", text):
        for number in NUMBERS:
            attempt(name, text[: match.start()] + number + text[match.end() :])


@pytest.mark.parametrize("name", NAMES)
def test_other_formats_are_refused(attempt, name):
    for other in NAMES:
        if other != name:
            assert isinstance(attempt(name, SAMPLES[other][0]), str), other


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\0" * 100, b"\xff\xfe\x00a", "\ufeff".encode(), b"\xf0\x9f\x98\x80"]
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_of_any_kind(attempt, name, content):
    assert isinstance(attempt(name, content), str)


LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
ROOTS = {"nccl": "system", "simgrid": "platform", "graphml": "graphml"}


@pytest.mark.parametrize("name", ROOTS)
def test_entities_are_not_read(attempt, name):
    root = ROOTS[name]
    bomb = f'<!DOCTYPE {root} [<!ENTITY l0 "lol">{LAUGHS}]><{root}>&l9;</{root}>'
    assert "entity" in attempt(name, bomb)
    for outside in ("file:///etc/hostname", "http://localhost:1/x"):
        text = f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "{outside}">]><{root}>&x;</{root}>'
        assert "entity" in attempt(name, text)
    parameter = f'<!DOCTYPE {root} [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><{root}/>'
    assert "entity" in attempt(name, parameter)
    undeclared = f'<!DOCTYPE {root} SYSTEM "nowhere.dtd"><{root}>&x;</{root}>'
    assert isinstance(attempt(name, undeclared), str)


DEEP = 50_000
NESTED = {
    "nccl": "<system>" + "<pci>" * DEEP,
    "simgrid": "<platform>" + "<zone>" * DEEP,
    "graphml": "<graphml>" + "<graph>" * DEEP,
    "infragraph": "devices: " + "[" * DEEP,
    "topograph": "switches: " + "{a: " * DEEP,
    "astra-sim": "topology: " + "[" * DEEP,
    "node-link": '{"nodes": ' + "[" * DEEP,
    "gml": "graph [ " + "a [ " * DEEP,
}


@pytest.mark.parametrize("name", NESTED)
def test_deep_nesting(attempt, name):
    told = attempt(name, NESTED[name])
    assert isinstance(told, str) and ("deep" in told or "not YAML" in told or "not JSON" in told)


JUNK = {
    "zeros": b"\0",
    "letters": b"a",
    "lines": b"a b\n",
    "tags": b"<a>",
    "brackets": b"[",
    "numbers": b"1,",
    "quotes": b'"',
}


@pytest.mark.parametrize("kind", JUNK)
def test_a_hundred_megabytes_of_junk(tmp_path, kind):
    """Every reader refuses it within seconds and with a fraction of its size more memory than before."""
    path = tmp_path / "junk.file"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(JUNK[kind] * (2**20 // len(JUNK[kind])))
    for name in NAMES:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with pytest.raises(ConfigError) as told:
            read_topology(path, catalogue(), name)
        assert len(str(told.value)) < 600
        assert time.process_time() - start < 5, name
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000, name


def test_a_tag_without_an_end(tmp_path):
    path = tmp_path / "tag.xml"
    path.write_bytes(b'<system a="' + b"x" * 30_000_000)
    start = time.process_time()
    with pytest.raises(ConfigError, match="1 MiB"):
        read_topology(path, catalogue(), "nccl")
    assert time.process_time() - start < 5


def test_folders_and_missing_files(tmp_path):
    for name in NAMES:
        for path in (tmp_path, tmp_path / "none.file"):
            with pytest.raises(ConfigError, match=r"directory|No such file"):
                read_topology(path, catalogue(), name)


def test_contents_that_no_format_has(tmp_path):
    for ending, there_are in ((".xml", "simgrid"), (".yaml", "topograph"), (".csv", "lingjun")):
        path = tmp_path / f"odd{ending}"
        path.write_text("<odd/>\n")
        with pytest.raises(ConfigError, match=there_are):
            build(str(path))


def test_white_space_between_elements_takes_no_time(tmp_path):
    """100 MB of elements on lines of their own: what holds them keeps no copy of the lines' ends."""
    path = tmp_path / "x.xml"
    path.write_text('<system version="1">\n' + '<cpu numaid="0"/>\n' * 200_000)
    before = time.process_time()
    with pytest.raises(ConfigError, match="no element found"):
        build(str(path))
    assert time.process_time() - before < 20
    path.write_text('<system version="1">' + "x<cpu/>" * 2**17)
    with pytest.raises(ConfigError, match="more than 64 KiB of text in one element"):
        build(str(path))


@pytest.mark.parametrize(("name", "text"), [("a.xml", '<?xml?>\n<algo name="x">'), ("a.goal", "num_ranks 2")])
def test_a_schedule_is_no_fabric(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match="a schedule, not a fabric; aifabric solve SPEC --schedule"):
        build(str(path))
