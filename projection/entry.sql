-- submit: the entries of a batch, one for each of its assets
INSERT INTO entry (batch_id, ordinal, customer_id, manifest_key, kind, space_id, asset_id)
SELECT %(batch_id)s, ordinal, %(customer_id)s, %(manifest_key)s, %(kind)s, space_id, id
FROM asset WHERE batch_id = %(batch_id)s ORDER BY ordinal;

-- take: older entries that still wait end, since a newer batch has their assets
UPDATE entry e SET state = 'completed'
FROM (SELECT * FROM unnest(%(batch_ids)s::bigint[], %(ordinals)s::int[]) AS t (batch_id, ordinal)
    ) t
WHERE e.batch_id = t.batch_id AND e.ordinal = t.ordinal AND e.state = 'waiting';

-- open: entries of a batch that have not ended, in pages by ordinal
SELECT ordinal, space_id || '/' || asset_id AS asset FROM entry
WHERE batch_id = %(batch_id)s AND ordinal > %(after)s AND state IN ('waiting', 'processing')
ORDER BY ordinal LIMIT %(limit)s;

-- lock: the asset of an entry, until the transaction ends
SELECT a.id FROM entry e
JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s FOR NO KEY UPDATE OF a;

-- read: an entry with its asset and who is processing that; after lock, so that nothing is stale
SELECT e.state, e.customer_id, e.space_id, e.asset_id, a.batch_id, a.media_type, a.origin,
    a.delivery_channels, c.holder
FROM entry e
LEFT JOIN asset a ON (a.customer_id, a.space_id, a.id) = (e.customer_id, e.space_id, e.asset_id)
LEFT JOIN claim c
    ON (c.customer_id, c.space_id, c.asset_id) = (e.customer_id, e.space_id, e.asset_id)
WHERE e.batch_id = %(batch_id)s AND e.ordinal = %(ordinal)s;

-- begin: work starts: the asset is claimed
WITH claimed AS (
    INSERT INTO claim (customer_id, space_id, asset_id, holder)
    VALUES (%(customer_id)s, %(space_id)s, %(asset_id)s, %(holder)s)
    ON CONFLICT (customer_id, space_id, asset_id) DO NOTHING
), begun AS (
    UPDATE entry SET state = 'processing'
    WHERE batch_id = %(batch_id)s AND ordinal = %(ordinal)s AND state = 'waiting'
)
UPDATE asset SET ingesting = true, finished = NULL, error = NULL
WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND id = %(asset_id)s;

-- end: work ended, well or with an error; the asset follows unless a newer batch has it
WITH released AS (
    DELETE FROM claim WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s
        AND asset_id = %(asset_id)s AND holder = %(holder)s
), ended AS (
    UPDATE entry SET state = CASE WHEN %(error)s::text IS NULL
            THEN 'completed' ELSE 'error' END::entry_state,
        error = %(error)s
    WHERE batch_id = %(batch_id)s AND ordinal = %(ordinal)s AND state IN ('waiting', 'processing')
    RETURNING batch_id, ordinal
)
UPDATE asset a SET ingesting = false, finished = now(), error = %(error)s,
    width = CASE WHEN %(error)s::text IS NULL THEN %(width)s ELSE a.width END,
    height = CASE WHEN %(error)s::text IS NULL THEN %(height)s ELSE a.height END,
    duration = CASE WHEN %(error)s::text IS NULL THEN %(duration)s ELSE a.duration END,
    derivatives = CASE WHEN %(error)s::text IS NULL THEN %(derivatives)s ELSE a.derivatives END
FROM ended WHERE a.batch_id = ended.batch_id AND a.ordinal = ended.ordinal;
