"""Any gNMI target: Set requests in the JSON form of the protocol's messages, from path templates."""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from fabric.planning.export.kinds import Kind, Message, Named, Task, changes, lettered, reads
from topologies.errors import ConfigError

TEMPLATES = (
    ("path", "/sonic-ocs:sonic-ocs/OCS_CROSS_CONNECT/OCS_CROSS_CONNECT_LIST[cross_connect_id={a}-{b}]"),
    ("read", "/sonic-ocs:sonic-ocs/OCS_CROSS_CONNECT"),
    ("value", '{"cross_connect_id": "{a}-{b}", "a_side": "{a}", "b_side": "{b}"}'),
)
_ELEMENT = re.compile(r"/([^/\[\]]+)((?:\[[^\[\]=]+=[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\[\]=]+)=([^\[\]]*)\]")


def path(text: str) -> dict[str, Any]:
    """A path as gNMI's Path message: elements and keys (gNMI specification 0.8, section 2.2.2).

    ConfigError where it cannot be read.

    >>> path("/list[id=1A-2B]/leaf")
    {'elem': [{'name': 'list', 'key': {'id': '1A-2B'}}, {'name': 'leaf'}]}
    """
    elements = []
    end = 0
    for found in _ELEMENT.finditer(text):
        if found.start() != end:
            break
        keys = dict(_KEY.findall(found[2]))
        elements.append({"name": found[1], **({"key": keys} if keys else {})})
        end = found.end()
    if not elements or end != len(text):
        raise ConfigError(f"'{text}' is not a gNMI path; write it like /list[key={{a}}-{{b}}]")
    return {"elem": elements}


def _filled(template: str, pair: Named) -> str:
    return template.replace("{a}", pair[0]).replace("{b}", pair[1])


def _value(template: str, pair: Named) -> str:
    """The value in base64, as bytes stand in the JSON form."""
    text = _filled(template, pair)
    try:
        compact = json.dumps(json.loads(text), separators=(",", ":"))
    except ValueError:
        raise ConfigError(f"the value template gives {text[:60]!r}, which is not JSON; quote its names") from None
    return b64encode(compact.encode()).decode()


def _messages(task: Task) -> Sequence[Message]:
    texts = {**dict(TEMPLATES), **dict(task.paths)}
    get = {"path": [path(texts["read"])], "encoding": "JSON_IETF"}
    before, after = reads(json.dumps(get) + "\n", "json")
    delete, places = ([path(_filled(texts["path"], pair)) for pair in pairs] for pairs in (task.delete, task.add))
    for paths in (delete, places):
        if len({json.dumps(one) for one in paths}) < len(paths):
            raise ConfigError(
                f"the path '{texts['path']}' is one for several cross-connects; use {{a}} and {{b}} in it"
            )
    update = [
        {"path": place, "val": {"jsonIetfVal": _value(texts["value"], pair)}}
        for place, pair in zip(places, task.add, strict=True)
    ]
    return [before, *changes(_set("delete", delete), _set("update", update), "json"), after]


def _set(key: str, items: Sequence[Any]) -> str:
    lines = ",\n  ".join(json.dumps(item) for item in items)
    return f'{{"{key}": [\n  {lines}]}}\n' if items else ""


KIND = Kind(
    name="gnmi",
    title="gNMI Set, path template",
    send="each file is one SetRequest (GetRequest for reads) in protobuf's JSON form",
    source="gNMI specification 0.8; paths of YANG module sonic-ocs by default, others from a names file",
    name_port=lettered,
    grammar=r"[A-Za-z0-9._:-]+",
    messages=_messages,
    any_to_any=True,
    unverified=("OpenConfig has no model of circuit switches (PR 1187 was closed): the paths are yours to check",),
    templates=TEMPLATES,
)
