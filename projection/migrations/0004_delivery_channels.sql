-- Policies of delivery channels of a customer's own, and the channels of assets that name none.

CREATE TABLE delivery_channel_policy (
    customer_id int NOT NULL REFERENCES customer ON DELETE CASCADE,
    channel text NOT NULL,
    name text NOT NULL,
    display_name text,
    data jsonb NOT NULL,                -- an array of texts: sizes of thumbs, a preset of iiif-av
    created timestamptz NOT NULL DEFAULT now(),
    modified timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, channel, name)
);

CREATE TABLE default_delivery_channel (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customer ON DELETE CASCADE,
    space_id int,                       -- null: in all of the customer's spaces
    media_type text NOT NULL,           -- such as image/tiff, image/* or */*
    channel text NOT NULL,
    policy text NOT NULL,               -- a name: one of the platform's, or of the customer's
    UNIQUE NULLS NOT DISTINCT (customer_id, space_id, media_type, channel),
    FOREIGN KEY (customer_id, space_id) REFERENCES space ON DELETE CASCADE
);

-- Every customer begins with these, and may change them.
CREATE FUNCTION platform_defaults() RETURNS TABLE (media_type text, channel text, policy text)
    LANGUAGE sql IMMUTABLE AS $$ VALUES
        ('image/*', 'iiif-img', 'default'),
        ('image/*', 'thumbs', 'default'),
        ('audio/*', 'iiif-av', 'default-audio'),
        ('video/*', 'iiif-av', 'default-video')
    $$;

CREATE FUNCTION customer_defaults() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO default_delivery_channel (customer_id, media_type, channel, policy)
    SELECT c.id, d.* FROM new_customers c, platform_defaults() d;
    RETURN NULL;
END $$;

CREATE TRIGGER customer_defaults AFTER INSERT ON customer REFERENCING NEW TABLE AS new_customers
    FOR EACH STATEMENT EXECUTE FUNCTION customer_defaults();

INSERT INTO default_delivery_channel (customer_id, media_type, channel, policy)
SELECT c.id, d.* FROM customer c, platform_defaults() d;

-- Channels with what the customer's own policies stand for in the place of their names.
CREATE FUNCTION with_policies(customer int, channels jsonb) RETURNS jsonb LANGUAGE sql STABLE
    RETURN (SELECT jsonb_agg(
            CASE WHEN p.name IS NULL THEN c ELSE jsonb_set(c, '{policy}', p.data) END ORDER BY n)
        FROM jsonb_array_elements(channels) WITH ORDINALITY AS e (c, n)
        LEFT JOIN delivery_channel_policy p ON p.customer_id = customer
            AND p.channel = c ->> 'channel' AND p.name = c ->> 'policy');

-- Whether none of these channels has a policy of a customer's own.
CREATE FUNCTION of_the_platform(channels jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN channels <@ '[{"channel": "iiif-img", "policy": "default"},
        {"channel": "iiif-img", "policy": "use-original"},
        {"channel": "thumbs", "policy": "default"},
        {"channel": "iiif-av", "policy": "default-audio"},
        {"channel": "iiif-av", "policy": "default-video"},
        {"channel": "file", "policy": "none"},
        {"channel": "none", "policy": "none"}]'::jsonb;

-- The few that say otherwise: whether an asset has a policy is asked when that is to be deleted.
CREATE INDEX asset_own_policy ON asset (customer_id) WHERE NOT of_the_platform(delivery_channels);
