"""The protected zone of the test: the pair, set up as an administrator does it, and the agent."""

import json
import secrets
from pathlib import Path
from typing import Any

from parts.api import Api
from parts.checks import wait_for
from parts.machine import NAME, Machine
from parts.network import ADDRESSES
from parts.programs import Program, run_once

PORT = 8443
SOCKET = "/run/userlock/agent.sock"


class Server:
    """One server: its program and its interface."""

    def __init__(self, role: str, machine: Machine, work: Path, programs: Path) -> None:
        self.role = role
        self.userlock = str(programs / "userlock")
        self.folder = work / role
        self.folder.mkdir()
        self.config = self.folder / "userlock.toml"
        self.logs = machine.logs
        self.program = machine.add(
            Program(role, role, [self.userlock, "serve", "--config", str(self.config)], self.logs)
        )
        self.about: dict[str, Any] = {}
        self.api: Api

    def set_up(self, *more: str) -> dict[str, Any]:
        """`userlock setup`, without a browser; it tells how the server is reached and known."""
        command = [self.userlock, "setup", "--role", self.role, "--dir", str(self.folder / "data")]
        command += ["--listen", f"{ADDRESSES[self.role]}:{PORT}", "--config-out", str(self.config), *more]
        said = run_once(f"{self.role}-setup", self.role, command, self.logs)
        self.about = json.loads(said.splitlines()[-1])
        return self.about

    def connect(self, token: str) -> None:
        self.api = Api(self.about["url"], self.about["fingerprint"], token)

    def start(self) -> None:
        self.program.start()

    def state(self) -> dict[str, Any]:
        return self.api.get("/api/v1/server")

    def open_sessions(self) -> list[dict[str, Any]]:
        """What is not closed, on the machine of the test."""
        return self.api.pages("/api/v1/sessions", machine=NAME)

    def users(self) -> list[str]:
        return sorted(session["user"] for session in self.open_sessions())

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What the machine reported, oldest first."""
        found = self.api.pages("/api/v1/events")
        return [event for event in reversed(found) if event["machine"] == NAME and event["kind"] in kinds]


class Zone:
    def __init__(self, machine: Machine, work: Path, programs: Path) -> None:
        self.machine = machine
        self.work = work
        self.primary = Server("primary", machine, work, programs)
        self.backup = Server("backup", machine, work, programs)
        self.servers = (self.primary, self.backup)
        self.agent_program = str(programs / "userlock-agent")
        self.agent_folder = work / "agent"
        command = [self.agent_program, "daemon", "--state-dir", str(self.agent_folder), "--socket", SOCKET]
        self.agent = machine.add(Program("agent", "desk", command, machine.logs))
        self.hook = f"{self.agent_program} pam --socket {SOCKET}"

    def start_servers(self) -> None:
        """The Primary first: a Backup joins a Primary that runs."""
        password = self._secret("admin-password", secrets.token_urlsafe(18))
        told = self.primary.set_up("--admin-password-file", str(password))
        token = self._token()
        self.primary.connect(token)
        self.primary.start()
        _ready(self.primary)
        self.backup.set_up(
            "--primary", told["url"], "--account", "admin",
            "--password-file", str(password), "--fingerprint", told["fingerprint"],
        )  # fmt: skip
        self.backup.connect(token)
        self.backup.start()
        _ready(self.backup)

    def _token(self) -> str:
        """A token is a setting of the zone, so the Backup knows it too."""
        out = self.work / "token"
        command = [
            self.primary.userlock,
            "token",
            "--config",
            str(self.primary.config),
            "--name",
            "real-logons",
            "--out",
            str(out),
        ]
        run_once("primary-token", "primary", command, self.machine.logs)
        return out.read_text().strip()

    def start_agent(self) -> None:
        enrolment = self._secret("enrolment", self.primary.about["enrolment"])
        command = [self.agent_program, "enrol", "--string-file", str(enrolment), "--state-dir", str(self.agent_folder)]
        run_once("agent-enrol", "desk", command, self.machine.logs)
        self.agent.start()

    def agent_status(self) -> dict[str, Any]:
        """What `userlock-agent status` tells."""
        command = [self.agent_program, "status", "--json", "--socket", SOCKET]
        return json.loads(run_once("agent-status", "desk", command, self.machine.logs))

    def _secret(self, name: str, content: str) -> Path:
        path = self.work / name
        path.touch(mode=0o600)
        path.write_text(content + "\n")
        return path

    def certificate(self) -> dict[str, Any]:
        """What must be equal when both servers hold the same."""
        states = [server.state() for server in self.servers]
        names = ("held_digest", "state_digest", "settings_revision")
        return {
            "users": [server.users() for server in self.servers],
            "sessions": [sorted(str(s["key"]) for s in server.open_sessions()) for server in self.servers],
            **{name: [state[name] for state in states] for name in names},
        }


def _ready(server: Server) -> None:
    seen, ready = wait_for(20, lambda: server.api.call("GET", "/readyz"))
    if ready is None:
        raise RuntimeError(f"the {server.role} is not ready after 20 s: {seen}")
