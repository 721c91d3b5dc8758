-- Which attempt at an asset is the newest: a worker that wakes up late is not it any more.

CREATE SEQUENCE claim_token;

ALTER TABLE claim ADD token bigint NOT NULL DEFAULT nextval('claim_token');
