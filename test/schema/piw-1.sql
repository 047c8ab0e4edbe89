-- piw-1.sql — schema piw of version 1 as pg_dump wrote it (--inserts --no-owner), with its triggers on the stock tables: what
-- piw-initdb must be able to upgrade. Recorded once, never changed. The stock tables' rows that belong to it are in
-- test/system/test_initdb.py.

SET search_path = '';
SET check_function_bodies = false;

CREATE SCHEMA piw;

CREATE TYPE piw.pypi_change AS (
	package text,
	version text,
	change text
);

CREATE TYPE piw.pypi_event AS (
	ord bigint,
	package text,
	name text,
	version text,
	moment timestamp without time zone,
	action text,
	serial bigint,
	round bigint
);

CREATE FUNCTION piw.abi_rank(abi_tag text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
    SELECT coalesce((
        SELECT part[1]::integer * 10000 + coalesce(nullif(part[2], ''), '0')::integer * 10
        FROM regexp_match(abi_tag, '^[a-z]+([0-9])([0-9]{0,3})[a-z]*$') AS part), 2147483647)
$_$;

CREATE FUNCTION piw.abis_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM piw.note_refill();
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.apply_additions(events piw.pypi_event[], development boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH come AS (
        INSERT INTO public.packages (package, skip)
        SELECT e.package, CASE WHEN development THEN 'development mode' ELSE '' END
        FROM unnest(events) e
        WHERE e.action IN ('create', 'source', 'binary')
        GROUP BY e.package
        ORDER BY e.package
        ON CONFLICT DO NOTHING
        RETURNING package
    )
    SELECT c.package::text, NULL::text, 'new_package'::text FROM come c;
    UPDATE public.packages p SET skip = ''
    FROM unnest(events) e
    WHERE p.package = e.package AND p.skip = 'deleted' AND e.action IN ('create', 'source', 'binary');
    -- The canonical name first, in case an alias of another package holds it.
    INSERT INTO public.package_names AS n (package, name)
    SELECT DISTINCT p.package, p.package
    FROM unnest(events) e JOIN public.packages p ON p.package = e.package
    ON CONFLICT (name) DO UPDATE SET package = excluded.package WHERE n.package <> excluded.package;
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT p.package, e.name, max(e.moment)
    FROM unnest(events) e JOIN public.packages p ON p.package = e.package
    WHERE piw.canonical(e.name) = e.package
    GROUP BY p.package, e.name
    ORDER BY e.name
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = greatest(n.seen, excluded.seen);
    RETURN QUERY
    WITH come AS (
        INSERT INTO public.versions (package, version, released, skip)
        SELECT e.package, e.version, min(e.moment),
               CASE WHEN bool_or(e.action = 'source') THEN '' ELSE 'binary only' END
        FROM unnest(events) e
        WHERE e.action IN ('source', 'binary') AND e.version IS NOT NULL
        GROUP BY e.package, e.version
        ORDER BY e.package, e.version
        ON CONFLICT DO NOTHING
        RETURNING package, version
    )
    SELECT c.package::text, c.version::text, 'new_version'::text FROM come c;
    RETURN QUERY
    WITH enabled AS (
        UPDATE public.versions v SET skip = ''
        FROM (SELECT DISTINCT e.package, e.version FROM unnest(events) e WHERE e.action = 'source') e
        WHERE v.package = e.package AND v.version = e.version AND v.skip IN ('binary only', 'deleted')
        RETURNING v.package, v.version
    )
    SELECT c.package::text, c.version::text, 'enabled'::text FROM enabled c;
    RETURN QUERY
    WITH marked AS (
        UPDATE public.versions v SET yanked = e.yanked
        FROM (SELECT DISTINCT ON (e.package, e.version) e.package, e.version, e.action = 'yank' AS yanked
              FROM unnest(events) e
              WHERE e.action IN ('yank', 'unyank')
              ORDER BY e.package, e.version, e.ord DESC) e
        WHERE v.package = e.package AND v.version = e.version AND v.yanked <> e.yanked
        RETURNING v.package, v.version
    )
    SELECT c.package::text, c.version::text, 'yanked'::text FROM marked c;
END
$$;

CREATE FUNCTION piw.apply_pypi_events(packages text[], names text[], versions text[], moments timestamp without time zone[], actions text[], serials bigint[], new_serial bigint, development boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    -- Below this serial PyPI's history is unordered, so that all applied serials are remembered.
    ordered_from constant bigint := 630000;
    reread constant bigint := 2000;
    stored bigint;
    events piw.pypi_event[];
    here piw.pypi_event[];
    rounds bigint;
BEGIN
    SELECT c.pypi_serial INTO stored FROM public.configuration c WHERE c.id = 1 FOR UPDATE;
    -- Runs of additions (even rounds) and of removals (odd ones) alternate within a package; packages don't mix, so
    -- that one round of all packages is one step.
    SELECT array_agg(ROW(r.ord, r.package, r.name, r.version, r.moment, r.action, r.serial, r.round)::piw.pypi_event
                     ORDER BY r.ord),
           max(r.round)
    INTO events, rounds
    FROM (
        SELECT t.*, sum(CASE WHEN t.turns THEN 1 ELSE 0 END) OVER (PARTITION BY t.package ORDER BY t.ord) AS round
        FROM (
            SELECT e.*, (e.action = 'remove')
                        <> lag(e.action = 'remove', 1, false) OVER (PARTITION BY e.package ORDER BY e.ord) AS turns
            FROM unnest(packages, names, versions, moments, actions, serials) WITH ORDINALITY
                AS e (package, name, version, moment, action, serial, ord)
            WHERE e.package <> '' AND char_length(e.package) <= 200 AND char_length(e.name) <= 200
              AND (e.version IS NULL OR char_length(e.version) BETWEEN 1 AND 200)
              AND (stored < ordered_from OR e.serial > stored - reread)
              AND NOT EXISTS (SELECT FROM piw.applied_serials a WHERE a.serial = e.serial)
        ) t
    ) r;
    FOR step IN 0..coalesce(rounds, -1) LOOP
        SELECT array_agg(e) INTO here FROM unnest(events) e WHERE e.round = step;
        IF here IS NULL THEN
            CONTINUE;
        END IF;
        IF step % 2 = 0 THEN
            RETURN QUERY SELECT * FROM piw.apply_additions(here, development);
        ELSE
            RETURN QUERY SELECT * FROM piw.apply_removals(here);
        END IF;
    END LOOP;
    PERFORM piw.note_pages(array_agg(e.package), array_agg('BOTH'::text)) FROM unnest(events) e;
    stored := greatest(stored, new_serial);
    INSERT INTO piw.applied_serials SELECT DISTINCT s FROM unnest(serials) s
    WHERE stored < ordered_from OR s > stored - reread
    ON CONFLICT DO NOTHING;
    IF stored >= ordered_from THEN
        DELETE FROM piw.applied_serials WHERE serial <= stored - reread;
    END IF;
    UPDATE public.configuration SET pypi_serial = stored WHERE id = 1 AND pypi_serial <> stored;
END
$$;

CREATE FUNCTION piw.apply_removals(events piw.pypi_event[]) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH gone AS (
        DELETE FROM public.packages p
        USING (SELECT DISTINCT e.package FROM unnest(events) e WHERE e.version IS NULL) e
        WHERE p.package = e.package
        RETURNING p.package
    )
    SELECT g.package::text, NULL::text, 'deleted'::text FROM gone g;
    RETURN QUERY
    WITH gone AS (
        DELETE FROM public.versions v
        USING (SELECT DISTINCT e.package, e.version FROM unnest(events) e WHERE e.version IS NOT NULL) e
        WHERE v.package = e.package AND v.version = e.version
        RETURNING v.package, v.version
    )
    SELECT g.package::text, g.version::text, 'deleted'::text FROM gone g;
END
$$;

CREATE FUNCTION piw.begin_attempts(slaves integer[], packages text[], versions text[], abis text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE piw.attempts SET state = 'ended', cause = 'the slave began another build', ended = piw.utc_now()
    WHERE state = 'running' AND slave_id = ANY (slaves);
    INSERT INTO piw.attempts (slave_id, package, version, abi_tag)
    SELECT * FROM unnest(slaves, packages, versions, abis);
END
$$;

CREATE FUNCTION piw.builds_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
        INSERT INTO piw.deltas (kind, amount)
        SELECT 'time', -sum(extract(epoch FROM o.duration) * 1000000)::bigint
        FROM old_rows o WHERE o.duration < interval '1 week' HAVING count(*) > 0;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
        INSERT INTO piw.deltas (kind, amount)
        SELECT 'time', sum(extract(epoch FROM n.duration) * 1000000)::bigint
        FROM new_rows n WHERE n.duration < interval '1 week' HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.builds_last_hour() RETURNS TABLE(abi_tag character varying, builds bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT a.abi_tag, coalesce(r.builds, 0)
    FROM public.build_abis a
    LEFT JOIN (SELECT b.abi_tag, count(*) AS builds
               FROM public.builds b
               WHERE b.built_at > now() AT TIME ZONE 'UTC' - interval '1 hour'
               GROUP BY b.abi_tag) r ON r.abi_tag = a.abi_tag
$$;

CREATE FUNCTION piw.canonical(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT regexp_replace(lower(name), '[-_.]+', '-', 'g')
$$;

CREATE FUNCTION piw.check_queue() RETURNS TABLE(package character varying, version character varying, has character varying, wants character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT coalesce(q.package, w.package), coalesce(q.version, w.version), q.abi_tag, w.abi_tag
    FROM piw.queue q
    FULL JOIN (SELECT * FROM piw.wanted((SELECT array_agg(v.package::text) FROM public.versions v),
                                        (SELECT array_agg(v.version::text) FROM public.versions v))) w
        ON w.package = q.package AND w.version = q.version
    WHERE q.abi_tag IS DISTINCT FROM w.abi_tag OR q.released IS DISTINCT FROM w.released
$$;

CREATE FUNCTION piw.describe(packages text[], descriptions text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    UPDATE public.packages p SET description = d.description
    FROM (SELECT DISTINCT ON (d.package) d.package, left(d.description, 200) AS description
          FROM unnest(packages, descriptions) WITH ORDINALITY AS d (package, description, ord)
          ORDER BY d.package, d.ord DESC) d
    WHERE p.package = d.package AND p.description <> d.description
$$;

CREATE FUNCTION piw.downloads_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', o.accessed_at), -count(*) FROM old_rows o GROUP BY 2;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', n.accessed_at), count(*) FROM new_rows n GROUP BY 2;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.drain(slice integer DEFAULT 0) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    keys_package text[];
    keys_version text[];
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    WITH taken AS (DELETE FROM piw.dirty d RETURNING d.package, d.version)
    SELECT array_agg(t.package), array_agg(t.version) INTO keys_package, keys_version
    FROM (SELECT DISTINCT package, version FROM taken) t;
    IF keys_package IS NOT NULL THEN
        PERFORM piw.recompute(keys_package, keys_version);
    END IF;
    PERFORM piw.fold_deltas();
    IF slice <= 0 THEN
        RETURN false;
    END IF;
    IF piw.drain_later(slice) = slice THEN
        RETURN true;
    END IF;
    PERFORM piw.refill_slice(slice);
    RETURN EXISTS (SELECT FROM piw.refills);
END
$$;

CREATE FUNCTION piw.drain_later(slice integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    keys_package text[];
    keys_version text[];
BEGIN
    WITH taken AS (
        DELETE FROM piw.dirty_later d
        WHERE d.note_id IN (SELECT l.note_id FROM piw.dirty_later l ORDER BY l.note_id LIMIT slice)
        RETURNING d.package, d.version
    )
    SELECT array_agg(t.package), array_agg(t.version) INTO keys_package, keys_version FROM taken t;
    IF keys_package IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM piw.recompute(keys_package, keys_version);
    RETURN cardinality(keys_package);
END
$$;

CREATE FUNCTION piw.end_attempts(slaves integer[], packages text[], versions text[], abis text[], causes text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    UPDATE piw.attempts a SET state = 'ended', cause = left(e.cause, 100), ended = piw.utc_now()
    FROM unnest(slaves, packages, versions, abis, causes) AS e (slave_id, package, version, abi_tag, cause)
    WHERE a.state = 'running' AND a.slave_id = e.slave_id AND a.package = e.package AND a.version = e.version
      AND a.abi_tag = e.abi_tag
$$;

CREATE FUNCTION piw.files_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM old_rows o JOIN public.builds b ON b.build_id = o.build_id;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', o.package_tag, -count(*),
               -coalesce(sum(o.filesize) FILTER (WHERE o.platform_tag <> 'linux_armv6l'), 0)
        FROM old_rows o GROUP BY o.package_tag;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM new_rows n JOIN public.builds b ON b.build_id = n.build_id;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', n.package_tag, count(*),
               coalesce(sum(n.filesize) FILTER (WHERE n.platform_tag <> 'linux_armv6l'), 0)
        FROM new_rows n GROUP BY n.package_tag;
        DELETE FROM piw.removals r USING new_rows n WHERE r.filename = n.filename;
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO piw.removals (filename, package)
        SELECT o.filename, coalesce(f.package, piw.canonical(o.package_tag))
        FROM old_rows o
        LEFT JOIN piw.file_facts f ON f.filename = o.filename
        ON CONFLICT (filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
        DELETE FROM piw.file_facts f USING old_rows o WHERE f.filename = o.filename;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.fold_deltas() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    notes piw.deltas[];
    tags_more integer;
    tags_less integer;
BEGIN
    WITH taken AS (DELETE FROM piw.deltas d RETURNING d)
    SELECT array_agg(taken.d) INTO notes FROM taken;
    IF notes IS NULL THEN
        RETURN;
    END IF;
    WITH change AS (
        SELECT n.package_tag, sum(n.amount) AS files FROM unnest(notes) n
        WHERE n.kind = 'files' GROUP BY n.package_tag HAVING sum(n.amount) <> 0
    ), kept AS (
        INSERT INTO piw.built_tags AS t (package_tag, files)
        SELECT c.package_tag, c.files FROM change c ORDER BY c.package_tag
        ON CONFLICT (package_tag) DO UPDATE SET files = t.files + excluded.files
        RETURNING xmax = 0 AS fresh
    )
    SELECT count(*) INTO tags_more FROM kept WHERE kept.fresh;
    WITH gone AS (
        DELETE FROM piw.built_tags t
        WHERE t.files <= 0 AND t.package_tag IN (SELECT n.package_tag FROM unnest(notes) n WHERE n.kind = 'files')
        RETURNING 1
    )
    SELECT count(*) INTO tags_less FROM gone;
    INSERT INTO piw.download_hours AS h (hour, downloads)
    SELECT n.moment, sum(n.amount) FROM unnest(notes) n WHERE n.kind = 'downloads' GROUP BY n.moment ORDER BY n.moment
    ON CONFLICT (hour) DO UPDATE SET downloads = h.downloads + excluded.downloads;
    UPDATE piw.totals SET
        packages_built = packages_built + tags_more - tags_less,
        files_count = files_count + s.files,
        builds_size = builds_size + s.size_bytes,
        builds_time_us = builds_time_us + s.time_us,
        downloads_all = downloads_all + s.downloads
    FROM (
        SELECT coalesce(sum(n.amount) FILTER (WHERE n.kind = 'files'), 0) AS files,
               coalesce(sum(n.size_bytes), 0) AS size_bytes,
               coalesce(sum(n.amount) FILTER (WHERE n.kind = 'time'), 0) AS time_us,
               coalesce(sum(n.amount) FILTER (WHERE n.kind = 'downloads'), 0) AS downloads
        FROM unnest(notes) n
    ) s;
END
$$;

CREATE FUNCTION piw.load_rewrites() RETURNS TABLE(package character varying, added_at timestamp without time zone, command character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT w.package, min(w.added_at), min(w.command)::varchar
    FROM (SELECT r.package, r.added_at, r.command FROM public.rewrites_pending r
          UNION ALL SELECT d.package, d.noted, d.command FROM piw.pages_due d) w
    GROUP BY w.package
    ORDER BY 2
$$;

CREATE FUNCTION piw.note(packages text[], versions text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF packages IS NOT NULL THEN
        -- The next commit of anybody's works off the first kind: more would keep it waiting.
        IF cardinality(packages) <= 2000 THEN
            INSERT INTO piw.dirty (package, version) SELECT * FROM unnest(packages, versions);
        ELSE
            INSERT INTO piw.dirty_later (package, version) SELECT * FROM unnest(packages, versions);
        END IF;
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

CREATE FUNCTION piw.note_pages(packages text[], commands text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.pages_due AS d (package, noted, command)
    SELECT n.package, piw.utc_now(), min(n.command) FROM unnest(packages, commands) AS n (package, command)
    GROUP BY n.package ORDER BY n.package
    ON CONFLICT (package) DO UPDATE SET noted = excluded.noted, command = least(d.command, excluded.command)
$$;

CREATE FUNCTION piw.note_refill() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO piw.refills DEFAULT VALUES;
    PERFORM pg_notify('piw_queue', '');
END
$$;

CREATE FUNCTION piw.packages_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM new_rows n
    JOIN public.versions v ON v.package = n.package
    WHERE NOT EXISTS (SELECT FROM old_rows o WHERE o.package = n.package AND o.skip = n.skip);
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.project_abis(pkg text) RETURNS TABLE(version character varying, abi_tag character varying, status text, build_id integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    WITH tried AS MATERIALIZED (
        SELECT b.version, b.abi_tag, b.build_id, b.status, piw.abi_rank(b.abi_tag) AS rank,
               array_agg(f.abi_tag::text) FILTER (WHERE f.filename IS NOT NULL) AS tags
        FROM public.builds b
        LEFT JOIN public.files f ON f.build_id = b.build_id
        WHERE b.package = pkg
        GROUP BY b.build_id
    )
    SELECT v.version, a.abi_tag,
           CASE WHEN good.build_id IS NOT NULL THEN 'success'
                WHEN own.status THEN 'error'
                WHEN own.build_id IS NOT NULL THEN 'fail'
                WHEN p.skip <> '' OR v.skip <> '' OR a.skip <> '' THEN 'skip'
                ELSE 'pending' END,
           coalesce(good.build_id, own.build_id)
    FROM public.packages p
    JOIN public.versions v ON v.package = p.package
    CROSS JOIN public.build_abis a
    LEFT JOIN LATERAL (
        SELECT t.build_id FROM tried t
        WHERE t.version = v.version AND t.tags IS NOT NULL
          AND (t.abi_tag = a.abi_tag OR a.abi_tag = ANY (t.tags) OR 'none' = ANY (t.tags)
               OR ('abi3' = ANY (t.tags) AND t.rank <= piw.abi_rank(a.abi_tag)))
        ORDER BY t.abi_tag = a.abi_tag DESC, t.build_id DESC LIMIT 1
    ) good ON true
    LEFT JOIN LATERAL (
        SELECT t.build_id, t.status FROM tried t
        WHERE t.version = v.version AND t.abi_tag = a.abi_tag
        ORDER BY t.build_id DESC LIMIT 1
    ) own ON true
    WHERE p.package = pkg
    ORDER BY v.version, piw.abi_rank(a.abi_tag), a.abi_tag
$$;

CREATE FUNCTION piw.queue_head(abi text, lim integer) RETURNS TABLE(package character varying, version character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT q.package, q.version
    FROM piw.queue q
    WHERE q.abi_tag = abi AND EXISTS (SELECT FROM public.build_abis a WHERE a.abi_tag = abi AND a.skip = '')
    ORDER BY q.released, q.package, q.version
    LIMIT lim
$$;

CREATE FUNCTION piw.queue_state() RETURNS TABLE(abi_tag character varying, pending bigint, changes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT a.abi_tag, CASE WHEN a.skip = '' THEN coalesce(t.pending, 0) ELSE 0 END, coalesce(t.changes, 0)
    FROM public.build_abis a
    LEFT JOIN piw.queue_totals t ON t.abi_tag = a.abi_tag
    ORDER BY piw.abi_rank(a.abi_tag), a.abi_tag
$$;

CREATE FUNCTION piw.recompute(packages text[], versions text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    wants_package text[];
    wants_version text[];
    wants_abi text[];
    wants_released timestamp[];
BEGIN
    SELECT array_agg(w.package), array_agg(w.version), array_agg(w.abi_tag), array_agg(w.released)
    INTO wants_package, wants_version, wants_abi, wants_released
    FROM piw.wanted(packages, versions) w;
    WITH wants AS (
        SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)
            AS w (package, version, abi_tag, released)
    ), gone AS (
        DELETE FROM piw.queue q
        USING (SELECT DISTINCT k.package, k.version FROM unnest(packages, versions) AS k (package, version)) k
        LEFT JOIN wants w ON w.package = k.package AND w.version = k.version
        WHERE q.package = k.package AND q.version = k.version
          AND (w.abi_tag IS NULL OR w.abi_tag <> q.abi_tag OR w.released <> q.released)
        RETURNING q.abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT g.abi_tag, -count(*), count(*) FROM gone g GROUP BY g.abi_tag ORDER BY g.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;
    WITH come AS (
        INSERT INTO piw.queue (package, version, abi_tag, released)
        SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)
        ON CONFLICT DO NOTHING
        RETURNING abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT c.abi_tag, count(*), count(*) FROM come c GROUP BY c.abi_tag ORDER BY c.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;
END
$$;

CREATE FUNCTION piw.record_builds(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], statuses boolean[], durations_us bigint[], file_builds integer[], filenames text[], filesizes integer[], filehashes text[], package_tags text[], version_tags text[], py_tags text[], file_abis text[], platforms text[], requires text[], locations text[], metadata_hashes text[], dep_files integer[], dep_tools text[], dep_names text[]) RETURNS TABLE(ord integer, recorded boolean, why text, kept text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    accepted integer[];
    moment timestamp := piw.utc_now();
    rounds integer;
    taken text[];
    unchanged text[];
    kept_builds integer[] := '{}';
    kept_names text[] := '{}';
    here_builds integer[];
    here_names text[];
BEGIN
    SELECT array_agg(b.ord) INTO accepted
    FROM unnest(build_ids, packages, versions) WITH ORDINALITY AS b (build_id, package, version, ord)
    JOIN public.versions v ON v.package = b.package AND v.version = b.version
    WHERE NOT EXISTS (SELECT FROM public.builds o WHERE o.build_id = b.build_id)
      AND b.ord = array_position(build_ids, b.build_id);
    -- A microsecond apart: package, version, time and builder together are unique.
    INSERT INTO public.builds (build_id, package, version, built_by, built_at, duration, status, abi_tag)
    SELECT b.build_id, b.package, b.version, b.slave_id, moment + b.ord * interval '1 microsecond',
           b.duration_us * interval '1 microsecond', b.status, b.abi_tag
    FROM unnest(build_ids, slaves, packages, versions, abis, statuses, durations_us) WITH ORDINALITY
        AS b (build_id, slave_id, package, version, abi_tag, status, duration_us, ord)
    WHERE b.ord = ANY (accepted);
    -- Files of the same name in one group are taken one after the other, as if each build came alone.
    SELECT coalesce(max(s.occurrences), 0) INTO rounds
    FROM (SELECT count(*) AS occurrences FROM unnest(filenames) AS f GROUP BY f) s;
    FOR round IN 1..rounds LOOP
        SELECT array_agg(f.filename) INTO unchanged
        FROM unnest(filenames, filehashes) AS f (filename, filehash)
        JOIN public.files o ON o.filename = f.filename AND o.filehash = f.filehash;
        WITH candidates AS (
            SELECT f.*, row_number() OVER (PARTITION BY f.filename ORDER BY f.ord) AS nth
            FROM unnest(file_builds, filenames, filesizes, filehashes, package_tags, version_tags, py_tags, file_abis,
                        platforms, requires, locations) WITH ORDINALITY
                AS f (build, filename, filesize, filehash, package_tag, version_tag, py_tag, abi_tag, platform_tag,
                      requires_python, location, ord)
            WHERE f.build = ANY (accepted) AND statuses[f.build]
        ), stored AS (
            INSERT INTO public.files AS o (filename, build_id, filesize, filehash, package_tag, package_version_tag,
                                           py_version_tag, abi_tag, platform_tag, requires_python, location)
            SELECT c.filename, build_ids[c.build], c.filesize, c.filehash, c.package_tag, c.version_tag, c.py_tag,
                   c.abi_tag, c.platform_tag, c.requires_python, c.location
            FROM candidates c
            WHERE c.nth = round
            ON CONFLICT (filename) DO UPDATE SET
                build_id = excluded.build_id, filesize = excluded.filesize, filehash = excluded.filehash,
                package_tag = excluded.package_tag, package_version_tag = excluded.package_version_tag,
                py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag,
                platform_tag = excluded.platform_tag, requires_python = excluded.requires_python,
                location = excluded.location
            WHERE o.filehash = excluded.filehash OR slaves[array_position(build_ids, excluded.build_id)] = 0
            RETURNING o.filename
        )
        SELECT array_agg(c.filename) FILTER (WHERE s.filename IS NOT NULL),
               array_agg(c.build) FILTER (WHERE s.filename IS NULL),
               array_agg(c.filename) FILTER (WHERE s.filename IS NULL)
        INTO taken, here_builds, here_names
        FROM candidates c
        LEFT JOIN stored s ON s.filename = c.filename
        WHERE c.nth = round;
        kept_builds := kept_builds || here_builds;
        kept_names := kept_names || here_names;
        DELETE FROM public.dependencies d WHERE d.filename = ANY (taken);
        INSERT INTO public.dependencies (filename, tool, dependency)
        SELECT f.filename, d.tool, d.dependency
        FROM unnest(dep_files, dep_tools, dep_names) AS d (file, tool, dependency)
        JOIN (SELECT f.*, row_number() OVER (PARTITION BY f.filename ORDER BY f.ord) AS nth
              FROM unnest(file_builds, filenames) WITH ORDINALITY AS f (build, filename, ord)
              WHERE f.build = ANY (accepted) AND statuses[f.build]) f ON f.ord = d.file
        WHERE f.nth = round AND f.filename = ANY (taken)
        ON CONFLICT DO NOTHING;
        -- What was published before keeps the time at which it was.
        INSERT INTO piw.file_facts AS o (filename, package, metadata_hash, uploaded)
        SELECT f.filename, packages[f.build], f.metadata_hash, moment
        FROM (SELECT f.*, row_number() OVER (PARTITION BY f.filename ORDER BY f.ord) AS nth
              FROM unnest(file_builds, filenames, metadata_hashes) WITH ORDINALITY
                  AS f (build, filename, metadata_hash, ord)
              WHERE f.build = ANY (accepted) AND statuses[f.build]) f
        WHERE f.nth = round AND f.filename = ANY (taken)
        ON CONFLICT (filename) DO UPDATE SET
            package = excluded.package, metadata_hash = excluded.metadata_hash,
            uploaded = CASE WHEN o.filename = ANY (unchanged) THEN o.uploaded ELSE excluded.uploaded END;
    END LOOP;
    UPDATE piw.attempts a SET state = CASE WHEN b.status THEN 'built' ELSE 'failed' END, ended = moment,
        build_id = b.build_id
    FROM unnest(build_ids, slaves, packages, versions, abis, statuses) WITH ORDINALITY
        AS b (build_id, slave_id, package, version, abi_tag, status, ord)
    WHERE b.ord = ANY (accepted) AND a.state = 'running' AND a.slave_id = b.slave_id AND a.package = b.package
      AND a.version = b.version AND a.abi_tag = b.abi_tag;
    PERFORM piw.note_pages(array_agg(b.package),
                           array_agg(CASE WHEN b.ord = ANY (file_builds) THEN 'BOTH' ELSE 'PROJECT' END))
    FROM unnest(packages) WITH ORDINALITY AS b (package, ord)
    WHERE b.ord = ANY (accepted);
    RETURN QUERY
    SELECT b.ord::integer, coalesce(b.ord = ANY (accepted), false),
           CASE WHEN b.ord = ANY (accepted) THEN ''
                WHEN NOT EXISTS (SELECT FROM public.versions v WHERE v.package = b.package AND v.version = b.version)
                THEN 'the version is unknown or has been removed'
                ELSE 'a build of this number is recorded already' END,
           ARRAY(SELECT k.name FROM unnest(kept_builds, kept_names) AS k (build, name)
                 WHERE k.build = b.ord ORDER BY k.name)
    FROM unnest(build_ids, packages, versions) WITH ORDINALITY AS b (build_id, package, version, ord)
    ORDER BY b.ord;
END
$$;

CREATE FUNCTION piw.recount() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    DELETE FROM piw.ages;
    INSERT INTO piw.ages SELECT v.released, v.package, v.version FROM public.versions v;
    DELETE FROM piw.queue q WHERE NOT EXISTS (
        SELECT FROM public.versions v WHERE v.package = q.package AND v.version = q.version);
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT k.abi_tag, count(q.abi_tag), 1
    FROM (SELECT abi_tag FROM public.build_abis UNION SELECT abi_tag FROM piw.queue_totals
          UNION SELECT abi_tag FROM piw.queue) k
    LEFT JOIN piw.queue q ON q.abi_tag = k.abi_tag
    GROUP BY k.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET pending = excluded.pending, changes = t.changes + 1;
    DELETE FROM piw.deltas;
    DELETE FROM piw.built_tags;
    INSERT INTO piw.built_tags SELECT f.package_tag, count(*) FROM public.files f GROUP BY f.package_tag;
    DELETE FROM piw.download_hours;
    INSERT INTO piw.download_hours
    SELECT date_trunc('hour', d.accessed_at), count(*) FROM public.downloads d GROUP BY 1;
    UPDATE piw.totals SET
        files_count = (SELECT count(*) FROM public.files),
        builds_size = (SELECT coalesce(sum(f.filesize), 0) FROM public.files f
                       WHERE f.platform_tag <> 'linux_armv6l'),
        builds_time_us = (SELECT coalesce(sum(extract(epoch FROM b.duration) * 1000000), 0)::bigint
                          FROM public.builds b WHERE b.duration < interval '1 week'),
        packages_built = (SELECT count(*) FROM piw.built_tags),
        downloads_all = (SELECT coalesce(sum(h.downloads), 0) FROM piw.download_hours h);
    PERFORM piw.note_refill();
END
$$;

CREATE FUNCTION piw.refill_slice(slice integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    refill piw.refills;
    keys_package text[];
    keys_version text[];
    last_released timestamp;
BEGIN
    -- A refill that has not begun covers all that one under way would still do.
    DELETE FROM piw.refills
    WHERE refill_id < (SELECT max(refill_id) FROM piw.refills WHERE from_released = '-infinity');
    SELECT * INTO refill FROM piw.refills ORDER BY refill_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The index's own order lets the slice begin where the last one ended.
    SELECT array_agg(s.package), array_agg(s.version), max(s.released)
    INTO keys_package, keys_version, last_released
    FROM (SELECT a.released, a.package, a.version FROM piw.ages a
          WHERE (a.released, a.package, a.version)
                > (refill.from_released, refill.from_package, refill.from_version)
          ORDER BY a.released, a.package, a.version LIMIT slice) s;
    IF keys_package IS NULL THEN
        DELETE FROM piw.refills WHERE refill_id = refill.refill_id;
        RETURN;
    END IF;
    UPDATE piw.refills SET from_released = last_released, from_package = keys_package[cardinality(keys_package)],
        from_version = keys_version[cardinality(keys_version)]
    WHERE refill_id = refill.refill_id;
    PERFORM piw.recompute(keys_package, keys_version);
END
$$;

CREATE FUNCTION piw.removals_done(filenames text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    DELETE FROM piw.removals r WHERE r.filename = ANY (filenames)
$$;

CREATE FUNCTION piw.removals_due(linger interval, lim integer) RETURNS TABLE(package character varying, filename character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT r.package, r.filename
    FROM piw.removals r
    WHERE r.removed <= piw.utc_now() - linger
      AND NOT EXISTS (SELECT FROM public.files f WHERE f.filename = r.filename)
    ORDER BY r.removed
    LIMIT lim
$$;

CREATE FUNCTION piw.reserve(kind text, amount integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    source regclass;
    first bigint;
    last bigint;
BEGIN
    IF amount IS NULL OR amount < 1 OR amount > 100000 THEN
        RAISE EXCEPTION 'between 1 and 100000 numbers can be reserved, not %', amount;
    END IF;
    source := CASE kind WHEN 'slave' THEN 'piw.slave_numbers'::regclass
                        WHEN 'build' THEN 'public.builds_build_id_seq'::regclass END;
    IF source IS NULL THEN
        RAISE EXCEPTION 'there are no numbers of kind %', kind;
    END IF;
    -- Another session may take numbers in between: then these are not in a row, and the next attempt's may be.
    FOR try IN 1..20 LOOP
        SELECT min(n), max(n) INTO first, last FROM (SELECT nextval(source) AS n FROM generate_series(1, amount)) s;
        IF last - first + 1 = amount THEN
            RETURN first;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no % numbers of kind % in a row', amount, kind;
END
$$;

CREATE FUNCTION piw.save_rewrites(packages text[], moments timestamp without time zone[], commands text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM piw.pages_due d WHERE d.package = ANY (packages) OR d.noted < piw.utc_now() - interval '10 minutes';
    DELETE FROM public.rewrites_pending;
    INSERT INTO public.rewrites_pending (package, added_at, command)
    SELECT DISTINCT ON (r.package) r.package, r.added_at, r.command
    FROM unnest(packages, moments, commands) AS r (package, added_at, command)
    ORDER BY r.package, r.command, r.added_at;
END
$$;

CREATE FUNCTION piw.statistics() RETURNS TABLE(packages_built bigint, files_count bigint, builds_time_us bigint, builds_size bigint, new_last_hour bigint, downloads_last_hour bigint, downloads_last_month bigint, downloads_all bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT t.packages_built, t.files_count, t.builds_time_us, t.builds_size,
           (SELECT count(*) FROM piw.ages a
            WHERE a.released > now() AT TIME ZONE 'UTC' - interval '1 hour'),
           (SELECT count(*) FROM public.downloads d
            WHERE d.accessed_at > now() AT TIME ZONE 'UTC' - interval '1 hour'),
           (SELECT coalesce(sum(h.downloads), 0)::bigint FROM piw.download_hours h
            WHERE h.hour > now() AT TIME ZONE 'UTC' - interval '30 days'),
           t.downloads_all
    FROM piw.totals t
$$;

CREATE FUNCTION piw.truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM piw.recount();
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.utc_now() RETURNS timestamp without time zone
    LANGUAGE sql PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT clock_timestamp() AT TIME ZONE 'UTC'
$$;

CREATE FUNCTION piw.versions_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO piw.ages SELECT n.released, n.package, n.version FROM new_rows n;
        PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM piw.ages a USING old_rows o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
    ELSE
        DELETE FROM piw.ages a USING (
            SELECT o.released, o.package, o.version FROM old_rows o
            EXCEPT SELECT n.released, n.package, n.version FROM new_rows n) o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        INSERT INTO piw.ages
        SELECT n.released, n.package, n.version FROM new_rows n
        EXCEPT SELECT o.released, o.package, o.version FROM old_rows o;
        -- Both sides of what is not the same any more: keys too may have changed.
        PERFORM piw.note(array_agg(c.package), array_agg(c.version))
        FROM (SELECT d.package::text, d.version::text
              FROM ((SELECT package, version, released, skip FROM old_rows
                     EXCEPT SELECT package, version, released, skip FROM new_rows)
                    UNION
                    (SELECT package, version, released, skip FROM new_rows
                     EXCEPT SELECT package, version, released, skip FROM old_rows)) d) c;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.void_attempts() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    WITH ended AS (
        UPDATE piw.attempts SET state = 'void', cause = 'the master was restarted', ended = piw.utc_now()
        WHERE state = 'running'
        RETURNING 1
    )
    SELECT count(*) FROM ended
$$;

CREATE FUNCTION piw.wanted(packages text[], versions text[]) RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    WITH keys AS (
        SELECT DISTINCT k.package, k.version FROM unnest(packages, versions) AS k (package, version)
    ), abis AS MATERIALIZED (
        SELECT a.abi_tag, piw.abi_rank(a.abi_tag) AS rank FROM public.build_abis a WHERE a.skip = ''
    )
    SELECT v.package, v.version, lowest.abi_tag, v.released
    FROM keys k
    JOIN public.versions v ON v.package = k.package AND v.version = k.version
    JOIN public.packages p ON p.package = v.package
    CROSS JOIN LATERAL (
        SELECT array_agg(b.abi_tag::text) || array_agg(f.abi_tag::text) AS tags,
               bool_or(f.abi_tag = 'none') AS everywhere,
               min(piw.abi_rank(b.abi_tag)) FILTER (WHERE f.abi_tag = 'abi3') AS stable_from
        FROM public.builds b
        LEFT JOIN public.files f ON f.build_id = b.build_id
        WHERE b.package = v.package AND b.version = v.version
    ) covered
    CROSS JOIN LATERAL (
        SELECT a.abi_tag
        FROM abis a
        WHERE covered.everywhere IS NOT TRUE
          AND (covered.tags IS NULL OR a.abi_tag <> ALL (array_remove(covered.tags, NULL)))
          AND (covered.stable_from IS NULL OR a.rank < covered.stable_from)
        ORDER BY a.rank, a.abi_tag
        LIMIT 1
    ) lowest
    WHERE v.skip = '' AND p.skip = ''
$$;

CREATE TABLE piw.ages (
    released timestamp without time zone NOT NULL,
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL
);

CREATE TABLE piw.applied_serials (
    serial bigint NOT NULL
);

CREATE TABLE piw.attempts (
    attempt_id bigint NOT NULL,
    slave_id integer NOT NULL,
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    abi_tag character varying(100) NOT NULL,
    state character varying(10) DEFAULT 'running'::character varying NOT NULL,
    cause character varying(100) DEFAULT ''::character varying NOT NULL,
    started timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL,
    ended timestamp without time zone,
    next_try timestamp without time zone,
    build_id integer,
    CONSTRAINT attempts_state_check CHECK (((state)::text = ANY ((ARRAY['running'::character varying, 'built'::character varying, 'failed'::character varying, 'ended'::character varying, 'void'::character varying])::text[])))
);

ALTER TABLE piw.attempts ALTER COLUMN attempt_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME piw.attempts_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE piw.built_tags (
    package_tag character varying(200) NOT NULL,
    files bigint NOT NULL
);

CREATE TABLE piw.configuration (
    id integer DEFAULT 1 NOT NULL,
    version integer NOT NULL,
    CONSTRAINT configuration_id_check CHECK ((id = 1))
);

CREATE TABLE piw.deltas (
    kind text NOT NULL,
    package_tag character varying(200),
    moment timestamp without time zone,
    amount bigint NOT NULL,
    size_bytes bigint DEFAULT 0 NOT NULL
);

CREATE TABLE piw.dirty (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL
);

CREATE TABLE piw.dirty_later (
    note_id bigint NOT NULL,
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL
);

ALTER TABLE piw.dirty_later ALTER COLUMN note_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME piw.dirty_later_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE piw.download_hours (
    hour timestamp without time zone NOT NULL,
    downloads bigint NOT NULL
);

CREATE TABLE piw.file_facts (
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    metadata_hash character(64),
    uploaded timestamp without time zone NOT NULL
);

CREATE TABLE piw.pages_due (
    package character varying(200) NOT NULL,
    noted timestamp without time zone NOT NULL,
    command character varying(8) NOT NULL
);

CREATE TABLE piw.queue (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    abi_tag character varying(100) NOT NULL,
    released timestamp without time zone NOT NULL
);

CREATE TABLE piw.queue_totals (
    abi_tag character varying(100) NOT NULL,
    pending bigint DEFAULT 0 NOT NULL,
    changes bigint DEFAULT 0 NOT NULL
);

CREATE TABLE piw.refills (
    refill_id bigint NOT NULL,
    from_released timestamp without time zone DEFAULT '-infinity'::timestamp without time zone NOT NULL,
    from_package character varying(200) DEFAULT ''::character varying NOT NULL,
    from_version character varying(200) DEFAULT ''::character varying NOT NULL
);

ALTER TABLE piw.refills ALTER COLUMN refill_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME piw.refills_refill_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE piw.removals (
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    removed timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL
);

CREATE SEQUENCE piw.slave_numbers
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE piw.totals (
    id integer DEFAULT 1 NOT NULL,
    files_count bigint DEFAULT 0 NOT NULL,
    builds_size bigint DEFAULT 0 NOT NULL,
    builds_time_us bigint DEFAULT 0 NOT NULL,
    packages_built bigint DEFAULT 0 NOT NULL,
    downloads_all bigint DEFAULT 0 NOT NULL,
    CONSTRAINT totals_id_check CHECK ((id = 1))
);

INSERT INTO piw.ages VALUES ('2020-01-01 00:00:00', 'flask', '1.0');
INSERT INTO piw.ages VALUES ('2021-01-01 00:00:00', 'flask', '2.0');
INSERT INTO piw.ages VALUES ('2019-01-01 00:00:00', 'numpy', '1.0');
INSERT INTO piw.ages VALUES ('2018-01-01 00:00:00', 'skipped', '1');
INSERT INTO piw.ages VALUES ('2022-01-01 00:00:00', 'numpy', '2.0');

INSERT INTO piw.applied_serials VALUES (7);

INSERT INTO piw.attempts OVERRIDING SYSTEM VALUE VALUES (1, 1, 'flask', '1.0', 'cp39', 'running', '', '2026-11-25 02:54:27.559573', NULL, NULL, NULL);
INSERT INTO piw.attempts OVERRIDING SYSTEM VALUE VALUES (2, 2, 'numpy', '1.0', 'cp39', 'running', '', '2026-11-25 02:54:27.559736', NULL, NULL, NULL);

INSERT INTO piw.built_tags VALUES ('numpy', 1);

INSERT INTO piw.configuration VALUES (1, 1);



INSERT INTO piw.dirty VALUES ('numpy', '2.0');



INSERT INTO piw.download_hours VALUES ('2024-01-01 00:00:00', 3);





INSERT INTO piw.queue VALUES ('flask', '1.0', 'cp39', '2020-01-01 00:00:00');
INSERT INTO piw.queue VALUES ('numpy', '1.0', 'cp311', '2019-01-01 00:00:00');
INSERT INTO piw.queue VALUES ('flask', '2.0', 'cp39', '2021-01-01 00:00:00');

INSERT INTO piw.queue_totals VALUES ('cp311', 1, 1);
INSERT INTO piw.queue_totals VALUES ('cp39', 2, 2);

INSERT INTO piw.refills OVERRIDING SYSTEM VALUE VALUES (2, '2021-01-01 00:00:00', 'flask', '2.0');



INSERT INTO piw.totals VALUES (1, 1, 1000, 5000000, 1, 3);

SELECT pg_catalog.setval('piw.attempts_attempt_id_seq', 2, true);

SELECT pg_catalog.setval('piw.dirty_later_note_id_seq', 1, false);

SELECT pg_catalog.setval('piw.refills_refill_id_seq', 2, true);

SELECT pg_catalog.setval('piw.slave_numbers', 1, false);

ALTER TABLE ONLY piw.ages
    ADD CONSTRAINT ages_pkey PRIMARY KEY (released, package, version);

ALTER TABLE ONLY piw.applied_serials
    ADD CONSTRAINT applied_serials_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY piw.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (attempt_id);

ALTER TABLE ONLY piw.built_tags
    ADD CONSTRAINT built_tags_pkey PRIMARY KEY (package_tag);

ALTER TABLE ONLY piw.configuration
    ADD CONSTRAINT configuration_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.dirty_later
    ADD CONSTRAINT dirty_later_pkey PRIMARY KEY (note_id);

ALTER TABLE ONLY piw.download_hours
    ADD CONSTRAINT download_hours_pkey PRIMARY KEY (hour);

ALTER TABLE ONLY piw.file_facts
    ADD CONSTRAINT file_facts_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.pages_due
    ADD CONSTRAINT pages_due_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.queue_totals
    ADD CONSTRAINT queue_totals_pkey PRIMARY KEY (abi_tag);

ALTER TABLE ONLY piw.refills
    ADD CONSTRAINT refills_pkey PRIMARY KEY (refill_id);

ALTER TABLE ONLY piw.removals
    ADD CONSTRAINT removals_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (id);

CREATE INDEX attempts_running ON piw.attempts USING btree (slave_id) WHERE ((state)::text = 'running'::text);

CREATE INDEX attempts_version ON piw.attempts USING btree (package, version);

CREATE INDEX queue_order ON piw.queue USING btree (abi_tag, released, package, version);

CREATE INDEX removals_time ON piw.removals USING btree (removed);

CREATE TRIGGER piw_change AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.build_abis FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.builds REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.downloads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.versions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.builds REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.downloads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.files REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.versions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.builds FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.downloads FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.files FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.versions FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_update AFTER UPDATE ON public.builds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.downloads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.files REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.packages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.versions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

GRANT USAGE ON SCHEMA piw TO piwheels;

REVOKE ALL ON FUNCTION piw.abi_rank(abi_tag text) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.abi_rank(abi_tag text) TO piwheels;

REVOKE ALL ON FUNCTION piw.abis_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.apply_additions(events piw.pypi_event[], development boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.apply_pypi_events(packages text[], names text[], versions text[], moments timestamp without time zone[], actions text[], serials bigint[], new_serial bigint, development boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.apply_pypi_events(packages text[], names text[], versions text[], moments timestamp without time zone[], actions text[], serials bigint[], new_serial bigint, development boolean) TO piwheels;

REVOKE ALL ON FUNCTION piw.apply_removals(events piw.pypi_event[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.begin_attempts(slaves integer[], packages text[], versions text[], abis text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.begin_attempts(slaves integer[], packages text[], versions text[], abis text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.builds_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.builds_last_hour() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.builds_last_hour() TO piwheels;

REVOKE ALL ON FUNCTION piw.canonical(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.canonical(name text) TO piwheels;

REVOKE ALL ON FUNCTION piw.check_queue() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.check_queue() TO piwheels;

REVOKE ALL ON FUNCTION piw.describe(packages text[], descriptions text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.describe(packages text[], descriptions text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.downloads_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.drain(slice integer) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.drain(slice integer) TO piwheels;

REVOKE ALL ON FUNCTION piw.drain_later(slice integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.end_attempts(slaves integer[], packages text[], versions text[], abis text[], causes text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.end_attempts(slaves integer[], packages text[], versions text[], abis text[], causes text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.files_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.fold_deltas() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.load_rewrites() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.load_rewrites() TO piwheels;

REVOKE ALL ON FUNCTION piw.note(packages text[], versions text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.note_pages(packages text[], commands text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.note_refill() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.packages_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.project_abis(pkg text) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.project_abis(pkg text) TO piwheels;

REVOKE ALL ON FUNCTION piw.queue_head(abi text, lim integer) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.queue_head(abi text, lim integer) TO piwheels;

REVOKE ALL ON FUNCTION piw.queue_state() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.queue_state() TO piwheels;

REVOKE ALL ON FUNCTION piw.recompute(packages text[], versions text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.record_builds(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], statuses boolean[], durations_us bigint[], file_builds integer[], filenames text[], filesizes integer[], filehashes text[], package_tags text[], version_tags text[], py_tags text[], file_abis text[], platforms text[], requires text[], locations text[], metadata_hashes text[], dep_files integer[], dep_tools text[], dep_names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.record_builds(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], statuses boolean[], durations_us bigint[], file_builds integer[], filenames text[], filesizes integer[], filehashes text[], package_tags text[], version_tags text[], py_tags text[], file_abis text[], platforms text[], requires text[], locations text[], metadata_hashes text[], dep_files integer[], dep_tools text[], dep_names text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.recount() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.refill_slice(slice integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.removals_done(filenames text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.removals_done(filenames text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.removals_due(linger interval, lim integer) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.removals_due(linger interval, lim integer) TO piwheels;

REVOKE ALL ON FUNCTION piw.reserve(kind text, amount integer) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.reserve(kind text, amount integer) TO piwheels;

REVOKE ALL ON FUNCTION piw.save_rewrites(packages text[], moments timestamp without time zone[], commands text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.save_rewrites(packages text[], moments timestamp without time zone[], commands text[]) TO piwheels;

REVOKE ALL ON FUNCTION piw.statistics() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.statistics() TO piwheels;

REVOKE ALL ON FUNCTION piw.truncated() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.utc_now() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.utc_now() TO piwheels;

REVOKE ALL ON FUNCTION piw.versions_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION piw.void_attempts() FROM PUBLIC;
GRANT ALL ON FUNCTION piw.void_attempts() TO piwheels;

REVOKE ALL ON FUNCTION piw.wanted(packages text[], versions text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION piw.wanted(packages text[], versions text[]) TO piwheels;

GRANT SELECT ON TABLE piw.ages TO piwheels;

GRANT SELECT ON TABLE piw.applied_serials TO piwheels;

GRANT SELECT ON TABLE piw.attempts TO piwheels;

GRANT SELECT ON TABLE piw.built_tags TO piwheels;

GRANT SELECT ON TABLE piw.configuration TO piwheels;

GRANT SELECT ON TABLE piw.deltas TO piwheels;

GRANT SELECT ON TABLE piw.dirty TO piwheels;

GRANT SELECT ON TABLE piw.dirty_later TO piwheels;

GRANT SELECT ON TABLE piw.download_hours TO piwheels;

GRANT SELECT ON TABLE piw.file_facts TO piwheels;

GRANT SELECT ON TABLE piw.pages_due TO piwheels;

GRANT SELECT ON TABLE piw.queue TO piwheels;

GRANT SELECT ON TABLE piw.queue_totals TO piwheels;

GRANT SELECT ON TABLE piw.refills TO piwheels;

GRANT SELECT ON TABLE piw.removals TO piwheels;

GRANT SELECT ON TABLE piw.totals TO piwheels;

RESET search_path;
