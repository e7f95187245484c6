"""Runs a command that must not outlive lift: when this process's stdin closes, the command is ended.

    python -m lift.synthesis.backends.leash COMMAND ...

The pipe closes whenever the process at its other end is gone, also after kill -9.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Final

__all__: list[str] = []

# Seconds to end by itself before it is killed.
_GRACE: Final = 10


def _main(command: list[str]) -> int:
    try:
        # A group of its own: Ctrl-C in the terminal reaches lift alone, which ends its requests first.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201  # read by the backend
        return 127

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written: it returns when the pipe closes
        _end(child)

    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(_GRACE)
        finally:
            os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(_main(sys.argv[1:]))
