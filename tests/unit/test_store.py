"""The store in a folder: keys that never meet, and readers that never see half."""

import asyncio
import shutil
from itertools import pairwise
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import GenericError

from activities.faults import AssetFault, DiskFull, StoreAway
from activities.keys import every_key, place
from activities.store import Store
from delivery_channels import THUMBS

IDS = [
    *("a", "A", "a.tif", "a.b", "...", "-", "é", "e\u0301", "日本" * 33, "x" * 200, "é" * 100),
    *("a%b", "a%25b", "a%2Fb", "%2F", "%2e%2e", "a#b", "a?b", "a:b", "a+b", "a&b", "a*b", "a~b"),
    *("a'b", 'a"b', "a<b", "a>b", "a|b", "a[b", "a{b", "a^b", "a`b", "100.jpg", "a=b;c", "a@b"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "two words" / "storage"


@pytest.fixture
def store(folder: Path) -> Store:
    return Store.from_url(folder.as_uri())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    path.write_bytes(b"derivative")
    return path


def files(folder: Path) -> dict[str, bytes]:
    """What is in the folder, by the path below it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_url_is_decoded(store: Store, folder: Path) -> None:
    assert "%20" in folder.as_uri()
    assert folder.is_dir()


@pytest.mark.parametrize("url", ["", "/folder", "file://host/folder", "ftp://x/y", "s3:///x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="storage URL"):
        Store.from_url(url)


async def test_a_derivative_is_put_replaced_and_deleted(
    store: Store, folder: Path, made: Path
) -> None:
    await store.put("thumbs/1/2/a/100.jpg", made)
    made.write_bytes(b"newer")
    await store.put("thumbs/1/2/a/100.jpg", made)
    assert files(folder) == {"thumbs/1/2/a/100.jpg": b"newer"}
    await store.delete(["thumbs/1/2/none.jpg", "thumbs/1/2/a/100.jpg", "thumbs/1/2/a/100.jpg"])
    assert files(folder) == {}


async def test_ids_never_meet(store: Store, folder: Path, made: Path) -> None:
    keys = sorted(key for each in IDS for key in every_key(1, 2, each))
    assert len(set(keys)) == len(IDS) * (5 + len(THUMBS))
    for key in keys:
        made.write_bytes(key.encode())
        await store.put(key, made)
    assert files(folder) == {key: key.encode() for key in keys}
    for each in IDS:
        below = f"thumbs/{place(1, 2, each)}"
        assert await store.under(below) == {key for key in keys if key.startswith(f"{below}/")}
    await store.delete(sorted(every_key(1, 2, "a")))
    assert set(files(folder)) == set(keys) - every_key(1, 2, "a")
    await store.delete(keys)
    assert files(folder) == {}


@pytest.mark.parametrize("asset_id", [".", "a#1"])
async def test_a_name_that_no_folder_can_hold(
    store: Store, folder: Path, made: Path, asset_id: str
) -> None:
    key = f"file/{place(1, 2, asset_id)}"
    with pytest.raises(AssetFault, match="cannot be used as a name"):
        await store.put(key, made)
    await store.delete([key])
    assert files(folder) == {}


async def test_no_reader_sees_half(store: Store, folder: Path, tmp_path: Path) -> None:
    versions = [tmp_path / "zero", tmp_path / "one"]
    for number, version in enumerate(versions):
        version.write_bytes(bytes([number]) * 20_000_000)
    await store.put("iiif-img/1/2/a.tif", versions[0])
    target = folder / "iiif-img/1/2/a.tif"
    seen: list[bytes] = []

    def read() -> None:
        content = target.read_bytes()
        assert len(content) == 20_000_000
        assert content[:1] == content[-1:]
        seen.append(content[:1])

    for version in (versions[1], versions[0]) * 3:
        putting = asyncio.ensure_future(store.put("iiif-img/1/2/a.tif", version))
        while not putting.done():
            await asyncio.to_thread(read)
        await putting
        await asyncio.to_thread(read)
    assert any(before != after for before, after in pairwise(seen))
    assert list(files(folder)) == ["iiif-img/1/2/a.tif"], "nothing staged is left"


async def test_a_folder_that_was_removed_is_made_again(
    store: Store, folder: Path, made: Path
) -> None:
    shutil.rmtree(folder)
    await store.delete(["file/1/2/a"])
    await store.put("file/1/2/a", made)
    assert files(folder) == {"file/1/2/a": b"derivative"}


async def test_a_store_that_is_away(store: Store, folder: Path, made: Path) -> None:
    folder.rmdir()
    folder.write_bytes(b"not a folder")  # root, who runs tests in CI, may write what is read-only
    with pytest.raises(StoreAway) as caught:
        await store.put("file/1/2/a", made)
    assert str(folder) not in str(caught.value)
    with pytest.raises(StoreAway):
        await store.delete(["file/1/2/a"])


async def test_a_full_store(store: Store, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise GenericError("Unable to write: No space left on device (os error 28)")

    monkeypatch.setattr(obstore, "put_async", full)
    with pytest.raises(DiskFull):
        await store.put("file/1/2/a", made)
