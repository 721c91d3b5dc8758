"""`iiifq up`: the embedded engine with API and worker, in the foreground."""

import asyncio
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.rows import dict_row

from cli.customer import create_customer
from local.run import Run
from local.up import up as run_up
from projection import customer
from settings import Settings, default_data_folder


async def _first_customer(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        if await customer.all_customers(connection):
            return
    created = await create_customer(url, "first", 1, None, None)
    print(f"customer    {created.id}")
    print(f"key         {created.key}")
    print(f"secret      {created.secret}    (shown this once)", flush=True)


def announce(run: Run) -> None:
    """Prints where everything is; at the first start, the first customer's credentials."""
    print(f"API         {run.api_url}    (its description: {run.api_url}/docs)")
    print(f"Web UI      {run.ui_url}")
    print(f"Temporal    {run.temporal_address}")
    print(f"Postgres    {run.database_url}", flush=True)
    asyncio.run(_first_customer(run.database_url))


def up(
    data: Annotated[Path | None, typer.Option(help="where everything is kept")] = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    temporal_port: int = 7233,
    ui_port: int = 8233,
) -> None:
    """Runs Postgres, Temporal, API and worker in the foreground; Ctrl-C stops them."""
    code = run_up(
        data or default_data_folder(),
        Settings(),
        announce,
        host=host,
        port=port,
        temporal_port=temporal_port,
        ui_port=ui_port,
    )
    raise typer.Exit(code)
