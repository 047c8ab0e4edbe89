-- 5-6.sql — from version 5 of schema piw to 6: recording a build does with less. Its functions and triggers have been dropped; those of
-- this version follow.

-- Read anew by each statement, it took a twentieth of a failed build's time; who writes there are the functions that follow.
ALTER TABLE piw.attempts DROP CONSTRAINT attempts_state_check;

-- Neither has a key; without an identity a publication of all tables would let nothing be deleted there.
ALTER TABLE piw.dirty REPLICA IDENTITY FULL;
ALTER TABLE piw.deltas REPLICA IDENTITY FULL;

-- What PyPI has for machines that aren't x86 counts from glibc 2.17 on only, as installers have it: where there are views, every
-- version is looked at again, in slices (see 2-3.sql for its number).
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce((SELECT min(r.refill_id) FROM piw.refills r), 1), 1) - 1 WHERE EXISTS (SELECT FROM piw.views);

UPDATE piw.configuration SET version = 6;
