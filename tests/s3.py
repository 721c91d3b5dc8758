"""An S3 store on loopback: versitygw over a folder, as docker-compose.yml has it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.child import Child
from local.engine import running
from local.health import http_answers
from local.ports import free_port
from local.programs import go_install, go_program, kept

VERSION = "1.8.0"
MODULE = "github.com/versity/versitygw/cmd/versitygw"
BUCKET = "iiifq"
BUILD_S = 1200.0
"""What a test that may have to build it allows for that."""


@dataclass(frozen=True)
class S3:
    """A store, the folder that its bucket is, and what a client's environment needs for it."""

    url: str
    folder: Path
    env: Mapping[str, str]


def versitygw() -> Path:
    """The program, built at its first use; the test is skipped where Go is missing."""

    def build(folder: Path) -> Path:
        go = go_program()
        if go is None:
            pytest.skip("versitygw is not in the cache, and Go, which builds it, is not installed")
        return go_install(go, f"{MODULE}@v{VERSION}", "versitygw", folder)

    return kept(f"versitygw-{VERSION}", "versitygw", build)


@contextmanager
def running_s3(data: Path, port: int | None = None) -> Iterator[S3]:
    """A store over `data` for as long as the `with` lasts, with keys of its own."""
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    key, secret = "throwaway", "thrown-away-after-the-test"
    bucket = data / "buckets" / BUCKET
    bucket.mkdir(parents=True, exist_ok=True)
    child = Child(
        name="versitygw",
        argv=(
            *(str(versitygw()), "--port", address, "--health", "/health", "--quiet"),
            *("posix", str(bucket.parent)),
        ),
        env={"ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret},
        log=data / "versitygw.log",
        alive=lambda: http_answers(f"http://{address}/health"),
    )
    with running(child):
        yield S3(
            url=f"s3://{BUCKET}",
            folder=bucket,
            env={
                "AWS_ENDPOINT_URL": f"http://{address}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": key,
                "AWS_SECRET_ACCESS_KEY": secret,
            },
        )
