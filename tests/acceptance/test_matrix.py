"""Every format with every delivery channel, over HTTP: what is refused, what ends with which error,
and of what succeeds that it is what another decoder sees."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Origin
from tests.heic import heic
from tests.pictures import FORMATS, difference, off, reference, smooth
from tests.sound_and_film import FILM, SOUND, made_by
from tests.stack import Customer, Json, Stack

CHANNELS = ("iiif-img", "thumbs", "iiif-av", "file")
IMAGE, AV, OTHER = ("iiif-img", "thumbs", "file"), ("iiif-av", "file"), ("file",)
FIT = {"image": IMAGE, "audio": AV, "video": AV}
"""The channels of each family of media types; of others, `OTHER`."""

SIZE, TURNED = (301, 200), (200, 301)
THUMBS = [100, 200, 301]
"""Longer sides of the thumbnails of such a picture."""

DAMAGED = "not an image that can be read: it is damaged or cut short"
UNKNOWN = "not an image that can be read: it is not in a supported image format"
NO_AV = "not sound or film that can be read: it is damaged or in an unknown format"

DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" width="301" height="200">
<rect width="301" height="200" fill="#fff"/><rect width="150" height="100" fill="#c33"/></svg>"""
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
RUBBISH = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"rubbish" * 100
TEXT = b"To be read as it is.\n" * 100


@dataclass(frozen=True)
class Kind:
    """A kind of file: its media type as it is sent, what is in it, and what processing says of it.

    `content` is bytes, what makes them in a folder, or a name of `tests/pictures.py` or
    `tests/sound_and_film.py`, which say how it is made; unset: its own name is one.
    """

    media_type: str
    content: str | bytes | Callable[[Path], bytes] | None = None
    size: tuple[int, int] | None = None
    seconds: int | None = None
    error: str | None = None


MATRIX: dict[str, Kind] = {
    "baseline.jpg": Kind("image/jpeg", size=SIZE),
    "progressive.jpg": Kind("image/jpeg", size=SIZE),
    "grey.jpg": Kind("image/jpeg", size=SIZE),
    "print.jpg": Kind("image/jpeg", size=SIZE),
    "turned-6.jpg": Kind("image/jpeg", size=TURNED),
    "bits.png": Kind("image/png", size=SIZE),
    "eight.png": Kind("image/png", size=SIZE),
    "sixteen.png": Kind("image/png", size=SIZE),
    "grey-16.png": Kind("image/png", size=SIZE),
    "clear.png": Kind("image/png", size=SIZE),
    "animated.gif": Kind("image/gif", size=SIZE),
    "strip.tif": Kind("image/tiff", size=SIZE),
    "tiles.tif": Kind("image/tiff", size=SIZE),
    "pyramid.tif": Kind("image/tiff", size=SIZE),
    "pages.tif": Kind("image/tiff", size=SIZE),
    "sixteen.tif": Kind("image/tiff", size=SIZE),
    "lzw.tif": Kind("image/tiff", size=SIZE),
    "fax.tif": Kind("image/tiff", size=SIZE),
    "web.webp": Kind("image/webp", size=SIZE),
    "book.jp2": Kind("image/jp2", size=SIZE),
    "photo.avif": Kind("image/avif", size=SIZE),
    "drawing.svg": Kind("image/svg+xml", DRAWING, size=SIZE),
    # HEVC, as phones write it: the libheif of pyvips' wheel is built without a decoder of it.
    "photo.heic": Kind("image/heic", heic, error="of a coding that is not supported, such as HEVC"),
    "rubbish.heic": Kind("image/heic", RUBBISH, error=DAMAGED),
    "tone.mp3": Kind("audio/mpeg", seconds=2),
    "tone.wav": Kind("audio/wav", seconds=2),
    "tone.flac": Kind("audio/flac", seconds=2),
    "film.mp4": Kind("video/mp4", size=(322, 240), seconds=2),
    "film.mov": Kind("video/quicktime", size=(322, 240), seconds=2),
    "page.pdf": Kind("application/pdf", PDF),
    "words.txt": Kind("text/plain", TEXT),
    # And what is not what it says it is. A picture may be in any format that is known.
    "png.jpg": Kind("image/jpeg", "eight.png", size=SIZE),
    "svg.jpg": Kind("image/jpeg", DRAWING, size=SIZE),
    "pdf.jpg": Kind("image/jpeg", PDF, error=UNKNOWN),
    "words.jpg": Kind("image/jpeg", TEXT, error=UNKNOWN),
    "mp4.jpg": Kind("image/jpeg", "film.mp4", error=UNKNOWN),
    "mp3.jpg": Kind("image/jpeg", "tone.mp3", error=UNKNOWN),
    "jpg.mp4": Kind("video/mp4", "baseline.jpg", error=NO_AV),
    "jpg.mp3": Kind("audio/mpeg", "baseline.jpg", error=NO_AV),
    "pdf.mp3": Kind("audio/mpeg", PDF, error=NO_AV),
    "words.mp4": Kind("video/mp4", TEXT, error=NO_AV),
    "mp3.mp4": Kind("video/mp4", "tone.mp3", error="no film in the file"),
    "silent.mp3": Kind("audio/mpeg", "silent.mp4", error="no sound in the file"),
    "film.mp3": Kind("audio/mpeg", "film.mp4", seconds=2),
    "jpg.txt": Kind("text/plain", "baseline.jpg"),
}


def content_of(name: str, folder: Path) -> bytes:
    """What is in a file of the matrix."""
    content = MATRIX[name].content
    if isinstance(content, bytes):
        return content
    if callable(content):
        return content(folder)
    made = content or name
    if made in FORMATS:
        FORMATS[made](smooth(), folder / made)
        return (folder / made).read_bytes()
    return made_by(made, (SOUND | FILM)[made], folder).read_bytes()


def channels(media_type: str) -> tuple[str, ...]:
    """Those that fit."""
    return FIT.get(media_type.partition("/")[0], OTHER)


PAIRS = [(name, channel) for name, kind in MATRIX.items() for channel in channels(kind.media_type)]


@dataclass
class Processed:
    """The customer after the batch of all pairs, and what the originals are."""

    customer: Customer
    folder: Path
    batch: Json
    contents: dict[str, bytes] = field(default_factory=dict)

    def asset(self, name: str, channel: str) -> Json:
        return self.customer.get(f"/spaces/1/images/{name}-{channel}")

    def derivatives(self, name: str, channel: str) -> list[Json]:
        said = self.customer.get(f"/spaces/1/images/{name}-{channel}/metadata")
        found: list[Json] = said["derivatives"]
        return found

    def stored(self, name: str) -> bytes:
        """The file that is kept unchanged."""
        store = self.customer.stack.data / "storage" / "file"
        return (store / f"{self.customer.id}/1/{name}-file").read_bytes()

    def seen(self, name: str) -> Image.Image:
        """What another decoder sees in the original."""
        if MATRIX[name].content is DRAWING:
            picture = Image.new("RGB", SIZE, "white")
            picture.paste("#c33", (0, 0, 150, 100))
            return picture
        return reference(self.folder / name)

    def picture(self, url: str, mode: str) -> Image.Image:
        response = self.customer.stack.client.get(url)
        assert response.status_code == 200, response.text
        with Image.open(io.BytesIO(response.content)) as opened:
            return opened.convert(mode)


def member(name: str, channel: str, url: str) -> Json:
    return {
        "id": f"{name}-{channel}",
        "space": 1,
        "mediaType": MATRIX[name].media_type,
        "origin": url,
        "deliveryChannels": [channel],
    }


@pytest.fixture(scope="module")
def processed(stack: Stack, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Processed:
    folder = tmp_path_factory.mktemp("originals")
    contents = {}
    for name in MATRIX:
        making = folder / f"making-{name}"
        making.mkdir()
        contents[name] = content_of(name, making)
        (folder / name).write_bytes(contents[name])
    urls = {name: origin.file(f"matrix-{name}", content) for name, content in contents.items()}
    customer = stack.customer("matrix")
    batch = customer.submit([member(name, channel, urls[name]) for name, channel in PAIRS])
    return Processed(customer, folder, customer.finished(batch), contents)


def test_what_does_not_fit_is_refused(customer: Customer, origin: Origin) -> None:
    misfits = [
        (name, channel)
        for name, kind in MATRIX.items()
        for channel in CHANNELS
        if channel not in channels(kind.media_type)
    ]
    members = [member(name, channel, origin.picture()) for name, channel in misfits]
    response = customer.post("/queue", {"member": members})
    assert response.status_code == 400
    for number, (name, channel) in enumerate(misfits, 1):
        said = f"'{channel}' is not a valid delivery channel for asset of type"
        assert f"member {number}: {said} '{MATRIX[name].media_type}'" in response.json()["detail"]


def test_it_ends_as_told(processed: Processed) -> None:
    failing = sum(MATRIX[name].error is not None and channel != "file" for name, channel in PAIRS)
    assert (processed.batch["completed"], processed.batch["errors"]) == (len(PAIRS), failing)


@pytest.mark.parametrize(("name", "channel"), PAIRS)
def test_each(processed: Processed, name: str, channel: str) -> None:
    kind, asset = MATRIX[name], processed.asset(name, channel)
    derivatives = processed.derivatives(name, channel)
    assert {made["channel"] for made in derivatives} <= {channel}
    if channel == "file":
        content = processed.contents[name]
        (made,) = derivatives
        assert made["sha256"] == hashlib.sha256(content).hexdigest()
        assert (made["bytes"], made["mediaType"]) == (len(content), kind.media_type)
        assert processed.stored(name) == content
        assert not {"error", "width", "height", "duration"} & asset.keys()
    elif kind.error is not None:
        assert kind.error in asset["error"]
        assert derivatives == []
        assert not {"width", "height", "duration", "imageService"} & asset.keys()
    elif channel == "iiif-av":
        assert asset["duration"] == pytest.approx(1000 * (kind.seconds or 0), abs=50)
        film = kind.size is not None
        assert (asset.get("width"), asset.get("height")) == (kind.size or (None, None))
        (made,) = derivatives
        assert made["mediaType"] == ("video/mp4" if film else "audio/mpeg")
        assert made["bytes"] > 1000
    else:
        assert (asset["width"], asset["height"]) == kind.size
        seen = processed.seen(name)
        assert seen.size == kind.size
        if channel == "iiif-img":
            (made,) = derivatives
            assert (made["width"], made["height"]) == kind.size
            shown = processed.picture(f"{asset['imageService']}/full/max/0/default.png", seen.mode)
            assert shown.size == kind.size
            assert difference(shown, seen) < off(name)
        else:
            assert sorted(max(made["width"], made["height"]) for made in derivatives) == THUMBS
            for made in derivatives:
                size = (made["width"], made["height"])
                url = f"{asset['thumbnailImageService']}/full/{size[0]},{size[1]}/0/default.jpg"
                shown = processed.picture(url, seen.mode)
                assert shown.size == size
                assert difference(shown, seen.resize(size)) < max(12, off(name))
