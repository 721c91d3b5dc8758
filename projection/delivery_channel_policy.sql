-- keep: no policy of the customer's is deleted until the transaction ends
SELECT FROM customer WHERE id = %(customer_id)s FOR KEY SHARE;

-- own: the names that a customer has given
SELECT channel, name FROM delivery_channel_policy WHERE customer_id = %(customer_id)s;

-- page: the customer's own of a channel, by name
SELECT channel, name, display_name, data, created, modified FROM delivery_channel_policy
WHERE customer_id = %(customer_id)s AND channel = %(channel)s ORDER BY name;

-- get: one of them
SELECT channel, name, display_name, data, created, modified FROM delivery_channel_policy
WHERE customer_id = %(customer_id)s AND channel = %(channel)s AND name = %(name)s;

-- create: a new one; no row when the name is taken
INSERT INTO delivery_channel_policy (customer_id, channel, name, display_name, data)
VALUES (%(customer_id)s, %(channel)s, %(name)s, %(display_name)s, %(data)s)
ON CONFLICT DO NOTHING
RETURNING channel, name, display_name, data, created, modified;

-- change: assets that were made by it stay as they are until they are processed again
UPDATE delivery_channel_policy
SET display_name = %(display_name)s, data = %(data)s, modified = now()
WHERE customer_id = %(customer_id)s AND channel = %(channel)s AND name = %(name)s
RETURNING channel, name, display_name, data, created, modified;

-- lock_customer: one creation at a time, so that their number stays bounded
SELECT FROM customer WHERE id = %(customer_id)s FOR NO KEY UPDATE;

-- lock_users_out: whoever names a policy of the customer's waits until the transaction ends
SELECT FROM customer WHERE id = %(customer_id)s FOR UPDATE;

-- in_use: whether a default or an asset names the policy
SELECT EXISTS (SELECT FROM default_delivery_channel d WHERE d.customer_id = %(customer_id)s
        AND d.channel = %(channel)s AND d.policy = %(name)s)
    OR EXISTS (SELECT FROM asset a WHERE a.customer_id = %(customer_id)s
        AND NOT of_the_platform(a.delivery_channels)
        AND a.delivery_channels @> jsonb_build_array(jsonb_build_object(
            'channel', %(channel)s::text, 'policy', %(name)s::text)));

-- delete: one that nothing names
DELETE FROM delivery_channel_policy
WHERE customer_id = %(customer_id)s AND channel = %(channel)s AND name = %(name)s RETURNING name;

-- count: a customer has few, see MOST
SELECT count(*) FROM delivery_channel_policy WHERE customer_id = %(customer_id)s;
