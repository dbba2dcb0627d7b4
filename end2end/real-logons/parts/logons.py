"""Logons by the stock ssh client, each kept open until the test ends it."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from parts.machine import PASSWORD, STAGE
from parts.network import ADDRESSES

STAY = "echo logged-on; exec cat >/dev/null"
END_OF_INPUT = "\x04"
OPTIONS = {
    "UserKnownHostsFile": "/dev/null",
    "StrictHostKeyChecking": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ConnectTimeout": "20",
    "LogLevel": "INFO",
    "IdentityAgent": "none",
    "IdentitiesOnly": "yes",
    "NumberOfPasswordPrompts": "1",
}


@dataclass
class Logon:
    user: str
    process: subprocess.Popen[str]
    terminal: bool = False
    admitted: bool = False
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """What the person sees, without what ssh says by itself."""
        return "\n".join(line for line in self.said if "known hosts" not in line)

    @property
    def open(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """The person leaves: the remote command sees the end of its input."""
        assert self.process.stdin is not None
        if self.terminal:
            self.process.stdin.write(END_OF_INPUT)
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Desk:
    """Everybody who is logged on."""

    def __init__(self, logs: Path) -> None:
        self.log = logs / "ssh.log"
        self.logons: list[Logon] = []
        self.askpass = STAGE / "askpass"
        self.askpass.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n")
        self.askpass.chmod(0o755)

    def log_on(self, user: str, *, password: bool = False, terminal: bool = False, seconds: float = 30) -> Logon:
        """Returns when the logon is in or refused."""
        command = ["ssh", "-F", "/dev/null", "-tt" if terminal else "-T"]
        for name, value in OPTIONS.items():
            command += ["-o", f"{name}={value}"]
        environment = dict(os.environ)
        if password:
            command += ["-o", "PreferredAuthentications=keyboard-interactive"]
            environment |= {"SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force"}
        else:
            command += ["-o", "PreferredAuthentications=publickey", "-i", str(STAGE / "keys" / user)]
        command += [f"{user}@{ADDRESSES['desk']}", STAY]
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env=environment, start_new_session=True,
        )  # fmt: skip
        logon = Logon(user, process, terminal)
        threading.Thread(target=self._listen, args=(logon,), daemon=True).start()
        logon.admitted = self._answer(process, seconds)
        logon.seconds = time.monotonic() - started
        if logon.admitted:
            self.logons.append(logon)
        else:
            process.wait(5)
            time.sleep(0.05)  # the rest of its standard error
        return logon

    def _answer(self, process: subprocess.Popen[str], seconds: float) -> bool:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            return any(line.strip() == "logged-on" for line in iter(process.stdout.readline, ""))
        finally:
            timer.cancel()

    def _listen(self, logon: Logon) -> None:
        assert logon.process.stderr is not None
        for line in logon.process.stderr:
            logon.said.append(line.rstrip())
            with self.log.open("a") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {logon.user}: {line.rstrip()}\n")

    def end(self, *logons: Logon) -> None:
        for logon in logons:
            logon.end()
            self.logons.remove(logon)

    def end_all(self) -> None:
        self.end(*list(self.logons))
