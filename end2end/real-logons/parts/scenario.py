"""The test: what people, administrators and the pair see while servers die and come back."""

from pathlib import Path

from parts.checks import Checks
from parts.ledger import Ledger
from parts.logons import Desk, Logon
from parts.machine import NAME, RESCUED, Machine
from parts.network import HUB, Network
from parts.self_check import reachable
from parts.zone import Server, Zone

KILLED = 1.0  # within how many seconds the hook answers when the Primary was killed
STOPPED = 2.0  # the same when it hangs
AT_ONCE = 0.25  # below the 300 ms after which the second server is asked: nobody waited for a dead one
GONE = 30.0  # until an agent has seen that a process is gone
HEALED = 30.0  # until both servers are equal again
LIVE = 3.0  # until an event is on both
BACK = 90.0  # until an agent has returned: three good probes, 10 s apart, with jitter


class Test:
    def __init__(self, checks: Checks, machine: Machine, work: Path, programs: Path) -> None:
        self.checks = checks
        self.zone = Zone(machine, work, programs)
        self.machine = machine
        self.primary, self.backup = self.zone.servers
        self.ledger = Ledger(Desk(machine.logs))

    def start(self) -> None:
        self.zone.start_servers()
        self.zone.start_agent()
        self.checks.within(10, "the agent is connected to the Primary", self.zone.agent_status, _on_primary)
        self.machine.hook(self.zone.hook)
        self.machine.start_sshd()
        reachable(self.checks)
        for server in self.zone.servers:
            self.checks.within(
                10, f"the {server.role} sees its peer up", server.state, lambda state: state["peer"]["state"] == "up"
            )

    # What is expected, in the words of the output.

    def everywhere(self, what: str, seconds: float = LIVE) -> None:
        for server in self.zone.servers:
            self.checks.within(
                seconds, f"{what}, at the {server.role}", server.users, lambda seen: seen == self.ledger.open()
            )

    def asked(self, user: str, admitted: bool, seconds: float, what: str, *, password: bool = False) -> Logon:
        logon, delay = self.ledger.log_on(user, password=password)
        self.checks.check(
            what, logon.admitted == admitted, logon.message or "no message", f"hook {delay * 1000:.0f} ms"
        )
        self.checks.check(f"... within {seconds:g} s", delay < seconds, f"{delay:.3f} s")
        return logon

    def healed(self) -> None:
        """One look at both servers for all of it, so that they do not agree on less than what happened."""
        what = "lists, held, digests and settings are equal, every logon, logoff and refusal is on both exactly once"
        self.checks.within(HEALED, what, self.differences, lambda found: not found)

    def differences(self) -> list[str]:
        found = [line for server in self.zone.servers for line in self.ledger.differences(server)]
        for name, (primary, backup) in self.zone.certificate().items():
            if primary != backup:
                found.append(f"{name}: {primary} at the primary, {backup} at the backup")
        return found

    def refused_in_events(self, user: str, reason: str) -> None:
        for server in self.zone.servers:
            self.checks.within(
                LIVE,
                f"the refusal of {user} and its reason are in the events of the {server.role}",
                lambda server=server: [e for e in server.events("denied") if e["user"] == user],
                lambda found: found and reason in str(found[-1]["payload"]["reason"]),
            )

    def primary_is_back(self) -> None:
        """The agent asks the Primary first again, so that its next death is felt."""
        self.checks.within(BACK, "the agent has returned to the Primary", self.zone.agent_status, _on_primary)


def _on_primary(status: dict[str, object]) -> bool:
    return status["connected"] is True and status["role"] == "primary"


def _pairs_equal(certificate: dict[str, list[object]]) -> bool:
    return all(one == other for one, other in certificate.values())


def run(checks: Checks, machine: Machine, _network: Network, work: Path, programs: Path) -> None:
    test = Test(checks, machine, work, programs)
    checks.say("Set up: a Primary, a Backup, an agent, a stock sshd")
    test.start()
    for step in (logon_and_logoff, killed_session, limit, killed, stopped, agent_killed, both_dead, offline_deny):
        checks.say(step.__doc__ or step.__name__)
        step(test)
    checks.say("The end")
    test.ledger.log_off_all()
    test.everywhere("nobody is logged on")
    test.healed()
    checks.within(LIVE, "nothing waits in the agent's spool", test.zone.agent_status, lambda told: told["waiting"] == 0)
    delays = test.ledger.delays
    checks.say(
        "What the hook added to a logon, median: "
        + ", ".join(
            f"{phase} {delays.median(phase) * 1000:.1f} ms" for phase in ("account", "open_session", "close_session")
        )
    )


def logon_and_logoff(test: Test) -> None:
    """A logon is an open session on both servers, its end closes it on both"""
    checks, ledger = test.checks, test.ledger
    alice = test.asked("alice", True, AT_ONCE, "alice logs on by ssh with a key")
    test.everywhere("alice has an open session")
    for server in test.zone.servers:
        session = (server.open_sessions() or [{}])[0]
        told = {name: session.get(name) for name in ("machine", "type", "state", "client_address")}
        expected = {"machine": NAME, "type": "terminal", "state": "open", "client_address": HUB}
        checks.check(f"with its machine, type, state and client, at the {server.role}", told == expected, session)
    bob = test.asked("bob", True, AT_ONCE, "bob logs on with a password", password=True)
    test.everywhere("bob has one too")
    for server in test.zone.servers:
        logons = [event for event in server.events("logon") if event["user"] in ("alice", "bob")]
        checks.check(
            f"each names the decision that admitted it, at the {server.role}",
            len(logons) == 2 and all(event["payload"].get("decision_id") for event in logons),
            logons,
        )
    ledger.log_off(alice)
    test.everywhere("the end of alice's session closes it")
    ledger.log_off(bob)
    test.everywhere("the end of bob's too")


def killed_session(test: Test) -> None:
    """The process of a session is killed: the session has ended, though PAM was never told"""
    grace = test.asked("grace", True, AT_ONCE, "grace logs on")
    test.everywhere("she has an open session")
    test.ledger.kill(grace)
    test.everywhere("the death of its process closes it", GONE)


def limit(test: Test) -> None:
    """With a limit of 1 the second logon is refused, and both servers know why"""
    rule = {"subject": {"kind": "user", "name": "alice"}, "limits": {"terminal": 1}}
    test.primary.api.post("/api/v1/protected-accounts", rule)
    test.checks.within(
        LIVE,
        "the Backup has the new settings",
        test.zone.certificate,
        lambda c: c["settings_revision"][0] == c["settings_revision"][1],
    )
    test.asked("alice", True, AT_ONCE, "alice's first logon is admitted")
    refused = test.asked("alice", False, AT_ONCE, "her second is refused")
    test.checks.check(
        "she is told why", "1 of 1 terminal" in refused.message and NAME in refused.message, refused.message
    )
    test.refused_in_events("alice", "1 of 1 terminal")
    test.asked("bob", True, AT_ONCE, "bob is not limited")
    test.everywhere("alice has one session and bob has one")


def killed(test: Test) -> None:
    """The Primary is killed with kill -9: the Backup goes on by the same rule"""
    test.primary.program.kill()
    test.asked("alice", False, KILLED, "alice's second logon is refused by the Backup")
    test.asked("carol", True, AT_ONCE, "carol is admitted, and does not wait")
    test.asked("alice", False, AT_ONCE, "alice is refused again, and does not wait")
    _on_backup_alone(test)
    alice = next(logon for logon in test.ledger.desk.logons if logon.user == "alice")
    test.ledger.log_off(alice)
    _backup_lists(test, "alice's session is closed on the Backup")
    test.asked("alice", True, AT_ONCE, "alice, logged off, is admitted again")
    _backup_lists(test, "and her new session is open on the Backup")
    test.checks.say("The Primary is started again")
    test.primary.start()
    test.healed()
    test.asked("alice", False, KILLED, "alice is still refused a second session")
    test.primary_is_back()


def _on_backup_alone(test: Test) -> None:
    test.checks.within(
        10, "the Backup sees the Primary down", test.backup.state, lambda state: state["peer"]["state"] == "down"
    )


def _backup_lists(test: Test, what: str) -> None:
    test.checks.within(LIVE, what, test.backup.users, lambda seen: seen == test.ledger.open())


def stopped(test: Test) -> None:
    """The Primary hangs (SIGSTOP): the Backup answers within 2 s"""
    test.primary.program.pause()
    dave = test.asked("dave", True, STOPPED, "dave is admitted")
    test.asked("alice", False, AT_ONCE, "alice is refused by the same rule, and does not wait")
    test.asked("carol", True, AT_ONCE, "carol is admitted, and does not wait")
    test.ledger.log_off(dave)
    _backup_lists(test, "who is logged on is on the Backup")
    test.checks.say("The Primary goes on (SIGCONT)")
    test.primary.program.resume()
    test.healed()
    test.primary_is_back()


def agent_killed(test: Test) -> None:
    """The agent is killed with kill -9 and started again: the sessions stay, nothing is told twice"""
    test.zone.agent.kill()
    unasked = test.ledger.desk.log_on("frank")
    test.checks.check("without the daemon frank is let in by the offline policy", unasked.admitted, unasked.message)
    test.ledger.desk.end(unasked)
    test.zone.agent.start()
    test.everywhere("the same people are logged on", 20)
    test.healed()


def both_dead(test: Test) -> None:
    """Both servers are dead: the offline policy decides, and it is reported later"""
    _kill_both(test)
    dave = test.asked("dave", True, STOPPED, "dave is admitted: the offline policy is allow")
    test.asked("carol", True, STOPPED, "carol too")
    test.ledger.log_off(dave)
    _start_both(test)
    for server in test.zone.servers:
        _offline_decisions(test, server, "dave", True)
    test.healed()


def offline_deny(test: Test) -> None:
    """The same with the offline policy deny"""
    test.primary.api.change("/api/v1/settings/general", offline_policy="deny")
    test.checks.within(LIVE, "the Backup has the new settings", test.zone.certificate, _pairs_equal)
    test.checks.within(
        40, "the agent knows the new policy", test.zone.agent_status, lambda told: told["offline_policy"] == "deny"
    )
    _kill_both(test)
    test.asked("dave", False, STOPPED, "dave is refused: the offline policy is deny")
    rescued = test.ledger.desk.log_on(RESCUED)
    test.ledger.logons[RESCUED] += 1
    test.checks.check("the rescue group gets in", rescued.admitted, rescued.message)
    _start_both(test)
    for server in test.zone.servers:
        _offline_decisions(test, server, "dave", False)
    test.healed()


def _kill_both(test: Test) -> None:
    for server in test.zone.servers:
        server.program.kill()


def _start_both(test: Test) -> None:
    test.checks.say("Both servers are started again")
    for server in test.zone.servers:
        server.start()


def _offline_decisions(test: Test, server: Server, user: str, allow: bool) -> None:
    test.checks.within(
        HEALED,
        f"the offline decision about {user} is reported to the {server.role}",
        lambda: [
            event
            for event in server.events("offline_decision")
            if event["user"] == user and event["payload"]["allow"] == allow
        ],
        lambda found: len(found) == 1,
    )
