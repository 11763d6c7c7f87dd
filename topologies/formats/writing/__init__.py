"""Writers of foreign formats, one file each, and files that are written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from topologies.errors import ConfigError, unknown
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Exported:
    """A file's text, and one line for each thing of the fabric that the format does not say."""

    text: str
    notes: tuple[str, ...] = ()


_AT = "topologies.formats."
# format -> module and function of a topology to Exported, ending, one line of help
WRITERS = {
    "native": (_AT + "native:native_text", ".json", "our own JSON, read back exactly"),
    "node-link": (_AT + "writing.node_link:node_link_text", ".json", "node-link JSON, for NetworkX"),
    "graphml": (_AT + "writing.graphml:graphml_text", ".graphml", "GraphML, for NetworkX, Gephi, yEd"),
    "astra-sim": (_AT + "writing.astra_sim:astra_sim_text", ".yml", "ASTRA-sim's analytical network"),
    "astra-sim-logical": (_AT + "writing.astra_sim:logical_text", ".json", "ASTRA-sim's logical topology"),
    "simgrid": (_AT + "writing.simgrid:simgrid_text", ".xml", "a SimGrid platform"),
    "nccl": (_AT + "writing.nccl:nccl_text", ".xml", "an NCCL topology of one server"),
    "dot": (_AT + "writing.dot:dot_text", ".dot", "Graphviz"),
}


def export(topology: Topology, name: str) -> Exported:
    """A topology in one of the formats of WRITERS, and what that leaves unsaid.

    ConfigError for an unknown format, and where the format cannot say what the topology is.

    >>> from topologies.registry import build
    >>> export(build("ring:n=4"), "astra-sim").text.splitlines()[-4:]
    ['topology: [ Ring ]', 'npus_count: [ 4 ]', 'bandwidth: [ 50.0 ]  # GB/s', 'latency: [ 90.5 ]  # ns']
    """
    if name not in WRITERS:
        raise ConfigError(unknown("format", name, WRITERS))
    module, _, function = WRITERS[name][0].partition(":")
    made: Exported = getattr(import_module(module), function)(topology)
    return made


def write_whole(text: str, path: Path) -> None:
    """Write beside the file, then take its place; ConfigError where that fails, and what stood there stays.

    A link stays one, and what it leads to is written; a device or a pipe is written into.
    """
    if not path.name:
        raise ConfigError(f"{path} is a folder; give the name of a file")
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_text(text, encoding="utf-8", newline="\n")
            return
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path}: {error.strerror}; nothing was written") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_folder(files: Mapping[str, str], folder: Path) -> None:
    """Write a new folder beside its place, then move it there; ConfigError where something stands in its place."""
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a folder that does not, so that old files are not taken for new ones")
    if not folder.parent.is_dir():
        raise ConfigError(f"no folder '{folder.parent}' to write {folder.name} into; create it first")
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for path, text in files.items():
            place = made / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode())
        os.chmod(made, 0o755)
        os.rename(made, folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def beyond_graph(topology: Topology, title: str) -> tuple[str, ...]:
    """What a format of nodes and links leaves out of a fabric that is more than its graph.

    >>> from topologies.registry import build
    >>> beyond_graph(build("switch:n=2"), "GraphML")
    ('GraphML does not say what the family knows: its routing; native does',)
    """
    known = {
        "its routing": True,
        "dimension order": topology.grid is not None,
        "rings of collectives": bool(topology.tours),
        "layers outside watts and dollars": bool(topology.left_out),
    }
    words = ", ".join(what for what, there in known.items() if there)
    said = [f"{title} does not say what the family knows: {words}; native does"]
    if topology.circuits is not None:
        said.append(f"{title} holds live circuits as links, not the circuit switches and their strands")
    return tuple(said)


def labels(topology: Topology) -> dict[Hashable, str]:
    """Each node's label as text; ConfigError where two nodes have the same one, or one is of more than a line.

    >>> from topologies.registry import build
    >>> labels(build("switch:n=2"))
    {'acc-0': 'acc-0', 'acc-1': 'acc-1', 'switch': 'switch'}
    """
    text = {node: str(node) for node in topology.nodes}
    if len(set(text.values())) < len(text):
        raise ConfigError(f"{topology.name}: two nodes have the same label as text; rename one")
    wrong = next((name for name in text.values() if not name or not name.isprintable()), None)
    if wrong is not None:
        raise ConfigError(f"{topology.name}: node {wrong!r} is not a line of text; rename it")
    return text
