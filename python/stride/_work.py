"""What long work has around it: a progress bar, and an end at the next step when somebody presses Ctrl-C."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Optional, Union

from .errors import Interrupted

Progress = Union[None, bool, Callable[[int, int, str], Any]]


_running: "set[Work]" = set()


def _leave() -> None:
    """Before the interpreter ends, work on other threads does: a thread that came back to it later would not survive."""
    for work in list(_running):
        work.leaving = work.stopped = True
    deadline = time.monotonic() + 10
    while _running and time.monotonic() < deadline:
        time.sleep(0.01)


atexit.register(_leave)


class Work:
    """Used as a context; an instance is the `progress` that the extension calls at every step.

    The first Ctrl-C asks the work to stop at its next step, the second ends it at once. Only in the main thread, and
    only where nobody else handles the signal, does it do so.
    """

    def __init__(self, what: str, progress: Progress = None) -> None:
        self.stopped = self.leaving = False
        self._asked = progress if callable(progress) else None
        self._bar = None if callable(progress) or progress is False else _bar(what, progress)
        self._mine = False

    def __enter__(self) -> "Work":
        _running.add(self)
        if threading.current_thread() is threading.main_thread() and \
                signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupted)
            self._mine = True
        return self

    def __exit__(self, *_: object) -> None:
        _running.discard(self)
        if self._mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, note: str) -> bool:
        if self._bar is not None:
            if total != self._bar.total:
                self._bar.reset(total=total)
            self._bar.update(done - self._bar.n)
        if self._asked is not None and self._asked(done, total, note) is False:
            self.stopped = True
        return not self.stopped

    def end(self, message: str, partial: Any) -> BaseException:
        """What is raised where the work was stopped."""
        return SystemExit() if self.leaving else Interrupted(message, partial)

    def _interrupted(self, _signal: int, _frame: Optional[FrameType]) -> None:
        self.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _bar(what: str, progress: Optional[bool]) -> Any:
    """tqdm's, where it is there; by default only where somebody looks."""
    if progress is None and not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=0, desc=what, leave=False)
