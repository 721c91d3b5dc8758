"""The lock on a data folder, and what is done about an owner that was killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from local.errors import EngineError, FolderInUse
from local.run import Addresses, own, read_run, write_run

ADDRESSES = Addresses("http://api", "http://ui", "host:1", "default", "postgresql:///x")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as process:
        yield process
        process.kill()


def written(data: Path, pid: int) -> None:
    write_run(data, ADDRESSES, dict.fromkeys(("postgres", "temporal", "worker", "api"), pid))


def test_a_second_owner_is_refused_with_folder_and_process(tmp_path: Path) -> None:
    refused = pytest.raises(FolderInUse, match=rf"{tmp_path}.* {os.getpid()}$")
    with own(tmp_path), refused, own(tmp_path):
        pass
    with own(tmp_path):
        pass


def test_run_json_is_private_and_read_back(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    run = write_run(tmp_path, ADDRESSES, {"postgres": 1, "temporal": 2, "worker": 3, "api": 4})
    assert read_run(tmp_path) == run
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["worker"] == 3
    assert content["supervisor"] == os.getpid()
    assert content["api_url"] == "http://api"


def test_a_spoilt_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(EngineError, match=r"run\.json is not readable"), own(tmp_path):
        pass


def test_what_a_killed_owner_left_is_ended(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    written(tmp_path, sleeper.pid)
    with own(tmp_path):
        assert sleeper.poll() is not None
        assert read_run(tmp_path) is None


def test_a_process_id_that_was_given_to_another_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    written(tmp_path, sleeper.pid)
    path = tmp_path / "run.json"
    content = json.loads(path.read_text())
    content["started"] = {name: began - 60 for name, began in content["started"].items()}
    path.write_text(json.dumps(content))
    with own(tmp_path):
        assert psutil.pid_exists(sleeper.pid)
        assert sleeper.poll() is None
