"""The first process of the namespaces, and the test as its child."""

import os
import signal
import sys
import traceback
from pathlib import Path

from parts import needs
from parts.checks import Checks
from parts.machine import Machine
from parts.network import Network


def run(work: Path, here: Path, *, self_check: bool) -> int:
    """Process 1 only collects the dead (an agent must not take a zombie for a session) and passes the result on."""
    test = os.fork()
    if test == 0:
        os._exit(_test(work, here, self_check=self_check))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == test:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _test(work: Path, here: Path, *, self_check: bool) -> int:
    checks = Checks(work / "logs")
    machine = Machine(work, here)
    network = Network()
    try:
        machine.prepare()
        network.prepare()
        if self_check:
            from parts import self_check as scenario
        else:
            from parts import scenario
        scenario.run(checks, machine, network, work, needs.bin_dir(here))
    except KeyboardInterrupt:
        return 130
    except Exception:  # a broken harness is a failed run, with the logs shown as for any other
        traceback.print_exc()
        checks.fail("the test ran to its end", "see the trace above")
    finally:
        machine.stop_all()
    code = checks.close()
    sys.stdout.flush()
    return code
