-- Whether a server defines a budget so now: what it said earlier stays, so that a change of it is known to be one.
ALTER TABLE budget_offer ADD COLUMN stands INTEGER NOT NULL DEFAULT 1;
