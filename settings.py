"""Every setting of iiifq, read from the environment by each process at its start."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024 * 1024

Network = IPv4Network | IPv6Network


def _parts(value: object) -> list[object]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, list | tuple) else [value]


def _networks(value: object) -> list[Network]:
    return [ip_network(str(part), strict=False) for part in _parts(value)]


def _folders(value: object) -> list[Path]:
    return [Path(str(part)).resolve() for part in _parts(value)]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """The settings; the environment variable of each is its name in capitals after `IIIFQ_`."""

    model_config = SettingsConfigDict(env_prefix="IIIFQ_", frozen=True, extra="ignore")

    database_url: str = Field(default="postgresql:///iiifq", description="Postgres, as a libpq URL")
    temporal_address: str = Field(
        default="127.0.0.1:7233", description="Temporal's frontend, as host:port"
    )
    temporal_namespace: str = Field(default="default", description="Temporal's namespace")
    temporal_ui_url: str | None = Field(
        default=None, description="Temporal's Web UI, for links to it; unset: none"
    )
    temporal_cli: Path | None = Field(
        default=None,
        description="the `temporal` program for the embedded engine; unset: looked for, else built",
    )
    storage_url: str = Field(
        default="file:///var/lib/iiifq/storage",
        description="where derivatives are kept: `file:///folder` or `s3://bucket/prefix`; "
        "`iiifq up` uses a folder beside its database",
    )
    public_url: str | None = Field(
        default=None,
        description="what every link in a response starts with; unset: taken from the request",
    )
    origin_allow: Annotated[list[Network], NoDecode, BeforeValidator(_networks)] = Field(
        default=[],
        description="networks that an origin may be in besides public addresses, "
        "comma-separated, e.g. `127.0.0.0/8`",
    )
    secret_keys: Annotated[list[str], NoDecode, BeforeValidator(_parts)] = Field(
        default=[],
        repr=False,
        description="keys that seal credentials of origins, comma-separated, the newest first: "
        "each 32 bytes in URL-safe base64; `iiifq up` makes one in its data folder",
    )
    origin_file_roots: Annotated[list[Path], NoDecode, BeforeValidator(_folders)] = Field(
        default=[], description="folders that `file://` origins may be in, comma-separated"
    )
    origin_s3_buckets: Annotated[list[str], NoDecode, BeforeValidator(_parts)] = Field(
        default=[],
        description="buckets that `s3://` origins may be in, comma-separated; the `AWS_…` "
        "variables say where and with which credentials",
    )
    origin_max_bytes: int = Field(
        default=20 * 1024 * MIB, gt=0, description="the largest original, in bytes"
    )
    origin_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="seconds to connect to an origin, and between two parts of its answer",
    )
    origin_min_rate: int = Field(
        default=10_000,
        ge=0,
        description="bytes a second that an origin must send, over the window below; "
        "what sends less is given up and tried again later",
    )
    origin_min_rate_window_s: float = Field(
        default=60.0, gt=0, description="seconds over which the rate of an origin is measured"
    )
    origin_max_s: float = Field(
        default=3600.0,
        gt=0,
        description="seconds one original may take to come, and an hour more for each 10 GB of it",
    )
    origin_host_connections: int = Field(
        default=8,
        gt=0,
        description="originals that a worker fetches from one host at once, for each task queue",
    )
    origin_host_rate: float = Field(
        default=50.0,
        gt=0,
        description="requests a second that a worker sends to one host, for each task queue",
    )
    scratch_folder: Path | None = Field(
        default=None,
        description="where originals are kept while they are processed; unset: the system's",
    )
    scratch_min_free_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="work waits while the scratch folder's disk has less room, in bytes",
    )
    image_max_pixels: int = Field(
        default=1_500_000_000, gt=0, description="the largest image, width times height"
    )
    image_processes: int = Field(
        default_factory=_processors,
        gt=0,
        description="processes that decode images, for each task queue; unset: as many as cores",
    )
    image_memory_bytes: int = Field(
        default=8 * 1024 * MIB, ge=512 * MIB, description="memory of one image process, in bytes"
    )
    service_max_side: int = Field(
        default=10_000, gt=0, description="pixels an image service gives along a side, at most"
    )
    service_max_area: int = Field(
        default=40_000_000, gt=0, description="pixels an image service gives in all, at most"
    )
    image_timeout_s: float = Field(
        default=1800.0, gt=0, description="seconds one image may take in its process"
    )
    av_slots: int = Field(
        default=2,
        gt=0,
        description="assets of `av` in process at once, fetching included; each transcoder uses "
        "all cores",
    )
    av_timeout_s: float = Field(
        default=6 * 3600.0, gt=0, description="seconds that transcoding of one file may take"
    )
    max_batch_size: int = Field(default=1000, gt=0, description="assets in one batch")
    max_body_bytes: int = Field(default=16 * MIB, gt=0, description="bytes in one request's body")
    page_size: int = Field(default=100, gt=0, description="members of a page, unless asked")
    max_page_size: int = Field(default=500, gt=0, description="members of a page, at most")
    window: int = Field(
        default=50, gt=0, le=500, description="activities a batch keeps pending at once, at most"
    )
    main_slots: int = Field(
        default=16, gt=0, description="assets of `main` in process at once, fetching included"
    )
    priority_slots: int = Field(
        default=8, gt=0, description="assets of `priority` in process at once, fetching included"
    )
    activity_attempts: int = Field(
        default=4, gt=0, description="tries at an asset before its fault becomes its error"
    )
    retry_interval_s: float = Field(
        default=2.0,
        gt=0,
        description="seconds before the second try; each later wait is 4 times as long",
    )
    retry_window_s: float = Field(
        default=7 * 24 * 3600.0,
        ge=0,
        description="seconds a batch with errors stays open in Temporal for retry signals",
    )
    reconcile_s: float = Field(
        default=30.0, gt=0, description="seconds between two passes of the reconciler"
    )
    sync_wait_s: float = Field(
        default=30.0,
        gt=0,
        description="seconds a PUT or reingest of one asset waits for its outcome before 202",
    )
    metrics_bind: str | None = Field(
        default=None, description="host:port of a listener for `/metrics`; unset: none"
    )


def default_data_folder() -> Path:
    """The folder of `iiifq up` unless told: `$XDG_DATA_HOME/iiifq`, else `~/.local/share/iiifq`."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "iiifq"


def table() -> str:
    """The settings as a Markdown table, for the README."""
    rows = ["| variable | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "cores" if field.default_factory else field.default
        shown = "" if default in (None, []) else f"`{default}`"
        rows.append(f"| `IIIFQ_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)
