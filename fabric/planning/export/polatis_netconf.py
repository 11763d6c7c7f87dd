"""Polatis by NETCONF: one edit-config that deletes and one that creates, each undone by the device where it fails."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from fabric.planning.export.kinds import Kind, Message, Task, changes, numbered_through, reads

NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"
NAMESPACE = "http://www.polatis.com/yang/optical-switch"
SOURCE = "ONOS models/polatis and drivers/polatis (Apache-2.0)"
GRAMMAR = r"[1-9]\d*"
BY_INGRESS = "deletes name the ingress alone: one that is sent twice takes down what came after it"
SAME_EGRESS = "the model lets two ingresses have one egress: the plan's own check is the only one"
CROSS_CONNECTS = f'<cross-connects xmlns="{NAMESPACE}"/>'


def _messages(task: Task) -> Sequence[Message]:
    state = _rpc(1, f'<get>\n    <filter type="subtree">\n      {CROSS_CONNECTS}\n'
                    f'      <opm-power xmlns="{NAMESPACE}"/>\n    </filter>\n  </get>')  # fmt: skip
    before, after = reads(state, "xml")
    delete, add = (_rpc(2, edit_config(body)) if body else "" for body in (
        deletes([a for a, _ in task.delete]), creates(task.add)))  # fmt: skip
    return [before, *changes(delete, add, "xml"), after]


def deletes(ingresses: Sequence[str]) -> str:
    """The pairs of an edit that takes cross-connects away by ingress; it fails where one is missing."""
    return "".join(_pair("delete", f"<ingress>{escape(port)}</ingress>") for port in ingresses)


def creates(pairs: Sequence[tuple[str, str]]) -> str:
    """The pairs of an edit that makes cross-connects; it fails where an ingress has one."""
    both = "<ingress>{}</ingress><egress>{}</egress>"
    return "".join(_pair("create", both.format(escape(a), escape(b))) for a, b in pairs)


def _pair(operation: str, inside: str) -> str:
    return f'        <pair nc:operation="{operation}">{inside}</pair>\n'


def config(body: str) -> str:
    """The <config> of an edit."""
    return (
        f'<config xmlns="{NETCONF}" xmlns:nc="{NETCONF}">\n'
        f'      <cross-connects xmlns="{NAMESPACE}">\n{body}      </cross-connects>\n    </config>'
    )


def edit_config(body: str) -> str:
    """An edit of the running configuration that leaves no trace where a part of it fails."""
    return (
        "<edit-config>\n    <target><running/></target>\n    <error-option>rollback-on-error</error-option>\n"
        f"    {config(body)}\n  </edit-config>"
    )


def _rpc(number: int, body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rpc message-id="{number}" xmlns="{NETCONF}">\n  {body}\n</rpc>\n'


KIND = Kind(
    name="polatis-netconf",
    title="Polatis, NETCONF (port 830)",
    send="one rpc a file over an open NETCONF session; or aifabric plan apply",
    source=SOURCE,
    name_port=numbered_through,
    grammar=GRAMMAR,
    messages=_messages,
    any_to_any=True,
    cautions=(BY_INGRESS, SAME_EGRESS),
    unverified=(
        "old firmware calls a pair `pairs`",
        "whether a device has rollback-on-error stands in its hello; take the line out where it has not",
    ),
)
