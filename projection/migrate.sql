-- lock: one migration at a time, until the end of the transaction
SELECT pg_advisory_xact_lock(0x696969665f71);

-- create: the record of what was applied
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
);

-- applied: the names of the files applied
SELECT name FROM migration;

-- record: a file was applied
INSERT INTO migration (name) VALUES (%(name)s);
