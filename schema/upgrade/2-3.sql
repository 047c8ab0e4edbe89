-- 2-3.sql — from version 2 of schema piw to 3: which ABIs a build does for. Its functions and triggers have been dropped; those
-- of this version follow.

-- --- Coverage ---

-- The rule is another one (coverage.sql): every version is looked at again, in slices, while the farm works. Before other refills,
-- with a number that the table's sequence never gives: a sequence would not take back its step after a dry run.
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce(min(r.refill_id), 1), 1) - 1 FROM piw.refills r;

UPDATE piw.configuration SET version = 3;
