"""The test's own book of who logged on and off, to hold against what each server says."""

import os
import signal
from collections import Counter
from typing import Any

from parts.logons import Desk, Logon
from parts.machine import STAGE
from parts.pam import Delay, Delays
from parts.zone import Server


class Ledger:
    """Logs people on and off and writes it down."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.delays = Delays(STAGE)
        self.logons: Counter[str] = Counter()
        self.logoffs: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.killed: set[str] = set()

    def log_on(self, user: str, *, password: bool = False) -> tuple[Logon, float]:
        """The logon, and what the hook added to its account phase in seconds."""
        self.delays.new()
        logon = self.desk.log_on(user, password=password)
        (self.logons if logon.admitted else self.refusals)[user] += 1
        return logon, self._asked(user)

    def _asked(self, user: str) -> float:
        new: list[Delay] = [delay for delay in self.delays.new() if delay.user == user and delay.phase == "account"]
        if len(new) != 1:
            raise RuntimeError(f"the account phase of {user} ran {len(new)} times")
        return new[0].seconds

    def log_off(self, *logons: Logon) -> None:
        for logon in logons:
            self.desk.end(logon)
            self.logoffs[logon.user] += 1

    def kill(self, logon: Logon) -> None:
        """The sshd that holds the session dies without a word: PAM never says close_session."""
        self.delays.new()
        opened = [d for d in self.delays.all if d.user == logon.user and d.phase == "open_session"]
        os.kill(opened[-1].process, signal.SIGKILL)
        self.desk.logons.remove(logon)
        self.logoffs[logon.user] += 1
        self.killed.add(logon.user)

    def log_off_all(self) -> None:
        self.log_off(*list(self.desk.logons))

    def open(self) -> list[str]:
        return sorted((self.logons - self.logoffs).elements())

    def differences(self, server: Server) -> list[str]:
        """Nothing, when every logon, logoff and refusal is there exactly once."""
        found = []
        seen = server.events("logon", "logoff", "denied")
        doubled = [name for name, times in Counter(identity(event) for event in seen).items() if times > 1]
        found += [f"the {server.role} has {name} twice" for name in doubled]
        logons = [event for event in seen if event["kind"] == "logon"]
        users = {session_of(event): event["user"] for event in logons}
        found += _compare(server, "logons", self.logons, [event["user"] for event in logons])
        logoffs = [event for event in seen if event["kind"] == "logoff"]
        ended = [users.get(session_of(event), "nobody") for event in logoffs]
        # A process that was killed has ended its session, and may or may not be told as a logoff.
        told = [user for user in ended if user not in self.killed]
        made = Counter({user: times for user, times in self.logoffs.items() if user not in self.killed})
        found += _compare(server, "logoffs", made, told)
        refused = [event["user"] for event in seen if event["kind"] == "denied"]
        found += _compare(server, "refusals", self.refusals, refused)
        if server.users() != self.open():
            found.append(f"the {server.role} lists {server.users()}, logged on are {self.open()}")
        return found


def identity(event: dict[str, Any]) -> str:
    return str(event["id"])


def session_of(event: dict[str, Any]) -> tuple[object, object]:
    return event["payload"]["boot"], event["payload"]["logon"]


def _compare(server: Server, what: str, made: Counter[str], told: list[str]) -> list[str]:
    times = Counter(told)
    return [
        f"{what} of {user}: {made[user]} made, {times[user]} at the {server.role}"
        for user in sorted(made.keys() | times.keys())
        if made[user] != times[user]
    ]
