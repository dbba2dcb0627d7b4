"""A network of its own: the two servers and the machine, each a namespace, joined by a bridge."""

import subprocess
from pathlib import Path

ADDRESSES = {"primary": "10.77.0.1", "backup": "10.77.0.2", "desk": "10.77.0.3"}
HUB = "10.77.0.254"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class Network:
    """The test itself, and the ssh clients, live at the hub."""

    def prepare(self) -> None:
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "hub", "type", "bridge")
        _ip("addr", "add", f"{HUB}/24", "dev", "hub")
        _ip("link", "set", "hub", "up")
        for node, address in ADDRESSES.items():
            _ip("netns", "add", node)
            _ip("link", "add", f"to-{node}", "type", "veth", "peer", "name", "eth0", "netns", node)
            _ip("link", "set", f"to-{node}", "master", "hub")
            _ip("link", "set", f"to-{node}", "up")
            for arguments in (
                ("addr", "add", f"{address}/24", "dev", "eth0"),
                ("link", "set", "lo", "up"),
                ("link", "set", "eth0", "up"),
            ):
                _ip("-n", node, *arguments)

    def cut(self, node: str) -> None:
        _ip("link", "set", f"to-{node}", "down")

    def join(self, node: str) -> None:
        _ip("link", "set", f"to-{node}", "up")


def at(node: str | None, command: list[str]) -> list[str]:
    """The command, run in the network of a node."""
    if node is None:
        return command
    return ["nsenter", f"--net={Path('/run/netns', node)}", *command]
