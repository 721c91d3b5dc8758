-- columns: what an asset is read as
a.customer_id, a.space_id, a.id, a.media_type, a.origin, a.delivery_channels, a.string1, a.string2,
a.string3, a.number1, a.number2, a.number3, a.tags, a.roles, a.max_unauthorised, a.created,
a.batch_id, a.ingesting, a.finished, a.error, a.width, a.height, a.duration, a.derivatives,
a.attempts, a.last_fault, a.next_attempt,
ARRAY(SELECT m.id FROM manifest_asset ma JOIN manifest m ON m.key = ma.manifest_key
    WHERE (ma.customer_id, ma.space_id, ma.asset_id) = (a.customer_id, a.space_id, a.id)
    ORDER BY m.id) AS manifests;

-- get: one asset
SELECT {columns} FROM asset a
WHERE a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s AND a.id = %(id)s;

-- lock: one asset, until the transaction ends
SELECT a.batch_id, a.derivatives FROM asset a
WHERE a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s AND a.id = %(id)s
FOR UPDATE;

-- submit: creates or replaces the assets of a batch; gives the entries they are taken from
WITH stored AS (
    INSERT INTO asset AS a (customer_id, space_id, id, media_type, origin, delivery_channels,
        string1, string2, string3, number1, number2, number3, tags, roles, max_unauthorised,
        batch_id, ordinal)
    SELECT %(customer_id)s, space_id, id, media_type, origin, delivery_channels,
        string1, string2, string3, number1, number2, number3,
        coalesce(tags, '{}'), coalesce(roles, '{}'), max_unauthorised, %(batch_id)s, ordinal
    FROM jsonb_to_recordset(%(members)s) AS m (ordinal int, space_id int, id text, media_type text,
        origin text, delivery_channels jsonb, string1 text, string2 text, string3 text,
        number1 bigint, number2 bigint, number3 bigint, tags text[], roles text[],
        max_unauthorised int)
    ORDER BY space_id, id
    ON CONFLICT (customer_id, space_id, id) DO UPDATE SET
        media_type = excluded.media_type, origin = excluded.origin,
        delivery_channels = excluded.delivery_channels,
        string1 = excluded.string1, string2 = excluded.string2, string3 = excluded.string3,
        number1 = excluded.number1, number2 = excluded.number2, number3 = excluded.number3,
        tags = excluded.tags, roles = excluded.roles,
        max_unauthorised = excluded.max_unauthorised,
        batch_id = excluded.batch_id, ordinal = excluded.ordinal,
        ingesting = true, finished = NULL, error = NULL,
        attempts = 0, last_fault = NULL, next_attempt = NULL
    RETURNING old.batch_id, old.ordinal
)
SELECT batch_id, ordinal FROM stored WHERE batch_id IS NOT NULL ORDER BY batch_id, ordinal;

-- put: creates or replaces one asset, to be processed by a job of its own
INSERT INTO asset AS a (customer_id, space_id, id, media_type, origin, delivery_channels,
    string1, string2, string3, number1, number2, number3, tags, roles, max_unauthorised, job_id)
VALUES (%(customer_id)s, %(space_id)s, %(id)s, %(media_type)s, %(origin)s,
    %(delivery_channels)s, %(string1)s, %(string2)s, %(string3)s, %(number1)s, %(number2)s,
    %(number3)s, coalesce(%(tags)s::text[], '{}'), coalesce(%(roles)s::text[], '{}'),
    %(max_unauthorised)s, nextval('job'))
ON CONFLICT (customer_id, space_id, id) DO UPDATE SET
    media_type = excluded.media_type, origin = excluded.origin,
    delivery_channels = excluded.delivery_channels,
    string1 = excluded.string1, string2 = excluded.string2, string3 = excluded.string3,
    number1 = excluded.number1, number2 = excluded.number2, number3 = excluded.number3,
    tags = excluded.tags, roles = excluded.roles, max_unauthorised = excluded.max_unauthorised,
    job_id = excluded.job_id, ingesting = true, finished = NULL, error = NULL,
    attempts = 0, last_fault = NULL, next_attempt = NULL
RETURNING job_id, old.id IS NULL AS is_new,
    delivery_channels @> '[{"channel": "iiif-av"}]' AS is_av;

-- patch: the properties given, the others as they are
UPDATE asset a SET
    media_type = m.media_type, origin = m.origin, delivery_channels = m.delivery_channels,
    string1 = m.string1, string2 = m.string2, string3 = m.string3,
    number1 = m.number1, number2 = m.number2, number3 = m.number3,
    tags = m.tags, roles = m.roles, max_unauthorised = m.max_unauthorised
FROM (
    SELECT (jsonb_populate_record(o, c.changes)).*
    FROM jsonb_to_recordset(%(changes)s) AS c (id text, changes jsonb)
    JOIN asset o ON o.customer_id = %(customer_id)s AND o.space_id = %(space_id)s AND o.id = c.id
) m
WHERE a.customer_id = m.customer_id AND a.space_id = m.space_id AND a.id = m.id;

-- lock_many: these assets, until the transaction ends
SELECT a.id FROM asset a
WHERE a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s AND a.id = ANY(%(ids)s)
ORDER BY a.id FOR UPDATE;

-- reprocess: a job of its own for an asset that exists
UPDATE asset SET job_id = nextval('job'), ingesting = true, finished = NULL, error = NULL,
    attempts = 0, last_fault = NULL, next_attempt = NULL
WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND id = %(id)s
RETURNING job_id, delivery_channels @> '[{"channel": "iiif-av"}]' AS is_av;

-- delete: the asset
DELETE FROM asset
WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND id = %(id)s;

-- leave_derivatives: what the asset leaves in the store
INSERT INTO deletion (customer_id, space_id, asset_id, derivatives)
VALUES (%(customer_id)s, %(space_id)s, %(id)s, %(derivatives)s) RETURNING id;

-- end_entries: those of an asset that is gone: of its newest batch, and one being processed
UPDATE entry SET owned = false,
    state = CASE WHEN state IN ('waiting', 'processing') THEN 'completed' ELSE state END
WHERE batch_id IN (%(batch_id)s, (SELECT substr(holder, 7)::bigint FROM claim
        WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND asset_id = %(id)s
            AND holder LIKE 'batch-%%'))
    AND space_id = %(space_id)s AND asset_id = %(id)s
RETURNING CASE WHEN old.state IN ('waiting', 'processing') THEN new.batch_id END AS ended_in;

-- page: of a view
SELECT {columns} {source} {conditions} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s;

-- total: members of a view
SELECT count(*) AS total {source} {conditions};

-- condition: a field has a value
AND a.{field} = {value};

-- of_space: the assets of a space
FROM asset a WHERE a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s;

-- of_ids: these assets of a space
FROM asset a WHERE a.customer_id = %(customer_id)s AND a.space_id = %(space_id)s
    AND a.id = ANY(%(ids)s);

-- of_customer: all assets of a customer
FROM asset a WHERE a.customer_id = %(customer_id)s;

-- of_batch: assets whose newest batch this is
FROM asset a WHERE a.batch_id = %(batch_id)s;

-- of_batch_by_state: those of them whose entry has this state
FROM asset a JOIN entry e ON e.batch_id = a.batch_id AND e.ordinal = a.ordinal
WHERE a.batch_id = %(batch_id)s AND e.state = %(state)s;

-- of_batch_entries: all it was created with that still exist
FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s;

-- of_queue: on the customer's main queue
FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.customer_id = %(customer_id)s AND e.kind = 'main' AND e.state IN ('waiting', 'processing');

-- of_manifest_queue: on the manifest's main queue
FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.manifest_key = %(manifest_key)s AND e.manifest_key <> 0 AND e.kind = 'main'
    AND e.state IN ('waiting', 'processing');

-- of_manifest: associated with the manifest
FROM manifest_asset ma
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (ma.customer_id, ma.space_id, ma.asset_id)
WHERE ma.manifest_key = %(manifest_key)s;

-- total_of_customer: how many assets a customer has, from the counters of its spaces
SELECT coalesce(sum(assets), 0)::bigint AS total FROM space WHERE customer_id = %(customer_id)s;

-- pending_jobs: jobs whose workflow may never have been told, oldest first
SELECT customer_id, space_id, id, job_id,
    delivery_channels @> '[{"channel": "iiif-av"}]' AS is_av
FROM asset WHERE job_id > %(after)s
ORDER BY job_id LIMIT %(limit)s;

-- deletion: what a deleted or changed asset left in the store
SELECT id, customer_id, space_id, asset_id, derivatives FROM deletion WHERE id = %(id)s FOR UPDATE;

-- kept_keys: keys in the store that an asset has, sent again or changed
SELECT d ->> 'key' FROM asset, jsonb_array_elements(derivatives) AS d
WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND id = %(id)s;

-- end_deletion: nothing is left of it
DELETE FROM deletion WHERE id = %(id)s;

-- pending_deletions: deletions whose workflow may never have been told, oldest first
SELECT id FROM deletion WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;
