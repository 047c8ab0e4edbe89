-- 2-3.sql — from version 2 of schema piw to 3: which ABIs a build does for. Its functions and triggers have been dropped; those
-- of this version follow.

-- --- Coverage ---

-- The rule is another one (coverage.sql): every version is looked at again, in slices, while the farm works.
INSERT INTO piw.refills DEFAULT VALUES;

UPDATE piw.configuration SET version = 3;
