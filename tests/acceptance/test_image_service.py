"""Image services over HTTP: the official validator, and what it does not look at."""

import io
import json
import sys
import types
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.conftest import Origin
from tests.stack import Customer, Stack

try:
    import magic  # noqa: F401 - needs libmagic, which a machine may lack
except ImportError:
    # The validator imports it for formats beyond level 2, and asks it nothing below.
    sys.modules["magic"] = types.ModuleType("magic")
from iiif_validator import validator  # type: ignore[import-untyped]
from iiif_validator.validator import (  # type: ignore[import-untyped]
    ImageAPI,
    ValidationInfo,
)

SUITE = validator.TestSuite(ValidationInfo())
LEVEL_2 = sorted(name for name, said in SUITE.list_tests("3.0").items() if said["level"] <= 2)
# Wants !2000,3000 of 1000 x 1000 pixels refused, which section 4.2 answers with all of them.
AGAINST_THE_STANDARD = "size_noup"
BEYOND: tuple[str, ...] = ("quality_bitonal", "rot_mirror", "rot_mirror_180", "size_up")
BEYOND += ("linkheader_canonical", "linkheader_profile")


@dataclass(frozen=True)
class Service:
    """An image service, and what it shows."""

    customer: Customer
    url: str
    source: Image.Image

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.customer.stack.client.get(f"{self.url}/{path}", headers=headers)

    def picture(self, path: str) -> Image.Image:
        response = self.get(path)
        assert response.status_code == 200, response.text
        with Image.open(io.BytesIO(response.content)) as opened:
            return opened.copy()


@pytest.fixture(scope="module")
def service(stack: Stack, origin: Origin) -> Service:
    """The validator's picture, of a hundred squares, through the queue."""
    source = Image.new("RGB", (1000, 1000))
    draw = ImageDraw.Draw(source)
    for x, column in enumerate(ValidationInfo().colorInfo):
        for y, colour in enumerate(column):
            draw.rectangle((x * 100, y * 100, x * 100 + 99, y * 100 + 99), tuple(colour))
    made = io.BytesIO()
    source.save(made, "png")
    customer = stack.customer("images")
    member = {
        "id": "67352ccc-d1b0-11e1-89ae-279075081939",
        "space": 1,
        "origin": origin.file("squares.png", made.getvalue()),
        "mediaType": "image/png",
    }
    assert customer.finished(customer.submit([member]))["errors"] == 0
    asset = customer.get(f"/spaces/1/images/{member['id']}")
    return Service(customer, asset["imageService"], source)


@pytest.mark.parametrize("name", sorted({*LEVEL_2, *BEYOND} - {AGAINST_THE_STANDARD}))
def test_the_official_validator(service: Service, name: str) -> None:
    parts = urlsplit(service.url)
    prefix, _, identifier = parts.path.lstrip("/").rpartition("/")
    result = ImageAPI(identifier, parts.netloc, prefix, "http", "", "3.0", debug=False)
    SUITE.run_test(name, result)
    assert result.exception is None, f"{result.exception} {result.urls}"
    assert result.tests


@pytest.mark.parametrize("size", ["1500,1500", ",1500", "1500,", "pct:200"])
def test_nothing_is_enlarged_unasked(service: Service, size: str) -> None:
    assert service.get(f"full/{size}/0/default.jpg").status_code == 400
    assert service.picture("full/!2000,3000/0/default.jpg").size == (1000, 1000)


def colour(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = picture.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 8 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("path", "size", "at", "wanted"),
    [
        # Where a pixel of the answer is from in the source.
        ("200,300,100,100/max/0/default.jpg", (100, 100), (50, 50), (250, 350)),
        ("pct:20,30,10,20/max/0/default.png", (100, 200), (50, 150), (250, 450)),
        ("950,950,500,500/max/0/default.jpg", (50, 50), (25, 25), (975, 975)),
        ("full/100,/0/default.jpg", (100, 100), (25, 35), (250, 350)),
        ("full/!400,100/0/color.jpg", (100, 100), (95, 5), (950, 50)),
        ("full/pct:50/0/default.jpg", (500, 500), (475, 25), (950, 50)),
        ("200,300,200,100/^400,/0/default.jpg", (400, 200), (350, 100), (375, 350)),
        ("200,300,200,100/max/90/default.jpg", (100, 200), (50, 50), (250, 350)),
        ("200,300,200,100/max/!0/default.jpg", (200, 100), (50, 50), (350, 350)),
        ("200,300,200,100/max/!180/default.png", (200, 100), (50, 50), (250, 350)),
    ],
)
def test_it_shows_what_is_asked(
    service: Service, path: str, size: tuple[int, int], at: tuple[int, int], wanted: tuple[int, int]
) -> None:
    picture = service.picture(path)
    assert picture.size == size
    assert picture.format is None or picture.format in ("JPEG", "PNG")
    assert near(colour(picture, *at), colour(service.source, *wanted))


def test_qualities(service: Service) -> None:
    grey = service.picture("full/200,/0/gray.png")
    assert grey.mode == "L"
    two = service.picture("full/200,/0/bitonal.png")
    assert {value for _, value in two.convert("L").getcolors() or []} == {0, 255}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("0,0,0,10/max/0/default.jpg", "region '0,0,0,10' holds nothing"),
        ("2000,0,10,10/max/0/default.jpg", "holds nothing of 1000 x 1000"),
        ("full/1001,/0/default.jpg", "larger than the region"),
        ("full/full/0/default.jpg", "size 'full' must be"),
        ("full/,/0/default.jpg", "size ',' must be"),
        ("full/pct:0/0/default.jpg", "leaves no pixel"),
        ("full/^20000,/0/default.jpg", "larger than 10000 pixels"),
        ("full/max/45/default.jpg", "by 90 degrees alone"),
        ("full/max/361/default.jpg", "0 to 360"),
        ("full/max/0/native.jpg", "quality 'native' must be one of"),
        ("full/max/0/default.gif", "format 'gif' must be one of"),
        ("full/max/0/default", "format '' must be one of"),
        ("pct:a,0,1,1/max/0/default.jpg", "region 'pct:a,0,1,1' must be"),
    ],
)
def test_what_cannot_be_made_is_named(service: Service, path: str, words: str) -> None:
    response = service.get(path)
    assert response.status_code == 400
    assert words in response.json()["detail"]


def test_its_description(service: Service) -> None:
    response = service.get("info.json")
    said = response.json()
    assert (said["id"], said["profile"]) == (service.url, "level2")
    assert said["tiles"] == [{"width": 256, "height": 256, "scaleFactors": [1, 2, 4]}]
    assert said["sizes"][0] == {"width": 250, "height": 250}
    assert response.headers["content-type"].startswith("application/ld+json;profile=")
    plain = service.get("info.json", accept="application/json")
    assert plain.headers["content-type"].startswith("application/json")
    for size in said["sizes"]:
        wanted = (size["width"], size["height"])
        assert service.picture(f"full/{wanted[0]},{wanted[1]}/0/default.jpg").size == wanted
    assert json.dumps(said)


def test_who_has_it_is_not_sent_it_again(service: Service) -> None:
    first = service.get("full/100,/0/default.jpg")
    assert "max-age" in first.headers["cache-control"]
    assert f"<{service.url}/full/100,100/0/default.jpg>" in first.headers["link"]
    again = service.get("full/100,/0/default.jpg", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = service.get("full/101,/0/default.jpg", **{"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_parts_of_a_thumbnail(service: Service) -> None:
    url = f"{service.url.replace('/iiif-img/', '/thumbs/')}/full/100,100/0/default.jpg"
    client = service.customer.stack.client

    def get(**headers: str) -> Any:
        response = client.get(
            url, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )
        return response.status_code, response.content, response.headers

    _, whole, known = get()
    size = len(whole)
    assert known["accept-ranges"] == "bytes"
    for asked, part in {
        "bytes=0-9": whole[:10],
        "bytes=10-": whole[10:],
        "bytes=-7": whole[-7:],
        f"bytes=5-{size + 100}": whole[5:],
    }.items():
        status, content, headers = get(range=asked)
        assert (status, content) == (206, part)
        assert headers["content-range"].endswith(f"/{size}")
    status, content, headers = get(range=f"bytes={size}-")
    assert (status, content, headers["content-range"]) == (416, b"", f"bytes */{size}")
    assert get(range="bytes=0-9", if_range='"another"')[:2] == (200, whole)
    assert get(range="bytes=0-1,5-6")[:2] == (200, whole)
    assert get(range="lines=1-2")[:2] == (200, whole)
    head = client.head(url)
    assert (head.headers["content-length"], head.content) == (str(size), b"")
