"""SONiC-OCS by its command line: `config ocs cross-connect`, deletes by name, adds that refuse ports in use."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Named, Task, changes, lettered, reads

SOURCE = "SONiC PR 2269, doc/ocs/ocs_hld.md rev 0.5 (2026-04), open; sonic-mgmt ansible/library/ocs_cross_connect.py"
GRAMMAR = r"([1-9]\d*-)?[1-9]\d*[AB]"
TUNING = "a new cross-connect is tuning for up to a minute: read after it again until both its ports are tuned"
READ = "show ocs cross-connect config\nshow ocs cross-connect status\nshow ocs port status\n"


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads(READ, "txt")
    delete, add = (_command(verb, pairs, mode) for verb, pairs, mode in (
        ("delete", task.delete, ""), ("add", task.add, " safe")))  # fmt: skip
    return [before, *changes(delete, add, "txt"), after]


def _command(verb: str, pairs: Sequence[Named], mode: str) -> str:
    listed = ",".join(f"{a}-{b}" for a, b in pairs)
    return f"config ocs cross-connect {verb} {listed}{mode}\n" if pairs else ""


KIND = Kind(
    name="sonic-cli",
    title="SONiC-OCS, command line",
    send="as root on the switch, one line at a time",
    source=SOURCE,
    name_port=lettered,
    grammar=GRAMMAR,
    messages=_messages,
    cautions=(TUNING,),
    unverified=("the design is an open pull request; a release may spell the commands differently",),
)
