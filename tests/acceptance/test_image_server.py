"""The image server and what is in front of it, as docker-compose.yml and docker/ have them."""

import http.client
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
import pyvips
from PIL import Image, ImageCms

from local.ports import free_port
from tests.acceptance import test_image_service as official
from tests.conftest import SAMPLES, Origin
from tests.front import front, image_server, is_healthy
from tests.pictures import difference
from tests.stack import Customer, Json, Stack

pytestmark = pytest.mark.timeout(600)  # the first use of all fetches the programs

PAGE = (1501, 1101)
STRIPS = (1027, 1030)
"""Of narrow tiles at the edges, of which the levels of a pyramid have less than a pixel."""
ODD = ("página-頁", "a+b;c&d=e", "what?#[*]~", '"<x>|`', "50%off", "100%25n")


@dataclass(frozen=True)
class Pictures:
    """A customer's pictures behind a front, and the API that it fronts."""

    customer: Customer
    url: str
    api_url: str
    image_server: str

    @property
    def client(self) -> httpx.Client:
        return self.customer.stack.client

    def service(self, asset: str) -> str:
        return f"/iiif-img/{self.customer.id}/1/{quote(asset, safe='')}"

    def get(self, path: str, asset: str = "page", **headers: str) -> httpx.Response:
        return self.client.get(f"{self.url}{self.service(asset)}{path}", headers=headers)

    def of_api(self, path: str, asset: str = "page") -> httpx.Response:
        return self.client.get(f"{self.api_url}{self.service(asset)}{path}")

    def raw(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Status and body of a path that goes as it is written."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def by_image_server(response: httpx.Response) -> bool:
    return "IIPImage" in response.headers.get_list("x-powered-by")


def picture(response: httpx.Response) -> Image.Image:
    """What is to be seen: the image server leaves colours as they are, and tells their profile."""
    assert response.status_code == 200, response.text
    with Image.open(io.BytesIO(response.content)) as opened:
        profile = opened.info.get("icc_profile")
        if profile is None:
            return opened.convert("RGB")
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(opened, own, ImageCms.createProfile("sRGB"))
    assert shown is not None
    return shown


def page(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """A photograph that has a profile."""
    with Image.open(SAMPLES / "rocket.jpg") as opened:
        return opened.convert(mode).resize(size)


def encoded(image: Image.Image, kind: str, profile: bytes | None = None) -> bytes:
    made = io.BytesIO()
    image.save(made, kind, icc_profile=profile)
    return made.getvalue()


def longer(profile: bytes) -> bytes:
    """The profile with 70,000 bytes more, which its first field counts."""
    return (len(profile) + 70_000).to_bytes(4, "big") + profile[4:] + bytes(70_000)


def kept_tiff(folder: Path) -> bytes:
    """A tiled pyramid in colours that IIPImage takes for others."""
    path = folder / "cmyk.tif"
    image = pyvips.Image.new_from_buffer(encoded(page(PAGE), "png"), "").colourspace("cmyk")
    image.tiffsave(str(path), tile=True, tile_width=256, tile_height=256, pyramid=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def pictures(
    stack: Stack, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pictures]:
    """All the pictures of this module, in one batch."""
    folder = tmp_path_factory.mktemp("image-server")
    customer = stack.customer("image server")
    url = origin.file("page.png", encoded(page(PAGE), "png"))
    members: list[Json] = [
        {"id": name, "space": 1, "origin": url, "mediaType": "image/png"} for name in ("page", *ODD)
    ]
    profile = page(PAGE).info["icc_profile"]
    for name, content in (
        ("grey", encoded(page(PAGE, "L"), "png")),
        ("profile", encoded(page(PAGE), "png", profile)),
        ("strips", encoded(page(STRIPS), "png")),
        # One too long for a JPEG of the image server's.
        ("long-profile", encoded(page(PAGE), "png", longer(profile))),
    ):
        url = origin.file(f"{name}.png", content)
        members += [{"id": name, "space": 1, "origin": url, "mediaType": "image/png"}]
    original = {"deliveryChannels": [{"channel": "iiif-img", "policy": "use-original"}], "space": 1}
    for name, kind, content in (
        ("kept.tif", "image/tiff", kept_tiff(folder)),
        ("kept.jp2", "image/jp2", encoded(page(PAGE), "jpeg2000")),
    ):
        members += [
            {**original, "id": name, "origin": origin.file(name, content), "mediaType": kind}
        ]
    batch = customer.finished(customer.submit(members))
    assert batch["errors"] == 0
    stored = stack.data / "storage" / "iiif-img"
    api_url = str(stack.run["api_url"])
    with (
        image_server(stored, folder) as address,
        front(stored, folder / "front", api_url, address) as front_url,
    ):
        yield Pictures(customer, front_url, api_url, address)


def test_it_describes_itself_by_the_links_that_clients_have(pictures: Pictures) -> None:
    asset = pictures.client.get(
        f"{pictures.url}/customers/{pictures.customer.id}/spaces/1/images/page",
        auth=pictures.customer.auth,
    ).json()
    assert asset["imageService"] == f"{pictures.url}{pictures.service('page')}"
    response = pictures.get("/info.json")
    assert response.json()["id"] == asset["imageService"]
    assert response.json()["profile"] == "level2"
    base = pictures.get("")
    assert base.status_code == 303
    assert base.headers["location"] == f"{pictures.service('page')}/info.json"


service = official.service
LEVEL_2 = sorted({*official.LEVEL_2, *official.BEYOND} - {official.AGAINST_THE_STANDARD})


@pytest.mark.parametrize("name", LEVEL_2)
def test_the_official_validator(pictures: Pictures, service: official.Service, name: str) -> None:
    fronted = replace(service, url=service.url.replace(pictures.api_url, pictures.url))
    official.test_the_official_validator(fronted, name)


@pytest.mark.parametrize(("asset", "full"), [("page", PAGE), ("strips", STRIPS)])
def test_every_tile_and_size_of_the_description(
    pictures: Pictures, asset: str, full: tuple[int, int]
) -> None:
    said = pictures.get("/info.json", asset).json()
    tiles = said["tiles"][0]
    asked = [
        f"{x},{y},{across},{up}/{-(-across // scale)},{-(-up // scale)}"
        for scale in tiles["scaleFactors"]
        for x in range(0, said["width"], tiles["width"] * scale)
        for y in range(0, said["height"], tiles["height"] * scale)
        for across in (min(tiles["width"] * scale, said["width"] - x),)
        for up in (min(tiles["height"] * scale, said["height"] - y),)
    ]
    small = [size for size in said["sizes"] if max(size.values()) <= 1024]
    assert len(small) == len(said["sizes"]) - 1
    asked += [f"full/{size['width']},{size['height']}" for size in small]
    whole = page(full)
    for path in asked:
        region, size = path.split("/")
        response = pictures.get(f"/{path}/0/default.jpg", asset)
        made = picture(response)
        assert size == f"{made.width},{made.height}"
        # What is narrow, at the edge of what cannot be halved, is the API's.
        assert by_image_server(response) or min(made.size) < 64, path
        x, y, across, up = (0, 0, *full) if region == "full" else map(int, region.split(","))
        wanted = whole.crop((x, y, x + across, y + up)).resize(made.size)
        assert min(made.size) < 16 or difference(made, wanted) < 10, path


@pytest.mark.parametrize("asset", ["page", "grey", "profile"])
@pytest.mark.parametrize(
    "path",
    [
        "full/376,/0/default.jpg",
        "256,256,256,256/max/0/default.jpg",
        "256,256,256,256/256,/0/default.jpg?version=2",
        "0,0,512,512/256,256/0/default.jpg",
        "512,512,388,188/194,94/0/default.jpg",
        "10,20,300,200/150,100/0/default.jpg",
    ],
)
def test_pictures_of_the_image_server_are_those_of_the_api(
    pictures: Pictures, path: str, asset: str
) -> None:
    made, wanted = pictures.get(f"/{path}", asset), pictures.of_api(f"/{path}", asset)
    assert by_image_server(made)
    assert not by_image_server(wanted)
    assert difference(picture(made), picture(wanted)) < 4
    for header in ("content-type", "cache-control", "access-control-allow-origin"):
        assert made.headers[header] == wanted.headers[header]
    assert made.headers["link"] == wanted.headers["link"].replace(pictures.api_url, pictures.url)
    assert "content-disposition" not in made.headers


@pytest.mark.parametrize(
    "path",
    [
        # Of level 2 and beyond, but scaled, or more than a tile or so: the API does it better.
        *("full/max/0/default.jpg", "full/200,/0/default.jpg", "full/,200/0/default.jpg"),
        *("full/!200,200/0/default.jpg", "full/pct:25/0/default.jpg", "square/max/0/default.jpg"),
        *("pct:0,0,10,10/max/0/default.jpg", "full/^3000,/0/default.jpg"),
        *("1,1,512,512/256,256/0/default.jpg", "1400,1000,512,512/101,101/0/default.jpg"),
        *("0,0,256,256/max/90/default.jpg", "0,0,256,256/max/!0/default.jpg"),
        *("0,0,256,256/max/0/gray.jpg", "0,0,256,256/max/0/default.png"),
        # Refused: the image server would enlarge, or end for good.
        *("full/3000,/0/default.jpg", "0,0,256,256/512,512/0/default.jpg"),
        *("1501,0,10,10/max/0/default.jpg", "5000,0,10,10/10,10/0/default.jpg"),
        *("0,0,0,10/max/0/default.jpg", "0,0,256,256/0,0/0/default.jpg"),
        *("full/full/0/default.jpg", "0,0,256,256/,/0/default.jpg"),
        "0,0,99999999999999999999,256/256,256/0/default.jpg",
        *("0,0,256,256/max/0/default.jpg/", "0,0,256,256/max/0/default.JPG", "0,0,256,256/max/0"),
    ],
)
def test_the_api_answers_all_else(pictures: Pictures, path: str) -> None:
    made, wanted = pictures.get(f"/{path}"), pictures.of_api(f"/{path}")
    assert not by_image_server(made)
    assert made.status_code == wanted.status_code
    assert made.headers["content-type"] == wanted.headers["content-type"]
    if made.headers["content-type"].startswith("image/"):
        assert made.content == wanted.content
    elif made.headers["content-type"] == "application/problem+json":
        assert made.json() == wanted.json()


@pytest.mark.parametrize("asset", ODD)
def test_ids_of_any_letters(pictures: Pictures, asset: str) -> None:
    said = pictures.get("/info.json", asset).json()
    assert said["id"] == f"{pictures.url}{pictures.service(asset)}"
    tile = pictures.get("/0,0,256,256/256,256/0/default.jpg", asset)
    assert by_image_server(tile) == ("%" not in asset)  # which comes to harm in it
    assert f"<{pictures.url}{pictures.service(asset)}/" in tile.headers["link"]
    assert difference(picture(tile), page(PAGE).crop((0, 0, 256, 256))) < 3


def test_what_the_image_server_would_show_wrong(pictures: Pictures) -> None:
    tile = "/0,0,256,256/256,256/0/default.jpg"
    for asset in ("kept.tif", "long-profile"):
        made = pictures.get(tile, asset)
        assert not by_image_server(made)
        assert made.content == pictures.of_api(tile, asset).content
    assert pictures.get("/info.json", "kept.jp2").json()["profile"] == "level0"
    assert pictures.get(tile, "kept.jp2").status_code == 400


def test_nothing_outside_the_pictures(pictures: Pictures) -> None:
    storage = pictures.customer.stack.data / "storage"
    secret = pyvips.Image.black(256, 256, bands=3).copy(interpretation="srgb")
    options = {"tile": True, "tile_width": 256, "tile_height": 256, "compression": "jpeg"}
    folders = (storage, storage / "iiif-img", storage / "iiif-img" / str(pictures.customer.id))
    for folder in folders:
        secret.tiffsave(str(folder / "secret.tif"), pyramid=True, **options)
    below = f"/iiif-img/{pictures.customer.id}/1"
    tile = "full/max/0/default.jpg"
    for path in (
        *(f"/iiif-img/{up}secret/{tile}" for up in ("", "../", "%2e%2e/", "..%2f", "1/1/../../")),
        *(f"{below}/{up}secret/{tile}" for up in ("../", "..%2F", "%2e%2e%2f", "%2E%2E/", "..\\")),
        *(f"{below}/{up}secret/{tile}" for up in ("..%5c", "..%252f", "%252e%252e%252f", ".../")),
        *(f"{below}/..%2f..%2f..%2fsecret/{tile}", f"{below}/....//....//secret/{tile}"),
        *(f"{below}/page%00/{tile}", f"{below}/page%2500/{tile}", f"{below}/page.tif/{tile}"),
        *(f"{below}/page&FIF=../secret.tif&CVT=jpeg/{tile}", f"{below}/none/{tile}&FIF=page.tif"),
        *(f"{below}/.%2Fpage/{tile}", f"{below}//page/{tile}", f"/iiif-img/-1/1/page/{tile}"),
        f"{below}/{'x' * 300}/{tile}",
        f"{below}/%ff%fe/{tile}",
    ):
        status, body = pictures.raw(path)
        assert 400 <= status < 500, (path, status)
        assert not body.startswith(b"\xff\xd8"), path
    for folder in folders:
        (folder / "secret.tif").unlink()
    assert by_image_server(pictures.get("/0,0,256,256/max/0/default.jpg"))


def test_what_is_not_there_is_told_by_the_api(pictures: Pictures) -> None:
    response = pictures.get("/0,0,256,256/max/0/default.jpg", "nobody")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert not by_image_server(response)


def test_methods(pictures: Pictures) -> None:
    path = f"{pictures.service('page')}/0,0,256,256/max/0/default.jpg"
    head = pictures.client.head(f"{pictures.url}{path}")
    assert by_image_server(head)
    assert (head.status_code, head.content) == (200, b"")
    for method in ("OPTIONS", "POST", "DELETE"):
        made = pictures.client.request(method, f"{pictures.url}{path}")
        wanted = pictures.client.request(method, f"{pictures.api_url}{path}")
        assert (made.status_code, made.content) == (wanted.status_code, wanted.content)
        assert made.headers["allow"] == wanted.headers["allow"]


def test_who_has_it_is_not_sent_it_again(pictures: Pictures) -> None:
    path = "/0,0,256,256/max/0/default.jpg"
    first = pictures.get(path)
    again = pictures.get(path, **{"if-modified-since": first.headers["last-modified"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"
    assert again.headers["cache-control"] == "public, max-age=300"


def test_a_picture_that_is_replaced(pictures: Pictures, origin: Origin) -> None:
    """The image server keeps what it knows of a file: its size above all."""
    customer = pictures.customer
    for number, size in enumerate(((1501, 1101), (700, 900), (2000, 600))):
        image = Image.new("RGB", size, (80 * number, 120, 200))
        url = origin.file(f"replaced-{number}.png", encoded(image, "png"))
        member = {"id": "replaced", "space": 1, "origin": url, "mediaType": "image/png"}
        assert customer.finished(customer.submit([member]))["errors"] == 0
        for x, y, across, up, scale in (
            (0, 0, 256, 256, 1),
            (512, 512, size[0] - 512, size[1] - 512, 2),
        ):
            small = (-(-across // scale), -(-up // scale))
            path = f"/{x},{y},{across},{up}/{small[0]},{small[1]}/0/default.jpg"
            response = pictures.get(path, "replaced")
            assert by_image_server(response)
            assert difference(picture(response), image.crop((0, 0, *small))) < 3


def test_without_the_image_server_the_api_makes_every_picture(
    pictures: Pictures, tmp_path: Path
) -> None:
    stored = pictures.customer.stack.data / "storage" / "iiif-img"
    path = f"{pictures.service('page')}/0,0,256,256/max/0/default.jpg"
    (tmp_path / "iip").mkdir()
    with (
        image_server(stored, tmp_path / "iip") as address,
        front(stored, tmp_path / "one", pictures.api_url, address) as url,
    ):
        assert by_image_server(pictures.client.get(url + path))
    with front(stored, tmp_path / "two", pictures.api_url, address) as url:
        began = time.monotonic()
        made = pictures.client.get(url + path)
        assert time.monotonic() - began < 2
    # Where the store is elsewhere, there is no such folder.
    with front(tmp_path / "none", tmp_path / "three", pictures.api_url, address) as url:
        elsewhere = pictures.client.get(url + path)
    for response in (made, elsewhere):
        assert not by_image_server(response)
        assert response.content == pictures.client.get(pictures.api_url + path).content


def test_its_health_check(pictures: Pictures) -> None:
    assert is_healthy(pictures.image_server)
    assert not is_healthy(f"127.0.0.1:{free_port()}")


def test_requests_of_the_api_go_through(pictures: Pictures) -> None:
    customer = pictures.customer
    url = f"{pictures.url}/customers/{customer.id}/queue"
    large = pictures.client.post(
        url, content=b" " * (17 * 1024 * 1024), auth=customer.auth, timeout=60
    )
    assert large.status_code == 413
    assert large.headers["content-type"] == "application/problem+json"
    below = pictures.client.post(url, content=b" " * (15 * 1024 * 1024), auth=customer.auth)
    assert below.status_code == 400
    assert "not JSON" in below.json()["detail"]

    def parts() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * (1024 * 1024)

    chunked = pictures.client.post(url, content=parts(), auth=customer.auth, timeout=60)
    assert chunked.status_code == 413
    nothing = pictures.client.get(f"{pictures.url}/no/such/thing?a=%2F&b=1")
    assert (nothing.status_code, nothing.json()["title"]) == (404, "Not Found")
    thumb = f"/thumbs/{customer.id}/1/page/full/100,73/0/default.jpg"
    part = pictures.client.get(pictures.url + thumb, headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
