-- get: one space
SELECT id, name, created, assets, bytes FROM space WHERE customer_id = %(customer_id)s AND id = %(id)s;

-- present: which of these spaces exist; they cannot be deleted until the transaction ends
SELECT id FROM space WHERE customer_id = %(customer_id)s AND id = ANY(%(ids)s)
ORDER BY id FOR KEY SHARE;

-- put: creates the space, or renames it
INSERT INTO space (customer_id, id, name) VALUES (%(customer_id)s, %(id)s, %(name)s)
ON CONFLICT (customer_id, id) DO UPDATE SET name = excluded.name
RETURNING id, name, created, assets, bytes, old.id IS NULL AS is_new;

-- rename: an existing space
UPDATE space SET name = %(name)s WHERE customer_id = %(customer_id)s AND id = %(id)s
RETURNING id, name, created, assets, bytes;

-- lock_customer: one minting at a time
SELECT id FROM customer WHERE id = %(customer_id)s FOR NO KEY UPDATE;

-- mint: a space with the lowest free number; no row when somebody takes that very number
INSERT INTO space (customer_id, id, name)
SELECT %(customer_id)s, min(taken.id) + 1, %(name)s
FROM (SELECT 0 AS id UNION ALL SELECT id FROM space WHERE customer_id = %(customer_id)s) taken
WHERE taken.id < 2147483647 AND NOT EXISTS (SELECT FROM space next
    WHERE next.customer_id = %(customer_id)s AND next.id = taken.id + 1)
ON CONFLICT DO NOTHING
RETURNING id, name, created, assets, bytes;

-- delete: the space, if it is empty
DELETE FROM space WHERE customer_id = %(customer_id)s AND id = %(id)s AND assets = 0 RETURNING id;

-- total: how many spaces
SELECT count(*) AS total FROM space WHERE customer_id = %(customer_id)s;

-- page: spaces by number
SELECT id, name, created, assets, bytes FROM space WHERE customer_id = %(customer_id)s
ORDER BY id {up} LIMIT %(limit)s OFFSET %(offset)s;

-- stored: what the customer has in all spaces, and may have
SELECT coalesce(sum(s.assets), 0)::bigint AS assets, coalesce(sum(s.bytes), 0)::bigint AS bytes,
    c.quota_assets, c.quota_bytes
FROM customer c LEFT JOIN space s ON s.customer_id = c.id
WHERE c.id = %(customer_id)s GROUP BY c.id;
