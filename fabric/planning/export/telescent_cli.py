"""Telescent robot by its command line: one fibre moved after another, in the order of the files."""

from collections.abc import Sequence

from fabric.planning.export.kinds import Kind, Message, Task, both_sides, changes, reads


def _messages(task: Task) -> Sequence[Message]:
    before, after = reads("switchstate\n", "txt")
    delete = "".join(
        f"{_unlock(a, b)}unallocate --force -in {a}\nunallocate --force -out {b}\n" for a, b in task.delete
    )
    add = "".join(f"{_unlock(a, b)}connect --force -in {a} -out {b}\n" for a, b in task.add)
    return [before, *changes(delete, add, "txt"), after]


def _unlock(a: str, b: str) -> str:
    return f"unlock --force -in {a}\nunlock --force -out {b}\n"


KIND = Kind(
    name="telescent-cli",
    title="Telescent robot, command line over ssh",
    send="one line at a time, each after the last has ended: the robot moves one fibre at a time, minutes each",
    source="old public drivers (unlock, connect, unallocate, switchstate)",
    name_port=both_sides,
    grammar=r"[1-9]\d*",
    messages=_messages,
    cautions=("--force lifts locks: see first whose they are",),
    unverified=("the commands are those of an old release",),
)
