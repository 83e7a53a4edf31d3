"""Ctrl-C held back until what is being done is finished and saved."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

_SAME_PRESS = 0.5  # seconds; a launcher may pass on the signal that the terminal has already sent


class CtrlC:
    """The first one is noted, the second one interrupts; both only between `hold_back` and `let_through`.

    Attributes:
        pressed: Whether there was one.
    """

    def __init__(self, speaks: bool) -> None:
        """Nothing is held back yet.

        Args:
            speaks: Whether this process says what it does about it.
        """
        self.pressed = False
        self._speaks = speaks
        self._when = 0.0
        self._before: Any = None

    def hold_back(self) -> None:
        """From now on; in the main thread, which alone may have such a handler."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)

    def let_through(self) -> None:
        """As it was before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.pressed:
            self.pressed, self._when = True, now
            if self._speaks:  # written past Python's buffers, which the signal may have come in the midst of
                os.write(2, b"\nInterrupted: this iteration is finished and saved. Ctrl-C again ends at once.\n")
        elif now - self._when > _SAME_PRESS:
            raise KeyboardInterrupt
