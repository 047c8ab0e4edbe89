-- drop.sql — takes away what holds no data in schema piw: functions with their triggers on stock tables, views and
-- types. Those of the new version follow.

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'piw'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE format('DROP VIEW %s CASCADE', item.name);
    END LOOP;
    FOR item IN
        SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'piw'::regnamespace
    LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', item.signature);
    END LOOP;
    FOR item IN
        SELECT t.oid::regtype AS name
        FROM pg_type t
        JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typnamespace = 'piw'::regnamespace AND c.relkind = 'c'
    LOOP
        EXECUTE format('DROP TYPE %s', item.name);
    END LOOP;
END
$$;
