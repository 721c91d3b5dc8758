-- miscounted_batches: batches whose counts or flags do not agree with their entries and assets
SELECT b.id FROM batch b LEFT JOIN LATERAL (
    SELECT count(*) AS count,
        count(*) FILTER (WHERE e.state = 'waiting') AS waiting,
        count(*) FILTER (WHERE e.state = 'processing') AS processing,
        count(*) FILTER (WHERE e.state IN ('completed', 'error')) AS completed,
        count(*) FILTER (WHERE e.state = 'error') AS errors
    FROM entry e WHERE e.batch_id = b.id
) r ON true
WHERE (b.count, b.waiting, b.processing, b.completed, b.errors, b.state = 'finished', b.owned)
    IS DISTINCT FROM (r.count, r.waiting, r.processing, r.completed, r.errors,
        r.completed = r.count, (SELECT count(*) FROM asset a WHERE a.batch_id = b.id))
ORDER BY b.id;

-- miscounted_spaces: spaces whose counters do not agree with their assets
SELECT s.customer_id, s.id, s.assets, s.bytes, count(a.id) AS counted,
    coalesce(sum(stored_bytes(a.derivatives)), 0)::bigint AS counted_bytes
FROM space s LEFT JOIN asset a ON a.customer_id = s.customer_id AND a.space_id = s.id
GROUP BY s.customer_id, s.id
HAVING (s.assets, s.bytes) <> (count(a.id), coalesce(sum(stored_bytes(a.derivatives)), 0))
ORDER BY s.customer_id, s.id;

-- lock_space: a space, until the transaction ends
SELECT FROM space WHERE customer_id = %(customer_id)s AND id = %(id)s FOR NO KEY UPDATE;

-- recount_space: corrects a space's counters; after lock_space, so that nothing changes meanwhile
UPDATE space s SET (assets, bytes) = (
    SELECT count(*), coalesce(sum(stored_bytes(a.derivatives)), 0)
    FROM asset a WHERE a.customer_id = s.customer_id AND a.space_id = s.id)
WHERE s.customer_id = %(customer_id)s AND s.id = %(id)s;

-- stale: a claim `c` whose holder is not processing the asset, as the rows say
NOT EXISTS (SELECT FROM entry e
        WHERE e.batch_id = CASE WHEN c.holder LIKE 'batch-%%' THEN substr(c.holder, 7)::bigint END
        AND (e.customer_id, e.space_id, e.asset_id) = (c.customer_id, c.space_id, c.asset_id)
        AND e.state = 'processing')
    AND NOT EXISTS (SELECT FROM asset a
        WHERE a.job_id = CASE WHEN c.holder LIKE 'job-%%' THEN substr(c.holder, 5)::bigint END)
    AND NOT EXISTS (SELECT FROM deletion d
        WHERE d.id = CASE WHEN c.holder LIKE 'deletion-%%' THEN substr(c.holder, 10)::bigint END);

-- stale_claims: claims on assets that nobody is processing, taken longer ago than this
SELECT c.customer_id, c.space_id, c.asset_id, c.holder FROM claim c
WHERE c.since < now() - make_interval(secs => %(seconds)s) AND {stale};

-- lock_claimed: the asset, if there is one, until the transaction ends
SELECT id FROM asset WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s
    AND id = %(asset_id)s FOR NO KEY UPDATE;

-- drop_claim: lets go of an asset that nobody is processing; after lock_claimed, without which the
-- holder might begin meanwhile
DELETE FROM claim c WHERE c.customer_id = %(customer_id)s AND c.space_id = %(space_id)s
    AND c.asset_id = %(asset_id)s AND c.holder = %(holder)s AND {stale};

-- unrecorded: of keys in the store, those that no asset has recorded or is about to
SELECT k.key, k.customer_id, k.space_id, k.asset_id
FROM unnest(%(keys)s::text[], %(customers)s::int[], %(spaces)s::int[], %(assets)s::text[])
    AS k (key, customer_id, space_id, asset_id)
WHERE NOT EXISTS (SELECT FROM asset a
        WHERE (a.customer_id, a.space_id, a.id) = (k.customer_id, k.space_id, k.asset_id)
        AND (a.ingesting OR a.derivatives @> jsonb_build_array(jsonb_build_object('key', k.key))))
    AND NOT EXISTS (SELECT FROM claim c WHERE
        (c.customer_id, c.space_id, c.asset_id) = (k.customer_id, k.space_id, k.asset_id))
    AND NOT EXISTS (SELECT FROM deletion d WHERE
        (d.customer_id, d.space_id, d.asset_id) = (k.customer_id, k.space_id, k.asset_id))
ORDER BY k.key;

-- stored: assets with what they have in the store, in pages
SELECT customer_id, space_id, id, derivatives FROM asset
WHERE (customer_id, space_id, id) > (%(customer_id)s, %(space_id)s, %(id)s)
    AND NOT ingesting AND derivatives <> '[]'
ORDER BY customer_id, space_id, id LIMIT %(limit)s;
