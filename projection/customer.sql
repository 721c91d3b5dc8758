-- create: a customer with an id of its own, or the one given
INSERT INTO customer (id, name)
VALUES (coalesce(%(id)s::int, nextval(pg_get_serial_sequence('customer', 'id'))::int), %(name)s)
ON CONFLICT (id) DO NOTHING
RETURNING id, name, weight, created, quota_assets, quota_bytes;

-- pass_id: the next minted id is beyond every id in use
SELECT setval(pg_get_serial_sequence('customer', 'id'), max(id)) FROM customer;

-- get: one customer
SELECT id, name, weight, created, quota_assets, quota_bytes FROM customer WHERE id = %(id)s;

-- list: all customers
SELECT id, name, weight, created, quota_assets, quota_bytes FROM customer ORDER BY id;

-- set_weight: the customer's share of a task queue
UPDATE customer SET weight = %(weight)s WHERE id = %(id)s RETURNING id, name, weight, created, quota_assets, quota_bytes;

-- set_quota: how many assets, and bytes of derivatives, the customer may have
UPDATE customer SET quota_assets = %(assets)s, quota_bytes = %(bytes)s WHERE id = %(id)s
RETURNING id, name, weight, created, quota_assets, quota_bytes;

-- lock_quota: a customer with a quota, until the transaction ends
SELECT FROM customer WHERE id = %(id)s AND (quota_assets IS NOT NULL OR quota_bytes IS NOT NULL)
FOR NO KEY UPDATE;

-- add_credential: a key with the hash of its secret
INSERT INTO credential (key, customer_id, secret_hash)
VALUES (%(key)s, %(customer_id)s, %(secret_hash)s)
ON CONFLICT (key) DO NOTHING RETURNING key;

-- credential: whose a key is
SELECT customer_id, secret_hash FROM credential WHERE key = %(key)s;

-- credentials: the keys of a customer
SELECT key, created FROM credential WHERE customer_id = %(customer_id)s ORDER BY created, key;

-- revoke_credential: the key is of no use from now on
DELETE FROM credential WHERE customer_id = %(customer_id)s AND key = %(key)s RETURNING key;
