"""`up` with the real Postgres and Temporal, and stand-ins for our own programs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("postgres", "temporal", "worker", "api")

# `iiifq migrate`, `api` and `worker` as far as the supervisor is concerned.
PROGRAM = """
import http.server, os, socket, sys, time
if sys.argv[1] == "migrate":
    print(os.environ["IIIFQ_STORAGE_URL"], os.environ["IIIFQ_SCRATCH_FOLDER"])
elif sys.argv[1] == "worker":
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        while True:
            notify.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
            time.sleep(0.2)
else:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health/live" else 404)
            self.end_headers()
    port = sys.argv[sys.argv.index("--port") + 1]
    http.server.HTTPServer(("127.0.0.1", int(port)), Health).serve_forever()
"""
SUPERVISOR = """
import os, sys
from pathlib import Path
from local.up import up
from settings import Settings
data, program, ui_port = sys.argv[1:]
code = up(Path(data), Settings(), lambda run: print("ready", flush=True), port=0, temporal_port=0,
          ui_port=int(ui_port), program=(sys.executable, "-S", program))
os._exit(code)
"""


@dataclass
class Up:
    """A supervisor as a process of its own, on a data folder."""

    data: Path
    process: subprocess.Popen[str]

    def wait_ready(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", self.error()

    def run(self) -> dict[str, int]:
        """The parts' process ids."""
        content = json.loads((self.data / "run.json").read_text())
        return {part: content[part] for part in PARTS}

    def url(self) -> str:
        return str(json.loads((self.data / "run.json").read_text())["database_url"])

    def error(self) -> str:
        """What it said on stderr, once it has ended."""
        assert self.process.stderr
        return self.process.stderr.read()

    def stop(self) -> tuple[int, float]:
        """Its exit code after SIGTERM, and the seconds it took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(30), time.monotonic() - began


@contextmanager
def up(tmp_path: Path, ui_port: int = 0, broken: str = "") -> Iterator[Up]:
    data, program = tmp_path / "data", tmp_path / "iiifq.py"
    program.write_text(f"import sys; sys.argv[1] == {broken!r} and sys.exit('broken')\n{PROGRAM}")
    argv = [sys.executable, "-c", SUPERVISOR, str(data), str(program), str(ui_port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Up(data, process)
        finally:
            process.kill()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_from_start_to_an_orderly_stop(tmp_path: Path) -> None:
    with up(tmp_path) as first:
        first.wait_ready()
        run = first.run()
        with psycopg.connect(first.url()) as connection:
            connection.execute("CREATE TABLE mark ()")
        told = (first.data / "logs" / "migrate.log").read_text().split()
        assert told == [(first.data / "storage").as_uri(), str(first.data / "scratch")]

        with up(tmp_path) as second:
            assert second.process.wait(30) == 1
            assert f"{first.data} is in use" in (said := second.error())
            assert f"process {first.process.pid}" in said
        assert first.run() == run

        for part in PARTS:
            os.kill(run[part], signal.SIGKILL)
        until(lambda: not set(run.values()) & set(first.run().values()))
        until(lambda: answers(first.url()))
        with psycopg.connect(first.url()) as connection:
            connection.execute("INSERT INTO mark DEFAULT VALUES")
        run = first.run()

        code, seconds = first.stop()
        assert code == 0
        assert seconds < 10
        assert all(gone(pid) for pid in run.values())
        assert not (first.data / "run.json").exists()


def test_a_killed_supervisor_leaves_no_orphan_and_its_folder_is_taken_over(tmp_path: Path) -> None:
    with up(tmp_path) as killed:
        killed.wait_ready()
        run = killed.run()
        with psycopg.connect(killed.url()) as connection:
            connection.execute("CREATE TABLE mark ()")
        os.kill(run["temporal"], signal.SIGSTOP)
        killed.process.kill()
        if sys.platform == "linux":
            until(lambda: all(gone(pid) for pid in run.values()))
    with up(tmp_path) as after:
        after.wait_ready()
        assert not set(run.values()) & set(after.run().values())
        assert all(gone(pid) for pid in run.values())
        with psycopg.connect(after.url()) as connection:
            connection.execute("INSERT INTO mark DEFAULT VALUES")
        for _ in range(3):  # a second Ctrl-C does not break the stop
            after.process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        assert after.process.wait(10) == 0


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with up(tmp_path, ui_port=port) as refused:
            assert refused.process.wait(30) == 1
            assert f"port {port} of 127.0.0.1" in (said := refused.error())
            assert "--ui-port" in said
            assert not (refused.data / "postgres").exists()


@pytest.mark.parametrize("part", ["migrate", "worker"])
def test_a_part_that_does_not_start_ends_it_all(tmp_path: Path, part: str) -> None:
    with up(tmp_path, broken=part) as broken:
        assert broken.process.wait(60) == 1
        said = broken.error()
        assert f"{part} failed" in said
        assert "  broken" in said
        assert f"{part}.log" in said
        assert not (broken.data / "run.json").exists()
        assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info)]
