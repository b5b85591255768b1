-- What is posted stays; a correction is a reversal.
CREATE FUNCTION posting_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'postings are append-only: correct one by reversing it';
END;
$$;

CREATE TRIGGER posting_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION posting_is_append_only();
