"""A program of the test: its log, its signals, its end."""

import os
import signal
import subprocess
import time
from pathlib import Path

from parts.network import at


class ProgramFailed(OSError):
    """A program that ended with an error. An OSError, so that waiting goes on."""


class Program:
    def __init__(self, name: str, node: str | None, command: list[str], logs: Path) -> None:
        self.name = name
        self.command = at(node, command)
        self.log = logs / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"--- started {time.strftime('%H:%M:%S')}: {' '.join(self.command)}\n".encode())
            log.flush()
            # nsenter becomes the program, so the process id is the program's.
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    def kill(self) -> None:
        """kill -9: no time to tidy up."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, seconds: float = 5) -> None:
        if not self.alive:
            return
        self.resume()
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


def run_once(name: str, node: str | None, command: list[str], logs: Path, seconds: float = 60) -> str:
    """A program that ends by itself; its standard output. What it says on standard error goes to its log."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        done = subprocess.run(
            at(node, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, timeout=seconds
        )
        log.write(done.stdout if done.returncode else b"")
    if done.returncode:
        raise ProgramFailed(f"{' '.join(command)} ended with {done.returncode}, see {name}.log")
    return done.stdout.decode()
