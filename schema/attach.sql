-- attach.sql — our triggers on stock tables, in place of any that are there. After triggers.sql, and once more when some are
-- found to be gone or off.

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT t.tgname AS name, t.tgrelid::regclass AS of_table
        FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE p.pronamespace = 'piw'::regnamespace AND NOT t.tgisinternal
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.name, item.of_table);
    END LOOP;
END
$$;

CREATE TRIGGER piw_insert AFTER INSERT ON public.versions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.versions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.versions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.versions
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_quarantine BEFORE UPDATE OF skip ON public.packages FOR EACH ROW
    WHEN (OLD.skip IN ('quarantined', 'deleted') AND NEW.skip NOT IN ('quarantined', 'deleted'))
    EXECUTE FUNCTION piw.keep_quarantined();
CREATE TRIGGER piw_quarantine BEFORE UPDATE OF skip ON public.versions FOR EACH ROW
    WHEN (OLD.skip IN ('quarantined', 'deleted') AND NEW.skip NOT IN ('quarantined', 'deleted'))
    EXECUTE FUNCTION piw.keep_quarantined();

CREATE TRIGGER piw_insert AFTER INSERT ON public.packages REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_come();
CREATE TRIGGER piw_update AFTER UPDATE ON public.packages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.build_abis REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.build_abis REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.build_abis REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.build_abis
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_insert AFTER INSERT ON public.builds REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.builds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.builds REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.builds
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_insert AFTER INSERT ON public.files REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.files REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.files
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_insert AFTER INSERT ON public.downloads REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.downloads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.downloads REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.downloads
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();
