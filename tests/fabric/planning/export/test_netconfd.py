"""A real NETCONF server (yuma123's netconfd, our own stub model) behind a real ssh server, on loopback only."""

import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fabric.cli import main
from fabric.planning.apply import DeviceError, apply_plan, stages_in_force
from fabric.planning.files import write_plan
from fabric.planning.netconf import Login, NetconfSwitch
from topologies.errors import ConfigError

asyncssh = pytest.importorskip("asyncssh", reason="asyncssh is not installed (extra: test)")
pytest.importorskip("ncclient", reason="ncclient is not installed (extra: apply)")
NETCONFD, SUBSYSTEM = (
    shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") for name in ("netconfd", "netconf-subsystem")
)
pytestmark = [
    pytest.mark.skipif(not (NETCONFD and SUBSYSTEM), reason="no netconfd here (Debian package netconfd)"),
    pytest.mark.filterwarnings("ignore"),  # of ssh libraries, about their own ciphers and sockets
]
FRONT = Path(__file__).with_name("ssh_front.py")
YANG = Path(__file__).with_name("yang")
LIFE_S = "120"  # after which a server ends, whatever became of the test
PASSWORD = "for loopback only"


@contextmanager
def netconfd(folder):
    """A server with an empty configuration; its socket."""
    folder.mkdir()
    sock = folder / "s"
    server = subprocess.Popen(
        ["timeout", LIFE_S, NETCONFD, f"--modpath={YANG}:/usr/share/yuma/modules", "--module=optical-switch",
         f"--ncxserver-sockname={sock}", "--no-startup", f"--superuser={getpass.getuser()}", "--access-control=off",
         "--target=running", f"--log={folder / 'log'}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        for _ in range(100):
            if sock.exists() or server.poll() is not None:
                break
            time.sleep(0.05)
        if not sock.exists():
            pytest.skip("netconfd does not start here")
        yield sock
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def ssh_fronts(sockets):
    """Lines of known_hosts of ssh servers, one a socket, in a process of their own."""
    words = ["timeout", LIFE_S, sys.executable, str(FRONT), SUBSYSTEM, PASSWORD, *map(str, sockets)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        lines = [server.stdout.readline() for _ in sockets]
        assert all(lines), "the ssh server did not start"
        yield lines
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


@pytest.fixture(scope="module")
def doors():
    """Two devices, ocs-0 and ocs-1, that live as long as this file's tests."""
    folder = Path(tempfile.mkdtemp(prefix="nc", dir="/tmp"))  # a socket's path is short
    try:
        with (
            netconfd(folder / "0") as first,
            netconfd(folder / "1") as second,
            ssh_fronts([first, second]) as lines,
        ):
            known = folder / "known_hosts"
            known.write_text("".join(lines))
            login = Login(getpass.getuser(), PASSWORD, known, timeout_s=15)
            ports = [int(line.split()[0].rpartition(":")[2]) for line in lines]
            yield SimpleNamespace(ports=ports, login=login, known=known)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def sessions(doors, fabric_names):
    """One session with each device."""
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(closing(NetconfSwitch(("127.0.0.1", port), own, doors.login)))
            for port, (name, own) in zip(doors.ports, fabric_names.items(), strict=True)
        }


@pytest.fixture
def live(sessions, hand):
    """Both devices in the state that the plan starts from."""
    for name, device in sessions.items():
        wanted, there = set(hand.states[0][name]), set(device.read())
        for edit, pairs in ((device.delete, there - wanted), (device.add, wanted - there)):
            if pairs:
                edit(sorted(pairs))
    return sessions


def state_of(devices):
    return {name: device.read() for name, device in devices.items()}


def ordered(state):
    return {name: sorted(pairs) for name, pairs in state.items()}


def test_apply_sabotage_undo_finish_and_roll_back(hand, live):
    assert apply_plan(hand.plan, live).stages == 1
    assert state_of(live) == ordered(hand.states[1])
    foreign = (9, 2)  # on the ingress that stage 2 gives to 9-15
    live["ocs-1"].add([foreign])
    with pytest.raises(ConfigError, match="ocs-1 has cross-connects that no step"):
        apply_plan(hand.plan, live)
    live["ocs-1"].delete([foreign])

    meddle_after_delete(live["ocs-1"], foreign)
    told = []
    done = apply_plan(hand.plan, live, say=told.append)
    assert (done.stages, done.failed, done.undone) == (1, 2, True)
    assert "data-exists" in done.why and done.why.startswith("ocs-1")
    assert any("still not as the plan expects" in line for line in told)
    live["ocs-1"].delete([foreign])
    assert state_of(live) == ordered(hand.states[1])

    assert apply_plan(hand.plan, live, stages=None).stages == 2
    assert state_of(live) == ordered(hand.states[2])
    assert apply_plan(hand.plan.reversed(), live, stages=None).stages == 2
    assert state_of(live) == ordered(hand.states[0])


def test_the_command_applies_a_plan_file(hand, doors, live, tmp_path, capsys, monkeypatch):
    path, names = tmp_path / "plan.json", tmp_path / "names.toml"
    write_plan(hand.plan, path)
    names.write_text("[all]\nports_per_side = 16\n")
    monkeypatch.setenv("AIFABRIC_NETCONF_PASSWORD", PASSWORD)
    words = ["plan", "apply", path, "--names", names, "--user", doors.login.user, "--known-hosts", doors.known, "--yes"]
    for port in doors.ports:
        words += ["--netconf", f"127.0.0.1:{port}"]

    def run(*more):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in (*words, *more)])
        return left.value.code, capsys.readouterr()

    code, told = run()
    assert (code, told.out, told.err) == (0, "1 of 2 stages in force\n", "stage 1: ocs-0: 2 down, 2 up\n")
    assert state_of(live) == ordered(hand.states[1])
    code, told = run("--stages", "all", "--json")
    assert code == 0 and json.loads(told.out)["stages_in_force"] == 2
    assert state_of(live) == ordered(hand.states[2])
    live["ocs-0"].add([(15, 15)])
    code, told = run()
    assert (code, told.out) == (3, "") and told.err.count("\n") == 1 and "make the plan anew" in told.err
    live["ocs-0"].delete([(15, 15)])
    live["ocs-1"].session.lock("running")
    code, told = run()
    assert (code, told.out) == (3, "") and "ocs-1" in told.err and "end the other session first" in told.err
    live["ocs-1"].session.unlock("running")


def meddle_after_delete(device, foreign):
    """Once, put a foreign cross-connect up as soon as our deletes are done."""
    delete = device.delete

    def once(pairs):
        device.delete = delete
        delete(pairs)
        device.add([foreign])

    device.delete = once


def test_an_edit_is_made_whole_or_not_at_all(hand, live):
    before = state_of(live)
    with pytest.raises(DeviceError, match="data-missing"):
        live["ocs-0"].delete([(0, 0), (7, 7)])
    with pytest.raises(DeviceError, match="data-exists"):
        live["ocs-0"].add([(7, 7), (1, 9)])
    assert state_of(live) == before and stages_in_force(hand.plan, live) == 0


@pytest.mark.parametrize("error", ["TimeoutExpiredError", "SessionCloseError", "SSHException"])
def test_silence_undoes_the_stage(hand, live, monkeypatch, error):
    """The last read of the first stage gets no answer: what was sent is taken back."""
    from ncclient.operations.errors import TimeoutExpiredError
    from ncclient.transport.errors import SessionCloseError
    from paramiko import SSHException

    raised = {"TimeoutExpiredError": TimeoutExpiredError("late"), "SessionCloseError": SessionCloseError(b"", None),
              "SSHException": SSHException("gone")}[error]  # fmt: skip
    device = live["ocs-0"]
    add, ask = device.add, type(device)._ask

    def then_silence(pairs):
        monkeypatch.setattr(device, "add", add)
        add(pairs)
        monkeypatch.setattr(type(device), "_ask", silent_once)

    def silent_once(self, question):
        monkeypatch.setattr(type(device), "_ask", ask)

        def silence():
            raise raised

        return ask(self, silence)

    monkeypatch.setattr(device, "add", then_silence)
    done = apply_plan(hand.plan, live)
    assert (done.stages, done.failed, done.undone) == (0, 1, True) and "ocs-0: no answer: " in done.why
    assert state_of(live) == ordered(hand.states[0])


def test_two_ingresses_of_one_egress_are_read_as_a_mismatch(hand, live):
    """The model allows it, so that only reading back shows it."""
    meddle_after_delete(live["ocs-1"], (11, 3))  # egress 3 is given by stage 2
    apply_plan(hand.plan, live)
    done = apply_plan(hand.plan, live)
    assert (done.failed, done.undone) == (2, True) and "reads back" in done.why
    assert state_of(live)["ocs-1"] == sorted([*hand.states[1]["ocs-1"], (11, 3)])


def test_two_thousand_pairs_in_one_edit(hand, doors, live):
    live["ocs-0"].delete(hand.states[0]["ocs-0"])
    own = replace(hand.names_for(hand.plan, "polatis-netconf")["ocs-0"], ports_per_side=4096)
    with closing(NetconfSwitch(("127.0.0.1", doors.ports[0]), own, doors.login)) as device:
        pairs = [(port, port) for port in range(2000)]
        begin = time.monotonic()
        device.add(pairs)
        assert device.read() == pairs
        device.delete(pairs)
        assert device.read() == [] and time.monotonic() - begin < 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda login, tmp: Login(login.user, "wrong", login.known_hosts, 15), "no session"),
        (lambda login, tmp: Login(login.user, PASSWORD, tmp / "none", 15), "give a known_hosts file"),
        (lambda login, tmp: Login(login.user, PASSWORD, tmp / "empty", 15), "has no key of"),
        (lambda login, tmp: Login(login.user, PASSWORD, tmp / "other", 15), "no session"),
    ],
)
def test_nobody_is_let_in_or_trusted_by_mistake(hand, doors, tmp_path, change, said):
    (tmp_path / "empty").write_text("")
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    (tmp_path / "other").write_text(f"[127.0.0.1]:{doors.ports[0]} {other}\n")
    own = hand.names_for(hand.plan, "polatis-netconf")["ocs-0"]
    with pytest.raises(ConfigError, match=said):
        NetconfSwitch(("127.0.0.1", doors.ports[0]), own, change(doors.login, tmp_path))
