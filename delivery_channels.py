"""The delivery channels, and the platform's policies of each (api.md, Delivery channels).

This is what the API and the activities both know. Policies of a customer's own are in Postgres.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PolicyData = tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """A policy: what people call it, and what it makes.

    `data` holds sizes for `thumbs` as IIIF's Image API writes them, one preset for `iiif-av`, and
    nothing for the other channels.
    """

    display_name: str
    data: PolicyData = ()


POLICIES: Mapping[str, Mapping[str, Policy]] = {
    "iiif-img": {
        "default": Policy("A pyramid of tiles"),
        "use-original": Policy("The original, where it is a tiled pyramid or JPEG 2000"),
    },
    "thumbs": {
        "default": Policy(
            "1024, 400, 200 and 100 pixels",
            ("!1024,1024", "!400,400", "!200,200", "!100,100"),
        ),
    },
    "iiif-av": {
        "default-audio": Policy("MP3", ("audio-mp3-128k",)),
        "default-video": Policy("MP4 of the original's size", ("video-mp4",)),
    },
    "file": {"none": Policy("The original, unchanged")},
}
"""The platform's policies by channel and name; the first of each is taken unless another is named
or `DEFAULTS` has one."""

CUSTOMISABLE = ("thumbs", "iiif-av")
"""Channels that customers have policies of their own for."""

TITLES: Mapping[str, str] = {
    "iiif-img": "Policies for IIIF image services",
    "thumbs": "Policies for thumbnails",
    "iiif-av": "Policies for sound and film",
    "file": "Policies for files as they are",
}

AV_PRESETS = (
    *("audio-mp3-64k", "audio-mp3-128k", "audio-mp3-192k", "audio-mp3-320k"),
    *("video-mp4", "video-mp4-480p", "video-mp4-720p", "video-mp4-1080p"),
)
"""What sound and film can become: MP3 of so many bits a second, or MP4 of the original's size or of
at most so many lines."""

THUMBS = POLICIES["thumbs"]["default"].data


def family(media_type: str) -> str:
    """`I` for images, `T` for time-based media, `F` for any other file."""
    kind = media_type.partition("/")[0].lower()
    return {"image": "I", "audio": "T", "video": "T"}.get(kind, "F")


def fits(channel: str, media_type: str) -> bool:
    """Whether a channel can be made of a media type, or of all that a pattern such as `image/*`
    stands for."""
    wanted = {"iiif-img": "I", "thumbs": "I", "iiif-av": "T"}.get(channel)
    return wanted is None or family(media_type) == wanted


def policy_data(channel: str, policy: object) -> PolicyData:
    """What a policy stands for: the name of one of the platform's, or a list that says it itself.

    Raises:
        KeyError: the platform has no such policy.
    """
    if isinstance(policy, str):
        return POLICIES[channel][policy].data
    return tuple(map(str, policy)) if isinstance(policy, list | tuple) else ()
