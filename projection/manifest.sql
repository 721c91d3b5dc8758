-- put: creates the manifest, or relabels it
INSERT INTO manifest (customer_id, id, label) VALUES (%(customer_id)s, %(id)s, %(label)s)
ON CONFLICT (customer_id, id) DO UPDATE SET label = excluded.label
RETURNING key, customer_id, id, label, space_id, created, old.id IS NULL AS is_new;

-- create: a manifest, unless its id is taken
INSERT INTO manifest (customer_id, id, label) VALUES (%(customer_id)s, %(id)s, %(label)s)
ON CONFLICT (customer_id, id) DO NOTHING
RETURNING key, customer_id, id, label, space_id, created;

-- get: one manifest
SELECT key, customer_id, id, label, space_id, created FROM manifest
WHERE customer_id = %(customer_id)s AND id = %(id)s;

-- lock: one manifest, until the transaction ends
SELECT key, customer_id, id, label, space_id, created FROM manifest
WHERE key = %(key)s FOR UPDATE;

-- hold: it is not deleted until the transaction ends
SELECT key FROM manifest WHERE key = %(key)s FOR KEY SHARE;

-- give_space: the space of its own
UPDATE manifest SET space_id = %(space_id)s WHERE key = %(key)s;

-- associate: the assets of a batch with its manifest
INSERT INTO manifest_asset (manifest_key, customer_id, space_id, asset_id)
SELECT %(key)s, customer_id, space_id, id FROM asset WHERE batch_id = %(batch_id)s
ORDER BY space_id, id
ON CONFLICT DO NOTHING;

-- delete: the manifest; its assets stay
DELETE FROM manifest WHERE key = %(key)s;

-- delete_queue: and its queue's counters
DELETE FROM queue WHERE customer_id = %(customer_id)s AND manifest_key = %(key)s;

-- disown: its batches are the customer's alone
WITH locked AS (
    SELECT id FROM batch WHERE manifest_key = %(key)s AND manifest_key <> 0
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE batch SET manifest_key = 0 FROM locked WHERE batch.id = locked.id;

-- total: how many manifests
SELECT count(*) AS total FROM manifest WHERE customer_id = %(customer_id)s;

-- page: manifests by id
SELECT key, customer_id, id, label, space_id, created FROM manifest
WHERE customer_id = %(customer_id)s ORDER BY key {up} LIMIT %(limit)s OFFSET %(offset)s;
