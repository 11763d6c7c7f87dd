"""SONiC-OCS by its CONFIG_DB: redis commands on database 4, each message one transaction."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Task, changes, lettered, reads
from fabric.planning.export.sonic_cli import GRAMMAR, SOURCE, TUNING
from fabric.planning.export.sonic_patch import TABLE

DATABASE = 4
STATE_DATABASE = 6


def _messages(task: Task) -> Sequence[Message]:
    keys = f"SELECT {DATABASE}\nKEYS {TABLE}|*\nSELECT {STATE_DATABASE}\n"
    ports = dict.fromkeys(port for pair in (*task.delete, *task.add) for port in pair)
    before, after = reads(keys + "".join(f"HGETALL OCS_PORT|{port}\n" for port in ports), "redis")
    delete = _transaction([f"DEL {TABLE}|{a}-{b}" for a, b in task.delete])
    add = _transaction([f"HSET {TABLE}|{a}-{b} a_side {a} b_side {b}" for a, b in task.add])
    return [before, *changes(delete, add, "redis"), after]


def _transaction(commands: Sequence[str]) -> str:
    lines = [f"SELECT {DATABASE}", "MULTI", *commands, "EXEC"]
    return "\n".join(lines) + "\n" if commands else ""


KIND = Kind(
    name="sonic-config-db",
    title="SONiC-OCS, redis commands for CONFIG_DB",
    send="redis-cli < FILE on the switch",
    source=SOURCE,
    name_port=lettered,
    grammar=GRAMMAR,
    messages=_messages,
    cautions=(TUNING, "redis checks no port: HSET on one in use makes two cross-connects of it, so read before"),
    unverified=("the key of a port's status in database 6 differs between trees",),
)
