-- take: claims the asset for a new attempt, unless somebody else has it; gives who has
INSERT INTO claim AS c (customer_id, space_id, asset_id, holder)
VALUES (%(customer_id)s, %(space_id)s, %(asset_id)s, %(holder)s)
ON CONFLICT (customer_id, space_id, asset_id) DO UPDATE SET holder = c.holder,
    token = CASE WHEN c.holder = excluded.holder THEN excluded.token ELSE c.token END,
    bytes = CASE WHEN c.holder = excluded.holder THEN 0 ELSE c.bytes END
RETURNING c.holder, c.token;

-- reserve: room in the customer's quota for what the asset is to have in the store, if there is;
-- gives the room, no row where there is no quota. After the customer is locked.
WITH asset_room AS (
    SELECT c.quota_bytes
            - (SELECT coalesce(sum(s.bytes), 0) FROM space s WHERE s.customer_id = c.id)
            - (SELECT coalesce(sum(o.bytes), 0) FROM claim o WHERE o.customer_id = c.id
                AND (o.space_id, o.asset_id) <> (%(space_id)s, %(asset_id)s))
            + coalesce(stored_bytes(a.derivatives), 0) AS room,
        coalesce(stored_bytes(a.derivatives), 0) AS has
    FROM customer c LEFT JOIN asset a
        ON (a.customer_id, a.space_id, a.id) = (c.id, %(space_id)s, %(asset_id)s)
    WHERE c.id = %(customer_id)s AND c.quota_bytes IS NOT NULL
), reserved AS (
    UPDATE claim SET bytes = greatest(0, %(bytes)s - r.has) FROM asset_room r
    WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s AND asset_id = %(asset_id)s
        AND %(bytes)s <= r.room
)
SELECT room::bigint FROM asset_room;

-- is_held: whether the asset is still claimed by this attempt
SELECT EXISTS (SELECT FROM claim WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s
    AND asset_id = %(asset_id)s AND token = %(token)s);

-- release: lets go of the asset, if the holder has it
DELETE FROM claim WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s
    AND asset_id = %(asset_id)s AND holder = %(holder)s;

-- release_all: lets go of whatever the holder has
DELETE FROM claim WHERE holder = %(holder)s;
