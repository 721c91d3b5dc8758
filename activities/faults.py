"""What can go wrong with an asset, and whose fault it is.

::

    Fault
    ├── AssetFault              the asset's own: becomes its error at once, never retried
    ├── OriginAway              time-out, host not resolved, connection refused or cut, 429, 5xx:
    │                           tried again with backoff, then the asset's error
    │   └── OriginTooSlow       it sends less than it must, or takes too long in all
    ├── OriginBusy              its host is not to be asked now: nothing was tried
    └── PlatformFault           ours: waited for without limit, never the asset's error
        ├── StoreAway           derivatives cannot be written or deleted now
        └── DiskFull            no room for originals, or for derivatives

`str()` of a fault is the message for the customer. It says what to mend, and holds no path, no
file content and no detail of this host; of the origin at most its host and the status it answered.
"""


class Fault(Exception):
    """Processing an asset failed in a way that was foreseen."""


class AssetFault(Fault):
    """The asset itself cannot be processed: trying again would end the same."""


class OriginAway(Fault):
    """The origin did not give the original, and may give it later.

    `retry_after_s` is the wait in seconds that it asked for, None when it did not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OriginTooSlow(OriginAway):
    """The origin sends the original, and more slowly than it must."""


class OriginBusy(Fault):
    """The host of the origin is not to be asked for `wait_s` seconds: it said so, or enough of this
    worker's requests to it are under way."""

    def __init__(self, host: str, wait_s: float) -> None:
        super().__init__(f"The origin {host} is not to be asked now")
        self.wait_s = wait_s


class PlatformFault(Fault):
    """A part of this platform fails; `part` is what `/health/ready` calls it."""

    part = "platform"


class StoreAway(PlatformFault):
    """The store of derivatives cannot be reached or refuses."""

    part = "store"


class DiskFull(PlatformFault):
    """There is no room left where originals or derivatives are written."""

    part = "disk"
