-- take: claims the asset, unless somebody has it; gives who has
INSERT INTO claim AS c (customer_id, space_id, asset_id, holder)
VALUES (%(customer_id)s, %(space_id)s, %(asset_id)s, %(holder)s)
ON CONFLICT (customer_id, space_id, asset_id) DO UPDATE SET holder = c.holder
RETURNING c.holder;

-- release: lets go of the asset, if the holder has it
DELETE FROM claim WHERE customer_id = %(customer_id)s AND space_id = %(space_id)s
    AND asset_id = %(asset_id)s AND holder = %(holder)s;

-- release_all: lets go of whatever the holder has
DELETE FROM claim WHERE holder = %(holder)s;
