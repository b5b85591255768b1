-- What kind of work a request is, as far as the price list asks: generation, batch, embeddings, batch-embeddings; empty
-- where the version that booked it did not say. It is part of the digest in usage_hour where it is known.
ALTER TABLE request ADD COLUMN work TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_hour ADD COLUMN work TEXT NOT NULL DEFAULT '';
