"""What the test must leave alone on the machine that runs it."""

import hashlib
import socket
from pathlib import Path

FILES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/nsswitch.conf", "/etc/hosts")
FOLDERS = ("/etc/pam.d", "/etc/ssh", "/home", "/run/userlock", "/run/netns", "/run/sshd", "/var/lib/userlock-agent")


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return error.__class__.__name__


def _listing(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {str(folder): "absent"}
    found = {str(folder): "present"}
    for path in sorted(folder.iterdir()):
        found[str(path)] = _content(path)
    return found


def snapshot() -> dict[str, str]:
    found = {path: _content(Path(path)) for path in FILES}
    for folder in FOLDERS:
        found |= _listing(Path(folder))
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found |= {f"mount {line.split()[4]} {line.split()[0]}": "mounted" for line in mounts}
    found |= {f"network interface {path.name}": "there" for path in Path("/sys/class/net").iterdir()}
    found["host name"] = socket.gethostname()
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    keys = sorted(before.keys() | after.keys())
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in keys
        if before.get(key) != after.get(key)
    ]
