"""The machine's own /etc/pam.d/sshd with the lines that docs/AGENT-LINUX.md tells an administrator to add."""

import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALLED = "/usr/bin/userlock-agent pam"

STAMP = """#!/bin/bash
echo "$EPOCHREALTIME $1 $PPID $PAM_TYPE $PAM_USER" >> {stage}/stamps
"""


def documented(handbook: Path, kind: str) -> list[str]:
    """The lines of the block ```pam KIND of the documentation."""
    found = re.findall(rf"^```pam {kind}\n(.*?)^```", handbook.read_text(), re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise RuntimeError(f"{handbook} must have exactly one block 'pam {kind}', not {len(found)}")
    return [line for line in found[0].splitlines() if line.strip() and not line.startswith("#")]


def install(handbook: Path, stage: Path, command: str) -> None:
    stamp = stage / "stamp"
    stamp.write_text(STAMP.format(stage=stage))
    stamp.chmod(0o755)
    (stage / "stamps").touch()
    folder = stage / "pam.d"
    shutil.copytree("/etc/pam.d", folder)
    service = folder / "sshd"
    lines = [line for line in service.read_text().splitlines() if "userlock-agent" not in line]
    account = [*documented(handbook, "rescue"), *documented(handbook, "account")]
    lines = _after_last(lines, "account", _timed("account", _with(account, command), stamp))
    lines = _after_last(lines, "session", _timed("session", _with(documented(handbook, "session"), command), stamp))
    service.write_text("\n".join(lines) + "\n")
    subprocess.run(["mount", "--bind", str(folder), "/etc/pam.d"], check=True)


def _with(lines: list[str], command: str) -> list[str]:
    if not any(INSTALLED in line for line in lines):
        raise RuntimeError(f"no line of the documentation calls {INSTALLED}")
    return [line.replace(INSTALLED, command) for line in lines]


def _timed(kind: str, lines: list[str], stamp: Path) -> list[str]:
    """Two stamps before and one after: the first two tell what a stamp costs."""
    mark = f"{kind} optional pam_exec.so quiet {stamp}"
    return [f"{mark} a", f"{mark} b", *lines, f"{mark} c"]


def _after_last(lines: list[str], kind: str, added: list[str]) -> list[str]:
    places = [
        number
        for number, line in enumerate(lines)
        if re.match(rf"-?{kind}\s", line) or re.match(rf"@include\s+common-{kind}", line)
    ]
    if not places:
        raise RuntimeError(f"/etc/pam.d/sshd has no {kind} line")
    place = places[-1] + 1
    return lines[:place] + added + lines[place:]


@dataclass(frozen=True)
class Delay:
    """What the hook added to one phase of one logon."""

    user: str
    phase: str
    process: int
    seconds: float


class Delays:
    """Reads the stamps that the PAM stack wrote around the hook."""

    def __init__(self, stage: Path) -> None:
        self.path = stage / "stamps"
        self.seen = 0
        self.open: dict[tuple[str, str], dict[str, float]] = {}
        self.all: list[Delay] = []

    def new(self) -> list[Delay]:
        lines = self.path.read_text().splitlines()
        found = []
        for line in lines[self.seen :]:
            when, mark, process, phase, user = line.split(" ", 4)
            times = self.open.setdefault((process, phase), {})
            times[mark] = float(when)
            if mark == "c" and {"a", "b"} <= times.keys():
                stamp = times["b"] - times["a"]
                found.append(Delay(user, phase, int(process), max(0.0, times["c"] - times["b"] - stamp)))
                del self.open[(process, phase)]
        self.seen = len(lines)
        self.all += found
        return found

    def median(self, phase: str) -> float:
        return statistics.median([delay.seconds for delay in self.all if delay.phase == phase] or [0.0])
