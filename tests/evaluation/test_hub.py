"""Data sets from the hub, by a server on this machine that speaks its protocol as far as a download needs it."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from zipfile import ZipFile

import pytest

ROWS = [{"input": "Who?", "answers": ["Anna"]}, {"input": "Where?", "answers": ["Rota"]}]
# Without `datasets`, whether it is installed or not.
READ = """
import json, sys
sys.modules["datasets"] = None
from lift.evaluation.benchmarks.hub import read_rows
print(json.dumps(list(read_rows("musique", None, hub=sys.argv[1]))))
"""
Read = Callable[[str, dict[str, bytes]], subprocess.CompletedProcess[str]]
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS)


class Hub(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/datasets/some/set/tree/main"):
            listed = [{"type": "file", "path": p, "size": len(d), "oid": "0"} for p, d in self.files.items()]
            self._answer(json.dumps(listed).encode())
        else:
            data = self.files.get(self.path.removeprefix("/datasets/some/set/resolve/main/"))
            self._answer(b"" if data is None else data, 404 if data is None else 200)

    def _answer(self, data: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """Reads the rows in a process whose hub is the server here."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        hub = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}", "HF_HUB_OFFLINE": "0"}

        def run(name: str, files: dict[str, bytes]) -> subprocess.CompletedProcess[str]:
            Hub.files = files
            command = [sys.executable, "-c", READ, name]
            environment = {**os.environ, **hub, "HF_HOME": str(tmp_path)}
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        yield run
        server.shutdown()


def archived(name: str) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr(name, LINES)
    return file.getvalue()


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": b"", "data/musique.jsonl": LINES.encode()},
        {"README.md": b"", "LongBench.py": b"", "data.zip": archived("data/musique.jsonl")},
    ],
    ids=["a file", "an archive"],
)
def test_a_file_wherever_it_lies(read: Read, files: dict[str, bytes]) -> None:
    done = read("some/set", files)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == ROWS


def test_no_file_and_no_datasets(read: Read) -> None:
    done = read("some/set", {"data/other.jsonl": b"", "data.zip": archived("other.jsonl")})
    assert "--data; or install the extra lift-llm[eval], which downloads it" in done.stderr


def test_no_such_set(read: Read) -> None:
    done = read("other/set", {})
    assert re.search(r"BenchmarkError: cannot download other/set \(musique\): .*404", done.stderr)
