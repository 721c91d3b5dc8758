-- get: one space
SELECT id, name, created, assets FROM space WHERE customer_id = %(customer_id)s AND id = %(id)s;

-- present: which of these spaces exist; they cannot be deleted until the transaction ends
SELECT id FROM space WHERE customer_id = %(customer_id)s AND id = ANY(%(ids)s)
ORDER BY id FOR KEY SHARE;

-- put: creates the space, or renames it
INSERT INTO space (customer_id, id, name) VALUES (%(customer_id)s, %(id)s, %(name)s)
ON CONFLICT (customer_id, id) DO UPDATE SET name = excluded.name
RETURNING id, name, created, assets, old.id IS NULL AS is_new;

-- rename: an existing space
UPDATE space SET name = %(name)s WHERE customer_id = %(customer_id)s AND id = %(id)s
RETURNING id, name, created, assets;

-- lock_customer: one minting at a time
SELECT id FROM customer WHERE id = %(customer_id)s FOR NO KEY UPDATE;

-- mint: a space with the next free number
INSERT INTO space (customer_id, id, name)
SELECT %(customer_id)s, coalesce(max(id), 0) + 1, %(name)s
FROM space WHERE customer_id = %(customer_id)s
RETURNING id, name, created, assets;

-- delete: the space; a foreign key keeps one that has assets
DELETE FROM space WHERE customer_id = %(customer_id)s AND id = %(id)s RETURNING id;

-- total: how many spaces
SELECT count(*) AS total FROM space WHERE customer_id = %(customer_id)s;

-- page: spaces by number
SELECT id, name, created, assets FROM space WHERE customer_id = %(customer_id)s
ORDER BY id {up} LIMIT %(limit)s OFFSET %(offset)s;
