-- 4-5.sql — from version 4 of schema piw to 5: what names mean in a view's index is kept where it could change. Its functions and
-- triggers have been dropped; those of this version follow.

-- Of names that several stores have, the bytes that a view's index led to when another of these files came to run there: they stay.
CREATE TABLE piw.view_meanings (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    filehash char(64) NOT NULL,
    PRIMARY KEY (view, filename)
);

-- With views only the common view's ABI has a queue: every version is looked at again, in slices (see 2-3.sql for its number).
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce((SELECT min(r.refill_id) FROM piw.refills r), 1), 1) - 1 WHERE EXISTS (SELECT FROM piw.views);

UPDATE piw.configuration SET version = 5;
