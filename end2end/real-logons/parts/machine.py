"""The machine that people log on to: its users, its PAM files, its sshd. All of it is mounted over the real one."""

import os
import re
import socket
import subprocess
from pathlib import Path

from parts import pam
from parts.needs import tool
from parts.network import ADDRESSES
from parts.programs import Program

NAME = "desk-014"
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
PASSWORD = "correct horse battery staple"  # of people who exist for a minute
RESCUE_GROUP = "userlock-rescue"
RESCUED = "erin"
STAGE = Path("/run/real-logons")


class Machine:
    def __init__(self, work: Path, here: Path) -> None:
        self.work = work
        self.logs = work / "logs"
        self.handbook = here.parent.parent / "docs" / "AGENT-LINUX.md"
        self.sshd: Program | None = None
        self.programs: list[Program] = []

    def prepare(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        socket.sethostname(NAME)
        for folder in ("/run", "/home", "/var/log"):
            _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", "/dev/pts")
        if Path("/dev/ptmx").exists():
            _mount("--bind", "/dev/pts/ptmx", "/dev/ptmx")
        for folder in (STAGE, STAGE / "keys", STAGE / "etc", Path("/run/sshd"), Path("/run/userlock")):
            folder.mkdir(parents=True, exist_ok=True)
        for record in ("/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"):
            Path(record).touch()
        self._users()
        self._keys()

    def _users(self) -> None:
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout.strip()
        passwd = ["root:x:0:0:root:/root:/bin/bash", "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin"]
        passwd += ["sshd:x:110:65534::/run/sshd:/usr/sbin/nologin"]
        shadow = ["root:*:19000:0:99999:7:::", "nobody:*:19000:0:99999:7:::", "sshd:!:19000::::::"]
        group = ["root:x:0:", "tty:x:5:", "shadow:x:42:", "nogroup:x:65534:"]
        group += [f"{RESCUE_GROUP}:x:999:{RESCUED}"]
        for number, user in enumerate(USERS, start=2001):
            passwd.append(f"{user}:x:{number}:{number}:{user.title()}:/home/{user}:/bin/bash")
            shadow.append(f"{user}:{hashed}:19000:0:99999:7:::")
            group.append(f"{user}:x:{number}:")
            home = Path("/home", user)
            home.mkdir()
            os.chown(home, number, number)
        self._replace("/etc/passwd", passwd)
        self._replace("/etc/group", group)
        self._replace("/etc/shadow", shadow, mode=0o600)
        if Path("/etc/gshadow").exists():
            self._replace(
                "/etc/gshadow", [f"{line.split(':')[0]}:*::{line.split(':')[3]}" for line in group], mode=0o600
            )
        if Path("/etc/nsswitch.conf").exists():
            names = ("passwd", "group", "shadow", "gshadow", "hosts")
            self._replace("/etc/nsswitch.conf", [f"{name}: files" for name in names])

    def _replace(self, path: str, lines: list[str], mode: int = 0o644) -> None:
        copy = STAGE / "etc" / Path(path).name
        copy.write_text("\n".join(lines) + "\n")
        copy.chmod(mode)
        _mount("--bind", str(copy), path)

    def _keys(self) -> None:
        for name in ("host", *USERS):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(STAGE / "keys" / name)],
                check=True,
            )

    def hook(self, command: str) -> None:
        """Sets up PAM as the documentation says, with this command in place of the installed one."""
        pam.install(self.handbook, STAGE, command)

    def start_sshd(self) -> None:
        config = STAGE / "sshd_config"
        lines = [
            f"ListenAddress {ADDRESSES['desk']}",
            f"HostKey {STAGE}/keys/host",
            f"AuthorizedKeysFile {STAGE}/keys/%u.pub",
            "PidFile none",
            "StrictModes no",
            "UsePAM yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication yes",
            "UseDNS no",
            "MaxStartups 100",
            "LogLevel VERBOSE",
        ]
        if _openssh_version() >= (9, 8):
            lines.append("PerSourcePenalties no")
        config.write_text("\n".join(lines) + "\n")
        self.sshd = self.add(Program("sshd", "desk", [tool("sshd"), "-D", "-e", "-f", str(config)], self.logs))
        self.sshd.start()

    def add(self, program: Program) -> Program:
        self.programs.append(program)
        return program

    def stop_all(self) -> None:
        for program in reversed(self.programs):
            program.stop()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _openssh_version() -> tuple[int, int]:
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
