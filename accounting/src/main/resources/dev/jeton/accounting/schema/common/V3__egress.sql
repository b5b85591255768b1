-- What the bytes of answers cost, by which way they go. Zones are part of the digest in usage_hour where one is known.
ALTER TABLE request ADD COLUMN zone_from TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN zone_to TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN egress_money BIGINT NOT NULL DEFAULT 0;

ALTER TABLE usage_hour ADD COLUMN zone_from TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_hour ADD COLUMN zone_to TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_hour ADD COLUMN egress_money BIGINT NOT NULL DEFAULT 0;

ALTER TABLE period ADD COLUMN egress_money BIGINT NOT NULL DEFAULT 0;
