-- grants.sql — what the master's role may do: read tables, execute functions, nothing else. The role's name comes in
-- the setting piw.role, so that no text is pasted into SQL.

DO $$
DECLARE
    role_name text := current_setting('piw.role');
    schemas text[] := string_to_array(current_setting('piw.schemas'), ' ');
    item record;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), role_name);
    FOR item IN
        SELECT n.oid, n.nspname AS name FROM pg_namespace n WHERE n.nspname = ANY (schemas)
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', item.name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', item.name, role_name);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, %I', item.name, role_name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', item.name, role_name);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM PUBLIC, %I', item.name, role_name);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %I FROM PUBLIC, %I', item.name, role_name);
    END LOOP;
    -- Trigger functions and the inner steps of others are called by their owner only.
    FOR item IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY (schemas) AND p.prorettype <> 'trigger'::regtype
          AND (n.nspname <> 'piw' OR p.proname NOT IN (
              'view_rule', 'views_with_rules', 'view_words', 'view_wanted', 'view_runs', 'views_of', 'was_view',
              'record_needs', 'learn_words', 'keep_meanings', 'in_another_store', 'asking_queues', 'offers_held', 'offers_sort', 'show_heads', 'walk_offers', 'head_keys', 'is_view_hidden', 'needs_unread', 'needs_for_now', 'means_another',
              'record_view_rows', 'record_view_file', 'drop_second_entry', 'record_uncovered', 'forget_view_builds', 'forget_view_builds_of', 'note_packages', 'drop_slice',
              'note', 'note_pages', 'note_refill', 'note_downloads', 'recompute', 'refill_keys', 'refill_slice',
              'drain_later', 'fold_deltas', 'fold_downloads', 'shift_files', 'shift_views', 'shift_window', 'spread_popularity',
              'download_view', 'note_view_downloads', 'count_view_downloads', 'note_popular', 'clear_view_counts', 'fill_view_counts',
              'fold_view_downloads', 'view_counts_due', 'drain_view_counts', 'set_view_counts', 'repair_queue',
              'recount', 'recount_versions', 'recount_some_versions', 'tell_progress', 'recount_queue', 'recount_builds', 'recount_downloads', 'recount_days',
              'record_rows', 'why_refused', 'add_names', 'apply_additions', 'apply_removals', 'apply_marks', 'mark_binary',
              'hide', 'show', 'adopt_quarantines', 'withhold',
              'take_log_batch'))
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', item.signature, role_name);
    END LOOP;
END
$$;
