"""What a customer's origin strategies add to a request: the first whose expression matches."""

import base64
from collections.abc import Mapping, Sequence

import re2  # type: ignore[import-untyped]

from activities.faults import OriginAway
from sealed import Sealer, Unreadable

BASIC = "basic-http-authentication"


def authorization(
    strategies: Sequence[Mapping[str, str]], origin: str, sealer: Sealer
) -> str | None:
    """The Authorization header for an origin, or None.

    Raises:
        OriginAway: the credentials cannot be opened; the operator may bring the key back.
    """
    for each in strategies:
        # RE2 takes time linear in the URL, whatever the customer's expression is.
        if re2.search(each["regex"], origin) is None:
            continue
        if each["strategy"] != BASIC:
            return None
        try:
            opened = sealer.open(base64.b64decode(each["credentials"]))
        except Unreadable as error:
            raise OriginAway("The credentials kept for this origin cannot be read") from error
        return f"Basic {base64.b64encode(opened.encode()).decode('ascii')}"
    return None
