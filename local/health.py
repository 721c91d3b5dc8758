"""Checks that only a living program passes: a process held by SIGSTOP still accepts connections."""

import ssl

import httpx
import psycopg

TIMEOUT_S = 5
# Reading the machine's certificates, which httpx does for each client, takes 45 ms of processor;
# what is asked here is on this machine, and speaks plain HTTP.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def postgres_answers(database_url: str) -> bool:
    """Whether Postgres opens a session on the database and answers a query in it."""
    try:
        connection = await psycopg.AsyncConnection.connect(
            database_url, connect_timeout=TIMEOUT_S, autocommit=True
        )
    except psycopg.OperationalError:
        return False
    async with connection:
        await connection.execute("")  # an empty query: the round trip is what is asked for
    return True


async def http_answers(url: str) -> bool:
    """Whether a GET of the URL is answered with success."""
    try:
        async with httpx.AsyncClient(
            trust_env=False, verify=NO_CERTIFICATES, timeout=TIMEOUT_S
        ) as client:
            return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False
