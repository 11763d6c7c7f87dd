"""NETCONF: a live Polatis-type switch over ssh, read and edited in the ports of a plan (optional package ncclient)."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

from fabric.planning.apply import DeviceError
from fabric.planning.export.names import Names
from fabric.planning.export.polatis_netconf import CROSS_CONNECTS, NAMESPACE, config, creates, deletes
from fabric.planning.export.reading import ports_of
from fabric.planning.plan import Pair
from topologies.errors import ConfigError

SETTLE_S = 0.3  # some servers hang on a request that comes with their greeting
PORT = 830
_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_ADDRESS = re.compile(
    r"(?:([A-Za-z0-9][A-Za-z0-9._-]*)=)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in: no password means keys or an agent; host keys are checked against known_hosts, always."""

    user: str
    password: str | None = None
    known_hosts: Path | None = None
    timeout_s: float = 30.0


def parse_address(text: str) -> tuple[str | None, str, int]:
    """[SWITCH=]HOST[:PORT] as its parts; ConfigError for anything else.

    >>> parse_address("ocs-3=10.0.0.7"), parse_address("[::1]:8300")
    (('ocs-3', '10.0.0.7', 830), (None, '::1', 8300))
    """
    found = _ADDRESS.fullmatch(text)
    port = int(found[3] or PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ConfigError(f"'{text}' is no address; write it like ocs-0=10.0.0.7:830")
    return found[1], found[2].strip("[]"), port


class NetconfSwitch:
    """An open session to one switch; close it. With `lock` nobody else can edit the switch meanwhile, where it knows
    locks (RFC 6241, section 7.5); ConfigError where another session has it."""

    def __init__(self, address: tuple[str, int], names: Names, login: Login, lock: bool = False) -> None:
        self.names = names
        self.any_to_any = names.any_to_any
        self.where = f"{names.switch} ({address[0]}:{address[1]})"
        self.session = _connect(address, login, self.where)
        capabilities = " ".join(self.session.server_capabilities)
        self.rollback = ":rollback-on-error" in capabilities
        if ":writable-running" not in capabilities:
            self.close()
            raise ConfigError(f"{self.where} has no writable running configuration; it cannot be applied to")
        self.session.timeout = login.timeout_s
        sleep(SETTLE_S)
        if lock:
            self._lock()

    def _lock(self) -> None:
        try:
            self._ask(lambda: self.session.lock("running"))
        except DeviceError as error:
            if "operation-not-supported" not in str(error):
                self.close()
                raise ConfigError(f"{self.where} is not to be locked: {error}; end the other session first") from None

    def close(self) -> None:
        """End the session, whatever state it is in."""
        with suppress(Exception):
            self.session.close_session()

    def read(self) -> list[Pair]:
        """The cross-connects of the running configuration."""
        data = self._ask(lambda: self.session.get_config("running", filter=("subtree", CROSS_CONNECTS))).data_ele
        named = []
        for holder in data.iter(f"{{{NAMESPACE}}}cross-connects"):
            for pair in holder:
                ports = {str(child.tag).rpartition("}")[2]: (child.text or "").strip() for child in pair}
                named.append((ports.get("ingress", ""), ports.get("egress", "")))
        try:
            return ports_of(named, self.names, self.where)
        except ConfigError as error:
            raise DeviceError(str(error)) from None

    def delete(self, pairs: Sequence[Pair]) -> None:
        """One edit that takes cross-connects away, all or none."""
        self._edit(deletes([self.names.pair(pair)[0] for pair in pairs]))

    def add(self, pairs: Sequence[Pair]) -> None:
        """One edit that makes cross-connects, all or none."""
        self._edit(creates([self.names.pair(pair) for pair in pairs]))

    def _edit(self, body: str) -> None:
        option = "rollback-on-error" if self.rollback else None
        self._ask(lambda: self.session.edit_config(target="running", config=config(body), error_option=option))

    def _ask(self, question: Any) -> Any:
        from ncclient import NCClientError
        from ncclient.operations import RPCError
        from paramiko import SSHException

        try:
            return question()
        except RPCError as error:
            raise DeviceError(f"refused: {error.tag}: {' '.join(str(error.message or '').split())}") from None
        except (NCClientError, SSHException, OSError) as error:
            raise DeviceError(f"no answer: {type(error).__name__}: {' '.join(str(error).split())}") from None


def _connect(address: tuple[str, int], login: Login, where: str) -> Any:
    """An ncclient session; ConfigError without ncclient, and for a switch that is not reached, known or open to us."""
    try:
        from ncclient import NCClientError, manager
        from paramiko import SSHException
    except ImportError:
        raise ConfigError("plan apply needs ncclient; pip install 'aifabric[apply]'") from None
    known = {"hostkey_b64": _host_key(login.known_hosts, address, where)} if login.known_hosts else {}
    keys = login.password is None
    try:
        return manager.connect(
            host=address[0], port=address[1], username=login.user, password=login.password, timeout=login.timeout_s,
            hostkey_verify=True, allow_agent=keys, look_for_keys=keys, **known,
        )  # fmt: skip
    except (NCClientError, SSHException, OSError) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{where}: no session: {what}") from None


def _host_key(path: Path, address: tuple[str, int], where: str) -> str:
    """The key that a known_hosts file has for an address."""
    from paramiko import HostKeys

    keys = HostKeys()
    try:
        keys.load(str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a known_hosts file") from None
    host = address[0] if address[1] == 22 else f"[{address[0]}]:{address[1]}"
    found = keys.lookup(host)
    if not found:
        raise ConfigError(f"{where}: {path} has no key of {host}; add it (ssh-keyscan -p {address[1]} {address[0]})")
    best = min(found, key=lambda name: (_KEY_TYPES.index(name) if name in _KEY_TYPES else len(_KEY_TYPES), name))
    return str(found[best].get_base64())
