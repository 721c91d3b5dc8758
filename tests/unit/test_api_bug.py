"""A bug is answered with 500, and its traceback is in the log of the API process."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

PROGRAM = """
import sys
from fastapi import FastAPI
import api.main
from psycopg.errors import UndefinedTable
from settings import Settings

make_app = api.main.make_app

def with_a_bug(settings: Settings) -> FastAPI:
    app = make_app(settings)

    @app.get("/bug")
    async def fails() -> None:
        raise UndefinedTable("there is no such table")

    return app

api.main.make_app = with_a_bug
api.main.serve(Settings(), "127.0.0.1", int(sys.argv[1]))
"""


def test_a_bug_is_answered_and_logged(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        "IIIFQ_DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "IIIFQ_STORAGE_URL": tmp_path.as_uri(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with (tmp_path / "log").open("wb") as log:
        api = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)], stderr=log, env=env)
    try:
        answer = _answer(f"http://127.0.0.1:{port}/bug")
    finally:
        api.terminate()
        api.wait(20)
    assert answer.status_code == 500
    assert answer.json()["title"] == "Internal Server Error"
    assert "no such table" not in answer.text
    said = (tmp_path / "log").read_text()
    assert "Traceback (most recent call last)" in said
    assert "in fails" in said
    assert "UndefinedTable: there is no such table" in said


def _answer(url: str) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, timeout=10)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
