"""What a customer's origin strategies let a request say: the first whose expression matches."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import re2  # type: ignore[import-untyped]

from activities.faults import OriginAway
from projection.origin_strategy import ACCESS_KEY, BASIC
from sealed import Sealer, Unreadable


@dataclass(frozen=True)
class AccessKey:
    """A customer's own key to their buckets; `region` None: the platform's."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None


@dataclass(frozen=True)
class Access:
    """`authorization` is a header's value, sent to the host of the origin alone, never where that
    redirects to; `key` is for a bucket."""

    authorization: str | None = field(default=None, repr=False)
    key: AccessKey | None = None


NO_ACCESS = Access()


def access_to(origin: str, strategies: Sequence[Mapping[str, str]], sealer: Sealer) -> Access:
    """What is known for an origin.

    Raises:
        OriginAway: the credentials cannot be opened; the operator may bring the key back.
    """
    for each in strategies:
        # RE2 takes time linear in the URL, whatever the customer's expression is.
        if re2.search(each["regex"], origin) is None:
            continue
        if each["strategy"] not in (BASIC, ACCESS_KEY):
            return NO_ACCESS
        try:
            opened = sealer.open(base64.b64decode(each["credentials"] or ""))
        except Unreadable as error:
            raise OriginAway("The credentials kept for this origin cannot be read") from error
        if each["strategy"] == BASIC:
            encoded = base64.b64encode(opened.encode()).decode("ascii")
            return Access(authorization=f"Basic {encoded}")
        return Access(key=AccessKey(**json.loads(opened)))
    return NO_ACCESS
