"""`iiifq submit`, `watch`, `retry` and `queue`: clients of the HTTP API."""

import csv
import json
import mimetypes
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.target import Data
from local.run import read_run
from settings import default_data_folder

NUMBERS = ("space", "number1", "number2", "number3", "maxUnauthorised")
LISTS = ("tags", "roles", "deliveryChannels")
POLL_S = 0.5
MOST = 1000
"""Assets in one batch."""

CREDENTIALS = "credentials"
"""The file of a data folder that holds `key:secret` of its first customer."""

Api = Annotated[str | None, typer.Option(envvar="IIIFQ_API_URL", help="the API's address")]
Credentials = Annotated[
    str | None,
    typer.Option(envvar="IIIFQ_CREDENTIALS", help="the customer's, as key:secret"),
]
Json = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """A customer's way to the API."""

    http: httpx.Client
    base: str

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer's JSON. Ends the command with the API's own words when it refuses."""
        url = path if path.startswith("http") else f"{self.base}{path}"
        try:
            response = self.http.request(method, url, json=body)
        except httpx.HTTPError as error:
            raise SystemExit(f"{url} does not answer: {error}") from error
        said: Json = response.json() if response.content else {}
        if response.is_error:
            raise SystemExit(f"{response.status_code}: {said.get('detail', response.text)}")
        return said


@contextmanager
def calling(api: str | None, credentials: str | None, data: Path | None) -> Iterator[Caller]:
    """The API and customer that options, the environment or a data folder name."""
    folder = (data or default_data_folder()).expanduser().resolve()
    if api is None:
        run = read_run(folder)
        if run is None:
            raise SystemExit(
                f"no `iiifq up` runs in {folder}; give --api or IIIFQ_API_URL, or --data"
            )
        api = run.api_url
        credentials = credentials or kept_credentials(folder)
    key, colon, secret = (credentials or "").partition(":")
    if not colon:
        raise SystemExit("give the customer's --credentials KEY:SECRET, or IIIFQ_CREDENTIALS")
    verify = ssl.create_default_context() if api.startswith("https") else False
    with httpx.Client(auth=(key, secret), timeout=60, verify=verify) as http:
        caller = Caller(http, api.rstrip("/"))
        customer = caller.send("GET", "/").get("customer")
        if customer is None:
            raise SystemExit(f"{api} does not know these credentials")
        yield Caller(http, str(customer))


def submit(
    what: Annotated[Path, typer.Argument(help="a .csv or .json file, or a folder of files")],
    space: Annotated[int, typer.Option(help="the space of assets that name none")],
    priority: Annotated[bool, typer.Option(help="ahead of the main queue")] = False,
    watch: Annotated[bool, typer.Option(help="follow it to its end")] = False,
    api: Api = None,
    credentials: Credentials = None,
    data: Data = None,
) -> None:
    """Sends assets: one batch, or as many as it takes of 1000 assets each."""
    members = [{"space": space, **member} for member in members_of(what)]
    if not members:
        raise SystemExit(f"there is nothing to send in {what}")
    with calling(api, credentials, data) as caller:
        queue = "/queue/priority" if priority else "/queue"
        batches = []
        for start in range(0, len(members), MOST):
            body = {"@type": "Collection", "member": members[start : start + MOST]}
            batch = caller.send("POST", queue, body)
            print(f"batch {batch['id']}: {batch['count']} assets, {batch['@id']}", flush=True)
            batches.append(batch)
        if watch:
            ended = [_followed(caller, batch["@id"]) for batch in batches]
            _leave(all(ended))


def watch(
    batch: Annotated[int, typer.Argument(help="the batch's number")],
    api: Api = None,
    credentials: Credentials = None,
    data: Data = None,
) -> None:
    """Follows a batch to its end; exit 1 when it has errors."""
    with calling(api, credentials, data) as caller:
        _leave(_followed(caller, f"/queue/batches/{batch}"))


def retry(
    batch: Annotated[int, typer.Argument(help="the batch's number")],
    assets: Annotated[list[str] | None, typer.Argument(help="as space/id; else all")] = None,
    api: Api = None,
    credentials: Credentials = None,
    data: Data = None,
) -> None:
    """Retries the failed assets of a batch."""
    body = None
    if assets:
        named = [asset.partition("/") for asset in assets]
        if not all(space.isdigit() and slash and name for space, slash, name in named):
            raise SystemExit("name assets as space/id, such as 1/page-7")
        body = {"member": [{"space": int(space), "id": name} for space, _, name in named]}
    with calling(api, credentials, data) as caller:
        said = caller.send("POST", f"/queue/batches/{batch}/retry", body)
    print(f"batch {batch}: {said['count'] - said['completed']} assets to do")


def queue(api: Api = None, credentials: Credentials = None, data: Data = None) -> None:
    """Shows the queue, and the batches that are worked on."""
    with calling(api, credentials, data) as caller:
        said = caller.send("GET", "/queue")
        active = caller.send("GET", "/queue/active?pageSize=20")
    print(
        f"{said['size']} assets in the queue, {said['imagesWaiting']} of them waiting; "
        f"{said['batchesWaiting']} batches waiting, {active['totalItems']} active"
    )
    if active["member"]:
        table = Table("batch", "completed", "of", "errors", "expected end")
        for batch in active["member"]:
            counts = (str(batch[name]) for name in ("id", "completed", "count", "errors"))
            table.add_row(*counts, batch.get("estCompletion", ""))
        Console().print(table)


def _leave(well: bool) -> None:
    if not well:
        raise typer.Exit(1)


def _followed(caller: Caller, url: str) -> bool:
    """Shows a batch's progress until it has finished, then what failed; whether nothing did."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task("", total=None)
        while True:
            batch = caller.send("GET", url)
            progress.update(
                bar,
                total=batch["count"],
                completed=batch["completed"],
                description=f"batch {batch['id']}",
            )
            if "finished" in batch:
                break
            time.sleep(POLL_S)
    print(f"batch {batch['id']}: {batch['completed']} completed, {batch['errors']} errors")
    page = f"{batch['errorImages']}?pageSize=500"
    while batch["errors"] and page:
        failed = caller.send("GET", page)
        for asset in failed["member"]:
            print(f"  {asset['space']}/{asset['id']}: {asset.get('error', '')}")
        page = failed["view"].get("next", "")
    return not batch["errors"]


def members_of(what: Path) -> list[Json]:
    """The assets in a CSV file with a header, a JSON collection or array, or a folder's files."""
    try:
        if what.is_dir():
            files = [path for path in sorted(what.iterdir()) if path.is_file()]
            return [_of_file(path) for path in files if not path.name.startswith(".")]
        if what.suffix.lower() == ".csv":
            with what.open(newline="", encoding="utf-8-sig") as lines:
                return [_of_row(row) for row in csv.DictReader(lines)]
        said = json.loads(what.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{what} cannot be read: {error}") from error
    members = said.get("member") if isinstance(said, dict) else said
    if not isinstance(members, list) or not all(isinstance(each, dict) for each in members):
        raise SystemExit(f"{what} must hold an array of assets, or a collection with 'member'")
    return members


def _of_file(path: Path) -> Json:
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    name = "_".join(path.name.split())
    return {"id": name, "origin": path.resolve().as_uri(), "mediaType": guessed}


def _of_row(row: dict[str, str]) -> Json:
    """A row of a CSV file: empty cells are left out, lists are split at semicolons."""
    member: Json = {}
    for name, cell in row.items():
        if not name or not cell:
            continue
        if name in NUMBERS:
            if not cell.strip().lstrip("-").isdigit():
                raise SystemExit(f"'{name}' must be a whole number, not '{cell}'")
            member[name] = int(cell)
        elif name in LISTS:
            member[name] = [part.strip() for part in cell.split(";") if part.strip()]
        else:
            member[name] = cell
    return member


def keep_credentials(folder: Path, key: str, secret: str) -> None:
    """Keeps the first customer's for commands on this machine, readable by this user alone."""
    path = folder / CREDENTIALS
    path.touch(mode=0o600)
    path.write_text(f"{key}:{secret}\n", encoding="utf-8")


def kept_credentials(folder: Path) -> str | None:
    """Those kept in a data folder, or None."""
    path = folder / CREDENTIALS
    return path.read_text(encoding="utf-8").strip() if path.exists() else None
