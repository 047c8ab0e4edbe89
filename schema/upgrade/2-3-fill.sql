-- 2-3-fill.sql — what the new tables of version 3 begin with, once its functions are there.

SELECT piw.adopt_quarantines();
SELECT piw.recount_days();
SELECT piw.recount_downloads();
