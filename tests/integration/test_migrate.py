"""A database of an earlier version is brought to the newest schema with all that it holds."""

from pathlib import Path

import psycopg

from projection import migrate as migration
from projection.migrate import migrate
from tests.recount import RECOUNT

FILES = sorted((Path(migration.__file__).parent / "migrations").glob("*.sql"))
FIRST = """
CREATE TABLE migration (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
INSERT INTO migration (name) VALUES ('0001_schema.sql');
INSERT INTO customer (id, name) VALUES (7, 'library');
INSERT INTO space (customer_id, id, name) VALUES (7, 1, 'books'), (7, 2, 'maps'), (7, 3, 'none');
INSERT INTO asset (customer_id, space_id, id, media_type, origin, delivery_channels, derivatives)
VALUES
    (7, 1, 'a', 'image/jpeg', 'https://x/', '[]', '[{"bytes": 5}, {"bytes": 6}]'),
    (7, 1, 'b', 'image/jpeg', 'https://x/', '[]', '[{"bytes": 10}]'),
    (7, 2, 'c', 'image/jpeg', 'https://x/', '[]', '[{"bytes": 5000000000}]'),
    (7, 2, 'd', 'image/jpeg', 'https://x/', '[]', '[]');
"""


def test_what_is_stored_is_counted_from_before(bare_url: str) -> None:
    with psycopg.connect(bare_url) as connection:
        connection.execute(FILES[0].read_bytes())
        connection.execute(FIRST)
    assert migrate(bare_url) == [file.name for file in FILES[1:]]
    assert migrate(bare_url) == []
    with psycopg.connect(bare_url) as connection:
        spaces = connection.execute("SELECT id, assets, bytes FROM space ORDER BY id").fetchall()
        assert spaces == [(1, 2, 21), (2, 2, 5_000_000_000), (3, 0, 0)]
        connection.execute(
            "UPDATE asset SET derivatives = '[{\"bytes\": 1}]' WHERE id IN ('a', 'd')"
        )
        connection.execute("DELETE FROM asset WHERE id = 'c'")
        spaces = connection.execute("SELECT id, assets, bytes FROM space ORDER BY id").fetchall()
        assert spaces == [(1, 2, 11), (2, 1, 1), (3, 0, 0)]
        assert connection.execute(RECOUNT).fetchall() == []


def test_every_customer_has_the_platforms_defaults(bare_url: str) -> None:
    with psycopg.connect(bare_url) as connection:
        connection.execute(FILES[0].read_bytes())
        connection.execute(FIRST)
    migrate(bare_url)
    with psycopg.connect(bare_url) as connection:
        connection.execute("INSERT INTO customer (id, name) VALUES (8, 'archive'), (9, 'museum')")
        defaults = connection.execute(
            "SELECT customer_id, string_agg(media_type || ' ' || channel || ' ' || policy, ', '"
            " ORDER BY id) FROM default_delivery_channel GROUP BY 1 ORDER BY 1"
        ).fetchall()
    platform = "image/* iiif-img default, image/* thumbs default"
    platform += ", audio/* iiif-av default-audio, video/* iiif-av default-video"
    assert defaults == [(number, platform) for number in (7, 8, 9)]
