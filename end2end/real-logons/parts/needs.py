"""What the test needs of the machine, checked before anything starts."""

import os
import shutil
from pathlib import Path

TOOLS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "openssl": "openssl",
    "bash": "bash",
}
PROGRAMS = ("userlock", "userlock-agent")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def tool(name: str) -> str:
    """The absolute path of a program of the system (sshd insists on one)."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if not found:
        raise FileNotFoundError(name)
    return found


def bin_dir(here: Path) -> Path:
    if chosen := os.environ.get("USERLOCK_BIN_DIR"):
        return Path(chosen).resolve()
    root = here.parent.parent
    return Path(root, os.environ.get("CARGO_TARGET_DIR", "target"), "debug").resolve()


def missing(here: Path, *, programs: bool) -> list[str]:
    found = []
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        found.append("it must be run as root: it makes namespaces, and sshd and PAM need root")
    for name, package in TOOLS.items():
        try:
            tool(name)
        except FileNotFoundError:
            found.append(f"the program {name} is missing (package {package})")
    if not Path("/etc/pam.d/sshd").is_file():
        found.append("/etc/pam.d/sshd is missing: this OpenSSH server is not set up for PAM")
    if programs:
        folder = bin_dir(here)
        for name in PROGRAMS:
            if not os.access(folder / name, os.X_OK):
                found.append(f"{folder / name} is missing: build it, or set USERLOCK_BIN_DIR")
    return found
