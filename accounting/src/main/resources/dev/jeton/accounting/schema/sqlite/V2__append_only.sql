-- What is posted stays; a correction is a reversal.
CREATE TRIGGER posting_keeps BEFORE UPDATE ON posting
BEGIN
    SELECT RAISE(ABORT, 'postings are append-only: correct one by reversing it');
END;

CREATE TRIGGER posting_stays BEFORE DELETE ON posting
BEGIN
    SELECT RAISE(ABORT, 'postings are append-only: correct one by reversing it');
END;
