"""An ssh server on loopback before each NETCONF server: python ssh_front.py SUBSYSTEM PASSWORD SOCKET...

Prints a line of known_hosts for each, in their order, then serves until it is ended.
"""

import asyncio
import getpass
import os
import sys
from contextlib import suppress

import asyncssh


class Front(asyncssh.SSHServer):
    """Lets in who knows the password."""

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return password == sys.argv[2]


async def open_front(key, sock):
    async def serve(process):
        environment = {**os.environ, "USER": getpass.getuser(), "SSH_CONNECTION": "127.0.0.1 50001 127.0.0.1 830"}
        inner = await asyncio.create_subprocess_exec(
            sys.argv[1], f"--ncxserver-sockname=830@{sock}", env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        with suppress(Exception):
            await process.redirect(stdin=inner.stdin, stdout=inner.stdout)
            await inner.wait()
        process.exit(0)

    return await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=Front, process_factory=serve, encoding=None
    )


async def main():
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode().strip()
    fronts = [await open_front(key, sock) for sock in sys.argv[3:]]
    for front in fronts:
        print(f"[127.0.0.1]:{front.get_port()} {public}", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main())
