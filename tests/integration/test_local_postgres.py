"""The embedded Postgres through the bad days of its folder."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from local.child import start, stop
from local.engine import postgres
from local.errors import ChildFailed
from local.postgres import clear, socket_folder
from local.postgres import postgres as postgres_child


def pid_of(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def add(url: str) -> int:
    """Adds a row, and counts them all."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS mark (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO mark DEFAULT VALUES")
        row = connection.execute("SELECT count(*) FROM mark").fetchone()
    assert row
    return int(row[0])


def test_data_is_kept_over_stop_and_kill(tmp_path: Path) -> None:
    data = tmp_path / "a folder, with a comma & more"
    with postgres(data) as url:
        assert add(url) == 1
        assert (data / "postgres").stat().st_mode & 0o077 == 0
    with postgres(data) as url:
        assert add(url) == 2
        with closing(psycopg.connect(url)):  # a session outlives its postmaster for a moment
            os.kill(pid_of(data), signal.SIGKILL)
            with postgres(data) as again:
                assert add(again) == 3


def test_a_pid_file_that_names_another_program_does_not_matter(tmp_path: Path) -> None:
    with postgres(tmp_path) as url:
        add(url)
        pid_file = (tmp_path / "postgres" / "postmaster.pid").read_text()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        stale = pid_file.replace(pid_file.split()[0], str(other.pid), 1)
        (tmp_path / "postgres" / "postmaster.pid").write_text(stale)
        with postgres(tmp_path) as url:
            assert add(url) == 2
        assert other.poll() is None
        other.kill()


def test_a_leftover_postmaster_is_ended_even_when_stopped(tmp_path: Path) -> None:
    with postgres(tmp_path) as url:
        add(url)
    child = postgres_child(tmp_path)
    left = start(child)
    try:
        left.send_signal(signal.SIGSTOP)
        clear(tmp_path)
        with postgres(tmp_path) as url:
            assert add(url) == 2
    finally:
        stop(child, left)


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30)
    assert not socket_folder(data).is_relative_to(data)
    with postgres(data) as url:
        assert add(url) == 1
        assert socket_folder(data).stat().st_mode & 0o777 == 0o700


def test_an_unfinished_initdb_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with postgres(tmp_path) as url:
        assert add(url) == 1
    assert not unfinished.exists()


def test_a_start_that_fails_quotes_the_log(tmp_path: Path) -> None:
    with postgres(tmp_path):
        pass
    (tmp_path / "postgres" / "global" / "pg_control").unlink()
    quoted = pytest.raises(ChildFailed, match=r"(?s)postgres .*postgres\.log.*pg_control")
    with quoted, postgres(tmp_path):
        pass
