"""Proves the harness without UserLock: a stub stands where the documentation puts userlock-agent."""

from pathlib import Path

from parts.checks import Checks, wait_for
from parts.logons import Desk
from parts.machine import NAME, RESCUED, STAGE, Machine
from parts.network import ADDRESSES, HUB, Network
from parts.pam import Delays

STUB = """#!/bin/bash
echo "$PAM_TYPE $PAM_USER $PAM_SERVICE ${{PAM_RHOST:--}} ${{PAM_TTY:--}} $PPID $EUID $HOSTNAME" >> {stage}/calls
if [ "$PAM_TYPE" = account ] && grep -qx "$PAM_USER" {stage}/refuse; then
    echo "The stub refuses $PAM_USER."
    exit 1
fi
"""


def run(checks: Checks, machine: Machine, _network: Network, _work: Path, _programs: Path) -> None:
    stub = STAGE / "stub"
    stub.write_text(STUB.format(stage=STAGE))
    stub.chmod(0o755)
    (STAGE / "refuse").write_text("bob\nerin\n")
    machine.hook(str(stub))
    machine.start_sshd()
    desk = Desk(machine.logs)
    delays = Delays(STAGE)
    reachable(checks)

    alice = desk.log_on("alice")
    checks.check("alice is let in", alice.admitted, alice.message, f"{alice.seconds * 1000:.0f} ms")
    seen, _ = wait_for(2, lambda: _calls("alice"), lambda calls: len(calls) == 2)
    checks.check(
        "the hook sees account and open_session", [call[0] for call in seen] == ["account", "open_session"], seen
    )
    first = (_calls("alice") or [[""] * 8])[0]
    checks.check(
        "of the service sshd, from the client's address, as root", first[2:4] + first[6:7] == ["sshd", HUB, "0"]
    )
    checks.check("on a machine with a name of its own", first[7] == NAME, first)
    checks.check("the session stays open", alice.open)
    desk.end(alice)
    seen, closed = wait_for(2, lambda: _calls("alice"), lambda calls: len(calls) == 3)
    checks.check("its end is close_session", closed and closed[2][0] == "close_session", seen)
    checks.check("of the process that opened it", closed and closed[1][5] == closed[2][5])
    checks.check(
        "the phases are timed", [delay.phase for delay in delays.new()] == ["account", "open_session", "close_session"]
    )

    bob = desk.log_on("bob")
    checks.check("a non-zero exit in the account phase refuses bob", not bob.admitted and bob.process.returncode != 0)
    checks.check("who is told why", "The stub refuses bob." in bob.message, bob.message)
    checks.check("and no session is opened", [call[0] for call in _calls("bob")] == ["account"], _calls("bob"))
    checks.check("the refusal is timed", [(delay.user, delay.phase) for delay in delays.new()] == [("bob", "account")])

    rescued = desk.log_on(RESCUED)
    checks.check("the rescue group is not asked", rescued.admitted and "account" not in [c[0] for c in _calls(RESCUED)])
    carol = desk.log_on("carol", password=True)
    checks.check("a logon with a password passes the same hook", carol.admitted, _calls("carol"))
    dave = desk.log_on("dave", terminal=True)
    checks.check("so does a logon with a terminal", dave.admitted and len(_calls("dave")) == 2, _calls("dave"))
    desk.end_all()
    checks.within(2, "all sessions end", _unfinished, lambda number: number == 0)
    cost = delays.new() and delays.median("account")
    checks.check("a stub costs next to nothing", cost < 0.05, cost, f"median {cost * 1000:.1f} ms")


def reachable(checks: Checks) -> None:
    import socket

    def banner() -> bytes:
        with socket.create_connection((ADDRESSES["desk"], 22), 1) as connection:
            return connection.recv(4)

    checks.within(10, "sshd answers in its own network", banner, lambda said: said == b"SSH-")


def _calls(user: str) -> list[list[str]]:
    try:
        calls = [line.split() for line in (STAGE / "calls").read_text().splitlines()]
    except FileNotFoundError:
        return []
    return [call for call in calls if call[1] == user]


def _unfinished() -> int:
    types = [line.split()[0] for line in (STAGE / "calls").read_text().splitlines()]
    return types.count("open_session") - types.count("close_session")
