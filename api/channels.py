"""The delivery channels of an asset: as they were sent, and as a customer's defaults fill them in.

Of an asset that names no channels, each channel is taken from the first default that matches its
media type: a space's before its customer's, and of either the longest. What no default matches is
kept as a file (api.md, Delivery channels).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery_channels import POLICIES, fits
from projection import default_delivery_channel
from projection.database import Connection
from projection.default_delivery_channel import Default

Channel = dict[str, Any]
"""A delivery channel: `channel` and `policy`, a name or, of thumbnails, a list of sizes."""

Own = Mapping[str, Collection[str]]
"""Names of a customer's own policies, by channel."""

CHANNELS = (*POLICIES, "none", "default")
ALONE = ("none", "default")
MOST_SIZES = 20

_SIDE = "[1-9][0-9]{0,3}"
_THUMB_SIZE = re.compile(rf"!{_SIDE},{_SIDE}|{_SIDE},|,{_SIDE}")


def sizes_fault(sizes: Sequence[object]) -> str | None:
    """What is the matter with sizes of thumbnails of a customer's own."""
    if not 1 <= len(sizes) <= MOST_SIZES:
        return f"must hold 1 to {MOST_SIZES} sizes"
    for size in sizes:
        if not isinstance(size, str) or not _THUMB_SIZE.fullmatch(size):
            return f'must hold sizes such as "!400,400", "400," or ",400", not {size!r:.40}'
    if len(set(map(str, sizes))) < len(sizes):
        return "must not hold a size twice"
    return None


def policy_name(given: object, channel: str) -> object:
    """The name in the URL of a policy, which may be sent in its place; else what was given."""
    if isinstance(given, str):
        return given.rpartition(f"/deliveryChannelPolicies/{channel}/")[2]
    return given


def policy_fault(policy: object, channel: str, own: Own) -> str | None:
    """What is the matter with the policy that was named for a channel."""
    known = [*POLICIES.get(channel, ("none",)), *sorted(own.get(channel, ()))]
    if isinstance(policy, str) and policy in known:
        return None
    return f"'policy' of channel '{channel}' must be one of {', '.join(known)}"


def sent_channels(
    given: object, media_type: object, own: Own, faults: Callable[[str], None]
) -> list[Channel] | None:
    """The channels that were sent, a policy that was not as None; None: the defaults."""
    if given is None:
        return None
    if not isinstance(given, list):
        faults("'deliveryChannels' must be an array")
        return None
    if not given:
        faults("'deliveryChannels' cannot be an empty array")
        return None
    channels: list[Channel] = []
    for each in given:
        said = {"channel": each} if isinstance(each, str) else each
        name = said.get("channel") if isinstance(said, dict) else None
        if not isinstance(name, str) or name not in CHANNELS:
            faults(f"DeliveryChannel must be one of {', '.join(CHANNELS)}")
            continue
        policy, fault = _sent_policy(name, said.get("policy"), own)
        if fault:
            faults(fault)
        else:
            channels.append({"channel": name, "policy": policy})
    names = [channel["channel"] for channel in channels]
    if len(names) > 1 and any(name in ALONE for name in names):
        faults(
            f"If one of {', '.join(ALONE)} is a specified channel, "
            "then no other delivery channels are allowed"
        )
    if len(set(names)) < len(names):
        faults("'deliveryChannels' cannot contain duplicate channels.")
    if isinstance(media_type, str):
        check_fit(names, media_type, faults)
    return None if names == ["default"] else channels


def _sent_policy(channel: str, given: object, own: Own) -> tuple[object, str | None]:
    """The policy, and what is the matter with it."""
    if given in (None, ""):
        return None, None
    if channel == "default":
        fault = None if given == "default" else "'policy' of channel 'default' must be default"
        return "default", fault
    if channel == "thumbs" and isinstance(given, list):
        fault = sizes_fault(given)
        return given, fault and f"'policy' of channel 'thumbs' {fault}"
    policy = policy_name(given, channel)
    return policy, policy_fault(policy, channel, own)


def check_fit(channels: Iterable[str], media_type: str, faults: Callable[[str], None]) -> None:
    """Tells `faults` of each channel that cannot be made of the media type."""
    for channel in channels:
        if not fits(channel, media_type):
            faults(f"'{channel}' is not a valid delivery channel for asset of type '{media_type}'")


@dataclass(frozen=True)
class Defaults:
    """A customer's defaults, in the order in which they count."""

    rows: Sequence[Default]
    _known: dict[tuple[int, str], list[Channel]] = field(default_factory=dict)

    def matching(self, space_id: int, media_type: str) -> list[Channel]:
        """The channels of an asset of this media type that names none."""
        kind = media_type.partition(";")[0].strip().lower()
        found = self._known.get((space_id, kind))
        if found is None:
            policies: dict[str, str] = {}
            for row in self.rows:
                if row.space_id in (None, space_id) and _matches(row.media_type, kind):
                    policies.setdefault(row.channel, row.policy)
            chosen = {name: policies[name] for name in POLICIES if name in policies}
            found = [
                {"channel": name, "policy": policy}
                for name, policy in (chosen or {"file": "none"}).items()
            ]
            self._known[space_id, kind] = found
        return found

    def filled_in(
        self, channels: Sequence[Channel] | None, space_id: int, media_type: str
    ) -> list[Channel]:
        """The channels, each with a policy."""
        matching = self.matching(space_id, media_type)
        if channels is None:
            return matching
        named = {each["channel"]: each["policy"] for each in matching}
        return [
            each
            if each["policy"] is not None
            else {**each, "policy": named.get(each["channel"]) or _first(each, media_type)}
            for each in channels
        ]


def _first(channel: Channel, media_type: str) -> str:
    """The platform's policy for a channel that no default of the customer's speaks of."""
    name = channel["channel"]
    if name == "iiif-av" and media_type.lower().startswith("video/"):
        return "default-video"
    return next(iter(POLICIES.get(name, ("none",))))


def _matches(pattern: str, media_type: str) -> bool:
    return pattern in (media_type, f"{media_type.partition('/')[0]}/*", "*/*")


async def defaults_of(
    connection: Connection, customer_id: int, spaces: Collection[int]
) -> Defaults:
    """The defaults for assets in these spaces."""
    return Defaults(await default_delivery_channel.in_force(connection, customer_id, spaces))
