"""Originals in buckets, on a real S3 server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.faults import AssetFault, OriginAway, OriginTooSlow
from activities.origin import OriginClient
from activities.origin_access import NO_ACCESS, Access, AccessKey
from settings import Settings
from tests.s3 import BUCKET, BUILD_S, S3, running_s3

pytestmark = pytest.mark.timeout(BUILD_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return server


async def fetched(url: str, into: Path, access: Access = NO_ACCESS, **more: Any) -> bytes:
    chosen = {"origin_s3_buckets": [BUCKET], "origin_timeout_s": 2, **more}
    async with OriginClient(Settings(**chosen)) as origins:
        found = await origins.fetch(url, into, access)
    assert found.size_bytes == into.stat().st_size
    return into.read_bytes()


@pytest.mark.parametrize("key", ["scan.tif", "a book/page 1.tif", "ü/100%.tif", "a?b#c.tif"])
async def test_an_object_is_fetched(s3: S3, tmp_path: Path, key: str) -> None:
    content = bytes(range(256)) * 20_000  # several parts
    (s3.folder / key).parent.mkdir(exist_ok=True)
    (s3.folder / key).write_bytes(content)
    assert await fetched(f"s3://{BUCKET}/{key}", tmp_path / "original") == content


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"s3://{BUCKET}/none.tif", "no such object"),
        (f"s3://{BUCKET}/", "no object in it"),
        (f"s3://{BUCKET}", "no object in it"),
        ("s3://another/scan.tif", "a bucket that may not be read"),
        (f"s3://{BUCKET}/empty.tif", "empty"),
        (f"s3://{BUCKET}/large.tif", "larger than 1,000 bytes"),
    ],
)
async def test_what_is_refused_is_the_assets_own(
    s3: S3, tmp_path: Path, url: str, words: str
) -> None:
    (s3.folder / "empty.tif").write_bytes(b"")
    (s3.folder / "large.tif").write_bytes(bytes(1001))
    with pytest.raises(AssetFault, match=words):
        await fetched(url, tmp_path / "original", origin_max_bytes=1000)
    assert not (tmp_path / "original").exists()


@pytest.mark.parametrize(
    "settings",
    [{"origin_min_rate": 10**12, "origin_min_rate_window_s": 1e-6}, {"origin_max_s": 1e-6}],
)
async def test_a_bucket_that_is_too_slow(s3: S3, tmp_path: Path, settings: dict[str, Any]) -> None:
    (s3.folder / "slow.tif").write_bytes(bytes(5_000_000))
    with pytest.raises(OriginTooSlow, match="The bucket of the origin sends too slowly"):
        await fetched(f"s3://{BUCKET}/slow.tif", tmp_path / "original", **settings)
    assert not (tmp_path / "original").exists()


async def test_wrong_credentials(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(AssetFault, match="does not give this object"):
        await fetched(f"s3://{BUCKET}/scan.tif", tmp_path / "original")


async def test_a_key_of_the_customers_own(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts alone: nothing of the platform's own credentials goes with it."""
    (s3.folder / "own.tif").write_bytes(b"original")
    own = AccessKey(s3.env["AWS_ACCESS_KEY_ID"], s3.env["AWS_SECRET_ACCESS_KEY"])
    url = f"s3://{BUCKET}/own.tif"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of a role")
    allowed: list[str] = []
    into = tmp_path / "original"
    for key in (own, replace(own, region="us-east-1")):
        assert await fetched(url, into, Access(key=key), origin_s3_buckets=allowed) == b"original"
    with pytest.raises(AssetFault, match="does not give this object"):
        await fetched(url, into, Access(key=replace(own, secret_access_key="wrong")))
    with pytest.raises(AssetFault, match="a bucket that may not be read"):
        await fetched(url, into, origin_s3_buckets=allowed)
    with pytest.raises(AssetFault, match="a bucket that may not be read"):
        await fetched("s3://../own.tif", into, Access(key=own))
    assert own.secret_access_key not in repr(Access(key=own))


async def test_a_bucket_that_is_away(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(OriginAway) as caught:
        await fetched(f"s3://{BUCKET}/scan.tif", tmp_path / "original")
    assert "127.0.0.1" not in str(caught.value)
