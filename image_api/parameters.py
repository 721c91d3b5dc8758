"""The parameters of an image request: IIIF Image API 3.0, section 4, as a client wrote them."""

import re
from dataclasses import dataclass
from fractions import Fraction

QUALITIES = ("default", "color", "gray", "bitonal")
FORMATS = {"jpg": "image/jpeg", "png": "image/png"}

_NUMBER = r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_PIXELS = re.compile(r"([0-9]+),([0-9]+),([0-9]+),([0-9]+)")
_PERCENT = re.compile("pct:" + ",".join([_NUMBER] * 4))
_SIZE = re.compile(rf"(\^?)(?:(max)|pct:{_NUMBER}|(!?)([0-9]*),([0-9]*))")
_ROTATION = re.compile(rf"(!?){_NUMBER}")
_LONGEST = 40


class BadRequest(Exception):
    """A parameter that cannot be honoured; the message names it."""


@dataclass(frozen=True)
class Limits:
    """The most pixels of an answer: along a side, and in all."""

    side: int
    area: int


@dataclass(frozen=True)
class Picture:
    """What is asked for: a region in pixels of the full image, scaled to `width` by `height`, then
    mirrored, then turned clockwise by `degrees`."""

    x: int
    y: int
    region_width: int
    region_height: int
    width: int
    height: int
    mirrored: bool
    degrees: int
    quality: str
    format: str

    def canonical(self, full: tuple[int, int]) -> str:
        """The parameters as section 4.7 has them, for an image of `full` width and height."""
        everything = (self.x, self.y, self.region_width, self.region_height) == (0, 0, *full)
        corners = f"{self.x},{self.y},{self.region_width},{self.region_height}"
        region = "full" if everything else corners
        larger = self.width > self.region_width or self.height > self.region_height
        exact = (self.width, self.height) == (self.region_width, self.region_height)
        size = "max" if exact else f"{'^' if larger else ''}{self.width},{self.height}"
        turn = f"{'!' if self.mirrored else ''}{self.degrees}"
        return f"{region}/{size}/{turn}/{self.quality}.{self.format}"


def parse(
    region: str,
    size: str,
    rotation: str,
    quality: str,
    kind: str,
    full: tuple[int, int],
    most: Limits,
) -> Picture:
    """Reads the parameters of a request for an image of `full` width and height.

    Raises:
        BadRequest: one is malformed, outside the image, or not supported.
    """
    x, y, across, up = _region(region, *full)
    width, height = _size(size, across, up, most)
    found = _ROTATION.fullmatch(rotation)
    degrees = Fraction(found[2]) if found else Fraction(-1)
    if not 0 <= degrees <= 360:
        raise _bad("rotation", rotation, "must be of 0 to 360 degrees")
    if degrees % 90:
        raise _bad("rotation", rotation, "is supported by 90 degrees alone")
    if quality not in QUALITIES:
        raise _bad("quality", quality, f"must be one of {', '.join(QUALITIES)}")
    if kind not in FORMATS:
        raise _bad("format", kind, f"must be one of {', '.join(FORMATS)}")
    mirrored = rotation.startswith("!")
    return Picture(x, y, across, up, width, height, mirrored, int(degrees) % 360, quality, kind)


def _bad(name: str, given: str, why: str) -> BadRequest:
    return BadRequest(f"the {name} '{given[:_LONGEST]}' {why}")


def _region(given: str, width: int, height: int) -> tuple[int, int, int, int]:
    if given == "full":
        return 0, 0, width, height
    if given == "square":
        side = min(width, height)
        return (width - side) // 2, (height - side) // 2, side, side
    if found := _PIXELS.fullmatch(given):
        x, y, across, up = (int(part) for part in found.groups())
    elif found := _PERCENT.fullmatch(given):
        parts = [Fraction(part) / 100 for part in found.groups()]
        x, y = round(parts[0] * width), round(parts[1] * height)
        across, up = round(parts[2] * width), round(parts[3] * height)
    else:
        raise _bad("region", given, "must be full, square, x,y,w,h or pct:x,y,w,h")
    across, up = min(across, width - x), min(up, height - y)
    if across < 1 or up < 1:
        raise _bad("region", given, f"holds nothing of {width} x {height} pixels")
    return x, y, across, up


def _size(given: str, width: int, height: int, most: Limits) -> tuple[int, int]:
    """Of the answer, for a region of this width and height."""
    found = _SIZE.fullmatch(given)
    if found is None or (found[2] is None and found[3] is None and not (found[5] or found[6])):
        raise _bad(
            "size", given, "must be max, w,, ,h, pct:n, w,h or !w,h, or one of these after ^"
        )
    upscaled, largest, percent, best, across, up = found.groups()
    if largest:
        return _within(width, height, most)
    if percent:
        scale = Fraction(percent) / 100
        wanted = round(width * scale), round(height * scale)
    elif best:
        if not (across and up):
            raise _bad("size", given, "needs both a width and a height after '!'")
        scale = min(Fraction(int(across), width), Fraction(int(up), height))
        if not upscaled:
            scale = min(scale, Fraction(1))
        wanted = max(1, round(width * scale)), max(1, round(height * scale))
    elif across and up:
        wanted = int(across), int(up)
    elif across:
        wanted = int(across), max(1, round(Fraction(int(across) * height, width)))
    else:
        wanted = max(1, round(Fraction(int(up) * width, height))), int(up)
    if min(wanted) < 1:
        raise _bad("size", given, "leaves no pixel")
    if not upscaled and (wanted[0] > width or wanted[1] > height):
        raise _bad(
            "size", given, f"is larger than the region, {width} x {height} pixels; ^ enlarges"
        )
    if max(wanted) > most.side or wanted[0] * wanted[1] > most.area:
        raise _bad(
            "size", given, f"is larger than {most.side} pixels wide or high, or {most.area:,}"
        )
    return wanted


def _within(width: int, height: int, most: Limits) -> tuple[int, int]:
    """The size, or the largest of its shape that is allowed."""
    scale = min(1.0, most.side / max(width, height), (most.area / (width * height)) ** 0.5)
    if scale == 1:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))
