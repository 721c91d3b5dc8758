"""Originals in folders that are allowed."""

from pathlib import Path

import pytest

from activities.faults import AssetFault
from activities.fetched import Fetched
from tests.unit.http_origin import fetch

pytestmark = pytest.mark.usefixtures("certificates")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that may be read, beside one that may not."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a scan é.jpg").write_bytes(b"original")
    (folder / "out.jpg").symlink_to("../outside/secret.jpg")
    (folder / "in.jpg").symlink_to("a scan é.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


@pytest.mark.parametrize(
    "url",
    [
        "file://{}/a%20scan%20%C3%A9.jpg",
        "file://{}/a scan é.jpg",
        "FILE://localhost{}/in.jpg",
        "file:{}/in.jpg",
    ],
)
async def test_a_file_of_an_allowed_folder(into: Path, root: Path, url: str) -> None:
    fetched = await fetch(url.format(root), into, origin_file_roots=[root])
    assert fetched == Fetched(into, 8, None)
    assert into.read_bytes() == b"original"


@pytest.mark.parametrize(
    "url",
    [
        *("file://{}", "file://{}/", "file://{}/missing.jpg", "file://{}/out.jpg"),
        *("file://{}/../outside/secret.jpg", "file://{}/%2e%2e/outside/secret.jpg"),
        *("file://{}/loop.jpg", "file://{}/in.jpg%00", "file://example.org{}/in.jpg", "file:"),
        *("file:///etc/passwd", "file:///dev/zero", "file://[{}", "file://{}/%ff", "file:in.jpg"),
    ],
)
async def test_other_files_are_refused(into: Path, root: Path, url: str) -> None:
    with pytest.raises(AssetFault, match=r"^The origin is a file outside the folders that may be"):
        await fetch(url.format(root), into, origin_file_roots=[root])


async def test_a_folder_beside_with_a_longer_name(into: Path, root: Path) -> None:
    beside = root.with_name("allowed-not")
    beside.mkdir()
    (beside / "x.jpg").write_bytes(b"secret")
    with pytest.raises(AssetFault, match="outside"):
        await fetch(f"file://{beside}/x.jpg", into, origin_file_roots=[root])


async def test_no_file_by_default(into: Path, root: Path) -> None:
    with pytest.raises(AssetFault, match="outside"):
        await fetch(f"file://{root}/in.jpg", into)


async def test_a_file_that_is_too_large_or_empty(into: Path, root: Path) -> None:
    with pytest.raises(AssetFault, match="larger than 7 bytes"):
        await fetch(f"file://{root}/in.jpg", into, origin_file_roots=[root], origin_max_bytes=7)
    (root / "empty.jpg").touch()
    with pytest.raises(AssetFault, match="empty"):
        await fetch(f"file://{root}/empty.jpg", into, origin_file_roots=[root])
