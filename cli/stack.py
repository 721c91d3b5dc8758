"""`iiifq up`: the embedded engine with API and worker, in the foreground."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.client import keep_credentials
from cli.customer import Created, Taken, create_customer, in_transaction
from local.run import Run
from local.up import up as run_up
from projection import customer
from projection.database import Connection
from settings import Settings, default_data_folder


async def first_customer(connection: Connection) -> Created | None:
    """Customer 1, unless there is a customer."""
    if await customer.all_customers(connection):
        return None
    try:
        return await create_customer(connection, "first", 1)
    except Taken:
        return None  # somebody was faster: the API is ready before this


def announce(data: Path, run: Run) -> None:
    """Prints where everything is; at the first start, the first customer's credentials."""
    print(f"API         {run.api_url}    (its description: {run.api_url}/docs)")
    print(f"Web UI      {run.ui_url}")
    print(f"Temporal    {run.temporal_address}")
    print(f"Postgres    {run.database_url}", flush=True)
    created = asyncio.run(in_transaction(run.database_url, first_customer))
    if created is not None:
        keep_credentials(data, created.key, created.secret)
        print(f"customer    {created.id}")
        print(f"key         {created.key}")
        print(f"secret      {created.secret}    (shown this once)", flush=True)


def up(
    data: Annotated[Path | None, typer.Option(help="where everything is kept")] = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    temporal_port: int = 7233,
    ui_port: int = 8233,
) -> None:
    """Runs Postgres, Temporal, API and worker in the foreground; Ctrl-C stops them."""
    folder = (data or default_data_folder()).expanduser().resolve()
    code = run_up(
        folder,
        Settings(),
        partial(announce, folder),
        host=host,
        port=port,
        temporal_port=temporal_port,
        ui_port=ui_port,
    )
    raise typer.Exit(code)
