-- piw-2.sql — schema piw of version 2 as pg_dump wrote it (--inserts --no-owner), with its triggers on the stock tables: what
-- piw-initdb must be able to upgrade. Recorded once, never changed. The stock tables' rows that belong to it are in
-- test/system/test_initdb.py.

SET search_path = '';
SET check_function_bodies = false;

CREATE SCHEMA piw;

CREATE TYPE piw.admin_outcome AS (
	done boolean,
	word text,
	again boolean
);

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
    IF TG_OP = 'INSERT' THEN
        PERFORM piw.note_refill(NULL) WHERE EXISTS (SELECT FROM new_rows n WHERE n.skip = '');
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM piw.note_refill(o.abi_tag) FROM old_rows o WHERE o.skip = '';
    ELSE
        PERFORM piw.note_refill(o.abi_tag)
        FROM (SELECT abi_tag FROM old_rows WHERE skip = '' EXCEPT SELECT abi_tag FROM new_rows WHERE skip = '') o;
        PERFORM piw.note_refill(NULL) WHERE EXISTS (
            SELECT abi_tag FROM new_rows WHERE skip = '' EXCEPT SELECT abi_tag FROM old_rows WHERE skip = '');
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.add_names(pkg text, typed text, aliases text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    moment timestamp := piw.utc_now();
BEGIN
    -- The canonical name first, in case an alias of another package holds it.
    INSERT INTO public.package_names AS n (package, name) VALUES (pkg, pkg)
    ON CONFLICT (name) DO UPDATE SET package = excluded.package WHERE n.package <> excluded.package;
    SELECT greatest(moment, max(n.seen)) + interval '1 microsecond' INTO moment
    FROM public.package_names n WHERE n.package = pkg;
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT pkg, a.name, moment FROM (SELECT unnest(aliases) EXCEPT SELECT typed) AS a (name)
    UNION ALL SELECT pkg, typed, moment + interval '1 microsecond'
    ORDER BY 2
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = excluded.seen;
END
$$;

CREATE FUNCTION piw.add_package(pkg text, typed text, descr text, reason text, unskip boolean, aliases text[]) RETURNS piw.admin_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    word text := 'NEWPKG';
BEGIN
    IF NOT public.add_new_package(pkg, reason, left(descr, 200)) THEN
        IF reason <> '' THEN
            RETURN (false, 'SKIPPKG'::text, false);
        END IF;
        UPDATE public.packages p SET skip = '' WHERE p.package = pkg AND unskip AND p.skip <> '';
        UPDATE public.packages p SET description = left(descr, 200) WHERE p.package = pkg AND descr <> '';
        word := 'UPDPKG';
    END IF;
    PERFORM piw.add_names(pkg, typed, aliases);
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, false);
END
$$;

CREATE FUNCTION piw.add_version(pkg text, typed text, ver text, reason text, unskip boolean, moment timestamp without time zone, yank boolean, unyank boolean, aliases text[]) RETURNS piw.admin_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    word text := 'NEWVER';
BEGIN
    IF NOT public.test_package(pkg) THEN
        RETURN (false, 'NOPKG'::text, false);
    END IF;
    IF public.add_new_package_version(pkg, ver, moment, reason) THEN
        INSERT INTO piw.local_versions VALUES (pkg, ver) ON CONFLICT DO NOTHING;
        UPDATE public.versions v SET yanked = true WHERE v.package = pkg AND v.version = ver AND yank;
    ELSIF reason <> '' THEN
        RETURN (false, 'SKIPVER'::text, false);
    ELSIF yank THEN
        RETURN (false, 'YANKVER'::text, false);
    ELSE
        UPDATE public.versions v SET skip = '' WHERE v.package = pkg AND v.version = ver AND unskip AND v.skip <> '';
        UPDATE public.versions v SET yanked = false WHERE v.package = pkg AND v.version = ver AND unyank AND v.yanked;
        word := 'UPDVER';
    END IF;
    PERFORM piw.add_names(pkg, typed, aliases);
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, false);
END
$$;

CREATE FUNCTION piw.apply_additions(events piw.pypi_event[], development boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    new_packages text[];
    new_versions text[];
    open_packages text[]; -- there already, and to be enabled
    open_versions text[];
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
    FROM (SELECT DISTINCT e.package FROM unnest(events) e WHERE e.action IN ('create', 'source', 'binary')) e
    WHERE p.package = e.package AND p.skip = 'deleted';

    -- The canonical name first, in case an alias of another package holds it.
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT p.package, p.package, coalesce(e.seen, '1970-01-01')
    FROM (SELECT e.package, max(e.moment) FILTER (WHERE e.name = e.package) AS seen FROM unnest(events) e
          GROUP BY e.package) e
    JOIN public.packages p ON p.package = e.package
    ORDER BY p.package
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = greatest(n.seen, excluded.seen)
    WHERE n.package <> excluded.package OR n.seen < excluded.seen;
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT p.package, e.name, e.seen
    FROM (SELECT e.package, e.name, max(e.moment) AS seen FROM unnest(events) e WHERE e.name <> e.package
          GROUP BY e.package, e.name) e
    JOIN public.packages p ON p.package = e.package
    WHERE piw.canonical(e.name) = e.package
    ORDER BY e.name
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = greatest(n.seen, excluded.seen);

    -- Looked up first, which costs less than ON CONFLICT. Somebody may add one of them just then: seen the next time.
    LOOP
        BEGIN
            WITH wanted AS MATERIALIZED (
                SELECT g.package, g.version, g.released, g.source, v.skip
                FROM (SELECT e.package, e.version, min(e.moment) AS released, bool_or(e.action = 'source') AS source
                      FROM unnest(events) e
                      WHERE e.action IN ('source', 'binary') AND e.version IS NOT NULL
                      GROUP BY e.package, e.version) g
                LEFT JOIN public.versions v ON v.package = g.package AND v.version = g.version
            ), come AS (
                INSERT INTO public.versions (package, version, released, skip)
                SELECT w.package, w.version, w.released, CASE WHEN w.source THEN '' ELSE 'binary only' END
                FROM wanted w
                WHERE w.skip IS NULL
                ORDER BY w.package, w.version
                RETURNING package, version
            ), open AS (
                SELECT w.package, w.version FROM wanted w WHERE w.source AND w.skip IN ('binary only', 'deleted')
            )
            SELECT n.packages, n.versions, o.packages, o.versions
            INTO new_packages, new_versions, open_packages, open_versions
            FROM (SELECT array_agg(c.package) AS packages, array_agg(c.version) AS versions FROM come c) n,
                 (SELECT array_agg(o.package) AS packages, array_agg(o.version) AS versions FROM open o) o;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
    RETURN QUERY
    SELECT n.package, n.version, 'new_version'::text FROM unnest(new_packages, new_versions) AS n (package, version);
    RETURN QUERY
    WITH enabled AS (
        UPDATE public.versions v SET skip = ''
        FROM unnest(open_packages, open_versions) AS o (package, version)
        WHERE v.package = o.package AND v.version = o.version AND v.skip IN ('binary only', 'deleted')
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

CREATE FUNCTION piw.apply_projects(packages text[], names text[], owners integer[], versions text[], moments timestamp without time zone[], sources boolean[], yanks boolean[], new_serial bigint, additions_only boolean, development boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    ordered_from constant bigint := 630000;
    reread constant bigint := 2000;
    stored bigint;
    events piw.pypi_event[];
BEGIN
    SELECT c.pypi_serial INTO stored FROM public.configuration c WHERE c.id = 1 FOR UPDATE;

    SELECT array_agg(ROW(e.ord, e.package, e.name, e.version, e.moment, e.action, 0, 0)::piw.pypi_event ORDER BY e.ord)
    INTO events
    FROM (
        SELECT 0 AS ord, packages[p.i] AS package, names[p.i] AS name, NULL::text AS version,
               coalesce(max(p.moment), piw.utc_now()) AS moment, 'create' AS action
        FROM (SELECT r.owner, r.moment FROM unnest(owners, moments) AS r (owner, moment)
              UNION ALL
              SELECT i, NULL FROM generate_subscripts(packages, 1) i) AS p (i, moment)
        GROUP BY p.i
        UNION ALL
        SELECT 1, packages[r.owner], names[r.owner], r.version, r.moment, CASE WHEN r.source THEN 'source' ELSE 'binary' END
        FROM unnest(owners, versions, moments, sources) AS r (owner, version, moment, source)
        WHERE r.moment IS NOT NULL
        UNION ALL
        SELECT 2, packages[r.owner], names[r.owner], r.version, r.moment, CASE WHEN r.yank THEN 'yank' ELSE 'unyank' END
        FROM unnest(owners, versions, moments, yanks) AS r (owner, version, moment, yank)
        WHERE r.moment IS NOT NULL
    ) e;
    IF events IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.apply_additions(events, development);
    END IF;
    DELETE FROM piw.local_versions l
    USING (SELECT packages[r.owner] AS package, r.version FROM unnest(owners, versions) AS r (owner, version)
           GROUP BY 1, 2) r
    WHERE l.package = r.package AND l.version = r.version;

    SELECT array_agg(ROW(0, e.package, e.package, e.version, piw.utc_now(), 'remove', 0, 1)::piw.pypi_event)
    INTO events
    FROM (
        (SELECT v.package::text AS package, v.version::text AS version
         FROM generate_subscripts(packages, 1) AS p (i)
         JOIN public.versions v ON v.package = packages[p.i]
         WHERE NOT additions_only
         EXCEPT
         SELECT packages[r.owner], r.version FROM unnest(owners, versions) AS r (owner, version)
         EXCEPT
         SELECT l.package, l.version
         FROM generate_subscripts(packages, 1) AS p (i)
         JOIN piw.local_versions l ON l.package = packages[p.i])
    ) e;
    IF events IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.apply_removals(events);
    END IF;

    INSERT INTO piw.pypi_projects SELECT unnest(packages) ON CONFLICT DO NOTHING;
    PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
    IF new_serial > stored THEN
        -- Should the log be followed again some day: nothing of it up to here may be applied a second time.
        INSERT INTO piw.applied_serials
        SELECT s FROM generate_series(CASE WHEN new_serial < ordered_from THEN stored
                                           ELSE greatest(stored, new_serial - reread) END + 1, new_serial) s
        ON CONFLICT DO NOTHING;
        IF new_serial >= ordered_from THEN
            DELETE FROM piw.applied_serials WHERE serial <= new_serial - reread;
        END IF;
        UPDATE public.configuration SET pypi_serial = new_serial WHERE id = 1;
    END IF;
END
$$;

CREATE FUNCTION piw.apply_pypi_events(packages text[], names text[], versions text[], moments timestamp without time zone[], actions text[], serials bigint[], new_serial bigint, development boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
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

    SELECT array_agg(ROW(e.ord, e.package, e.name, e.version, e.moment, e.action, e.serial, 0)::piw.pypi_event
                     ORDER BY e.ord)
    INTO events
    FROM unnest(packages, names, versions, moments, actions, serials) WITH ORDINALITY
        AS e (package, name, version, moment, action, serial, ord)
    WHERE e.package <> '' AND char_length(e.package) <= 200 AND char_length(e.name) <= 200
      AND (e.version IS NULL OR char_length(e.version) BETWEEN 1 AND 200)
      AND (stored < ordered_from OR e.serial > stored - reread);
    -- Most batches come after all that was applied before.
    IF EXISTS (SELECT FROM piw.applied_serials a
               WHERE a.serial >= (SELECT min(e.serial) FROM unnest(events) e)) THEN
        SELECT array_agg(e ORDER BY e.ord) INTO events FROM unnest(events) e
        WHERE NOT EXISTS (SELECT FROM piw.applied_serials a WHERE a.serial = e.serial);
    END IF;
    IF events IS NOT NULL THEN
        rounds := 0;
    END IF;
    -- Runs of additions (even rounds) and of removals (odd ones) alternate within a package; packages don't mix, so
    -- that one round of all packages is one step.
    IF 'remove' = ANY (actions) THEN
        SELECT array_agg(ROW(r.ord, r.package, r.name, r.version, r.moment, r.action, r.serial, r.round)::piw.pypi_event
                         ORDER BY r.ord),
               max(r.round)
        INTO events, rounds
        FROM (
            SELECT t.ord, t.package, t.name, t.version, t.moment, t.action, t.serial,
                   sum(CASE WHEN t.turns THEN 1 ELSE 0 END) OVER (PARTITION BY t.package ORDER BY t.ord) AS round
            FROM (
                SELECT e.*, (e.action = 'remove')
                            <> lag(e.action = 'remove', 1, false) OVER (PARTITION BY e.package ORDER BY e.ord) AS turns
                FROM unnest(events) e
            ) t
        ) r;
    END IF;

    FOR step IN 0..coalesce(rounds, -1) LOOP
        IF rounds = 0 THEN
            here := events;
        ELSE
            SELECT array_agg(e) INTO here FROM unnest(events) e WHERE e.round = step;
        END IF;
        IF here IS NULL THEN
            CONTINUE;
        END IF;
        IF step % 2 = 0 THEN
            RETURN QUERY SELECT * FROM piw.apply_additions(here, development);
        ELSE
            RETURN QUERY SELECT * FROM piw.apply_removals(here);
        END IF;
    END LOOP;

    PERFORM piw.note_pages(array_agg(e.package), array_agg('BOTH'::text))
    FROM (SELECT DISTINCT e.package FROM unnest(events) e) e;
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
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
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

CREATE FUNCTION piw.armv6l_name(filename text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
    SELECT regexp_replace(filename, '-linux_armv7l\.whl$', '-linux_armv6l.whl')
$_$;

CREATE FUNCTION piw.armv7l_name(filename text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
    SELECT regexp_replace(filename, '-linux_armv6l\.whl$', '-linux_armv7l.whl')
$_$;

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
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
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
    SET work_mem TO '64MB'
    AS $$
    WITH noted AS MATERIALIZED (
        SELECT d.package, d.version FROM piw.dirty d UNION SELECT d.package, d.version FROM piw.dirty_later d
    ), differs AS (
        SELECT coalesce(q.package, w.package) AS package, coalesce(q.version, w.version) AS version,
               q.abi_tag AS has, w.abi_tag AS wants
        FROM piw.queue q
        FULL JOIN piw.full_queue() w ON w.package = q.package AND w.version = q.version
        WHERE q.abi_tag IS DISTINCT FROM w.abi_tag OR q.released IS DISTINCT FROM w.released
        UNION ALL
        SELECT coalesce(a.package, v.package), coalesce(a.version, v.version), NULL, NULL
        FROM piw.ages a
        FULL JOIN public.versions v ON v.package = a.package AND v.version = a.version AND v.released = a.released
        WHERE a.package IS NULL OR v.package IS NULL
        UNION ALL
        SELECT q.package, q.version, NULL, NULL
        FROM piw.queue q
        LEFT JOIN piw.package_downloads d ON d.package = q.package
        WHERE q.popularity <> coalesce(d.popularity, 0)
    )
    SELECT d.package, d.version, d.has, d.wants FROM differs d
    WHERE NOT EXISTS (SELECT FROM noted n WHERE n.package = d.package AND n.version = d.version)
$$;

CREATE FUNCTION piw.check_totals() RETURNS TABLE(abi_tag character varying, has bigint, wants bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT coalesce(t.abi_tag, q.abi_tag), coalesce(t.pending, 0), coalesce(q.pending, 0)
    FROM piw.queue_totals t
    FULL JOIN (SELECT q.abi_tag, count(*) AS pending FROM piw.queue q GROUP BY q.abi_tag) q ON q.abi_tag = t.abi_tag
    WHERE coalesce(t.pending, 0) <> coalesce(q.pending, 0)
$$;

CREATE FUNCTION piw.compare_projects(names text[], after text, upto text, total bigint) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    known bigint;
    events piw.pypi_event[];
BEGIN
    SELECT count(*) INTO known FROM piw.pypi_projects;
    IF total < known - greatest(known / 100, 10) THEN
        RETURN QUERY SELECT known::text, NULL::text, 'refused'::text;
        RETURN;
    END IF;
    INSERT INTO piw.pypi_projects
    SELECT n.name FROM unnest(names) AS n (name)
    WHERE EXISTS (SELECT FROM public.packages p WHERE p.package = n.name)
    ON CONFLICT DO NOTHING;
    RETURN QUERY
    SELECT n.name, NULL::text, 'missing'::text FROM unnest(names) AS n (name)
    WHERE NOT EXISTS (SELECT FROM piw.pypi_projects k WHERE k.package = n.name);

    WITH gone AS (
        DELETE FROM piw.pypi_projects k
        USING (SELECT r.package::text FROM piw.pypi_projects r
               WHERE r.package > after AND (upto IS NULL OR r.package <= upto)
               EXCEPT
               SELECT n.name FROM unnest(names) AS n (name)) AS lost (package)
        WHERE k.package = lost.package
        RETURNING k.package::text
    )
    SELECT array_agg(ROW(0, g.package, g.package, NULL, piw.utc_now(), 'remove', 0, 1)::piw.pypi_event) INTO events
    FROM gone g;
    IF events IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.apply_removals(events);
    END IF;
    IF upto IS NULL THEN
        UPDATE piw.pypi_compared SET at = piw.utc_now() WHERE id = 1;
    END IF;
END
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

CREATE FUNCTION piw.download_package(filename text, package text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(package, left(regexp_replace(lower(split_part(filename, '-', 1)), '[-_.]+', '-', 'g'), 200))
$$;

CREATE FUNCTION piw.downloads_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', o.accessed_at), -count(*) FROM old_rows o GROUP BY 2;
        PERFORM piw.note_downloads(array_agg(g.filename::text), array_agg(g.day), array_agg(g.amount))
        FROM (SELECT o.filename, o.accessed_at::date AS day, -count(*) AS amount FROM old_rows o GROUP BY 1, 2) g;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', n.accessed_at), count(*) FROM new_rows n GROUP BY 2;
        PERFORM piw.note_downloads(array_agg(g.filename::text), array_agg(g.day), array_agg(g.amount))
        FROM (SELECT n.filename, n.accessed_at::date AS day, count(*) AS amount FROM new_rows n GROUP BY 1, 2) g;
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
    more boolean := false;
BEGIN
    -- In the order in which a TRUNCATE takes them, and before anybody can wait for us.
    LOCK TABLE public.packages, public.versions, public.builds, public.files, public.build_abis IN ACCESS SHARE MODE;
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
    more := piw.fold_downloads(slice);
    more := piw.shift_window(slice) OR more;
    more := piw.spread_popularity(slice) OR more;
    RETURN more OR EXISTS (SELECT FROM piw.refills);
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

CREATE FUNCTION piw.fail_attempt(slave integer, pkg text, ver text, abi text, why text, the_end text) RETURNS TABLE(tries integer, final boolean, wait_s integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    tries_max CONSTANT integer := 5;
    moment timestamp := piw.utc_now();
    attempt bigint;
BEGIN
    SELECT 1 + count(*) INTO tries FROM piw.attempts a
    WHERE a.package = pkg AND a.version = ver AND a.abi_tag = abi AND a.state = 'transient' AND a.counts;
    final := tries >= tries_max;
    wait_s := CASE WHEN final THEN 0 ELSE 60 * 3 ^ (tries - 1) END;
    UPDATE piw.attempts a SET state = 'transient', cause = left(why, 100), ended = moment, log = the_end,
        next_try = CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END
    WHERE a.state = 'running' AND a.slave_id = slave AND a.package = pkg AND a.version = ver AND a.abi_tag = abi
    RETURNING a.attempt_id INTO attempt;
    IF attempt IS NULL THEN
        INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended, log, next_try)
        VALUES (slave, pkg, ver, abi, 'transient', left(why, 100), moment, the_end,
                CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END);
    END IF;
    RETURN NEXT;
END
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
    IF EXISTS (SELECT FROM unnest(notes) n WHERE n.kind = 'recount') THEN
        PERFORM piw.recount_builds();
    END IF;
END
$$;

CREATE FUNCTION piw.fold_downloads(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    first_day date;
    notes piw.download_notes[];
BEGIN
    WITH taken AS (
        DELETE FROM piw.download_notes d
        WHERE d.note_id IN (SELECT n.note_id FROM piw.download_notes n ORDER BY n.note_id LIMIT slice)
        RETURNING d
    )
    SELECT array_agg(taken.d) INTO notes FROM taken;
    IF notes IS NULL THEN
        RETURN false;
    END IF;
    SELECT w.since INTO first_day FROM piw.download_window w;

    INSERT INTO piw.download_days AS d (day, package, downloads)
    SELECT n.day, n.package, sum(n.amount) FROM unnest(notes) n WHERE n.day >= first_day
    GROUP BY n.day, n.package ORDER BY n.day, n.package
    ON CONFLICT (day, package) DO UPDATE SET downloads = d.downloads + excluded.downloads;

    WITH counted AS (
        INSERT INTO piw.package_downloads AS p (package, recent, ever)
        SELECT n.package, coalesce(sum(n.amount) FILTER (WHERE n.day >= first_day), 0), sum(n.amount)
        FROM unnest(notes) n GROUP BY n.package ORDER BY n.package
        ON CONFLICT (package) DO UPDATE SET recent = p.recent + excluded.recent, ever = p.ever + excluded.ever
        RETURNING p.package, p.recent, p.popularity
    )
    INSERT INTO piw.popularity_due
    SELECT c.package FROM counted c WHERE piw.popularity(c.recent) <> c.popularity
    ON CONFLICT DO NOTHING;
    RETURN cardinality(notes) = slice;
END
$$;

CREATE FUNCTION piw.full_queue() RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET work_mem TO '64MB'
    AS $$
    WITH abis AS MATERIALIZED (
        SELECT a.abi_tag, piw.abi_rank(a.abi_tag) AS rank FROM public.build_abis a WHERE a.skip = ''
    ), covers AS (
        SELECT b.package, b.version, b.abi_tag::text AS tag, NULL::integer AS from_rank FROM public.builds b
        UNION
        SELECT b.package, b.version, f.abi_tag::text,
               CASE f.abi_tag WHEN 'none' THEN 0 WHEN 'abi3' THEN piw.abi_rank(b.abi_tag) END
        FROM public.builds b JOIN public.files f ON f.build_id = b.build_id
    ), covered AS (
        SELECT c.package, c.version, array_agg(c.tag) AS tags, min(c.from_rank) AS from_rank
        FROM covers c GROUP BY c.package, c.version
    )
    SELECT v.package, v.version, lowest.abi_tag, v.released
    FROM public.versions v
    JOIN public.packages p ON p.package = v.package
    LEFT JOIN covered c ON c.package = v.package AND c.version = v.version
    CROSS JOIN LATERAL (
        SELECT a.abi_tag
        FROM abis a
        WHERE (c.tags IS NULL OR a.abi_tag <> ALL (c.tags)) AND (c.from_rank IS NULL OR a.rank < c.from_rank)
        ORDER BY a.rank, a.abi_tag
        LIMIT 1
    ) lowest
    WHERE v.skip = '' AND p.skip = ''
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

CREATE FUNCTION piw.log_downloads(sender bigint, number bigint, filenames text[], hosts inet[], moments timestamp without time zone[], archs text[], distro_names text[], distro_versions text[], os_names text[], os_versions text[], py_names text[], py_versions text[], installer_names text[], installer_versions text[], setuptools_versions text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
            os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
        SELECT * FROM unnest(filenames, hosts, moments, archs, distro_names, distro_versions, os_names, os_versions,
            py_names, py_versions, installer_names, installer_versions, setuptools_versions);
    END IF;
END
$$;

CREATE FUNCTION piw.log_jsons(sender bigint, number bigint, packages text[], hosts inet[], moments timestamp without time zone[], agents text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.project_json_downloads (package, accessed_by, accessed_at, user_agent)
        SELECT h.*
        FROM unnest(packages, hosts, moments, agents) AS h (package, host, moment, agent);
    END IF;
END
$$;

CREATE FUNCTION piw.log_pages(sender bigint, number bigint, pages text[], hosts inet[], moments timestamp without time zone[], agents text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.web_page_hits (page, accessed_by, accessed_at, user_agent, bot)
        SELECT h.*, coalesce(h.agent ~ '(bot|spider|crawl|slurp)', false)
        FROM unnest(pages, hosts, moments, agents) AS h (page, host, moment, agent);
    END IF;
END
$$;

CREATE FUNCTION piw.log_projects(sender bigint, number bigint, packages text[], hosts inet[], moments timestamp without time zone[], agents text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.project_page_hits (package, accessed_by, accessed_at, user_agent, bot)
        SELECT h.*, coalesce(h.agent ~ '(bot|spider|crawl|slurp)', false)
        FROM unnest(packages, hosts, moments, agents) AS h (package, host, moment, agent);
    END IF;
END
$$;

CREATE FUNCTION piw.log_searches(sender bigint, number bigint, packages text[], hosts inet[], moments timestamp without time zone[], archs text[], distro_names text[], distro_versions text[], os_names text[], os_versions text[], py_names text[], py_versions text[], installer_names text[], installer_versions text[], setuptools_versions text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.searches (package, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
            os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
        SELECT * FROM unnest(packages, hosts, moments, archs, distro_names, distro_versions, os_names, os_versions,
            py_names, py_versions, installer_names, installer_versions, setuptools_versions);
    END IF;
END
$$;

CREATE FUNCTION piw.mark_commit(of_instance integer, this_mark bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.commits AS c VALUES (of_instance, this_mark)
    ON CONFLICT (instance) DO UPDATE SET mark = excluded.mark
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

CREATE FUNCTION piw.note_downloads(filenames text[], days date[], amounts bigint[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    INSERT INTO piw.download_notes (package, day, amount)
    SELECT piw.download_package(n.filename, b.package), n.day, sum(n.amount)
    FROM unnest(filenames, days, amounts) AS n (filename, day, amount)
    LEFT JOIN public.files f ON f.filename = n.filename
    LEFT JOIN public.builds b ON b.build_id = f.build_id
    GROUP BY 1, 2
$$;

CREATE FUNCTION piw.note_pages(packages text[], commands text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.pages_due AS d (package, noted, command)
    SELECT n.package, n.moment, n.command
    FROM (SELECT n.package, (SELECT piw.utc_now()) AS moment, min(n.command) AS command
          FROM unnest(packages, commands) AS n (package, command) GROUP BY n.package) n
    ORDER BY n.package
    ON CONFLICT (package) DO UPDATE SET noted = excluded.noted, command = least(d.command, excluded.command)
$$;

CREATE FUNCTION piw.note_refill(abi text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO piw.refills (abi_tag) VALUES (abi);
    PERFORM pg_notify('piw_queue', '');
END
$$;

CREATE FUNCTION piw.packages_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM (SELECT package, skip FROM new_rows EXCEPT SELECT package, skip FROM old_rows) n
    JOIN public.versions v ON v.package = n.package;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.popularity(recent bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN recent < 16 THEN greatest(recent, 0)::integer
                ELSE 16 + floor(8 * ln(recent / 16.0::double precision) / ln(2::double precision))::integer END
$$;

CREATE FUNCTION piw.project_abis(pkg text) RETURNS TABLE(version character varying, abi_tag character varying, status text, build_id integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
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

CREATE FUNCTION piw.put_first(pkg text, OUT known boolean, OUT reason text, OUT waiting bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    SELECT p.skip INTO reason FROM public.packages p WHERE p.package = pkg;
    known := FOUND;
    SELECT count(*) INTO waiting FROM piw.queue q WHERE q.package = pkg;
    IF waiting > 0 THEN
        INSERT INTO piw.firsts (package, asked) VALUES (pkg, piw.utc_now()) ON CONFLICT DO NOTHING;
        UPDATE piw.queue_totals t SET changes = t.changes + 1
        WHERE t.abi_tag IN (SELECT q.abi_tag FROM piw.queue q WHERE q.package = pkg);
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

CREATE FUNCTION piw.queue_head(abi text, which text, lim integer, phase integer DEFAULT (floor((random() * (8)::double precision)))::integer) RETURNS TABLE(package character varying, version character varying)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    head_packages text[];
    head_versions text[];
BEGIN
    IF NOT EXISTS (SELECT FROM public.build_abis a WHERE a.abi_tag = abi AND a.skip = '') THEN
        RETURN;
    END IF;
    IF which NOT IN ('oldest', 'newest', 'popular') THEN
        RAISE EXCEPTION 'there is no order %: oldest, newest, popular', which;
    END IF;
    WITH resting AS MATERIALIZED (
        SELECT a.package, a.version FROM piw.attempts a
        WHERE a.abi_tag = abi AND a.state = 'transient' AND a.counts AND a.next_try > piw.utc_now()
    ), chosen AS (
        SELECT q.package, q.version,
               row_number() OVER (ORDER BY f.asked, f.package, q.released, q.version) - 1000000000 AS place
        FROM (SELECT f.asked, f.package FROM piw.firsts f ORDER BY f.asked, f.package LIMIT lim) f
        CROSS JOIN LATERAL (
            SELECT q.package, q.version, q.released FROM piw.queue q
            WHERE q.package = f.package AND q.abi_tag = abi
              AND (q.package, q.version) NOT IN (SELECT r.package, r.version FROM resting r)
            ORDER BY q.released, q.version LIMIT lim) q
    ), oldest AS (
        SELECT o.package, o.version,
               CASE WHEN which = 'oldest' THEN o.nth ELSE o.nth * 8 - phase END AS place
        FROM (SELECT q.package, q.version, row_number() OVER (ORDER BY q.released, q.package, q.version) AS nth
              FROM piw.queue q WHERE q.abi_tag = abi AND (q.package, q.version) NOT IN (SELECT r.package, r.version FROM resting r)
              ORDER BY q.released, q.package, q.version
              LIMIT CASE WHEN which = 'oldest' THEN lim ELSE (lim + 7 + phase) / 8 END) o
    ), newest AS (
        SELECT q.package, q.version,
               row_number() OVER (ORDER BY q.released DESC, q.package DESC, q.version DESC) AS nth
        FROM piw.queue q
        WHERE q.abi_tag = abi AND which = 'newest' AND (q.package, q.version) NOT IN (SELECT r.package, r.version FROM resting r)
        ORDER BY q.released DESC, q.package DESC, q.version DESC LIMIT lim
    ), popular AS (
        SELECT q.package, q.version,
               row_number() OVER (ORDER BY q.popularity DESC, q.released DESC, q.package DESC, q.version DESC) AS nth
        FROM piw.queue q
        WHERE q.abi_tag = abi AND which = 'popular' AND (q.package, q.version) NOT IN (SELECT r.package, r.version FROM resting r)
        ORDER BY q.popularity DESC, q.released DESC, q.package DESC, q.version DESC LIMIT lim
    ), placed AS (
        SELECT * FROM chosen
        UNION ALL SELECT * FROM oldest
        -- Past the places of the oldest: seven of each eight.
        UNION ALL SELECT m.package, m.version, m.nth + (m.nth - 1 + phase) / 7
        FROM (SELECT * FROM newest UNION ALL SELECT * FROM popular) m
    )
    SELECT array_agg(h.package ORDER BY h.place, h.package, h.version),
           array_agg(h.version ORDER BY h.place, h.package, h.version)
    INTO head_packages, head_versions
    FROM (SELECT p.package, p.version, min(p.place) AS place FROM placed p
          GROUP BY p.package, p.version
          ORDER BY min(p.place), p.package, p.version
          LIMIT lim) h;
    -- While what a large statement changed is still being worked off, nothing is given out without another look at it.
    IF EXISTS (SELECT FROM piw.dirty_later) THEN
        RETURN QUERY
        -- Grouped, not joined: see piw.recompute.
        SELECT k.package, k.version
        FROM (SELECT h.package::varchar, h.version::varchar, h.nth, false AS wanted
              FROM unnest(head_packages, head_versions) WITH ORDINALITY AS h (package, version, nth)
              UNION ALL
              SELECT w.package, w.version, NULL, true
              FROM piw.wanted(head_packages, head_versions) w WHERE w.abi_tag = abi) k
        GROUP BY k.package, k.version
        HAVING bool_or(k.wanted)
        ORDER BY max(k.nth);
    ELSE
        RETURN QUERY
        SELECT h.package::varchar, h.version::varchar
        FROM unnest(head_packages, head_versions) WITH ORDINALITY AS h (package, version, nth)
        ORDER BY h.nth;
    END IF;
END
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

    -- Grouped, not joined: the planner, which must look up key after key, would compare every key with every other.
    WITH gone AS (
        DELETE FROM piw.queue q
        USING (SELECT k.package, k.version, max(k.abi_tag) AS abi_tag, max(k.released) AS released
               FROM (SELECT k.package, k.version, NULL::text AS abi_tag, NULL::timestamp AS released
                     FROM unnest(packages, versions) AS k (package, version)
                     UNION ALL
                     SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)) k
               GROUP BY k.package, k.version) k
        WHERE q.package = k.package AND q.version = k.version
          AND (k.abi_tag IS NULL OR k.abi_tag <> q.abi_tag OR k.released <> q.released)
        RETURNING q.abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT g.abi_tag, -count(*), count(*) FROM gone g GROUP BY g.abi_tag ORDER BY g.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;

    WITH come AS (
        INSERT INTO piw.queue (package, version, abi_tag, released, popularity)
        SELECT w.package, w.version, w.abi_tag, w.released,
               coalesce((SELECT d.popularity FROM piw.package_downloads d WHERE d.package = w.package), 0)
        FROM unnest(wants_package, wants_version, wants_abi, wants_released) AS w (package, version, abi_tag, released)
        ON CONFLICT DO NOTHING
        RETURNING abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT c.abi_tag, count(*), count(*) FROM come c GROUP BY c.abi_tag ORDER BY c.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;

    -- Of a package put first nothing waits any more: what comes later waits like the others.
    DELETE FROM piw.firsts f
    WHERE f.package = ANY (packages) AND NOT EXISTS (SELECT FROM piw.queue q WHERE q.package = f.package);
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
    stale text[];
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
        -- Second entries whose wheel an operator replaces, and which the new wheel doesn't have.
        SELECT array_agg(s.filename) INTO stale
        FROM unnest(file_builds, filenames, filehashes) AS f (build, filename, filehash)
        JOIN public.files o ON o.filename = f.filename AND o.filehash <> f.filehash
        JOIN public.files s ON s.filename = piw.armv6l_name(o.filename) AND s.filename <> o.filename
                           AND s.filehash = o.filehash AND s.filename <> ALL (filenames)
        WHERE f.build = ANY (accepted) AND slaves[f.build] = 0;

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
            WHERE o.filehash = excluded.filehash
               -- A second entry of a wheel for linux_armv7l never takes the place of a wheel for linux_armv6l.
               OR (slaves[array_position(build_ids, excluded.build_id)] = 0
                   AND (NOT EXISTS (SELECT FROM candidates s
                                    WHERE s.filename = piw.armv7l_name(excluded.filename) AND s.filename <> o.filename
                                      AND s.filehash = excluded.filehash AND build_ids[s.build] = excluded.build_id)
                        OR EXISTS (SELECT FROM public.files s
                                   WHERE s.filename = piw.armv7l_name(o.filename) AND s.filename <> o.filename
                                     AND s.filehash = o.filehash)))
            RETURNING o.filename
        )
        SELECT array_agg(c.filename) FILTER (WHERE s.filename IS NOT NULL),
               array_agg(c.build) FILTER (WHERE s.filename IS NULL),
               array_agg(c.filename) FILTER (WHERE s.filename IS NULL)
        INTO taken, here_builds, here_names
        FROM candidates c
        LEFT JOIN stored s ON s.filename = c.filename
        WHERE c.nth = round;
        DELETE FROM public.files s WHERE s.filename = ANY (stale);
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
    UPDATE piw.attempts a SET counts = false
    FROM unnest(packages, versions, abis) WITH ORDINALITY AS b (package, version, abi_tag, ord)
    WHERE b.ord = ANY (accepted) AND a.state = 'transient' AND a.counts AND a.package = b.package
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
    PERFORM piw.recount_versions();
    PERFORM piw.recount_queue();
    PERFORM piw.recount_builds();
    PERFORM piw.recount_downloads();
END
$$;

CREATE FUNCTION piw.recount_builds() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    WITH noted AS (
        DELETE FROM piw.deltas d WHERE d.kind IN ('files', 'time', 'recount')
    ), tags AS MATERIALIZED (
        SELECT f.package_tag, count(*) AS files,
               coalesce(sum(f.filesize) FILTER (WHERE f.platform_tag <> 'linux_armv6l'), 0) AS size_bytes
        FROM public.files f GROUP BY f.package_tag
    ), kept AS (
        INSERT INTO piw.built_tags AS t (package_tag, files) SELECT g.package_tag, g.files FROM tags g
        ON CONFLICT (package_tag) DO UPDATE SET files = excluded.files WHERE t.files <> excluded.files
    ), gone AS (
        DELETE FROM piw.built_tags t WHERE NOT EXISTS (SELECT FROM tags g WHERE g.package_tag = t.package_tag)
    )
    UPDATE piw.totals SET
        files_count = (SELECT coalesce(sum(g.files), 0) FROM tags g),
        builds_size = (SELECT coalesce(sum(g.size_bytes), 0) FROM tags g),
        packages_built = (SELECT count(*) FROM tags g),
        builds_time_us = (SELECT coalesce(sum(extract(epoch FROM b.duration) * 1000000), 0)::bigint
                          FROM public.builds b WHERE b.duration < interval '1 week')
    RETURNING files_count
$$;

CREATE FUNCTION piw.recount_downloads() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    WITH noted AS (
        DELETE FROM piw.deltas d WHERE d.kind = 'downloads'
    ), noted_packages AS (
        DELETE FROM piw.download_notes
    ), moments AS MATERIALIZED (
        SELECT d.filename, date_trunc('hour', d.accessed_at) AS hour, count(*) AS downloads
        FROM public.downloads d GROUP BY 1, 2
    ), hours AS MATERIALIZED (
        SELECT m.hour, sum(m.downloads) AS downloads FROM moments m GROUP BY m.hour
    ), kept_hours AS (
        INSERT INTO piw.download_hours AS h (hour, downloads) SELECT o.hour, o.downloads FROM hours o
        ON CONFLICT (hour) DO UPDATE SET downloads = excluded.downloads WHERE h.downloads <> excluded.downloads
    ), gone_hours AS (
        DELETE FROM piw.download_hours h WHERE NOT EXISTS (SELECT FROM hours o WHERE o.hour = h.hour)
    ), days AS MATERIALIZED (
        SELECT piw.download_package(m.filename, b.package) AS package, m.hour::date AS day,
               sum(m.downloads)::bigint AS downloads
        FROM (SELECT m.filename, date_trunc('day', m.hour) AS hour, sum(m.downloads) AS downloads
              FROM moments m GROUP BY 1, 2) m
        LEFT JOIN public.files f ON f.filename = m.filename
        LEFT JOIN public.builds b ON b.build_id = f.build_id
        GROUP BY 1, 2
    ), kept_days AS (
        INSERT INTO piw.download_days AS d (day, package, downloads)
        SELECT o.day, o.package, o.downloads FROM days o, piw.download_window w WHERE o.day >= w.since
        ON CONFLICT (day, package) DO UPDATE SET downloads = excluded.downloads WHERE d.downloads <> excluded.downloads
    ), gone_days AS (
        DELETE FROM piw.download_days d
        WHERE NOT EXISTS (SELECT FROM days o WHERE o.day = d.day AND o.package = d.package)
    ), packages AS MATERIALIZED (
        SELECT o.package, coalesce(sum(o.downloads) FILTER (WHERE o.day >= w.since), 0) AS recent,
               sum(o.downloads) AS ever
        FROM days o, piw.download_window w GROUP BY o.package
    ), kept_packages AS (
        INSERT INTO piw.package_downloads AS p (package, recent, ever) SELECT o.package, o.recent, o.ever FROM packages o
        ON CONFLICT (package) DO UPDATE SET recent = excluded.recent, ever = excluded.ever
        WHERE (p.recent, p.ever) <> (excluded.recent, excluded.ever)
        RETURNING p.package, p.recent, p.popularity
    ), gone_packages AS (
        UPDATE piw.package_downloads p SET recent = 0, ever = 0
        WHERE (p.recent, p.ever) <> (0, 0) AND NOT EXISTS (SELECT FROM packages o WHERE o.package = p.package)
        RETURNING p.package, p.recent, p.popularity
    ), due AS (
        INSERT INTO piw.popularity_due
        SELECT c.package FROM (SELECT * FROM kept_packages UNION ALL SELECT * FROM gone_packages) c
        WHERE piw.popularity(c.recent) <> c.popularity
        ON CONFLICT DO NOTHING
    )
    UPDATE piw.totals SET downloads_all = (SELECT coalesce(sum(o.downloads), 0) FROM hours o)
    RETURNING downloads_all
$$;

CREATE FUNCTION piw.recount_queue() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT k.abi_tag, coalesce(q.pending, 0), 1
    FROM (SELECT a.abi_tag FROM public.build_abis a UNION SELECT t.abi_tag FROM piw.queue_totals t
          UNION SELECT q.abi_tag FROM piw.queue q) k
    LEFT JOIN (SELECT q.abi_tag, count(*) AS pending FROM piw.queue q GROUP BY q.abi_tag) q ON q.abi_tag = k.abi_tag
    ORDER BY k.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET pending = excluded.pending, changes = t.changes + 1
$$;

CREATE FUNCTION piw.recount_some_versions(after text, upto text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
    INSERT INTO piw.ages SELECT v.released, v.package, v.version FROM public.versions v
    WHERE v.package > after::varchar AND v.package <= upto::varchar
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION piw.recount_versions() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    counted bigint;
    bounds text[];
BEGIN
    DELETE FROM piw.ages a WHERE NOT EXISTS (
        SELECT FROM public.versions v
        WHERE v.package = a.package AND v.version = a.version AND v.released = a.released);
    bounds := ARRAY(
        SELECT max(t.package)
        FROM (SELECT p.package, ntile(100) OVER (ORDER BY p.package) AS part FROM public.packages p) t
        GROUP BY t.part ORDER BY t.part);
    FOR part IN 1..cardinality(bounds) LOOP
        PERFORM piw.recount_some_versions(CASE WHEN part > 1 THEN bounds[part - 1] ELSE '' END, bounds[part]);
        PERFORM piw.tell_progress(part, cardinality(bounds));
    END LOOP;
    SELECT count(*) INTO counted FROM piw.ages;
    INSERT INTO piw.refills (abi_tag) SELECT DISTINCT t.abi_tag FROM piw.queue_totals t WHERE t.pending > 0;
    PERFORM piw.note_refill(NULL);
    RETURN counted;
END
$$;

CREATE TABLE piw.refills (
    refill_id bigint NOT NULL,
    from_released timestamp without time zone DEFAULT '-infinity'::timestamp without time zone NOT NULL,
    from_package character varying(200) DEFAULT ''::character varying NOT NULL,
    from_version character varying(200) DEFAULT ''::character varying NOT NULL,
    to_released timestamp without time zone DEFAULT 'infinity'::timestamp without time zone NOT NULL,
    to_package character varying(200) DEFAULT ''::character varying NOT NULL,
    to_version character varying(200) DEFAULT ''::character varying NOT NULL,
    abi_tag character varying(100)
);

CREATE FUNCTION piw.refill_keys(INOUT refill piw.refills, slice integer, OUT packages text[], OUT versions text[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    older piw.ages[];
    newer piw.ages[];
    place piw.ages;
BEGIN
    IF refill.abi_tag IS NULL THEN
        -- The index's own order lets a slice begin where the last one ended, at either end.
        SELECT array_agg(ROW(s.released, s.package, s.version)::piw.ages ORDER BY s.released, s.package, s.version)
        INTO older
        FROM (SELECT a.* FROM piw.ages a
              WHERE (a.released, a.package, a.version)
                    > (refill.from_released, refill.from_package, refill.from_version)
                AND (a.released, a.package, a.version) < (refill.to_released, refill.to_package, refill.to_version)
              ORDER BY a.released, a.package, a.version LIMIT (slice + 1) / 2) s;
    ELSE
        SELECT array_agg(ROW(s.released, s.package, s.version)::piw.ages ORDER BY s.released, s.package, s.version)
        INTO older
        FROM (SELECT q.released, q.package, q.version FROM piw.queue q
              WHERE q.abi_tag = refill.abi_tag
                AND (q.released, q.package, q.version)
                    > (refill.from_released, refill.from_package, refill.from_version)
              ORDER BY q.released, q.package, q.version LIMIT slice) s;
    END IF;
    IF older IS NOT NULL THEN
        place := older[cardinality(older)];
        refill.from_released := place.released;
        refill.from_package := place.package;
        refill.from_version := place.version;
    END IF;
    IF refill.abi_tag IS NULL THEN
        SELECT array_agg(ROW(s.released, s.package, s.version)::piw.ages
                         ORDER BY s.released DESC, s.package DESC, s.version DESC)
        INTO newer
        FROM (SELECT a.* FROM piw.ages a
              WHERE (a.released, a.package, a.version)
                    > (refill.from_released, refill.from_package, refill.from_version)
                AND (a.released, a.package, a.version) < (refill.to_released, refill.to_package, refill.to_version)
              ORDER BY a.released DESC, a.package DESC, a.version DESC LIMIT slice / 2) s;
    END IF;
    IF newer IS NOT NULL THEN
        place := newer[cardinality(newer)];
        refill.to_released := place.released;
        refill.to_package := place.package;
        refill.to_version := place.version;
    END IF;
    SELECT array_agg(k.package), array_agg(k.version) INTO packages, versions FROM unnest(older || newer) k;
END
$$;

CREATE FUNCTION piw.refill_slice(slice integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    step record;
    after piw.refills;
BEGIN
    -- A refill that has not begun covers all that another of its kind would still do.
    DELETE FROM piw.refills r
    USING piw.refills later
    WHERE later.refill_id > r.refill_id AND later.from_released = '-infinity' AND later.to_released = 'infinity'
      AND later.abi_tag IS NOT DISTINCT FROM r.abi_tag;
    SELECT * INTO after FROM piw.refills r ORDER BY r.refill_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO step FROM piw.refill_keys(after, slice);
    IF step.packages IS NULL THEN
        DELETE FROM piw.refills r WHERE r.refill_id = after.refill_id;
        RETURN;
    END IF;
    after := step.refill;
    UPDATE piw.refills r SET from_released = after.from_released, from_package = after.from_package,
        from_version = after.from_version, to_released = after.to_released, to_package = after.to_package,
        to_version = after.to_version
    WHERE r.refill_id = after.refill_id;
    PERFORM piw.recompute(step.packages, step.versions);
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
    ORDER BY r.removed, r.filename
    LIMIT lim
$$;

CREATE FUNCTION piw.remove_package(pkg text, with_builds boolean, reason text) RETURNS piw.admin_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    word text := 'DELPKG';
BEGIN
    IF NOT public.test_package(pkg) THEN
        RETURN (false, 'NOPKG'::text, false);
    END IF;
    IF reason <> '' THEN
        PERFORM public.skip_package(pkg, reason);
        word := 'SKIPPKG';
    END IF;
    IF with_builds THEN
        DELETE FROM public.builds b WHERE b.package = pkg;
        word := 'DELPKGBLD';
    END IF;
    IF word = 'DELPKG' THEN
        PERFORM public.delete_package(pkg);
    END IF;
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, with_builds AND reason = '');
END
$$;

CREATE FUNCTION piw.remove_version(pkg text, ver text, with_builds boolean, reason text, yank boolean) RETURNS piw.admin_outcome
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    word text := 'DELVER';
BEGIN
    IF NOT public.test_package_version(pkg, ver) THEN
        RETURN (false, 'NOVER'::text, false);
    END IF;
    IF reason <> '' THEN
        PERFORM public.skip_package_version(pkg, ver, reason);
        word := 'SKIPVER';
    END IF;
    IF yank THEN
        PERFORM public.yank_version(pkg, ver);
        word := 'YANKVER';
    END IF;
    IF with_builds THEN
        PERFORM public.delete_build(pkg, ver);
        word := 'DELVERBLD';
    END IF;
    IF word = 'DELVER' THEN
        PERFORM public.delete_version(pkg, ver);
    END IF;
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, with_builds AND reason = '');
END
$$;

CREATE FUNCTION piw.repair_queue() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    wrong piw.dirty[];
    wrong_totals bigint;
BEGIN
    SELECT array_agg(ROW(c.package, c.version)::piw.dirty) INTO wrong FROM piw.check_queue() c;
    PERFORM pg_advisory_xact_lock(7306001);
    DELETE FROM piw.ages a
    USING unnest(wrong) k
    WHERE a.package = k.package AND a.version = k.version AND NOT EXISTS (
        SELECT FROM public.versions v
        WHERE v.package = a.package AND v.version = a.version AND v.released = a.released);
    INSERT INTO piw.ages
    SELECT v.released, v.package, v.version
    FROM public.versions v JOIN unnest(wrong) k ON k.package = v.package AND k.version = v.version
    ON CONFLICT DO NOTHING;
    -- Taken out, so that they come back as they should be.
    WITH gone AS (
        DELETE FROM piw.queue q USING unnest(wrong) k WHERE q.package = k.package AND q.version = k.version
    )
    INSERT INTO piw.dirty_later (package, version) SELECT DISTINCT k.package, k.version FROM unnest(wrong) k;
    SELECT count(*) INTO wrong_totals FROM piw.check_totals();
    PERFORM piw.recount_queue();
    RETURN coalesce(cardinality(wrong), 0)
           + CASE WHEN cardinality(wrong) > 0 THEN 0 ELSE wrong_totals END;
END
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

CREATE FUNCTION piw.retry(pkg text, ver text, OUT known boolean, OUT builds integer, OUT resting integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    known := EXISTS (SELECT FROM public.versions v WHERE v.package = pkg AND (ver IS NULL OR v.version = ver));
    DELETE FROM public.builds b WHERE b.package = pkg AND (ver IS NULL OR b.version = ver) AND NOT b.status;
    GET DIAGNOSTICS builds = ROW_COUNT;
    SELECT count(DISTINCT (a.version, a.abi_tag)) INTO resting FROM piw.attempts a
    WHERE a.package = pkg AND (ver IS NULL OR a.version = ver) AND a.state = 'transient' AND a.counts
      AND a.next_try > piw.utc_now();
    UPDATE piw.attempts a SET counts = false
    WHERE a.package = pkg AND (ver IS NULL OR a.version = ver) AND a.state = 'transient' AND a.counts;
    IF builds > 0 THEN
        PERFORM piw.note_pages(ARRAY[pkg], ARRAY['PROJECT']);
    END IF;
    -- What rested shows in the queue's heads again: they have changed.
    UPDATE piw.queue_totals t SET changes = t.changes + 1
    WHERE resting > 0 AND t.abi_tag IN (SELECT q.abi_tag FROM piw.queue q WHERE q.package = pkg);
    PERFORM pg_notify('piw_queue', '');
END
$$;

CREATE FUNCTION piw.save_rewrites(packages text[], moments timestamp without time zone[], commands text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_nestloop TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
    DELETE FROM piw.pages_due d USING unnest(packages) AS r (package) WHERE d.package = r.package;
    DELETE FROM piw.pages_due d WHERE d.noted < piw.utc_now() - interval '10 minutes';
    DELETE FROM public.rewrites_pending w
    WHERE NOT EXISTS (SELECT FROM unnest(packages) AS r (package) WHERE r.package = w.package);
    -- Most are there already, as they are.
    INSERT INTO public.rewrites_pending AS w (package, added_at, command)
    SELECT r.package, r.added_at, r.command
    FROM (SELECT DISTINCT ON (r.package) r.package, r.added_at, r.command
          FROM unnest(packages, moments, commands) AS r (package, added_at, command)
          ORDER BY r.package, r.command, r.added_at) r
    WHERE NOT EXISTS (SELECT FROM public.rewrites_pending o
                      WHERE o.package = r.package AND o.added_at = r.added_at AND o.command = r.command)
    ON CONFLICT (package) DO UPDATE SET added_at = excluded.added_at, command = excluded.command;
END
$$;

CREATE FUNCTION piw.search_index(after text, lim integer) RETURNS TABLE(package character varying, downloads_recent bigint, downloads_all bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT p.package, greatest(coalesce(d.recent, 0), 0), greatest(coalesce(d.ever, 0), 0)
    FROM public.packages p
    LEFT JOIN piw.package_downloads d ON d.package = p.package
    WHERE p.package > after::varchar AND p.skip <> 'deleted'
    ORDER BY p.package
    LIMIT lim
$$;

CREATE FUNCTION piw.shift_window(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    last_day constant date := piw.utc_now()::date - 31;
    gone piw.download_days[];
BEGIN
    IF (SELECT w.since FROM piw.download_window w) > last_day THEN
        RETURN false;
    END IF;
    WITH taken AS (
        DELETE FROM piw.download_days d
        WHERE (d.day, d.package) IN (SELECT o.day, o.package FROM piw.download_days o WHERE o.day <= last_day
                                     ORDER BY o.day, o.package LIMIT slice)
        RETURNING d
    )
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL THEN
        UPDATE piw.download_window SET since = last_day + 1;
        RETURN false;
    END IF;
    WITH counted AS (
        UPDATE piw.package_downloads p SET recent = p.recent - g.downloads
        FROM (SELECT o.package, sum(o.downloads) AS downloads FROM unnest(gone) o GROUP BY o.package) g
        WHERE p.package = g.package
        RETURNING p.package, p.recent, p.popularity
    )
    INSERT INTO piw.popularity_due
    SELECT c.package FROM counted c WHERE piw.popularity(c.recent) <> c.popularity
    ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;

CREATE FUNCTION piw.spread_popularity(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    due text[];
BEGIN
    WITH taken AS (
        DELETE FROM piw.popularity_due p
        WHERE p.package IN (SELECT o.package FROM piw.popularity_due o ORDER BY o.package LIMIT slice)
        RETURNING p.package
    )
    SELECT array_agg(taken.package) INTO due FROM taken;
    IF due IS NULL THEN
        RETURN false;
    END IF;
    UPDATE piw.package_downloads p SET popularity = piw.popularity(p.recent) WHERE p.package = ANY (due);
    WITH moved AS (
        UPDATE piw.queue q SET popularity = p.popularity
        FROM piw.package_downloads p
        WHERE p.package = ANY (due) AND q.package = p.package AND q.popularity <> p.popularity
        RETURNING q.abi_tag
    )
    UPDATE piw.queue_totals t SET changes = t.changes + 1 WHERE t.abi_tag IN (SELECT m.abi_tag FROM moved m);
    RETURN cardinality(due) = slice;
END
$$;

CREATE FUNCTION piw.statistics() RETURNS TABLE(packages_built bigint, files_count bigint, builds_time_us bigint, builds_size bigint, new_last_hour bigint, downloads_last_hour bigint, downloads_last_month bigint, downloads_all bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
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

CREATE FUNCTION piw.take_log_batch(from_sender bigint, batch bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    -- More than can be under way at a time.
    remembered constant bigint := 10000;
BEGIN
    INSERT INTO piw.log_batches VALUES (from_sender, batch) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF batch % 256 = 1 THEN
        DELETE FROM piw.log_batches b WHERE b.sender <> from_sender OR b.number <= batch - remembered;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION piw.tell_progress(part bigint, parts bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE NOTICE USING ERRCODE = 'PIW01', MESSAGE = format('%s %% done', part * 100 / parts);
END
$$;

CREATE FUNCTION piw.truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'versions' THEN
        DELETE FROM piw.ages;
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'build_abis' THEN
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'downloads' THEN
        DELETE FROM piw.deltas d WHERE d.kind = 'downloads';
        INSERT INTO piw.deltas (kind, moment, amount) SELECT 'downloads', h.hour, -h.downloads FROM piw.download_hours h;
        DELETE FROM piw.download_notes;
        INSERT INTO piw.download_notes (package, day, amount)
        SELECT d.package, d.day, -d.downloads FROM piw.download_days d
        UNION ALL
        SELECT p.package, '-infinity', p.recent - p.ever FROM piw.package_downloads p WHERE p.ever <> p.recent;
    ELSE
        INSERT INTO piw.deltas (kind, amount) VALUES ('recount', 0);
        PERFORM piw.note_refill(NULL);
    END CASE;
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

CREATE FUNCTION piw.was_committed(of_instance integer, this_mark bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO piw.commits VALUES (of_instance, 0) ON CONFLICT DO NOTHING;
    PERFORM FROM piw.commits c WHERE c.instance = of_instance FOR UPDATE;
    RETURN EXISTS (SELECT FROM piw.commits c WHERE c.instance = of_instance AND c.mark = this_mark);
END
$$;

CREATE FUNCTION piw.why_abis(pkg text, ver text) RETURNS TABLE(abi_tag character varying, abi_skip character varying, status text, build_id integer, offered boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT p.abi_tag, a.skip, p.status, p.build_id,
           EXISTS (SELECT FROM piw.queue q WHERE q.package = pkg AND q.version = ver AND q.abi_tag = p.abi_tag)
    FROM piw.project_abis(pkg) p
    JOIN public.build_abis a ON a.abi_tag = p.abi_tag
    WHERE p.version = ver
    ORDER BY piw.abi_rank(p.abi_tag), p.abi_tag
$$;

CREATE FUNCTION piw.why_attempts(pkg text, ver text, lim integer) RETURNS TABLE(abi_tag character varying, slave_id integer, state character varying, cause character varying, started timestamp without time zone, ended timestamp without time zone, next_try timestamp without time zone, build_id integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT a.abi_tag, a.slave_id, a.state, a.cause, a.started, a.ended,
           CASE WHEN a.state = 'transient' AND a.counts AND a.next_try > now() AT TIME ZONE 'UTC' THEN a.next_try END,
           a.build_id
    FROM piw.attempts a
    WHERE a.package = pkg AND a.version = ver
    ORDER BY a.attempt_id DESC
    LIMIT lim
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
    counts boolean DEFAULT true NOT NULL,
    build_id integer,
    log text,
    CONSTRAINT attempts_state_check CHECK (((state)::text = ANY ((ARRAY['running'::character varying, 'built'::character varying, 'failed'::character varying, 'transient'::character varying, 'ended'::character varying, 'void'::character varying])::text[])))
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

CREATE TABLE piw.commits (
    instance integer NOT NULL,
    mark bigint NOT NULL
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

CREATE TABLE piw.download_days (
    day date NOT NULL,
    package character varying(200) NOT NULL,
    downloads bigint NOT NULL
);

CREATE TABLE piw.download_hours (
    hour timestamp without time zone NOT NULL,
    downloads bigint NOT NULL
);

CREATE TABLE piw.download_notes (
    note_id bigint NOT NULL,
    package character varying(200) NOT NULL,
    day date NOT NULL,
    amount bigint NOT NULL
);

ALTER TABLE piw.download_notes ALTER COLUMN note_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME piw.download_notes_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE piw.download_window (
    id integer DEFAULT 1 NOT NULL,
    since date NOT NULL,
    CONSTRAINT download_window_id_check CHECK ((id = 1))
);

CREATE TABLE piw.file_facts (
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    metadata_hash character(64),
    uploaded timestamp without time zone NOT NULL
);

CREATE TABLE piw.firsts (
    package character varying(200) NOT NULL,
    asked timestamp without time zone NOT NULL
);

CREATE TABLE piw.local_versions (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL
);

CREATE TABLE piw.log_batches (
    sender bigint NOT NULL,
    number bigint NOT NULL
);

CREATE TABLE piw.package_downloads (
    package character varying(200) NOT NULL,
    recent bigint NOT NULL,
    ever bigint NOT NULL,
    popularity integer DEFAULT 0 NOT NULL
);

CREATE TABLE piw.pages_due (
    package character varying(200) NOT NULL,
    noted timestamp without time zone NOT NULL,
    command character varying(8) NOT NULL
);

CREATE TABLE piw.popularity_due (
    package character varying(200) NOT NULL
);

CREATE TABLE piw.pypi_compared (
    id integer DEFAULT 1 NOT NULL,
    at timestamp without time zone NOT NULL,
    CONSTRAINT pypi_compared_id_check CHECK ((id = 1))
);

CREATE TABLE piw.pypi_projects (
    package character varying(200) NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE piw.queue (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    abi_tag character varying(100) NOT NULL,
    released timestamp without time zone NOT NULL,
    popularity integer DEFAULT 0 NOT NULL
);

CREATE TABLE piw.queue_totals (
    abi_tag character varying(100) NOT NULL,
    pending bigint DEFAULT 0 NOT NULL,
    changes bigint DEFAULT 0 NOT NULL
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
INSERT INTO piw.ages VALUES ('2020-02-01 00:00:00', 'own', '1.0');
INSERT INTO piw.ages VALUES ('2020-03-01 00:00:00', 'stable', '1.0');

INSERT INTO piw.attempts OVERRIDING SYSTEM VALUE VALUES (1, 1, 'numpy', '1.0', 'cp311', 'running', '', '2026-11-29 17:25:26.794473', NULL, NULL, true, NULL, NULL);
INSERT INTO piw.attempts OVERRIDING SYSTEM VALUE VALUES (2, 2, 'flask', '1.0', 'cp39', 'running', '', '2026-11-29 17:25:26.794716', NULL, NULL, true, NULL, NULL);

INSERT INTO piw.built_tags VALUES ('numpy', 1);
INSERT INTO piw.built_tags VALUES ('own', 1);
INSERT INTO piw.built_tags VALUES ('stable', 1);

INSERT INTO piw.configuration VALUES (1, 2);

INSERT INTO piw.download_hours VALUES ('2024-01-01 00:00:00', 3);

INSERT INTO piw.download_window VALUES (1, '2026-10-30');

INSERT INTO piw.package_downloads VALUES ('numpy', 0, 3, 0);

INSERT INTO piw.pypi_compared VALUES (1, '2026-11-29 17:25:26.604826');

INSERT INTO piw.queue VALUES ('flask', '1.0', 'cp39', '2020-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('numpy', '1.0', 'cp311', '2019-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('flask', '2.0', 'cp39', '2021-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('numpy', '2.0', 'cp39', '2022-01-01 00:00:00', 0);

INSERT INTO piw.queue_totals VALUES ('cp311', 1, 1);
INSERT INTO piw.queue_totals VALUES ('cp39', 3, 3);

INSERT INTO piw.totals VALUES (1, 3, 3000, 15000000, 3, 3);

SELECT pg_catalog.setval('piw.attempts_attempt_id_seq', 2, true);

SELECT pg_catalog.setval('piw.dirty_later_note_id_seq', 1, false);

SELECT pg_catalog.setval('piw.download_notes_note_id_seq', 1, true);

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

ALTER TABLE ONLY piw.commits
    ADD CONSTRAINT commits_pkey PRIMARY KEY (instance);

ALTER TABLE ONLY piw.configuration
    ADD CONSTRAINT configuration_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.dirty_later
    ADD CONSTRAINT dirty_later_pkey PRIMARY KEY (note_id);

ALTER TABLE ONLY piw.download_days
    ADD CONSTRAINT download_days_pkey PRIMARY KEY (day, package);

ALTER TABLE ONLY piw.download_hours
    ADD CONSTRAINT download_hours_pkey PRIMARY KEY (hour);

ALTER TABLE ONLY piw.download_notes
    ADD CONSTRAINT download_notes_pkey PRIMARY KEY (note_id);

ALTER TABLE ONLY piw.download_window
    ADD CONSTRAINT download_window_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.file_facts
    ADD CONSTRAINT file_facts_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.firsts
    ADD CONSTRAINT firsts_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.local_versions
    ADD CONSTRAINT local_versions_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.log_batches
    ADD CONSTRAINT log_batches_pkey PRIMARY KEY (sender, number);

ALTER TABLE ONLY piw.package_downloads
    ADD CONSTRAINT package_downloads_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pages_due
    ADD CONSTRAINT pages_due_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.popularity_due
    ADD CONSTRAINT popularity_due_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pypi_compared
    ADD CONSTRAINT pypi_compared_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.pypi_projects
    ADD CONSTRAINT pypi_projects_pkey PRIMARY KEY (package);

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

CREATE INDEX attempts_resting ON piw.attempts USING btree (abi_tag, next_try) WHERE (((state)::text = 'transient'::text) AND counts);

CREATE INDEX attempts_running ON piw.attempts USING btree (slave_id) WHERE ((state)::text = 'running'::text);

CREATE INDEX attempts_version ON piw.attempts USING btree (package, version);

CREATE INDEX firsts_order ON piw.firsts USING btree (asked, package);

CREATE INDEX package_downloads_popular ON piw.package_downloads USING btree (popularity, package);

CREATE INDEX queue_order ON piw.queue USING btree (abi_tag, released, package, version);

CREATE INDEX queue_popular ON piw.queue USING btree (abi_tag, popularity, released, package, version);

CREATE INDEX removals_time ON piw.removals USING btree (removed);

CREATE TRIGGER piw_delete AFTER DELETE ON public.build_abis REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.builds REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.downloads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.versions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.build_abis REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.builds REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.downloads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.files REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.versions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.build_abis FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.builds FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.downloads FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.files FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.versions FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_update AFTER UPDATE ON public.build_abis REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.builds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.downloads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.files REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.packages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_changed();

CREATE TRIGGER piw_update AFTER UPDATE ON public.versions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
