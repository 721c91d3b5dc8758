-- lock_customer: one change at a time, and no policy of the customer's is deleted meanwhile
SELECT FROM customer WHERE id = %(customer_id)s FOR NO KEY UPDATE;

-- in_force: of the customer and of some spaces, in the order in which they count
SELECT id, space_id, media_type, channel, policy FROM default_delivery_channel
WHERE customer_id = %(customer_id)s AND (space_id IS NULL OR space_id = ANY(%(spaces)s))
ORDER BY space_id NULLS LAST, length(media_type) DESC, id;

-- page: of the customer, or of a space
SELECT id, space_id, media_type, channel, policy FROM default_delivery_channel
WHERE customer_id = %(customer_id)s AND space_id IS NOT DISTINCT FROM %(space_id)s
ORDER BY id {up} LIMIT %(limit)s OFFSET %(offset)s;

-- total: how many
SELECT count(*) FROM default_delivery_channel
WHERE customer_id = %(customer_id)s AND space_id IS NOT DISTINCT FROM %(space_id)s;

-- get: one of the customer, or of a space
SELECT id, space_id, media_type, channel, policy FROM default_delivery_channel
WHERE customer_id = %(customer_id)s AND space_id IS NOT DISTINCT FROM %(space_id)s AND id = %(id)s;

-- create: a new one; no row when there is one for this media type and channel
INSERT INTO default_delivery_channel (customer_id, space_id, media_type, channel, policy)
VALUES (%(customer_id)s, %(space_id)s, %(media_type)s, %(channel)s, %(policy)s)
ON CONFLICT DO NOTHING
RETURNING id, space_id, media_type, channel, policy;

-- change: replaces one; no row when another is for this media type and channel
UPDATE default_delivery_channel d
SET media_type = %(media_type)s, channel = %(channel)s, policy = %(policy)s
WHERE d.customer_id = %(customer_id)s AND d.space_id IS NOT DISTINCT FROM %(space_id)s
    AND d.id = %(id)s AND NOT EXISTS (SELECT FROM default_delivery_channel o
        WHERE o.customer_id = d.customer_id AND o.space_id IS NOT DISTINCT FROM d.space_id
        AND o.media_type = %(media_type)s AND o.channel = %(channel)s AND o.id <> d.id)
RETURNING id, space_id, media_type, channel, policy;

-- delete: one of the customer, or of a space
DELETE FROM default_delivery_channel
WHERE customer_id = %(customer_id)s AND space_id IS NOT DISTINCT FROM %(space_id)s AND id = %(id)s
RETURNING id;
