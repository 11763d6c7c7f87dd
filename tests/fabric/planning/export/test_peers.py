"""Payloads taken by other people's programs: yanglint and yangson, a redis server, a gNMI server of pygnmi's stubs."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fabric.planning.export.folder import export_files

YANG = Path(__file__).with_name("yang")
MODEL = YANG / "optical-switch.yang"
IETF = Path("/usr/share/yuma/modules/ietf/ietf-netconf@2011-06-01.yang")
NC = "{urn:ietf:params:xml:ns:netconf:base:1.0}"
LIFE_S = "60"  # after which a server ends, whatever became of the test
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
FEATURES = "ietf-netconf:writable-running,rollback-on-error"


def program(name, package):
    """The path of a program, or a reason to skip."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"no {name} here (Debian package {package})")
    return found


def steps(files, plan, way="files"):
    """(switch, role, text) of all changes in their order; the way back with "rollback"."""
    stages = json.loads(files["index.json"])["stages"]
    for stage in stages if way == "files" else stages[::-1]:
        for device in stage["devices"] if way == "files" else stage["devices"][::-1]:
            for row in device[way]:
                yield device["switch"], row["role"], files[row["file"]]


@pytest.fixture
def exported(hand):
    """The files of the plan by hand, for one device kind."""
    return lambda kind: export_files(hand.plan, hand.names_for(hand.plan, kind))


def yanglint(text, folder, kind):
    path = folder / "payload.xml"
    path.write_text(text)
    words = [program("yanglint", "libyang2-tools"), "-p", IETF.parent, "-F", FEATURES, "-t", kind, IETF, MODEL, path]
    return subprocess.run(words, capture_output=True, text=True, timeout=30)


@pytest.mark.skipif(not IETF.exists(), reason="no ietf-netconf.yang here (Debian package libyuma-base)")
def test_yanglint_takes_every_netconf_message(hand, exported, tmp_path):
    for way in ("files", "rollback"):
        for _, role, text in steps(exported("polatis-netconf"), hand.plan, way):
            checked = yanglint(text, tmp_path, "nc-rpc")
            assert checked.returncode == 0, checked.stderr
            if role in ("delete", "add"):
                inside = ElementTree.fromstring(text).find(f".//{NC}config")[0]
                checked = yanglint(ElementTree.tostring(inside, encoding="unicode"), tmp_path, "edit")
                assert checked.returncode == 0, checked.stderr
    good = ElementTree.tostring(inside, encoding="unicode")
    for old, new in (("create", "frobnicate"), (">1<", ">one<"), ("cross-connects", "crossings")):
        assert old in good and yanglint(good.replace(old, new), tmp_path, "edit").returncode != 0


def configurations(files, plan):
    """What the PUTs of a message make, as one configuration, and each body as it is."""
    for way in ("files", "rollback"):
        for _, role, text in steps(files, plan, way):
            if role == "add":
                rows = [row for request in json.loads(text) for row in request["body"]["optical-switch:pair"]]
                yield {"optical-switch:cross-connects": {"pair": rows}}


def test_yangson_takes_every_restconf_body(hand, exported):
    yangson = pytest.importorskip("yangson", reason="yangson is not installed (extra: test)")
    module = {
        "name": "optical-switch", "revision": "2026-11-30", "conformance-type": "implement",
        "namespace": "http://www.polatis.com/yang/optical-switch",
    }  # fmt: skip
    library = {"ietf-yang-library:modules-state": {"module-set-id": "1", "module": [module]}}
    model = yangson.DataModel(json.dumps(library), [str(YANG)])
    seen = 0
    for configuration in configurations(exported("polatis-restconf"), hand.plan):
        model.from_raw(configuration).validate()
        seen += 1
    assert seen == 5  # two stages forward, three changes back
    del configuration["optical-switch:cross-connects"]["pair"][0]["egress"]
    with pytest.raises(yangson.exceptions.ValidationError, match="egress"):
        model.from_raw(configuration).validate()


def test_yanglint_takes_every_restconf_body(hand, exported, tmp_path):
    lint = program("yanglint", "libyang2-tools")
    path = tmp_path / "body.json"
    for configuration in configurations(exported("polatis-restconf"), hand.plan):
        path.write_text(json.dumps(configuration))
        subprocess.run([lint, "-t", "config", MODEL, path], check=True, capture_output=True, timeout=30)
    configuration["optical-switch:cross-connects"]["pair"] *= 2
    path.write_text(json.dumps(configuration))
    assert subprocess.run([lint, "-t", "config", MODEL, path], capture_output=True, timeout=30).returncode != 0


@contextmanager
def redis():
    """A redis server on a socket of its own, without a port, a file or a past; a function that sends it commands."""
    server, client = program("redis-server", "redis-server"), program("redis-cli", "redis-tools")
    folder = Path(tempfile.mkdtemp(prefix="rd", dir="/tmp"))  # a socket's path is short
    sock = folder / "s"
    words = ["timeout", LIFE_S, server, "--port", "0", "--unixsocket", sock, "--save", "", "--appendonly", "no"]
    running = subprocess.Popen([str(word) for word in words], cwd=folder, stdout=subprocess.DEVNULL)

    def send(text):
        sent = subprocess.run([client, "-s", sock], input=text, capture_output=True, text=True, timeout=20)
        return sent.stdout.splitlines()

    try:
        for _ in range(100):
            if sock.exists() or running.poll() is not None:
                break
            time.sleep(0.05)
        yield send
    finally:
        running.terminate()
        running.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def test_redis_takes_config_db(hand, exported):
    """One server a switch in turn: each starts at the base, ends at the target, and comes back."""
    names = hand.names_for(hand.plan, "sonic-config-db")
    files = exported("sonic-config-db")
    with redis() as send:
        for switch in names:
            keys = [[f"OCS_CROSS_CONNECT|{a}-{b}" for a, b in sorted(map(names[switch].pair, state[switch]))]
                    for state in hand.states]  # fmt: skip
            send("FLUSHALL\n")
            send("SELECT 4\n" + "".join(f"HSET {key} a_side x b_side y\n" for key in keys[0]))
            for way, end in (("files", keys[-1]), ("rollback", keys[0])):
                for at, role, text in steps(files, hand.plan, way):
                    if at != switch:
                        continue
                    said = send(text)
                    if role in ("delete", "add"):
                        changed = text.count("\n") - 3
                        queued = ["OK", "OK"] + ["QUEUED"] * changed
                        assert said[: len(queued)] == queued
                        assert said[len(queued) :] == ["1" if role == "delete" else "2"] * changed
                found = send("SELECT 4\nKEYS OCS_CROSS_CONNECT|*\n")[1:]
                assert sorted(found) == sorted(end)
            assert send("SELECT 4\nHGETALL OCS_CROSS_CONNECT|1A-1B\n")[1:] == (
                ["a_side", "1A", "b_side", "1B"] if switch == "ocs-0" else [""]
            )


def test_a_gnmi_server_takes_set_requests(hand, exported):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pygnmi", reason="pygnmi is not installed (extra: test)")
        import grpc
        from google.protobuf.json_format import ParseDict
        from pygnmi.spec.v080 import gnmi_pb2, gnmi_pb2_grpc

    class Target(gnmi_pb2_grpc.gNMIServicer):
        """Cross-connects by key; a Set is made whole or not at all, deletes before updates."""

        def __init__(self, up):
            self.up = up

        def Set(self, request, context):  # noqa: N802
            up = set(self.up)
            for path in request.delete:
                key = path.elem[-1].key["cross_connect_id"]
                if key not in up:
                    context.abort(grpc.StatusCode.NOT_FOUND, key)
                up.remove(key)
            for update in request.update:
                value = json.loads(update.val.json_ietf_val)
                if {value["a_side"], value["b_side"]} & {port for key in up for port in key.split("-")}:
                    context.abort(grpc.StatusCode.ALREADY_EXISTS, value["cross_connect_id"])
                up.add(value["cross_connect_id"])
            self.up = up
            return gnmi_pb2.SetResponse(timestamp=1)

        def Get(self, request, context):  # noqa: N802
            assert [element.name for element in request.path[0].elem][-1] == "OCS_CROSS_CONNECT"
            value = json.dumps(sorted(self.up)).encode()
            update = gnmi_pb2.Update(path=request.path[0], val=gnmi_pb2.TypedValue(json_ietf_val=value))
            return gnmi_pb2.GetResponse(notification=[gnmi_pb2.Notification(update=[update])])

    names = hand.names_for(hand.plan, "gnmi")
    files = exported("gnmi")
    keys = [{name: {"-".join(own.pair(pair)) for pair in state[name]} for name, own in names.items()}
            for state in hand.states]  # fmt: skip
    for switch in names:
        target = Target(keys[0][switch])
        server = grpc.server(ThreadPoolExecutor(2))
        gnmi_pb2_grpc.add_gNMIServicer_to_server(target, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = gnmi_pb2_grpc.gNMIStub(channel)
                for way, end in (("files", keys[-1]), ("rollback", keys[0])):
                    for at, role, text in steps(files, hand.plan, way):
                        if at != switch:
                            continue
                        if role in ("delete", "add"):
                            stub.Set(ParseDict(json.loads(text), gnmi_pb2.SetRequest()), timeout=10)
                        else:
                            answer = stub.Get(ParseDict(json.loads(text), gnmi_pb2.GetRequest()), timeout=10)
                            value = json.loads(answer.notification[0].update[0].val.json_ietf_val)
                            assert value == sorted(target.up)
                    assert target.up == end[switch]
                with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
                    request = gnmi_pb2.SetRequest()
                    request.delete.add().elem.add(name="list", key={"cross_connect_id": "99A-99B"})
                    stub.Set(request, timeout=10)
        finally:
            server.stop(0).wait(10)
