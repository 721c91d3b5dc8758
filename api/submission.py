"""What a client may send as an asset, and every fault found in it (api.md, Submitting)."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.channels import Channel, Defaults, Own, check_fit, sent_channels
from api.hydra import bad_request
from delivery_channels import family

Member = Mapping[str, Any]
Fields = dict[str, Any]

NOT_SENT = ("width", "height", "duration", "batch", "finished", "created")
DEPRECATED = ("imageOptimisationPolicy", "thumbnailPolicy")
TEXTS = ("mediaType", "origin", "string1", "string2", "string3")
NUMBERS = ("number1", "number2", "number3", "maxUnauthorised")
LISTS = ("tags", "roles")
COLUMNS = {
    "mediaType": "media_type",
    "maxUnauthorised": "max_unauthorised",
    **{name: name for name in ("origin", *TEXTS[2:], *NUMBERS[:3], *LISTS)},
}

_UNFIT = re.compile(r"[\s\\/\x00-\x1f\x7f-\x9f]|\.\.")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w.+!#$&^-]*/[\w.+!#$&^*-]+(\s*;.*)?", re.ASCII)
LONGEST_ID = 200

OWN_SPACE = -1
"""Stands for the space of a manifest, which may still have to be made."""


class Faults:
    """The faults of one body, each with the member it is in."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, fault: str, where: str = "") -> None:
        """Notes a fault; the same words are noted once for each member."""
        self._found.append(f"{where}: {fault}" if where else fault)

    def refuse_if_any(self) -> None:
        """Raises Problem 400 that names them all."""
        if self._found:
            raise bad_request(*dict.fromkeys(self._found))


def id_fault(asset_id: str) -> str | None:
    """Why an id cannot be used, or None."""
    if not asset_id.strip():
        return "it is only white space"
    if found := _UNFIT.search(asset_id):
        return f"it holds {found.group()!r}"
    if asset_id in (".", ".."):
        return "it is a path"
    if len(asset_id.encode("utf-8", "surrogatepass")) > LONGEST_ID:
        return f"it is longer than {LONGEST_ID} bytes"
    return None


def _typed(member: Member, faults: Callable[[str], None]) -> Fields:
    """The properties that are stored as they come, by column."""
    fields: Fields = {}
    for name, column in COLUMNS.items():
        value = member.get(name)
        if value is None:
            fields[column] = None
        elif name in NUMBERS:
            most = 2**31 if name == "maxUnauthorised" else 2**63
            if isinstance(value, bool) or not isinstance(value, int) or not -most <= value < most:
                faults(f"'{name}' must be a whole number")
            fields[column] = value
        elif name in LISTS:
            if not isinstance(value, list) or not all(is_text(text) for text in value):
                faults(f"'{name}' must be an array of texts")
            fields[column] = value
        else:
            if not is_text(value):
                faults(f"'{name}' must be a text")
            fields[column] = value
    return fields


def is_text(value: object) -> bool:
    """A text that Postgres can hold: without NUL and lone surrogates."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not re.search(r"[\ud800-\udfff]", value)


def asset_fields(
    member: Member, own: Own, faults: Callable[[str], None], partial: bool = False
) -> Fields:
    """The columns of an asset from what was sent; what is wrong is told to `faults`.

    `delivery_channels` are as they were sent, still without what defaults fill in. `partial`: only
    what was sent is checked and given (PATCH).
    """
    for name in NOT_SENT:
        if member.get(name) is not None:
            faults(f"Should not include {name}")
    for name in DEPRECATED:
        if member.get(name) is not None:
            faults(f"'{name}' is deprecated. Use 'deliveryChannels' instead.")
    fields = _typed(member, faults)
    media_type = fields["media_type"]
    if not partial or "mediaType" in member:
        if media_type is None or media_type == "":
            faults("Media type must be specified")
        elif isinstance(media_type, str) and not _MEDIA_TYPE.fullmatch(media_type):
            faults("'mediaType' must be a media type such as image/jpeg")
    if (not partial or "origin" in member) and not fields["origin"]:
        faults("Asset origin must be specified")
    channels = sent_channels(member.get("deliveryChannels"), media_type, own, faults)
    fields["delivery_channels"] = channels
    if partial:
        sent = {column for name, column in COLUMNS.items() if name in member}
        fields |= {name: fields[name] or [] for name in LISTS}
        if member.get("deliveryChannels") is not None:
            sent.add("delivery_channels")
        fields = {column: value for column, value in fields.items() if column in sent}
    return fields


def settled(
    changes: Fields,
    space_id: int,
    media_type: str,
    channels: Sequence[Channel],
    defaults: Defaults,
) -> Fields:
    """Changes of an asset (PATCH) with delivery channels that fit its media type, filled in.

    Raises:
        Problem: 400, when those it keeps do not fit its new media type.
    """
    becomes = changes.get("media_type") or media_type
    if "delivery_channels" in changes:
        wanted = changes["delivery_channels"]
    elif "media_type" in changes and list(channels) == defaults.matching(space_id, media_type):
        wanted = None
    else:
        wanted = channels
    faults = Faults()
    check_fit((each["channel"] for each in wanted or ()), becomes, faults.add)
    faults.refuse_if_any()
    if "delivery_channels" not in changes and "media_type" not in changes:
        return changes
    return {**changes, "delivery_channels": defaults.filled_in(wanted, space_id, becomes)}


def asset_id(member: Member, faults: Callable[[str], None]) -> str:
    """The id sent, or one that is minted when none is."""
    given = member.get("id")
    if given is None or given == "":
        return str(uuid.uuid4())
    if not is_text(given):
        faults("'id' must be a text")
        return ""
    text = str(given)
    if why := id_fault(text):
        faults(f"the id '{text[:80]}' cannot be used: {why}")
    return text


def members_of(body: Mapping[str, Any]) -> list[Any]:
    """The members of a collection. Raises Problem 400."""
    view = body.get("view")
    if isinstance(view, dict) and view.get("next"):
        raise bad_request("A paged collection cannot be submitted: send its members in one body")
    members = body.get("member")
    if members is not None and not isinstance(members, list):
        raise bad_request("'member' must be an array of assets")
    if not members:
        raise bad_request("Members cannot be empty")
    return list(members)


def assets_of(
    body: Mapping[str, Any],
    max_batch_size: int,
    own: Own,
    *,
    priority: bool,
    space: int | None = None,
) -> list[Fields]:
    """The assets of a batch from the collection that was sent.

    Args:
        own: the customer's policies of delivery channels.
        space: number given to members without one; None: they are refused.

    Raises:
        Problem: 400, naming every fault of every member.
    """
    members = members_of(body)
    if len(members) > max_batch_size:
        raise bad_request(f"Maximum assets in single batch is {max_batch_size}")
    faults = Faults()
    assets: list[Fields] = []
    for number, member in enumerate(members, 1):
        where = f"member {number}"
        if not isinstance(member, dict):
            faults.add("must be an asset, a JSON object", where)
            continue

        def add(fault: str, where: str = where) -> None:
            faults.add(fault, where)

        identity = asset_id(member, add)
        fields = asset_fields(member, own, add)
        fields["id"] = identity
        fields["space_id"] = _space(member.get("space"), space, add)
        if priority:
            _check_priority(fields, add)
        assets.append(fields)
    _check_duplicates(assets, faults)
    faults.refuse_if_any()
    return assets


def refuse_duplicates(assets: Sequence[Fields]) -> None:
    """Raises Problem 400 when the same space and id are there twice."""
    faults = Faults()
    _check_duplicates(assets, faults)
    faults.refuse_if_any()


def _space(given: object, default: int | None, faults: Callable[[str], None]) -> int | None:
    if given is None:
        if default is None:
            faults("Space cannot be empty")
        return default
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 11:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 2**31:
        faults("'space' must be the number of a space")
        return None
    return given


def _check_priority(fields: Fields, faults: Callable[[str], None]) -> None:
    channels = fields["delivery_channels"] or []
    media_type = fields["media_type"]
    av = any(channel["channel"] == "iiif-av" for channel in channels)
    if av or (isinstance(media_type, str) and media_type and family(media_type) != "I"):
        faults("Priority queue only supports image assets")


def _check_duplicates(assets: Sequence[Fields], faults: Faults) -> None:
    counted = Counter((a["space_id"], a["id"]) for a in assets if a["space_id"] is not None)
    twice = [f"Id:{name},Space:{space}" for (space, name), n in counted.items() if n > 1]
    if twice:
        faults.add(f"Members contains {len(twice)} duplicate Id(s): {' '.join(twice)}")
