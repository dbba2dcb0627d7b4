"""One line a check, waiting with a deadline, and the closing line."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
TAIL = 40


class Checks:
    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.passed = 0
        self.failed = 0

    def check(self, what: str, good: object, seen: object = None, note: str = "") -> bool:
        """`seen` is shown when it is not good, `note` when it is."""
        if good:
            self.passed += 1
            print(f"ok   {what}" + (f" ({note})" if note else ""), flush=True)
        else:
            self.fail(what, seen)
        return bool(good)

    def fail(self, what: str, seen: object = None) -> None:
        self.failed += 1
        print(f"FAIL {what}" + ("" if seen is None else f": {seen}"), flush=True)

    def within(self, seconds: float, what: str, look: Callable[[], T], good: Callable[[T], object]) -> T | None:
        """Looks again and again until it is good; a failure shows what was seen last."""
        started = time.monotonic()
        seen, taken = wait_for(seconds, look, good)
        if taken is None:
            self.fail(what, f"not within {seconds:g} s; last seen: {seen!r}")
            return None
        self.check(what, True, note=f"after {time.monotonic() - started:.2f} s")
        return taken

    def say(self, text: str) -> None:
        print(f"\n# {text}", flush=True)

    def close(self) -> int:
        if self.failed:
            self._tails()
        print(f"\n{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0

    def _tails(self) -> None:
        for log in sorted(self.logs.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            print(f"\n--- {log.name}, the last {min(TAIL, len(lines))} of {len(lines)} lines")
            print("\n".join(lines[-TAIL:]))


def wait_for(seconds: float, look: Callable[[], T], good: Callable[[T], object] = bool) -> tuple[object, T | None]:
    """What was seen last, and the same again if it was good in time. An error counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen: object = look()
            if good(seen):  # type: ignore[arg-type]
                return seen, seen  # type: ignore[return-value]
        except OSError as error:
            seen = error
        if time.monotonic() >= deadline:
            return seen, None
        time.sleep(0.1)
