-- 1-2-fill.sql — what the new tables of version 2 begin with, once its functions are there.

SELECT piw.recount_downloads();
