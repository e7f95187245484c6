"""A replay server in a process of its own, for the benchmarks that need a generator."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def replay_server(tasks: Path, *, slots: int, first_token: float, token: float) -> Iterator[str]:
    """The URL of a server that answers from recorded `tasks`.

    Args:
        slots: answers written at the same time.
        first_token, token: seconds to the first token, and for every token (four characters).
    """
    command = [sys.executable, "-m", "tests.replay_server", str(tasks.resolve()), "--slots", str(slots)]
    command += ["--first-token-seconds", str(first_token), "--token-seconds", str(token)]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield server.stdout.readline().strip()
    finally:
        server.communicate()
