"""The store in a bucket: the keys that a folder takes and more, and an S3 that is away."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import obstore
import pytest
from obstore.store import ObjectStore

from activities.faults import AssetFault, StoreAway
from activities.keys import every_key
from activities.store import Store
from local.ports import free_port
from storage import open_store
from tests.s3 import BUILD_S, S3, running_s3

pytestmark = pytest.mark.timeout(BUILD_S)

IDS = [
    *("a", "A", "a.tif", "a.b", "...", "-", "a b", "é", "e\u0301", "日本" * 20, "x" * 200),
    *("a%b", "a%25b", "a%2Fb", "%2e%2e", "a#b", "a#1", "a?b", "a:b", "a+b", "a&b", "a*b", "a~b"),
    *("a'b", 'a"b', "a<b", "a|b", "a[b", "a{b", "a^b", "a`b", "100.jpg", "a=b;c", "a@b"),
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


def use(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A place of the test's own."""
    use(s3, monkeypatch)
    return f"{s3.url}/{request.node.name}"


@pytest.fixture
def store(bucket: str) -> Store:
    return Store.from_url(bucket)


@pytest.fixture
def reader(bucket: str) -> ObjectStore:
    """The same place as the API reads it."""
    return open_store(bucket)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    path.write_bytes(b"derivative")
    return path


def keys(reader: ObjectStore) -> set[str]:
    return {meta["path"] for page in obstore.list(reader) for meta in page}


async def read(reader: ObjectStore, key: str) -> bytes:
    return bytes(await (await obstore.get_async(reader, key)).bytes_async())


async def test_a_derivative_is_put_replaced_and_deleted(
    store: Store, reader: ObjectStore, made: Path
) -> None:
    key = "thumbs/1/2/a/100.jpg"
    await store.put(key, made)
    made.write_bytes(b"newer")
    await store.put(key, made)
    assert await read(reader, key) == b"newer"
    await store.delete(["thumbs/1/2/none.jpg", key, key])
    assert keys(reader) == set()


async def test_ids_never_meet(store: Store, reader: ObjectStore, made: Path) -> None:
    wanted = sorted({key for each in IDS for key in every_key(1, 2, each)})
    for key in wanted:
        made.write_bytes(key.encode())
        await store.put(key, made)
    assert keys(reader) == set(wanted)
    for each in IDS:
        below = f"thumbs/1/2/{each}"
        assert await store.under(below) == {key for key in wanted if key.startswith(f"{below}/")}
    for key in wanted:
        assert await read(reader, key) == key.encode()
    await store.delete(wanted)
    assert keys(reader) == set()


async def test_a_single_dot_is_no_name(store: Store, reader: ObjectStore, made: Path) -> None:
    with pytest.raises(AssetFault, match="cannot be used as a name"):
        await store.put("file/1/2/.", made)
    await store.delete(["file/1/2/."])
    assert keys(reader) == set()


async def test_no_reader_sees_half(store: Store, reader: ObjectStore, tmp_path: Path) -> None:
    versions = [tmp_path / "zero", tmp_path / "one"]
    for number, version in enumerate(versions):
        version.write_bytes(bytes([number]) * 20_000_000)  # in several parts
    key = "iiif-img/1/2/a.tif"
    await store.put(key, versions[0])
    seen: list[bytes] = []
    for version in (versions[1], versions[0]) * 2:
        putting = asyncio.ensure_future(store.put(key, version))
        while not putting.done():
            content = await read(reader, key)
            assert content == content[:1] * 20_000_000
            seen.append(content[:1])
        await putting
        seen.append((await read(reader, key))[:1])
    assert any(before != after for before, after in pairwise(seen))
    assert keys(reader) == {key}, "nothing staged is left"


async def test_wrong_credentials(bucket: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    store = Store.from_url(bucket)
    with pytest.raises(StoreAway) as caught:
        await store.put("file/1/2/a", made)
    assert "127.0.0.1" not in str(caught.value)


async def test_a_store_that_is_away_and_comes_back(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with running_s3(tmp_path / "s3", port) as s3:
        use(s3, monkeypatch)
        store = Store.from_url(s3.url)
        await store.put("file/1/2/a", made)
    with pytest.raises(StoreAway):
        await store.put("file/1/2/b", made)
    with pytest.raises(StoreAway):
        await store.delete(["file/1/2/a"])
    with running_s3(tmp_path / "s3", port) as s3:
        await store.put("file/1/2/b", made)
        assert keys(open_store(s3.url)) == {"file/1/2/a", "file/1/2/b"}
