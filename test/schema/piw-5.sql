-- piw-5.sql — schema piw of version 5 as pg_dump wrote it (--inserts --no-owner), with its triggers on the stock tables: what
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
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
DECLARE
    part text[] := regexp_match(abi_tag, '^([a-z]+)([0-9])([0-9]{0,3})([a-z]*)(?:_.*)?$');
BEGIN
    IF part IS NULL THEN
        RETURN 2147483647;
    END IF;
    RETURN CASE part[1] WHEN 'cp' THEN 0 ELSE 1000000 END + part[2]::integer * 10000
           + coalesce(nullif(part[3], ''), '0')::integer * 10 + (part[4] LIKE '%t%')::integer;
END
$_$;

CREATE FUNCTION piw.abi_takes(abi text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
DECLARE
    part text[] := regexp_match(abi, '^(cp)([0-9])(0|[1-9][0-9]{0,2})([a-z]*)$');
    minor integer;
    takes text[];
BEGIN
    part := coalesce(part, regexp_match(abi, '^(py)py([0-9])(0|[1-9][0-9]{0,2})_'));
    IF part IS NULL THEN
        RETURN ARRAY[abi, 'py3-none'];
    END IF;
    minor := part[3];
    takes := ARRAY[abi, 'py' || part[2] || '-none']
             || ARRAY(SELECT 'py' || part[2] || n || '-none' FROM generate_series(0, minor) n);
    IF part[1] <> 'cp' THEN
        RETURN takes || ARRAY['pp' || part[2] || part[3] || '-none', 'pp' || part[2] || '-none'];
    END IF;
    takes := takes || ('cp' || part[2] || part[3] || '-none');
    -- The stable ABIs: of interpreters with a GIL since 3.2, of free-threaded ones since 3.15.
    IF part[2] <> '3' THEN
        RETURN takes;
    ELSIF part[4] LIKE '%t%' THEN
        RETURN takes || ARRAY(SELECT 'cp3' || n || '-abi3t' FROM generate_series(15, minor) n);
    END IF;
    RETURN takes || ARRAY(SELECT 'cp3' || n || '-abi3' FROM generate_series(2, minor) n);
END
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

CREATE FUNCTION piw.add_abi(abi text, OUT outcome text, OUT builds bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    builds := 0;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = abi) THEN 'view'
                    WHEN EXISTS (SELECT FROM piw.views v WHERE v.common AND v.abi_tag <> abi) THEN 'views' END;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO public.build_abis (abi_tag) VALUES (abi) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        outcome := 'added';
        RETURN;
    END IF;
    UPDATE public.build_abis a SET skip = '' WHERE a.abi_tag = abi AND a.skip <> '';
    outcome := CASE WHEN FOUND THEN 'enabled' ELSE 'known' END;
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

CREATE FUNCTION piw.adopt_quarantines() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.quarantines (package, version, former, cause, serial)
    SELECT k.package, k.version, '', 'here', c.pypi_serial
    FROM (SELECT p.package, '' AS version FROM public.packages p WHERE p.skip = 'quarantined'
          UNION ALL
          SELECT v.package, v.version FROM public.versions v WHERE v.skip = 'quarantined') k
    CROSS JOIN public.configuration c
    WHERE c.id = 1
    ON CONFLICT DO NOTHING;
    SELECT piw.withhold(array_agg(DISTINCT q.package::text)) FROM piw.quarantines q;
$$;

CREATE FUNCTION piw.apply_additions(events piw.pypi_event[], development boolean, each boolean) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    here text[]; -- packages that are there, or are to be, and when their canonical names were seen
    here_seen timestamp[];
    absent text[];
    deleted text[];
    fresh text[];    -- of these, those that are new
    renamed boolean; -- is any named other than canonically, …
    marked boolean;  -- … or marked as yanked, or not any more?
    new_packages text[];
    new_versions text[];
    open_packages text[]; -- there already, and to be enabled
    open_versions text[];
BEGIN
    -- Each package once, with what is known of it.
    SELECT array_agg(k.package), array_agg(k.seen),
           array_agg(k.package) FILTER (WHERE k.skip IS NULL), array_agg(k.package) FILTER (WHERE k.adds AND k.skip = 'deleted'),
           bool_or(k.renamed), bool_or(k.marked)
    INTO here, here_seen, absent, deleted, renamed, marked
    FROM (SELECT g.package, g.seen, g.adds, g.renamed, g.marked, p.skip
          FROM (SELECT e.package, max(e.moment) FILTER (WHERE e.name = e.package) AS seen,
                       bool_or(e.action IN ('create', 'source', 'binary')) AS adds, bool_or(e.name <> e.package) AS renamed,
                       bool_or(e.action IN ('yank', 'unyank')) AS marked
                FROM unnest(events) e GROUP BY e.package) g
          LEFT JOIN public.packages p ON p.package = g.package
          WHERE g.adds OR p.package IS NOT NULL
          ORDER BY g.package COLLATE "C") k;
    IF absent IS NOT NULL THEN
        WITH come AS (
            INSERT INTO public.packages (package, skip)
            SELECT a.package, CASE WHEN development THEN 'development mode' ELSE '' END FROM unnest(absent) AS a (package)
            ON CONFLICT DO NOTHING
            RETURNING package
        )
        SELECT array_agg(c.package::text) INTO fresh FROM come c;
        RETURN QUERY SELECT f.package, NULL::text, 'new_package'::text FROM unnest(fresh) AS f (package);
    END IF;
    IF deleted IS NOT NULL THEN
        UPDATE public.packages p SET skip = '' WHERE p.package = ANY (deleted) AND p.skip = 'deleted';
    END IF;

    IF EXISTS (SELECT FROM piw.quarantines) THEN
        UPDATE piw.quarantines q SET former = ''
        FROM (SELECT DISTINCT e.package FROM unnest(events) e WHERE e.action IN ('create', 'source', 'binary')) e
        WHERE q.package = e.package AND q.version = '' AND q.former = 'deleted';
        UPDATE piw.quarantines q SET former = ''
        FROM (SELECT DISTINCT e.package, e.version FROM unnest(events) e WHERE e.action = 'source') e
        WHERE q.package = e.package AND q.version = e.version AND q.former IN ('binary only', 'deleted');
    END IF;

    -- The canonical name first, in case an alias of another package holds it.
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT p.package, p.package, coalesce(p.seen, '1970-01-01') FROM unnest(here, here_seen) AS p (package, seen)
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = greatest(n.seen, excluded.seen)
    WHERE n.package <> excluded.package OR n.seen < excluded.seen;
    IF renamed THEN
        INSERT INTO public.package_names AS n (package, name, seen)
        SELECT p.package, e.name, e.seen
        FROM (SELECT e.package, e.name, max(e.moment) AS seen FROM unnest(events) e WHERE e.name <> e.package
              GROUP BY e.package, e.name) e
        JOIN public.packages p ON p.package = e.package
        WHERE piw.canonical(e.name) = e.package
        ORDER BY e.name COLLATE "C"
        ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = greatest(n.seen, excluded.seen);
    END IF;

    -- Looked up first, which costs less than ON CONFLICT. Somebody may add one of them just then: seen the next time.
    LOOP
        BEGIN
            WITH wanted AS MATERIALIZED (
                SELECT g.package, g.version, g.released, g.source, g.uploads, v.skip
                FROM (SELECT e.package, e.version, min(e.moment) AS released, bool_or(e.action = 'source') AS source,
                             count(*) FILTER (WHERE e.action = 'source' AND e.serial > 0) AS uploads
                      FROM unnest(events) e
                      WHERE e.action IN ('source', 'binary') AND e.version IS NOT NULL
                      GROUP BY e.package, e.version) g
                LEFT JOIN public.versions v ON v.package = g.package AND v.version = g.version
            ), come AS (
                INSERT INTO public.versions (package, version, released, skip)
                SELECT w.package, w.version, w.released, CASE WHEN w.source THEN '' ELSE 'binary only' END
                FROM wanted w
                WHERE w.skip IS NULL
                ORDER BY w.package COLLATE "C", w.version COLLATE "C"
                RETURNING package, version
            ), open AS (
                SELECT w.package, w.version FROM wanted w WHERE w.source AND w.skip IN ('binary only', 'deleted')
            ), more AS (
                -- The first source of a version needs no row: hardly any has a second.
                INSERT INTO piw.more_sources AS m (package, version, extra)
                SELECT w.package, w.version,
                       w.uploads - CASE WHEN w.skip IS NULL OR w.skip IN ('binary only', 'deleted') THEN 1 ELSE 0 END
                FROM wanted w
                WHERE w.uploads > CASE WHEN w.skip IS NULL OR w.skip IN ('binary only', 'deleted') THEN 1 ELSE 0 END
                  AND NOT EXISTS (SELECT FROM piw.local_versions l WHERE l.package = w.package AND l.version = w.version)
                ON CONFLICT (package, version) DO UPDATE SET extra = m.extra + excluded.extra
            )
            SELECT n.packages, n.versions, o.packages, o.versions
            INTO new_packages, new_versions, open_packages, open_versions
            FROM (SELECT array_agg(c.package) AS packages, array_agg(c.version) FILTER (WHERE each) AS versions FROM come c) n,
                 (SELECT array_agg(o.package) AS packages, array_agg(o.version) AS versions FROM open o) o;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
    IF each THEN
        RETURN QUERY
        SELECT n.package, n.version, 'new_version'::text FROM unnest(new_packages, new_versions) AS n (package, version);
    ELSE
        RETURN QUERY
        SELECT n.package, NULL::text, 'new_version'::text
        FROM (SELECT unnest(new_packages) EXCEPT SELECT unnest(fresh)) AS n (package) ORDER BY n.package COLLATE "C";
    END IF;
    IF open_packages IS NOT NULL THEN
        RETURN QUERY
        WITH enabled AS (
            UPDATE public.versions v SET skip = ''
            FROM unnest(open_packages, open_versions) AS o (package, version)
            WHERE v.package = o.package AND v.version = o.version AND v.skip IN ('binary only', 'deleted')
            RETURNING v.package, v.version
        )
        SELECT c.package::text, c.version::text, 'enabled'::text FROM enabled c;
    END IF;

    -- Of others nobody asks what PyPI offers.
    IF EXISTS (SELECT FROM piw.pypi_known) THEN
        RETURN QUERY
        SELECT DISTINCT e.package, NULL::text, 'wheels'::text FROM unnest(events) e
        WHERE e.action = 'binary' AND EXISTS (SELECT FROM piw.pypi_known k WHERE k.package = e.package);
    END IF;

    IF marked IS NOT TRUE THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH yanks AS (
        UPDATE public.versions v SET yanked = e.yanked
        FROM (SELECT DISTINCT ON (e.package, e.version) e.package, e.version, e.action = 'yank' AS yanked
              FROM unnest(events) e
              WHERE e.action IN ('yank', 'unyank')
              ORDER BY e.package, e.version, e.ord DESC) e
        WHERE v.package = e.package AND v.version = e.version AND v.yanked <> e.yanked
        RETURNING v.package, v.version
    )
    SELECT c.package::text, c.version::text, 'yanked'::text FROM yanks c;
END
$$;

CREATE FUNCTION piw.apply_marks(events piw.pypi_event[]) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    packages text[];
    versions text[];
    serials bigint[];
BEGIN
    -- A source has gone; was it the last?
    WITH lost AS MATERIALIZED (
        SELECT e.package, e.version, count(*) AS sources FROM unnest(events) e
        WHERE e.action = 'unsource' AND e.version IS NOT NULL
        GROUP BY e.package, e.version
    ), left_over AS (
        UPDATE piw.more_sources m SET extra = m.extra - l.sources
        FROM lost l
        WHERE m.package = l.package AND m.version = l.version AND m.extra >= l.sources
        RETURNING m.package, m.version
    )
    SELECT array_agg(l.package), array_agg(l.version) INTO packages, versions
    FROM lost l
    WHERE NOT EXISTS (SELECT FROM left_over o WHERE o.package = l.package AND o.version = l.version);
    IF packages IS NOT NULL THEN
        DELETE FROM piw.more_sources m USING unnest(packages, versions) AS k (package, version)
        WHERE m.package = k.package AND m.version = k.version;
        RETURN QUERY SELECT * FROM piw.mark_binary(packages, versions);
    END IF;

    SELECT array_agg(d.package), array_agg(d.version), array_agg(d.serial) INTO packages, versions, serials
    FROM (SELECT DISTINCT ON (e.package, e.version) e.package, e.version, e.serial, e.action
          FROM unnest(events) e WHERE e.action IN ('quarantine', 'clear')
          ORDER BY e.package, e.version, e.ord DESC) d
    WHERE d.action = 'clear';
    IF packages IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.show(packages, versions);
    END IF;
    SELECT array_agg(d.package), array_agg(d.version), array_agg(d.serial) INTO packages, versions, serials
    FROM (SELECT DISTINCT ON (e.package, e.version) e.package, e.version, e.serial, e.action
          FROM unnest(events) e WHERE e.action IN ('quarantine', 'clear')
          ORDER BY e.package, e.version, e.ord DESC) d
    WHERE d.action = 'quarantine';
    IF packages IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.hide(packages, versions, serials, 'event');
    END IF;
END
$$;

CREATE FUNCTION piw.apply_project_pages(gone text[], back text[]) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    events piw.pypi_event[];
BEGIN
    SELECT array_agg(ROW(0, g.package, g.package, NULL, piw.utc_now(), 'remove', 0, 1)::piw.pypi_event) INTO events
    FROM unnest(gone) AS g (package)
    WHERE EXISTS (SELECT FROM piw.quarantines q
                  WHERE q.package = g.package AND q.version = '' AND q.cause IN ('event', 'list'));
    IF events IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.apply_removals(events);
    END IF;
    RETURN QUERY
    SELECT s.* FROM piw.show(
        ARRAY(SELECT q.package::text FROM piw.quarantines q
              WHERE q.package = ANY (back) AND q.version = '' AND q.cause = 'list'),
        NULL) s;
    INSERT INTO piw.pypi_projects
    SELECT b.package FROM unnest(back) AS b (package)
    WHERE EXISTS (SELECT FROM public.packages p WHERE p.package = b.package)
    ON CONFLICT DO NOTHING;
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
    keys_package text[];
    keys_version text[];
    lost_packages text[];
    lost_versions text[];
BEGIN
    SELECT c.pypi_serial INTO stored FROM public.configuration c WHERE c.id = 1 FOR UPDATE;

    -- What is listed and documented isn't quarantined. A document that mends what was missed may be older than an event.
    SELECT array_agg(q.package::text), array_agg(nullif(q.version, '')::text) INTO keys_package, keys_version
    FROM (SELECT p.package, '' AS version FROM unnest(packages) AS p (package)
          UNION
          SELECT packages[r.owner], r.version FROM unnest(owners, versions) AS r (owner, version)) k
    JOIN piw.quarantines q ON q.package = k.package AND q.version = k.version
    WHERE q.cause = 'list' OR NOT additions_only;
    IF keys_package IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.show(keys_package, keys_version);
    END IF;

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
        RETURN QUERY SELECT * FROM piw.apply_additions(events, development, true);
    END IF;
    RETURN QUERY
    SELECT b.* FROM (
        SELECT array_agg(packages[r.owner]) AS packages, array_agg(r.version) AS versions
        FROM unnest(owners, versions, moments, sources) AS r (owner, version, moment, source)
        WHERE r.moment IS NOT NULL AND NOT r.source
          AND NOT EXISTS (SELECT FROM piw.local_versions l
                          WHERE l.package = packages[r.owner] AND l.version = r.version)
        HAVING count(*) > 0
    ) k CROSS JOIN LATERAL piw.mark_binary(k.packages, k.versions) b;
    DELETE FROM piw.local_versions l
    USING (SELECT packages[r.owner] AS package, r.version FROM unnest(owners, versions) AS r (owner, version)
           GROUP BY 1, 2) r
    WHERE l.package = r.package AND l.version = r.version;

    -- A release that left the document is quarantined or deleted: nothing that PyPI publishes tells which. What was never
    -- built and has no reason of anybody's comes back with the document; the others are hidden.
    SELECT array_agg(e.package), array_agg(e.version) INTO lost_packages, lost_versions
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
    SELECT array_agg(ROW(0, v.package, v.package, v.version, piw.utc_now(), 'remove', 0, 1)::piw.pypi_event)
    INTO events
    FROM unnest(lost_packages, lost_versions) AS l (package, version)
    JOIN public.versions v ON v.package = l.package AND v.version = l.version
    WHERE v.skip IN ('', 'binary only', 'deleted')
      AND NOT EXISTS (SELECT FROM public.builds b WHERE b.package = v.package AND b.version = v.version);
    IF events IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.apply_removals(events);
    END IF;
    RETURN QUERY
    SELECT h.* FROM (
        SELECT array_agg(v.package::text) AS packages, array_agg(v.version::text) AS versions
        FROM unnest(lost_packages, lost_versions) AS l (package, version)
        JOIN public.versions v ON v.package = l.package AND v.version = l.version
        WHERE v.skip <> 'quarantined'
        HAVING count(*) > 0
    ) k CROSS JOIN LATERAL piw.hide(k.packages, k.versions, array_fill(0::bigint, ARRAY[cardinality(k.packages)]), 'list') h;

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
    first_serial bigint;
    events piw.pypi_event[]; -- in any order: each says its place
    here piw.pypi_event[];
    removals piw.pypi_event[];
    marks piw.pypi_event[];
    mixed boolean;
    rounds bigint;
BEGIN
    SELECT c.pypi_serial INTO stored FROM public.configuration c WHERE c.id = 1 FOR UPDATE;

    SELECT array_agg(ROW(e.ord, e.package, e.name, e.version, e.moment, e.action, e.serial, 0)::piw.pypi_event), min(e.serial)
    INTO events, first_serial
    FROM unnest(packages, names, versions, moments, actions, serials) WITH ORDINALITY
        AS e (package, name, version, moment, action, serial, ord)
    WHERE e.package <> '' AND char_length(e.package) <= 200 AND char_length(e.name) <= 200
      AND (e.version IS NULL OR char_length(e.version) BETWEEN 1 AND 200)
      AND (stored < ordered_from OR e.serial > stored - reread);
    -- Most batches come after all that was applied before.
    IF EXISTS (SELECT FROM piw.applied_serials a WHERE a.serial >= first_serial) THEN
        SELECT array_agg(e) INTO events FROM unnest(events) e
        WHERE NOT EXISTS (SELECT FROM piw.applied_serials a WHERE a.serial = e.serial);
    END IF;
    IF events IS NOT NULL THEN
        rounds := 0;
    END IF;
    -- Runs of additions, of removals, and of marks follow each other within a package; packages don't mix, so that one round
    -- of all packages is one step of each kind.
    mixed := actions && ARRAY['remove', 'quarantine', 'clear', 'unsource'];
    IF mixed THEN
        SELECT array_agg(ROW(r.ord, r.package, r.name, r.version, r.moment, r.action, r.serial, r.round)::piw.pypi_event),
               max(r.round)
        INTO events, rounds
        FROM (
            SELECT t.ord, t.package, t.name, t.version, t.moment, t.action, t.serial,
                   sum(CASE WHEN t.turns THEN 1 ELSE 0 END) OVER (PARTITION BY t.package ORDER BY t.ord) AS round
            FROM (
                SELECT e.*, piw.event_kind(e.action)
                            <> lag(piw.event_kind(e.action), 1, 0) OVER (PARTITION BY e.package ORDER BY e.ord) AS turns
                FROM unnest(events) e
            ) t
        ) r;
    END IF;

    FOR step IN 0..coalesce(rounds, -1) LOOP
        IF NOT mixed THEN
            RETURN QUERY SELECT * FROM piw.apply_additions(events, development, false);
            CONTINUE;
        END IF;
        SELECT array_agg(e) FILTER (WHERE piw.event_kind(e.action) = 0),
               array_agg(e) FILTER (WHERE piw.event_kind(e.action) = 1),
               array_agg(e) FILTER (WHERE piw.event_kind(e.action) = 2)
        INTO here, removals, marks
        FROM unnest(events) e WHERE e.round = step;
        IF here IS NOT NULL THEN
            RETURN QUERY SELECT * FROM piw.apply_additions(here, development, false);
        END IF;
        IF removals IS NOT NULL THEN
            RETURN QUERY SELECT * FROM piw.apply_removals(removals);
        END IF;
        IF marks IS NOT NULL THEN
            RETURN QUERY SELECT * FROM piw.apply_marks(marks);
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
    DELETE FROM piw.quarantines q USING (SELECT DISTINCT e.package, e.version FROM unnest(events) e) e
    WHERE q.package = e.package AND (e.version IS NULL OR q.version = e.version);
    DELETE FROM piw.more_sources m USING (SELECT DISTINCT e.package, e.version FROM unnest(events) e) e
    WHERE m.package = e.package AND (e.version IS NULL OR m.version = e.version);
    DELETE FROM piw.project_states s USING (SELECT DISTINCT e.package FROM unnest(events) e WHERE e.version IS NULL) e
    WHERE s.package = e.package;
    DELETE FROM piw.pypi_known k USING (SELECT DISTINCT e.package FROM unnest(events) e WHERE e.version IS NULL) e
    WHERE k.package = e.package;
    DELETE FROM piw.yank_reasons y USING (SELECT DISTINCT e.package, e.version FROM unnest(events) e) e
    WHERE y.package = e.package AND (e.version IS NULL OR y.version = e.version);
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

CREATE FUNCTION piw.arch_word(arch text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN lower(arch) IN ('armv6l', 'armv7l', 'armv8l', 'aarch64', 'arm64', 'x86_64', 'amd64', 'i386', 'i686', 'riscv64',
                                     'ppc64le', 's390x', 'loongarch64')
           THEN lower(arch) ELSE 'other' END
$$;

CREATE FUNCTION piw.armv6l_name(filename text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
    SELECT pg_catalog.regexp_replace(filename, '-linux_armv7l\.whl$', '-linux_armv6l.whl')
$_$;

CREATE FUNCTION piw.armv7l_name(filename text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
    SELECT pg_catalog.regexp_replace(filename, '-linux_armv6l\.whl$', '-linux_armv7l.whl')
$_$;

CREATE FUNCTION piw.asking_queues() RETURNS TABLE(queue character varying, place integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN QUERY
    SELECT q.abi_tag, q.place
    FROM (SELECT v.view, v.common FROM piw.views v WHERE v.skip_pypi_wheels OR NOT v.pure_from_pypi OFFSET 0) v
    JOIN piw.queues() q ON CASE WHEN v.common THEN q.place = 0 ELSE q.abi_tag = v.view END
    WHERE q.skip = '';
END
$$;

CREATE FUNCTION piw.begin_attempts(slaves integer[], packages text[], versions text[], abis text[], addresses text[] DEFAULT NULL::text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    UPDATE piw.attempts SET state = 'ended', cause = 'the slave began another build', ended = piw.utc_now()
    WHERE state = 'running' AND slave_id = ANY (slaves);
    INSERT INTO piw.attempts (slave_id, package, version, abi_tag, address)
    SELECT a.slave_id, a.package, a.version, a.abi_tag, coalesce(a.address, '')
    FROM unnest(slaves, packages, versions, abis, addresses) AS a (slave_id, package, version, abi_tag, address);
END
$$;

CREATE FUNCTION piw.build_offers(builder text, py_tags text, abi_tags text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
DECLARE
    offers text[] := ARRAY[builder];
    built_with integer;
    abi text;
    py text;
BEGIN
    IF py_tags IS NULL OR abi_tags IS NULL THEN
        RETURN offers;
    END IF;
    FOREACH abi IN ARRAY string_to_array(abi_tags, '.') LOOP
        IF abi NOT IN ('none', 'abi3', 'abi3t') THEN
            offers := offers || abi;
            CONTINUE;
        END IF;
        FOREACH py IN ARRAY string_to_array(py_tags, '.') LOOP
            IF abi <> 'none' AND py ~ '^cp3[0-9]{1,3}$' THEN
                built_with := substring(builder from '^cp3([0-9]{1,3})[a-z]*$');
                py := 'cp3' || greatest(substr(py, 4)::integer, built_with);
            END IF;
            offers := offers || (py || '-' || abi);
        END LOOP;
    END LOOP;
    RETURN offers;
END
$_$;

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
        -- What happened on a day stays so when a build is removed later.
        INSERT INTO piw.deltas (kind, package_tag, moment, amount)
        SELECT 'time', NULL, NULL, sum(extract(epoch FROM n.duration) * 1000000)::bigint
        FROM new_rows n WHERE n.duration < interval '1 week' HAVING count(*) > 0
        UNION ALL
        SELECT CASE WHEN n.status THEN 'built' ELSE 'failed' END, n.abi_tag, n.built_at::date, count(*)
        FROM new_rows n WHERE TG_OP = 'INSERT' GROUP BY 1, 2, 3;
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
    FROM piw.queues() a
    LEFT JOIN (SELECT b.abi_tag, count(*) AS builds
               FROM public.builds b
               WHERE b.built_at > now() AT TIME ZONE 'UTC' - interval '1 hour'
               GROUP BY b.abi_tag
               UNION ALL
               SELECT b.view, count(*)
               FROM piw.view_builds b
               WHERE b.built_at > now() AT TIME ZONE 'UTC' - interval '1 hour'
               GROUP BY b.view) r ON r.abi_tag = a.abi_tag
$$;

CREATE FUNCTION piw.canonical(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT pg_catalog.regexp_replace(pg_catalog.lower(name), '[-_.]+', '-', 'g')
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
        FROM (SELECT q.* FROM piw.queue q WHERE q.abi_tag NOT IN (SELECT v.view FROM piw.views v)) q
        FULL JOIN piw.full_queue() w ON w.package = q.package AND w.version = q.version
        WHERE q.abi_tag IS DISTINCT FROM w.abi_tag OR q.released IS DISTINCT FROM w.released
        UNION ALL
        SELECT coalesce(q.package, w.package), coalesce(q.version, w.version), q.abi_tag, w.abi_tag
        FROM (SELECT q.* FROM piw.queue q WHERE q.abi_tag IN (SELECT v.view FROM piw.views v WHERE NOT v.common)) q
        FULL JOIN piw.full_view_queue() w ON w.package = q.package AND w.version = q.version AND w.abi_tag = q.abi_tag
        WHERE q.released IS DISTINCT FROM w.released
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

CREATE FUNCTION piw.clear_view_counts(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    of_view varchar;
    places tid[];
    gone text[];
BEGIN
    SELECT c.view INTO of_view FROM piw.view_counts c WHERE c.stale ORDER BY c.view LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT d.ctid AS place FROM piw.view_downloads d WHERE d.view = of_view ORDER BY d.package LIMIT slice) o;
    IF places IS NOT NULL THEN
        WITH taken AS (DELETE FROM piw.view_downloads d WHERE d.ctid = ANY (places) RETURNING d.package, d.recent)
        SELECT array_agg(t.package) INTO gone
        FROM taken t WHERE t.recent >= (SELECT v.popular FROM piw.views v WHERE v.view = of_view AND v.popular > 0);
        PERFORM piw.note_popular(gone);
        RETURN true;
    END IF;
    SELECT array_agg(o.place) INTO places
    FROM (SELECT d.ctid AS place FROM piw.view_download_days d WHERE d.view = of_view LIMIT slice) o;
    IF places IS NOT NULL THEN
        DELETE FROM piw.view_download_days d WHERE d.ctid = ANY (places);
        RETURN true;
    END IF;
    IF EXISTS (SELECT FROM piw.views v WHERE v.view = of_view AND v.popular > 0) THEN
        UPDATE piw.view_counts c SET stale = false, since = date_trunc('hour', piw.utc_now()) + interval '1 hour' WHERE c.view = of_view;
    ELSE
        DELETE FROM piw.view_counts c WHERE c.view = of_view;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION piw.compare_projects(names text[], serials bigint[], after text, upto text, total bigint) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    -- A release that left its project's document has been deleted when it stays away for so long.
    patience constant interval := interval '90 days';
    known bigint;
    packages text[];
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

    -- Listed again: an event that the list doesn't know yet still holds.
    SELECT array_agg(q.package::text) INTO packages
    FROM piw.quarantines q
    JOIN unnest(names, serials) AS n (name, serial) ON n.name = q.package
    WHERE q.version = '' AND (q.cause = 'list' OR n.serial > q.serial);
    IF packages IS NOT NULL THEN
        RETURN QUERY SELECT * FROM piw.show(packages, NULL);
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
    END IF;

    WITH gone AS (
        DELETE FROM piw.pypi_projects k
        USING (SELECT r.package::text FROM piw.pypi_projects r
               WHERE r.package > after AND (upto IS NULL OR r.package <= upto)
               EXCEPT
               SELECT n.name FROM unnest(names) AS n (name)) AS lost (package)
        WHERE k.package = lost.package
        RETURNING k.package::text
    )
    SELECT array_agg(g.package) INTO packages
    FROM gone g WHERE EXISTS (SELECT FROM public.packages p WHERE p.package = g.package);
    IF packages IS NOT NULL THEN
        RETURN QUERY
        SELECT * FROM piw.hide(packages, NULL, array_fill(0::bigint, ARRAY[cardinality(packages)]), 'list');
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
    END IF;
    RETURN QUERY
    SELECT q.package::text, NULL::text, 'left'::text
    FROM piw.quarantines q
    WHERE q.version = '' AND q.cause IN ('event', 'list')
      AND q.package COLLATE "C" > after AND (upto IS NULL OR q.package COLLATE "C" <= upto)
      AND NOT EXISTS (SELECT FROM unnest(names) AS n (name) WHERE n.name = q.package)
      AND EXISTS (SELECT FROM public.packages p WHERE p.package = q.package);
    IF upto IS NULL THEN
        SELECT array_agg(ROW(0, q.package, q.package, q.version, piw.utc_now(), 'remove', 0, 1)::piw.pypi_event)
        INTO events
        FROM piw.quarantines q
        WHERE q.version <> '' AND q.cause = 'list' AND q.since < piw.utc_now() - patience;
        IF events IS NOT NULL THEN
            RETURN QUERY SELECT * FROM piw.apply_removals(events);
        END IF;
        UPDATE piw.pypi_compared SET at = piw.utc_now() WHERE id = 1;
    END IF;
END
$$;

CREATE FUNCTION piw.count_view_downloads(views text[], packages text[], days date[], amounts bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    turned text[];
BEGIN
    INSERT INTO piw.view_download_days AS d (day, view, package, downloads)
    SELECT n.day, n.view, n.package, sum(n.amount)
    FROM unnest(views, packages, days, amounts) AS n (view, package, day, amount)
    GROUP BY n.day, n.view, n.package ORDER BY n.day, n.view, n.package
    ON CONFLICT (day, view, package) DO UPDATE SET downloads = d.downloads + excluded.downloads;
    WITH counted AS (
        INSERT INTO piw.view_downloads AS d (view, package, recent)
        SELECT n.view, n.package, sum(n.amount) FROM unnest(views, packages, amounts) AS n (view, package, amount)
        GROUP BY n.view, n.package ORDER BY n.view, n.package
        ON CONFLICT (view, package) DO UPDATE SET recent = d.recent + excluded.recent
        RETURNING d.view, d.package, d.recent
    )
    SELECT array_agg(c.package) INTO turned
    -- Grouped, not joined: see piw.recompute.
    FROM (SELECT n.view, n.package, max(n.recent) AS recent, sum(n.amount) AS added
          FROM (SELECT c.view, c.package, c.recent, 0 AS amount FROM counted c
                UNION ALL
                SELECT o.view, o.package, NULL, o.amount FROM unnest(views, packages, amounts) AS o (view, package, amount)) n
          GROUP BY n.view, n.package) c
    WHERE EXISTS (SELECT FROM piw.views v
                  WHERE v.view = c.view AND (c.recent >= v.popular) <> (c.recent - c.added >= v.popular));
    PERFORM piw.note_popular(turned);
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

CREATE FUNCTION piw.distro_word(name text, version text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN d.word IS NULL THEN 'other'
                ELSE d.word || coalesce(' ' || substring(version from '^[0-9]{1,2}(?![0-9])'), '') END
    FROM (SELECT CASE WHEN lower(name) LIKE 'raspbian%' THEN 'Raspbian'
                      WHEN lower(name) LIKE 'debian%' THEN 'Debian'
                      WHEN lower(name) LIKE 'ubuntu%' THEN 'Ubuntu'
                      WHEN lower(name) LIKE 'fedora%' THEN 'Fedora'
                      WHEN lower(name) LIKE 'alpine%' THEN 'Alpine'
                      WHEN lower(name) LIKE 'arch%' THEN 'Arch'
                      WHEN lower(name) LIKE 'manjaro%' THEN 'Manjaro'
                      WHEN lower(name) LIKE 'opensuse%' THEN 'openSUSE'
                      WHEN lower(name) LIKE 'linux%mint%' THEN 'Linux Mint' END AS word) d
$$;

CREATE FUNCTION piw.download_abi(py_name text, py_version text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT CASE pg_catalog.lower(coalesce(py_name, 'CPython')) WHEN 'cpython' THEN '^cp' || n.digits || '[a-z]*$'
                                                              WHEN 'pypy' THEN '_pp' || n.digits || '$' END
    FROM (SELECT pg_catalog.replace(pg_catalog.substring(py_version, '^[0-9]\.[0-9]{1,3}(?![0-9])'), '.', '') AS digits) n
$_$;

CREATE FUNCTION piw.download_package(filename text, package text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(package, left(regexp_replace(lower(split_part(filename, '-', 1)), '[-_.]+', '-', 'g'), 200))
$$;

CREATE FUNCTION piw.download_platforms(filename text, arch text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT CASE WHEN filename LIKE '%-any.whl' THEN ARRAY['linux_' || pg_catalog.lower(arch)]
                ELSE pg_catalog.string_to_array(pg_catalog.substring(filename, '([^-]+)\.whl$'), '.') END
$_$;

CREATE FUNCTION piw.download_view(filename text, arch text, distro text, distro_version text, py_name text, py_version text) RETURNS character varying
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    abi constant text := piw.download_abi(py_name, py_version);
    fits constant text[] := piw.download_platforms(filename, arch);
    os constant text := lower(split_part(coalesce(distro, ''), ' ', 1));
    number constant text := coalesce(distro_version, '');
BEGIN
    RETURN (
        SELECT v.view FROM piw.views v
        WHERE v.abi_tag ~ abi AND v.platforms && fits
          AND (v.os_names = '{}' OR os IN (SELECT lower(n.name) FROM unnest(v.os_names) AS n (name)))
          AND left(number, length(v.os_version)) = v.os_version
          AND (v.os_version = '' OR substr(number, length(v.os_version) + 1, 1) !~ '[0-9]')
          AND (v.machines = '{}' OR EXISTS (SELECT FROM unnest(v.machines) AS m (word) WHERE 'linux_' || lower(m.word) = ANY (fits)))
        ORDER BY v.place LIMIT 1);
END
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
        IF EXISTS (SELECT FROM piw.view_counts) THEN
            PERFORM piw.note_view_downloads(array_agg(g.filename::text), array_agg(g.hour), array_agg(g.arch::text),
                                            array_agg(g.distro_name::text), array_agg(g.distro_version::text),
                                            array_agg(g.py_name::text), array_agg(g.py_version::text), array_agg(g.amount))
            FROM (SELECT o.filename, date_trunc('hour', o.accessed_at) AS hour, o.arch, o.distro_name, o.distro_version, o.py_name,
                         o.py_version, -count(*) AS amount FROM old_rows o GROUP BY 1, 2, 3, 4, 5, 6, 7) g;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', n.accessed_at), count(*) FROM new_rows n GROUP BY 2;
        -- Words cost more than all else of a row, and a statement's rows are of few kinds of machine.
        INSERT INTO piw.deltas (kind, package_tag, moment, amount)
        SELECT w.kind, w.word, m.day, sum(m.amount)
        FROM (SELECT n.py_version, n.arch, n.distro_name, n.distro_version, n.accessed_at::date AS day, count(*) AS amount
              FROM new_rows n GROUP BY 1, 2, 3, 4, 5) m
        CROSS JOIN LATERAL (VALUES ('python', piw.python_word(m.py_version)), ('arch', piw.arch_word(m.arch)),
                                   ('distro', piw.distro_word(m.distro_name, m.distro_version))) AS w (kind, word)
        GROUP BY 1, 2, 3;
        PERFORM piw.note_downloads(array_agg(g.filename::text), array_agg(g.day), array_agg(g.amount))
        FROM (SELECT n.filename, n.accessed_at::date AS day, count(*) AS amount FROM new_rows n GROUP BY 1, 2) g;
        IF EXISTS (SELECT FROM piw.view_counts) THEN
            PERFORM piw.note_view_downloads(array_agg(g.filename::text), array_agg(g.hour), array_agg(g.arch::text),
                                            array_agg(g.distro_name::text), array_agg(g.distro_version::text),
                                            array_agg(g.py_name::text), array_agg(g.py_version::text), array_agg(g.amount))
            FROM (SELECT n.filename, date_trunc('hour', n.accessed_at) AS hour, n.arch, n.distro_name, n.distro_version, n.py_name,
                         n.py_version, count(*) AS amount FROM new_rows n GROUP BY 1, 2, 3, 4, 5, 6, 7) g;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.drain(slice integer DEFAULT 0) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    keys_package text[];
    keys_version text[];
    more boolean := false;
BEGIN
    -- In the order in which a TRUNCATE takes them, and before anybody can wait for us.
    LOCK TABLE public.packages, public.versions, public.builds, public.files, public.build_abis IN ACCESS SHARE MODE;
    IF slice > 0 AND piw.view_counts_due() THEN
        LOCK TABLE public.downloads IN ACCESS SHARE MODE;
    END IF;
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
    more := piw.drop_slice(slice);
    more := piw.fold_downloads(slice) OR more;
    more := piw.drain_view_counts(slice) OR more;
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
    notes bigint[];
    keys_package text[];
    keys_version text[];
BEGIN
    -- First which, then by number: joined by a plan from when the table was empty, each note is compared with the slice's others.
    SELECT array_agg(l.note_id) INTO notes FROM (SELECT note_id FROM piw.dirty_later ORDER BY note_id LIMIT slice) l;
    IF notes IS NULL THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM piw.dirty_later d WHERE d.note_id = ANY (notes) RETURNING d.package, d.version
    )
    SELECT array_agg(t.package), array_agg(t.version) INTO keys_package, keys_version FROM taken t;
    IF keys_package IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM piw.recompute(keys_package, keys_version);
    RETURN cardinality(keys_package);
END
$$;

CREATE FUNCTION piw.drain_unless_busy() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    -- As piw.drain does, before the lock.
    LOCK TABLE public.packages, public.versions, public.builds, public.files, public.build_abis IN ACCESS SHARE MODE;
    IF pg_try_advisory_xact_lock(7306001) THEN
        PERFORM piw.drain();
    END IF;
END
$$;

CREATE FUNCTION piw.drain_view_counts(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM piw.view_counts) AND NOT EXISTS (SELECT FROM piw.view_download_notes) THEN
        RETURN false;
    END IF;
    IF piw.fold_view_downloads(slice) OR piw.clear_view_counts(slice) THEN
        RETURN true;
    END IF;
    RETURN piw.fill_view_counts();
END
$$;

CREATE FUNCTION piw.drop_second_entry(of_view text, name text, hash text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    WITH gone AS (
        DELETE FROM piw.view_files s USING piw.view_files o
        WHERE o.view = of_view AND o.filename = name AND o.filehash <> hash
          AND s.view = of_view AND s.filename = piw.armv6l_name(name) AND s.filename <> o.filename AND s.filehash = o.filehash
        RETURNING s.view, s.filename, s.build_id
    ), needless AS (
        DELETE FROM piw.file_needs n USING gone g WHERE n.view = g.view AND n.filename = g.filename
    )
    INSERT INTO piw.view_removals (view, filename, package)
    SELECT g.view, g.filename, b.package FROM gone g JOIN piw.view_builds b ON b.build_id = g.build_id
    ON CONFLICT (view, filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
END
$$;

CREATE FUNCTION piw.drop_slice(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    dropped varchar;
BEGIN
    SELECT d.view INTO dropped FROM piw.view_drops d ORDER BY d.view LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF piw.forget_view_builds(ARRAY(SELECT b.build_id FROM piw.view_builds b WHERE b.view = dropped LIMIT slice)) < slice THEN
        DELETE FROM piw.view_drops d WHERE d.view = dropped;
        DELETE FROM piw.view_has h WHERE h.view = dropped;
        DELETE FROM piw.view_meanings m WHERE m.view = dropped;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION piw.drop_view(of_view text, OUT outcome text, OUT builds bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    SELECT count(*) INTO builds FROM piw.view_builds b WHERE b.view = of_view;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view AND v.common) THEN 'common'
                    WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view) THEN 'there'
                    WHEN builds = 0 THEN 'unknown' ELSE 'dropping' END;
    IF outcome = 'dropping' THEN
        INSERT INTO piw.view_drops VALUES (of_view) ON CONFLICT DO NOTHING;
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

CREATE FUNCTION piw.end_attempts(slaves integer[], packages text[], versions text[], abis text[], causes text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    FOR n IN 1..cardinality(slaves) LOOP
        UPDATE piw.attempts a SET state = 'ended', cause = left(causes[n], 100), ended = piw.utc_now()
        WHERE a.state = 'running' AND a.slave_id = slaves[n] AND a.package = packages[n] AND a.version = versions[n]
          AND a.abi_tag = abis[n];
    END LOOP;
END
$$;

CREATE FUNCTION piw.event_kind(action text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT CASE WHEN action = 'remove' THEN 1 WHEN action IN ('quarantine', 'clear', 'unsource') THEN 2 ELSE 0 END
$$;

CREATE FUNCTION piw.fail_attempt(slave integer, pkg text, ver text, abi text, why text, the_end text, unit_s integer DEFAULT 60, counted boolean DEFAULT true) RETURNS TABLE(tries integer, final boolean, wait_s integer)
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
    final := counted AND tries >= tries_max;
    wait_s := CASE WHEN final THEN 0 ELSE unit_s * 3 ^ least(tries - 1, tries_max - 2) END;
    UPDATE piw.attempts a SET state = 'transient', counts = counted, cause = left(why, 100), ended = moment, log = the_end,
        next_try = CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END
    WHERE a.state = 'running' AND a.slave_id = slave AND a.package = pkg AND a.version = ver AND a.abi_tag = abi
    RETURNING a.attempt_id INTO attempt;
    IF attempt IS NULL THEN
        INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended, log, counts, next_try)
        VALUES (slave, pkg, ver, abi, 'transient', left(why, 100), moment, the_end, counted,
                CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END);
    END IF;
    INSERT INTO piw.deltas (kind, package_tag, moment, amount) VALUES ('cause', left(why, 100), moment::date, 1);
    RETURN NEXT;
END
$$;

CREATE FUNCTION piw.farm_abis() RETURNS TABLE(abi_tag character varying, skip character varying)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT a.abi_tag,
           coalesce((SELECT ('the common view is for ' || c.abi_tag)::varchar FROM piw.views c
                     WHERE c.common AND c.abi_tag <> a.abi_tag AND a.skip = ''), a.skip)
    FROM public.build_abis a
$$;

CREATE FUNCTION piw.files_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    -- Whatever is inserted ON CONFLICT comes here as an update too.
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM new_rows) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM old_rows o
        CROSS JOIN LATERAL (SELECT b.package, b.version FROM public.builds b WHERE b.build_id = o.build_id OFFSET 0) b;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', o.package_tag, -count(*),
               -coalesce(sum(o.filesize) FILTER (WHERE o.platform_tag <> 'linux_armv6l'), 0)
        FROM old_rows o GROUP BY o.package_tag;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM new_rows n
        CROSS JOIN LATERAL (SELECT b.package, b.version FROM public.builds b WHERE b.build_id = n.build_id OFFSET 0) b;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', n.package_tag, count(*),
               coalesce(sum(n.filesize) FILTER (WHERE n.platform_tag <> 'linux_armv6l'), 0)
        FROM new_rows n GROUP BY n.package_tag;
        DELETE FROM piw.removals r WHERE r.filename = ANY (ARRAY(SELECT n.filename FROM new_rows n));
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO piw.removals (filename, package)
        SELECT o.filename, coalesce(f.package, piw.canonical(o.package_tag))
        FROM old_rows o
        LEFT JOIN piw.file_facts f ON f.filename = o.filename
        ON CONFLICT (filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
        DELETE FROM piw.file_facts f USING old_rows o WHERE f.filename = o.filename;
        DELETE FROM piw.withheld w USING old_rows o WHERE w.filename = o.filename;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.fill_view(of_view text, OUT outcome text, OUT builds bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    builds := 0;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view) THEN 'filling' ELSE 'unknown' END;
    PERFORM piw.note_refill(NULL) WHERE outcome = 'filling';
END
$$;

CREATE FUNCTION piw.fill_view_counts() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $_$
DECLARE
    first constant timestamp := (SELECT w.since FROM piw.download_window w);
    upto timestamp;
    filled varchar[];
    this_hour timestamp;
    views text[];
    packages text[];
    amounts bigint[];
BEGIN
    SELECT max(c.since) INTO upto FROM piw.view_counts c WHERE NOT c.stale AND c.since > first;
    IF upto IS NULL THEN
        RETURN false;
    END IF;
    SELECT array_agg(c.view) INTO filled FROM piw.view_counts c WHERE NOT c.stale AND c.since = upto;
    SELECT date_trunc('hour', max(d.accessed_at)) INTO this_hour FROM public.downloads d
    WHERE d.accessed_at >= first AND d.accessed_at < upto;
    WITH noted AS (
        DELETE FROM piw.view_download_notes n WHERE n.view = ANY (filled) AND n.hour = this_hour
    ), these AS MATERIALIZED (
        SELECT d.filename, substring(d.filename from '-[^-]*$') AS ending, d.arch, d.distro_name, d.distro_version, d.py_name,
               d.py_version, count(*) AS amount
        FROM public.downloads d WHERE d.accessed_at >= this_hour AND d.accessed_at < this_hour + interval '1 hour'
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), kinds AS MATERIALIZED (
        SELECT k.machine, piw.download_view(k.ending, k.arch, k.distro_name, k.distro_version, k.py_name, k.py_version) AS view
        FROM (SELECT DISTINCT (t.ending, t.arch, t.distro_name, t.distro_version, t.py_name, t.py_version)::text AS machine,
                     t.ending, t.arch, t.distro_name, t.distro_version, t.py_name, t.py_version FROM these t) k
    ), by_file AS MATERIALIZED (
        SELECT k.view, t.filename, sum(t.amount) AS amount
        FROM these t
        JOIN kinds k ON k.machine = (t.ending, t.arch, t.distro_name, t.distro_version, t.py_name, t.py_version)::text
        WHERE k.view = ANY (filled)
        GROUP BY 1, 2
    ), by_package AS (
        SELECT f.view, piw.download_package(f.filename, p.package) AS package, sum(f.amount)::bigint AS amount
        FROM by_file f
        LEFT JOIN LATERAL (
            SELECT (SELECT b.package FROM public.builds b WHERE b.build_id = o.build_id) AS package
            FROM public.files o WHERE o.filename = f.filename OFFSET 0) p ON true
        GROUP BY 1, 2
    )
    SELECT array_agg(b.view), array_agg(b.package), array_agg(b.amount) INTO views, packages, amounts FROM by_package b;
    UPDATE piw.view_counts c SET since = coalesce(this_hour, first) WHERE c.view = ANY (filled);
    IF views IS NOT NULL THEN
        PERFORM piw.count_view_downloads(views, packages, array_fill(this_hour::date, ARRAY[cardinality(views)]), amounts);
    END IF;
    RETURN true;
END
$_$;

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

    INSERT INTO piw.days AS d (day, kind, word, amount)
    SELECT n.moment::date, n.kind, n.package_tag, sum(n.amount) FROM unnest(notes) n
    WHERE n.kind IN ('built', 'failed', 'cause', 'python', 'distro', 'arch')
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (day, kind, word) DO UPDATE SET amount = d.amount + excluded.amount;

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
    numbers bigint[];
    notes piw.download_notes[];
BEGIN
    SELECT array_agg(n.note_id) INTO numbers
    FROM (SELECT note_id FROM piw.download_notes ORDER BY note_id LIMIT slice) n;
    IF numbers IS NULL THEN
        RETURN false;
    END IF;
    WITH taken AS (DELETE FROM piw.download_notes d WHERE d.note_id = ANY (numbers) RETURNING d)
    SELECT array_agg(taken.d) INTO notes FROM taken;
    IF notes IS NULL THEN
        RETURN false;
    END IF;
    SELECT w.since INTO first_day FROM piw.download_window w;

    INSERT INTO piw.download_days AS d (day, package, downloads)
    SELECT n.day, n.package, sum(n.amount) FROM unnest(notes) n WHERE n.day >= first_day AND n.package IS NOT NULL
    GROUP BY n.day, n.package ORDER BY n.day, n.package
    ON CONFLICT (day, package) DO UPDATE SET downloads = d.downloads + excluded.downloads;

    INSERT INTO piw.file_days AS d (day, filename, downloads)
    SELECT n.day, n.filename, sum(n.amount) FROM unnest(notes) n WHERE n.day >= first_day AND n.filename IS NOT NULL
    GROUP BY n.day, n.filename ORDER BY n.day, n.filename
    ON CONFLICT (day, filename) DO UPDATE SET downloads = d.downloads + excluded.downloads;

    INSERT INTO piw.file_downloads AS f (filename, recent, ever)
    SELECT n.filename, coalesce(sum(n.amount) FILTER (WHERE n.day >= first_day), 0), sum(n.amount)
    FROM unnest(notes) n WHERE n.filename IS NOT NULL GROUP BY n.filename ORDER BY n.filename
    ON CONFLICT (filename) DO UPDATE SET recent = f.recent + excluded.recent, ever = f.ever + excluded.ever;

    WITH counted AS (
        INSERT INTO piw.package_downloads AS p (package, recent, ever)
        SELECT n.package, coalesce(sum(n.amount) FILTER (WHERE n.day >= first_day), 0), sum(n.amount)
        FROM unnest(notes) n WHERE n.package IS NOT NULL GROUP BY n.package ORDER BY n.package
        ON CONFLICT (package) DO UPDATE SET recent = p.recent + excluded.recent, ever = p.ever + excluded.ever
        RETURNING p.package, p.recent, p.popularity
    )
    INSERT INTO piw.popularity_due
    SELECT c.package FROM counted c WHERE piw.popularity(c.recent) <> c.popularity
    ON CONFLICT DO NOTHING;
    RETURN cardinality(notes) = slice;
END
$$;

CREATE FUNCTION piw.fold_view_downloads(slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    numbers bigint[];
    notes piw.view_download_notes[];
    views text[];
    packages text[];
    days date[];
    amounts bigint[];
BEGIN
    SELECT array_agg(n.note_id) INTO numbers
    FROM (SELECT note_id FROM piw.view_download_notes ORDER BY note_id LIMIT slice) n;
    IF numbers IS NULL THEN
        RETURN false;
    END IF;
    WITH taken AS (DELETE FROM piw.view_download_notes n WHERE n.note_id = ANY (numbers) RETURNING n)
    SELECT array_agg(taken.n) INTO notes FROM taken;
    SELECT array_agg(n.view), array_agg(n.package), array_agg(n.hour::date), array_agg(n.amount)
    INTO views, packages, days, amounts
    FROM unnest(notes) n
    WHERE n.hour >= (SELECT w.since FROM piw.download_window w)
      AND EXISTS (SELECT FROM piw.view_counts c WHERE c.view = n.view AND NOT c.stale AND c.since <= n.hour);
    IF views IS NOT NULL THEN
        PERFORM piw.count_view_downloads(views, packages, days, amounts);
    END IF;
    RETURN cardinality(numbers) = slice;
END
$$;

CREATE FUNCTION piw.forget_view_builds(build_ids integer[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    gone bigint;
BEGIN
    IF build_ids IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text)) FROM piw.view_builds b
    WHERE b.build_id = ANY (build_ids);
    INSERT INTO piw.view_removals (view, filename, package)
    SELECT f.view, f.filename, b.package
    FROM piw.view_builds b JOIN piw.view_files f ON f.build_id = b.build_id WHERE b.build_id = ANY (build_ids)
    ON CONFLICT (view, filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
    DELETE FROM piw.file_needs n USING piw.view_files f
    WHERE f.build_id = ANY (build_ids) AND n.view = f.view AND n.filename = f.filename;
    DELETE FROM piw.view_withheld w USING piw.view_files f
    WHERE f.build_id = ANY (build_ids) AND w.view = f.view AND w.filename = f.filename;
    DELETE FROM piw.view_builds b WHERE b.build_id = ANY (build_ids);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

CREATE FUNCTION piw.forget_view_builds_of(pkg text, ver text, failed_only boolean) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT piw.forget_view_builds(array_agg(b.build_id)) FROM piw.view_builds b
    WHERE b.package = pkg AND (ver IS NULL OR b.version = ver) AND NOT (failed_only AND b.status)
$$;

CREATE FUNCTION piw.full_queue() RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET work_mem TO '64MB'
    AS $_$
    WITH abis AS MATERIALIZED (
        SELECT a.abi_tag, piw.abi_rank(a.abi_tag) AS rank,
               CASE WHEN a.abi_tag ~ '^cp[0-9](?:0|[1-9][0-9]{0,2})[a-z]*$' THEN 'cp'
                    WHEN a.abi_tag ~ '^pypy[0-9](?:0|[1-9][0-9]{0,2})_' THEN 'pp' END AS kind,
               substring(a.abi_tag from '^(?:cp|pypy)([0-9])') AS major,
               substring(a.abi_tag from '^(?:cp|pypy)[0-9]([0-9]{1,3})')::integer AS minor,
               a.abi_tag ~ '^cp[0-9]+[a-z]*t' AS free_threaded
        FROM piw.farm_abis() a WHERE a.skip = ''
    ), made AS (
        SELECT b.package, b.version, b.abi_tag AS builder, coalesce(f.py_version_tag, '') AS py_tags,
               coalesce(f.abi_tag, '') AS abi_tags
        FROM public.builds b LEFT JOIN public.files f ON f.build_id = b.build_id
    ), kinds AS MATERIALIZED (
        SELECT k.builder, k.py_tags, k.abi_tags, p.tag AS py, t.tag AS abi,
               substring(p.tag from '^(?:cp|py)[0-9]([0-9]{1,3})$')::integer AS py_minor,
               coalesce(substring(k.builder from '^cp3([0-9]{1,3})[a-z]*$')::integer, 0) AS built_with
        FROM (SELECT DISTINCT m.builder, m.py_tags, m.abi_tags FROM made m) k
        LEFT JOIN LATERAL unnest(string_to_array(k.py_tags, '.')) AS p (tag) ON true
        LEFT JOIN LATERAL unnest(string_to_array(k.abi_tags, '.')) AS t (tag) ON true
    ), does AS MATERIALIZED (
        SELECT DISTINCT k.builder, k.py_tags, k.abi_tags, a.abi_tag
        FROM kinds k CROSS JOIN abis a
        WHERE a.abi_tag = k.builder OR a.abi_tag = k.abi
           OR (k.abi = 'none' AND CASE
                   WHEN a.kind IS NULL THEN k.py = 'py3'
                   WHEN k.py = 'py' || a.major THEN true
                   WHEN k.py = 'py' || a.major || k.py_minor THEN k.py_minor <= a.minor
                   ELSE k.py IN (a.kind || a.major || a.minor, CASE a.kind WHEN 'pp' THEN 'pp' || a.major END) END)
           OR (a.kind = 'cp' AND a.major = '3' AND k.py = 'cp3' || k.py_minor AND greatest(k.py_minor, k.built_with) <= a.minor
               AND ((k.abi = 'abi3' AND NOT a.free_threaded AND greatest(k.py_minor, k.built_with) >= 2)
                    OR (k.abi = 'abi3t' AND a.free_threaded AND greatest(k.py_minor, k.built_with) >= 15)))
    ), ruled AS MATERIALIZED (
        SELECT c.view FROM piw.views c WHERE c.common AND c.view IN (SELECT r.view FROM piw.views_with_rules() r)
    ), covered AS (
        SELECT m.package, m.version, array_agg(DISTINCT d.abi_tag) AS abis
        FROM (SELECT DISTINCT * FROM made) m
        JOIN does d ON d.builder = m.builder AND d.py_tags = m.py_tags AND d.abi_tags = m.abi_tags
        GROUP BY m.package, m.version
    )
    SELECT v.package, v.version, lowest.abi_tag, v.released
    FROM public.versions v
    JOIN public.packages p ON p.package = v.package
    LEFT JOIN covered c ON c.package = v.package AND c.version = v.version
    CROSS JOIN LATERAL (
        SELECT a.abi_tag
        FROM abis a
        WHERE c.abis IS NULL OR a.abi_tag <> ALL (c.abis)
        ORDER BY a.rank, a.abi_tag
        LIMIT 1
    ) lowest
    WHERE v.skip = '' AND p.skip = ''
      -- Not a join: the planner would guess how many versions that leaves.
      AND CASE (SELECT true FROM ruled) WHEN true
          THEN (SELECT piw.view_rule(r.view, v.package, v.version, v.released) FROM ruled r) = '' ELSE true END
$_$;

CREATE FUNCTION piw.full_view_queue() RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET work_mem TO '64MB'
    AS $$
    WITH kinds AS MATERIALIZED (
        SELECT v.view, v.platforms, piw.abi_takes(v.abi_tag) AS takes, v.view IN (SELECT r.view FROM piw.views_with_rules() r) AS ruled,
               piw.view_words(v.view) AS has
        FROM piw.views v WHERE NOT v.common
    ), files AS MATERIALIZED (
        SELECT b.package, b.version, ''::varchar AS view, b.abi_tag AS builder, f.filename, f.py_version_tag, f.abi_tag, f.platform_tag
        FROM public.builds b JOIN public.files f ON f.build_id = b.build_id
        WHERE EXISTS (SELECT FROM kinds)
        UNION ALL
        SELECT b.package, b.version, f.view, o.abi_tag, f.filename, f.py_version_tag, f.abi_tag, f.platform_tag
        FROM piw.view_builds b JOIN piw.view_files f ON f.build_id = b.build_id JOIN piw.views o ON o.view = f.view
    ), taken AS MATERIALIZED (
        SELECT t.builder, t.py_version_tag, t.abi_tag, k.view, k.platforms, k.takes, k.has
        FROM (SELECT DISTINCT f.builder, f.py_version_tag, f.abi_tag FROM files f) t
        JOIN kinds k ON (piw.build_offers(t.builder, t.py_version_tag, t.abi_tag))[2:] && k.takes
    ), covered AS MATERIALIZED (
        SELECT DISTINCT f.package, f.version, t.view
        FROM files f
        JOIN taken t ON t.builder = f.builder AND t.py_version_tag = f.py_version_tag AND t.abi_tag = f.abi_tag
        LEFT JOIN piw.file_needs n ON n.view = f.view AND n.filename = f.filename
        WHERE f.platform_tag = 'any'
           OR piw.view_runs(t.takes, t.platforms, t.has, f.builder, f.py_version_tag, f.abi_tag, f.platform_tag,
                            piw.needs_for_now(f.view, f.filename, n.needs, piw.needs_unread()))
        UNION
        SELECT b.package, b.version, b.view FROM piw.view_builds b
    )
    SELECT v.package, v.version, k.view, v.released
    FROM kinds k
    CROSS JOIN public.versions v
    JOIN public.packages p ON p.package = v.package
    LEFT JOIN covered c ON c.package = v.package AND c.version = v.version AND c.view = k.view
    WHERE v.skip = '' AND p.skip = '' AND c.view IS NULL
      AND (NOT k.ruled OR piw.view_rule(k.view, v.package, v.version, v.released) = '')
$$;

CREATE FUNCTION piw.glibc_of(words text[]) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
BEGIN
    RETURN (SELECT max(w.part[1]::integer * 1000 + w.part[2]::integer)
            FROM (SELECT regexp_match(u.word, '^GLIBC_([0-9]{1,3})[.]([0-9]{1,3})(?:[.]|$)') AS part FROM unnest(words) AS u (word)) w);
END
$_$;

CREATE FUNCTION piw.head_keys(abi text, which text, lim integer, phase integer, OUT packages text[], OUT versions text[]) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM piw.queues() a WHERE a.abi_tag = abi AND a.skip = '') THEN
        RETURN;
    END IF;
    IF which NOT IN ('oldest', 'newest', 'popular') THEN
        RAISE EXCEPTION 'there is no order %: oldest, newest, popular', which;
    END IF;
    -- As it is nearly always: just what comes first.
    IF which = 'oldest' AND NOT EXISTS (SELECT FROM piw.firsts)
       AND NOT EXISTS (SELECT FROM piw.attempts a
                       WHERE a.abi_tag = abi AND a.state = 'transient' AND a.counts AND a.next_try > piw.utc_now()) THEN
        SELECT array_agg(h.package ORDER BY h.released, h.package, h.version),
               array_agg(h.version ORDER BY h.released, h.package, h.version)
        INTO packages, versions
        FROM (SELECT q.package, q.version, q.released FROM piw.queue q
              WHERE q.abi_tag = abi ORDER BY q.released, q.package, q.version LIMIT lim) h;
        RETURN;
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
    INTO packages, versions
    FROM (SELECT p.package, p.version, min(p.place) AS place FROM placed p
          GROUP BY p.package, p.version
          ORDER BY min(p.place), p.package, p.version
          LIMIT lim) h;
END
$$;

CREATE FUNCTION piw.hide(packages text[], versions text[], serials bigint[], why text) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.packages p
    WHERE p.package IN (SELECT k.package FROM unnest(packages, versions) AS k (package, version) WHERE k.version IS NULL)
    ORDER BY p.package FOR UPDATE;
    PERFORM FROM public.versions v
    JOIN (SELECT k.package, k.version FROM unnest(packages, versions) AS k (package, version) GROUP BY 1, 2) k
        ON k.package = v.package AND k.version = v.version
    ORDER BY v.package, v.version FOR UPDATE OF v;
    INSERT INTO piw.quarantines AS q (package, version, former, cause, serial)
    SELECT k.package, coalesce(k.version, ''),
           coalesce(nullif(CASE WHEN k.version IS NULL THEN p.skip ELSE v.skip END, 'quarantined'), ''), why, max(k.serial)
    FROM unnest(packages, versions, serials) AS k (package, version, serial)
    LEFT JOIN public.packages p ON p.package = k.package
    LEFT JOIN public.versions v ON v.package = k.package AND v.version = k.version
    GROUP BY k.package, k.version, p.skip, v.skip
    ORDER BY k.package, k.version
    ON CONFLICT (package, version) DO UPDATE SET
        cause = CASE WHEN excluded.cause = 'event' THEN 'event' ELSE q.cause END,
        serial = greatest(q.serial, excluded.serial);
    RETURN QUERY
    WITH hidden AS (
        UPDATE public.packages p SET skip = 'quarantined'
        FROM (SELECT DISTINCT k.package FROM unnest(packages, versions) AS k (package, version)
              WHERE k.version IS NULL) k
        WHERE p.package = k.package AND p.skip <> 'quarantined'
        RETURNING p.package
    )
    SELECT h.package::text, NULL::text, 'hidden'::text FROM hidden h;
    RETURN QUERY
    WITH hidden AS (
        UPDATE public.versions v SET skip = 'quarantined'
        FROM (SELECT DISTINCT k.package, k.version FROM unnest(packages, versions) AS k (package, version)) k
        WHERE v.package = k.package AND v.version = k.version AND v.skip <> 'quarantined'
        RETURNING v.package, v.version
    )
    SELECT h.package::text, h.version::text, 'hidden'::text FROM hidden h;
END
$$;

CREATE FUNCTION piw.hold_offers(seconds bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    before boolean := (SELECT h.until > piw.utc_now() FROM piw.offers_hold h);
BEGIN
    UPDATE piw.offers_hold h SET until = CASE WHEN seconds > 0 THEN piw.utc_now() + seconds * interval '1 second' ELSE '-infinity' END
    WHERE seconds > 0 OR h.until <> '-infinity';
    IF before IS DISTINCT FROM (seconds > 0) THEN
        PERFORM piw.show_heads(array_agg(a.queue::text)) FROM piw.asking_queues() a;
    END IF;
END
$$;

CREATE FUNCTION piw.in_another_store(home text, name text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN (home <> '' AND EXISTS (SELECT FROM public.files f WHERE f.filename = name::varchar))
           OR EXISTS (SELECT FROM piw.views v JOIN piw.view_files f ON f.view = v.view AND f.filename = name::varchar WHERE v.view <> home);
END
$$;

CREATE FUNCTION piw.is_hidden(of_filename text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT p.skip = 'quarantined' OR v.skip = 'quarantined'
    FROM public.files f
    JOIN public.builds b ON b.build_id = f.build_id
    JOIN public.versions v ON v.package = b.package AND v.version = b.version
    JOIN public.packages p ON p.package = v.package
    WHERE f.filename = of_filename
$$;

CREATE FUNCTION piw.is_stable(version text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT pg_catalog.lower(pg_catalog.split_part(version, '+', 1)) !~ '[abcd]|pre'
$$;

CREATE FUNCTION piw.is_view_hidden(of_view text, of_filename text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT p.skip = 'quarantined' OR v.skip = 'quarantined'
    FROM piw.view_files f
    JOIN piw.view_builds b ON b.build_id = f.build_id
    JOIN public.versions v ON v.package = b.package AND v.version = b.version
    JOIN public.packages p ON p.package = v.package
    WHERE f.view = of_view AND f.filename = of_filename
$$;

CREATE FUNCTION piw.keep_facts(pkg text, new_status text, new_reason text, yanked text[], reasons text[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    same boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM public.packages p WHERE p.package = pkg) THEN
        RETURN false;
    END IF;
    SELECT coalesce((SELECT s.status = new_status AND s.reason = new_reason FROM piw.project_states s WHERE s.package = pkg),
                    new_status = '')
       AND NOT EXISTS (
           (SELECT y.version::text, y.reason::text FROM piw.yank_reasons y WHERE y.package = pkg
            EXCEPT SELECT n.version, n.reason FROM unnest(yanked, reasons) AS n (version, reason))
           UNION ALL
           (SELECT n.version, n.reason FROM unnest(yanked, reasons) AS n (version, reason)
            EXCEPT SELECT y.version::text, y.reason::text FROM piw.yank_reasons y WHERE y.package = pkg))
    INTO same;
    IF same THEN
        RETURN false;
    END IF;
    DELETE FROM piw.project_states s WHERE s.package = pkg;
    INSERT INTO piw.project_states (package, status, reason) SELECT pkg, new_status, new_reason WHERE new_status <> '';
    DELETE FROM piw.yank_reasons y WHERE y.package = pkg;
    INSERT INTO piw.yank_reasons (package, version, reason)
    SELECT pkg, y.version, y.reason FROM unnest(yanked, reasons) AS y (version, reason);
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN true;
END
$$;

CREATE FUNCTION piw.keep_meanings(packages text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO piw.view_meanings AS o (view, filename, filehash)
    SELECT l.view, l.filename, h.filehash
    FROM piw.view_links(keep_meanings.packages) l
    CROSS JOIN LATERAL (
        SELECT f.filehash FROM public.files f WHERE l.home = '' AND f.filename = l.filename
        UNION ALL SELECT f.filehash FROM piw.view_files f WHERE f.view = l.home AND f.filename = l.filename
    ) h
    WHERE piw.in_another_store(l.home, l.filename)
    ON CONFLICT (view, filename) DO UPDATE SET filehash = excluded.filehash WHERE o.filehash <> excluded.filehash;
END
$$;

CREATE FUNCTION piw.keep_pypi_wheels(pkg text, versions text[], tags text[], pythons bigint[] DEFAULT NULL::bigint[], age_ms bigint DEFAULT 0) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    changed text[];
BEGIN
    WITH given AS MATERIALIZED (
        SELECT g.version, array_agg(g.tag ORDER BY g.tag, g.pythons) AS tags, array_agg(g.pythons ORDER BY g.tag, g.pythons) AS pythons
        FROM (SELECT DISTINCT g.version, g.tag, g.pythons
              FROM unnest(keep_pypi_wheels.versions, keep_pypi_wheels.tags, keep_pypi_wheels.pythons) AS g (version, tag, pythons)) g
        GROUP BY g.version
    ), gone AS (
        DELETE FROM piw.pypi_wheels w
        WHERE w.package = pkg AND NOT EXISTS (SELECT FROM given g WHERE g.version = w.version) RETURNING w.version
    ), kept AS (
        INSERT INTO piw.pypi_wheels AS w (package, version, tags, pythons) SELECT pkg, g.version, g.tags, g.pythons FROM given g
        WHERE EXISTS (SELECT FROM public.packages p WHERE p.package = pkg)
        ON CONFLICT (package, version) DO UPDATE SET tags = excluded.tags, pythons = excluded.pythons
        WHERE w.tags <> excluded.tags OR w.pythons IS DISTINCT FROM excluded.pythons
        RETURNING w.version
    )
    SELECT array_agg(c.version) INTO changed FROM (SELECT version FROM gone UNION ALL SELECT version FROM kept) c;
    IF changed IS NOT NULL THEN
        PERFORM piw.note(array_fill(pkg, ARRAY[cardinality(changed)]), changed);
    END IF;
    PERFORM piw.know_offers(pkg, age_ms);
END
$$;

CREATE FUNCTION piw.keep_quarantined() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'packages' THEN
        UPDATE piw.quarantines q SET former = NEW.skip WHERE q.package = NEW.package AND q.version = '';
    ELSE
        UPDATE piw.quarantines q SET former = NEW.skip WHERE q.package = NEW.package AND q.version = NEW.version;
    END IF;
    IF FOUND THEN
        NEW.skip := 'quarantined';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION piw.know_offers(pkg text, age_ms bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    moment timestamp := piw.utc_now();
    before timestamp := (SELECT k.asked FROM piw.pypi_known k WHERE k.package = pkg);
BEGIN
    IF NOT EXISTS (SELECT FROM public.packages p WHERE p.package = pkg) OR NOT EXISTS (SELECT FROM piw.asking_queues()) THEN
        RETURN;
    END IF;
    moment := greatest(before, moment - age_ms * interval '1 millisecond',
                       (SELECT max(v.released) FROM public.versions v WHERE v.package = pkg AND v.released > moment));
    INSERT INTO piw.pypi_known (package, asked) VALUES (pkg, moment) ON CONFLICT (package) DO UPDATE SET asked = excluded.asked;
    PERFORM piw.show_heads(array_agg(DISTINCT q.abi_tag::text))
    FROM piw.queue q
    WHERE q.package = pkg AND q.released > coalesce(before, '-infinity') AND q.abi_tag IN (SELECT a.queue FROM piw.asking_queues() a);
END
$$;

CREATE FUNCTION piw.last_builds(lim integer) RETURNS TABLE(build_id integer, package character varying, version character varying, abi_tag character varying, status boolean, built_at timestamp without time zone, duration interval)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT b.build_id, b.package, b.version, b.abi_tag, b.status, b.built_at, b.duration
    FROM public.builds b
    WHERE (SELECT 'quarantined' NOT IN (v.skip, p.skip) FROM public.packages p
           JOIN public.versions v ON v.package = p.package
           WHERE p.package = b.package AND v.version = b.version)
    ORDER BY b.build_id DESC
    LIMIT lim
$$;

CREATE FUNCTION piw.learn_words(of_view text, words text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    before text[] := piw.view_words(of_view);
    after text[];
    is_common constant boolean := (SELECT v.common FROM piw.views v WHERE v.view = of_view);
    met text[];
    pages text[];
BEGIN
    IF coalesce(piw.meets(words, before), false)
       OR EXISTS (SELECT FROM piw.views v WHERE v.view = of_view AND cardinality(v.libraries) > 0) THEN
        RETURN;
    END IF;
    after := coalesce(before, '{}') || words;
    FOR met IN
        SELECT n.needs FROM (SELECT n.needs FROM piw.file_needs n GROUP BY n.needs) n
        WHERE NOT coalesce(piw.meets(n.needs, before), false) AND piw.meets(n.needs, after)
    LOOP
        -- Where nothing is known of the view, nothing with needs runs there; the common view lists its own in any case.
        SELECT array_agg(DISTINCT f.package::text) INTO pages
        FROM (SELECT b.package, n.view, n.filename FROM piw.file_needs n
              JOIN public.files f ON f.filename = n.filename
              JOIN public.builds b ON b.build_id = f.build_id
              WHERE n.view = '' AND n.needs = met AND NOT is_common AND before IS NOT NULL
              UNION ALL
              SELECT b.package, n.view, n.filename FROM piw.file_needs n
              JOIN piw.view_files f ON f.view = n.view AND f.filename = n.filename
              JOIN piw.view_builds b ON b.build_id = f.build_id
              WHERE n.view <> of_view AND n.view <> '' AND n.needs = met AND (is_common OR before IS NOT NULL)) f
        WHERE piw.in_another_store(f.view, f.filename);
        IF pages IS NOT NULL THEN
            PERFORM piw.keep_meanings(pages);
        END IF;
        WITH files AS (
            SELECT b.package, b.version FROM piw.file_needs n
            JOIN public.files f ON f.filename = n.filename
            JOIN public.builds b ON b.build_id = f.build_id
            WHERE n.view = '' AND n.needs = met
            UNION
            SELECT b.package, b.version FROM piw.file_needs n
            JOIN piw.view_files f ON f.view = n.view AND f.filename = n.filename
            JOIN piw.view_builds b ON b.build_id = f.build_id
            WHERE n.view <> of_view AND n.needs = met
        ), noted AS (
            SELECT piw.note(array_agg(f.package::text), array_agg(f.version::text)) FROM files f HAVING count(*) > 0
        )
        SELECT array_agg(DISTINCT f.package::text) INTO pages FROM files f LEFT JOIN noted ON true;
        IF pages IS NOT NULL THEN
            PERFORM piw.note_pages(pages, array_fill('BOTH'::text, ARRAY[cardinality(pages)]));
        END IF;
    END LOOP;
    INSERT INTO piw.view_has (view, word) SELECT of_view, w.word FROM unnest(words) AS w (word) ON CONFLICT DO NOTHING;
END
$$;

CREATE FUNCTION piw.list_abis() RETURNS TABLE(abi_tag character varying, skip character varying, pending bigint, builds bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT a.abi_tag, a.skip, s.pending, coalesce(b.builds, 0)
    FROM piw.farm_abis() a
    JOIN piw.queue_state() s ON s.abi_tag = a.abi_tag
    LEFT JOIN (SELECT b.abi_tag, count(*) AS builds FROM public.builds b GROUP BY b.abi_tag) b ON b.abi_tag = a.abi_tag
    ORDER BY piw.abi_rank(a.abi_tag), a.abi_tag
$$;

CREATE FUNCTION piw.list_views() RETURNS TABLE(view character varying, abi_tag character varying, platforms text, common boolean, configured boolean, pending bigint, builds bigint, files bigint, unread bigint, held boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT n.view, coalesce(v.abi_tag, ''), coalesce(array_to_string(v.platforms, ' '), ''), coalesce(v.common, false),
           v.view IS NOT NULL,
           coalesce((SELECT t.pending FROM piw.queue_totals t WHERE t.abi_tag = CASE WHEN v.common THEN v.abi_tag ELSE n.view END), 0),
           CASE WHEN v.common THEN (SELECT count(*) FROM public.builds b WHERE b.abi_tag = v.abi_tag)
                ELSE (SELECT count(*) FROM piw.view_builds b WHERE b.view = n.view) END,
           CASE WHEN v.common
                THEN (SELECT count(*) FROM public.files f JOIN public.builds b ON b.build_id = f.build_id WHERE b.abi_tag = v.abi_tag)
                ELSE (SELECT count(*) FROM piw.view_files f WHERE f.view = n.view) END,
           piw.offers_left(n.view), piw.offers_held(CASE WHEN v.common THEN v.abi_tag ELSE n.view END)
    FROM (SELECT v.view FROM piw.views v UNION SELECT b.view FROM piw.view_builds b) n
    LEFT JOIN piw.views v ON v.view = n.view
    ORDER BY v.place NULLS LAST, n.view
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

CREATE FUNCTION piw.mark_binary(packages text[], versions text[]) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    UPDATE piw.quarantines q SET former = 'binary only'
    FROM unnest(packages, versions) AS k (package, version)
    WHERE q.package = k.package AND q.version = k.version AND q.former = ''
      AND NOT EXISTS (SELECT FROM public.builds b WHERE b.package = k.package AND b.version = k.version);
    RETURN QUERY
    WITH marked AS (
        UPDATE public.versions v SET skip = 'binary only'
        FROM unnest(packages, versions) AS k (package, version)
        WHERE v.package = k.package AND v.version = k.version AND v.skip = ''
          AND NOT EXISTS (SELECT FROM public.builds b WHERE b.package = k.package AND b.version = k.version)
        RETURNING v.package, v.version
    )
    SELECT m.package::text, m.version::text, 'binary_only'::text FROM marked m;
END
$$;

CREATE FUNCTION piw.mark_commit(of_instance integer, this_mark bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO piw.commits AS c VALUES (of_instance, this_mark)
    ON CONFLICT (instance) DO UPDATE SET mark = excluded.mark;
END
$$;

CREATE FUNCTION piw.means_another(of_view text, name text, hash text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN coalesce((
        SELECT f.filehash <> hash
        FROM (SELECT o.filehash, o.py_version_tag, o.abi_tag, o.platform_tag, b.abi_tag AS builder, 0 AS place,
                     coalesce((SELECT x.uploaded FROM piw.file_facts x WHERE x.filename = o.filename), b.built_at) AS uploaded,
                     (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = o.filename) AS needs
              FROM public.files o JOIN public.builds b ON b.build_id = o.build_id
              WHERE o.filename = name::varchar AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = o.filename)
              UNION ALL
              SELECT o.filehash, o.py_version_tag, o.abi_tag, o.platform_tag, h.abi_tag, h.place, o.uploaded,
                     (SELECT n.needs FROM piw.file_needs n WHERE n.view = o.view AND n.filename = o.filename)
              FROM piw.views h JOIN piw.view_files o ON o.view = h.view AND o.filename = name::varchar
              WHERE h.view <> of_view
                AND NOT EXISTS (SELECT FROM piw.view_withheld w WHERE w.view = o.view AND w.filename = o.filename)) f
        JOIN piw.views v ON v.view = of_view
        WHERE piw.view_runs(piw.abi_takes(v.abi_tag), v.platforms, piw.view_words(v.view), f.builder, f.py_version_tag, f.abi_tag,
                            f.platform_tag, f.needs)
        ORDER BY coalesce((SELECT m.filehash <> f.filehash FROM piw.view_meanings m
                           WHERE m.view = of_view AND m.filename = name::varchar), true), f.uploaded, f.place
        LIMIT 1), false);
END
$$;

CREATE FUNCTION piw.meets(needs text[], has text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'piw', 'pg_catalog', 'pg_temp'
    AS $$
    SELECT needs <@ has OR NOT EXISTS (
        SELECT FROM unnest(needs) AS n (word)
        WHERE n.word <> ALL (has)
          AND NOT EXISTS (SELECT FROM unnest(has) AS h (word)
                          WHERE piw.need_kind(h.word) = piw.need_kind(n.word)
                            AND piw.need_number(h.word) >= piw.need_number(n.word)))
$$;

CREATE FUNCTION piw.metadata_due(lim integer) RETURNS TABLE(package text, filename text, upto text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 1000;
    so_far varchar;
    amount bigint;
    last text;
    lacking bigint := 0;
BEGIN
    SELECT p.after INTO so_far FROM piw.metadata_pass p WHERE NOT p.done;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT count(*), max(n.filename) INTO amount, last
    FROM (SELECT f.filename FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n;
    FOR package, filename IN
        SELECT b.package, n.filename
        FROM (SELECT f.filename, f.build_id FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n
        JOIN public.builds b ON b.build_id = n.build_id
        LEFT JOIN piw.file_facts x ON x.filename = n.filename
        WHERE x.metadata_hash IS NULL AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = n.filename)
        ORDER BY n.filename
        LIMIT lim
    LOOP
        lacking := lacking + 1;
        upto := filename;
        RETURN QUERY SELECT package, filename, NULL::text;
    END LOOP;
    IF lacking < lim THEN
        upto := CASE WHEN amount = slice THEN last END;
    END IF;
    RETURN QUERY SELECT NULL::text, NULL::text, upto;
END
$$;

CREATE FUNCTION piw.metadata_made(filenames text[], hashes text[], upto text) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    packages text[];
BEGIN
    WITH made AS (
        INSERT INTO piw.file_facts AS o (filename, package, metadata_hash, uploaded)
        SELECT f.filename, b.package, m.metadata_hash, b.built_at
        FROM unnest(filenames, hashes) AS m (filename, metadata_hash)
        JOIN public.files f ON f.filename = m.filename
        JOIN public.builds b ON b.build_id = f.build_id
        ON CONFLICT (filename) DO UPDATE SET metadata_hash = excluded.metadata_hash WHERE o.metadata_hash IS NULL
        RETURNING o.package
    )
    SELECT array_agg(DISTINCT m.package::text) INTO packages FROM made m;
    UPDATE piw.metadata_pass p SET after = coalesce(upto, p.after), done = upto IS NULL WHERE id = 1;
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;

CREATE FUNCTION piw.most_downloaded(lim integer) RETURNS TABLE(package character varying, recent bigint, ever bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT t.package, t.recent, t.ever
    FROM (SELECT d.package, d.recent, d.ever
          FROM piw.package_downloads d
          WHERE d.popularity > 0 AND EXISTS (
              SELECT FROM public.packages p WHERE p.package = d.package AND p.skip NOT IN ('deleted', 'quarantined'))
          ORDER BY d.popularity DESC, d.package DESC
          LIMIT lim) t
    WHERE t.recent > 0
    ORDER BY t.recent DESC, t.package
$$;

CREATE FUNCTION piw.need_kind(word text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
    SELECT pg_catalog.substring(word, '^(.+_)[0-9]{1,9}(?:\.[0-9]{1,9})*$')
$_$;

CREATE FUNCTION piw.need_number(word text) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
    SELECT pg_catalog.string_to_array(pg_catalog.substring(word, '^.+_([0-9]{1,9}(?:\.[0-9]{1,9})*)$'), '.')::bigint[]
$_$;

CREATE FUNCTION piw.needs_due(lim integer) RETURNS TABLE(package text, filename text, filehash text, upto text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 1000;
    so_far varchar := piw.needs_unread();
    amount bigint;
    last text;
    lacking bigint := 0;
BEGIN
    IF so_far IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*), max(n.filename) INTO amount, last
    FROM (SELECT f.filename FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n;
    FOR package, filename, filehash IN
        SELECT b.package, n.filename, n.filehash
        FROM (SELECT f.filename, f.build_id, f.filehash, f.platform_tag FROM public.files f
              WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n
        JOIN public.builds b ON b.build_id = n.build_id
        WHERE n.platform_tag <> 'any'
          AND NOT EXISTS (SELECT FROM piw.file_needs x WHERE x.view = '' AND x.filename = n.filename)
        ORDER BY n.filename
        LIMIT lim
    LOOP
        lacking := lacking + 1;
        upto := filename;
        RETURN QUERY SELECT package, filename, filehash, NULL::text;
    END LOOP;
    IF lacking < lim THEN
        upto := CASE WHEN amount = slice THEN last END;
    END IF;
    RETURN QUERY SELECT NULL::text, NULL::text, NULL::text, upto;
END
$$;

CREATE FUNCTION piw.needs_for_now(view character varying, filename character varying, needs text[], unread character varying) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN needs IS NULL AND view = '' AND filename > unread THEN '{}' ELSE needs END
$$;

CREATE FUNCTION piw.needs_read(filenames text[], hashes text[], needs text[], upto text) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    packages text[];
    covering text[];
    covered text[];
BEGIN
    SELECT array_agg(DISTINCT b.package::text) INTO packages
    FROM unnest(needs_read.filenames) AS r (filename)
    JOIN public.files f ON f.filename = r.filename
    JOIN public.builds b ON b.build_id = f.build_id
    WHERE piw.in_another_store('', r.filename);
    IF packages IS NOT NULL THEN
        PERFORM piw.keep_meanings(packages);
    END IF;
    -- Of a name that has other bytes by now, whoever recorded those has said what they need.
    INSERT INTO piw.file_needs (view, filename, needs)
    SELECT '', f.filename, string_to_array(r.needs, ' ')
    FROM unnest(needs_read.filenames, needs_read.hashes, needs_read.needs) AS r (filename, filehash, needs)
    JOIN public.files f ON f.filename = r.filename AND f.filehash = r.filehash
    WHERE r.needs IS NOT NULL AND EXISTS (SELECT FROM piw.views)
    ON CONFLICT DO NOTHING;
    UPDATE piw.needs_pass p SET after = coalesce(needs_read.upto, p.after), done = needs_read.upto IS NULL WHERE NOT p.done;
    WITH kinds AS MATERIALIZED (
        SELECT v.view, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has
        FROM piw.views v WHERE NOT v.common
    ), files AS (
        SELECT b.package::text AS package, b.version::text AS version,
               bool_or(piw.view_runs(k.takes, k.platforms, k.has, b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag, n.needs)) AS runs
        FROM unnest(needs_read.filenames) AS r (filename)
        JOIN public.files f ON f.filename = r.filename
        JOIN public.builds b ON b.build_id = f.build_id
        LEFT JOIN piw.file_needs n ON n.view = '' AND n.filename = f.filename
        JOIN kinds k ON piw.view_runs(k.takes, k.platforms, '{}', b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag, '{}')
        GROUP BY b.package, b.version
    )
    SELECT array_agg(f.package), array_agg(f.version), array_agg(DISTINCT f.package) FILTER (WHERE f.runs)
    INTO covering, covered, packages FROM files f;
    IF covering IS NOT NULL THEN
        PERFORM piw.note(covering, covered);
    END IF;
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;

CREATE FUNCTION piw.needs_unread() RETURNS character varying
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN (SELECT p.after FROM piw.needs_pass p WHERE NOT p.done);
END
$$;

CREATE FUNCTION piw.note(packages text[], versions text[]) RETURNS void
    LANGUAGE plpgsql
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
    INSERT INTO piw.download_notes (package, filename, day, amount)
    SELECT piw.download_package(n.filename, b.package), n.filename, n.day, n.amount
    FROM unnest(filenames, days, amounts) AS n (filename, day, amount)
    LEFT JOIN public.files f ON f.filename = n.filename
    LEFT JOIN public.builds b ON b.build_id = f.build_id
$$;

CREATE FUNCTION piw.note_packages(packages text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM piw.views v WHERE v.newest > 0) THEN
        PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
        FROM public.versions v WHERE v.package = ANY (packages);
    END IF;
END
$$;

CREATE FUNCTION piw.note_pages(packages text[], commands text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    moment timestamp := piw.utc_now();
BEGIN
    INSERT INTO piw.pages_due AS d (package, noted, command)
    SELECT n.package, moment, min(n.command)
    FROM unnest(packages, commands) AS n (package, command)
    GROUP BY n.package
    ORDER BY n.package COLLATE "C"
    ON CONFLICT (package) DO UPDATE SET noted = excluded.noted, command = least(d.command, excluded.command);
END
$$;

CREATE FUNCTION piw.note_popular(packages text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM public.versions v WHERE packages IS NOT NULL AND v.package = ANY (packages);
END
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

CREATE FUNCTION piw.note_short_attempts(build_ids integer[], slaves integer[], packages text[], versions text[], queues text[], statuses boolean[], moment timestamp without time zone, addresses text[], accepted integer[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
    -- Hardly ever there is one, and an UPDATE of nothing costs as much as an INSERT of a row.
    IF EXISTS (SELECT FROM piw.attempts WHERE state = 'running' AND slave_id = ANY (slaves)) THEN
        UPDATE piw.attempts SET state = 'ended', cause = 'the slave began another build', ended = moment
        WHERE state = 'running' AND slave_id = ANY (ARRAY(
            SELECT b.slave_id FROM unnest(slaves, addresses) AS b (slave_id, address) WHERE b.address IS NOT NULL));
    END IF;
    INSERT INTO piw.attempts (slave_id, package, version, abi_tag, address, state, ended, build_id)
    SELECT slaves[b.ord], packages[b.ord], versions[b.ord], queues[b.ord], b.address,
           CASE WHEN over.yes IS NOT TRUE THEN 'running' WHEN statuses[b.ord] THEN 'built' ELSE 'failed' END,
           CASE WHEN over.yes THEN moment END, CASE WHEN over.yes THEN build_ids[b.ord] END
    FROM unnest(addresses) WITH ORDINALITY AS b (address, ord)
    CROSS JOIN LATERAL (SELECT b.ord = ANY (accepted) AS yes) over
    WHERE b.address IS NOT NULL;
END
$$;

CREATE FUNCTION piw.note_view_downloads(filenames text[], hours timestamp without time zone[], archs text[], distros text[], distro_versions text[], py_names text[], py_versions text[], amounts bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    INSERT INTO piw.view_download_notes (view, package, hour, amount)
    SELECT n.view, piw.download_package(n.filename, p.package), n.hour, sum(n.amount)
    FROM (SELECT d.filename, d.hour, d.amount,
                 piw.download_view(d.filename, d.arch, d.distro, d.distro_version, d.py_name, d.py_version) AS view
          FROM unnest(filenames, hours, archs, distros, distro_versions, py_names, py_versions, amounts)
              AS d (filename, hour, arch, distro, distro_version, py_name, py_version, amount)) n
    LEFT JOIN LATERAL (
        SELECT (SELECT b.package FROM public.builds b WHERE b.build_id = f.build_id) AS package
        FROM public.files f WHERE f.filename = n.filename OFFSET 0) p ON true
    WHERE EXISTS (SELECT FROM piw.view_counts c WHERE c.view = n.view)
    GROUP BY 1, 2, 3;
END
$$;

CREATE TABLE piw.queue (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    abi_tag character varying(100) NOT NULL,
    released timestamp without time zone NOT NULL,
    popularity integer DEFAULT 0 NOT NULL
);

CREATE FUNCTION piw.offers_due(which text, lim integer, INOUT changes bigint, INOUT place piw.queue, walks boolean, OUT packages text[], OUT done boolean) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_variable
DECLARE
    head constant integer := 1000;
    queues text[] := ARRAY(SELECT a.queue FROM piw.asking_queues() a ORDER BY a.place, a.queue);
    walked record;
    now_changes bigint := (SELECT coalesce(sum(t.changes), 0) FROM piw.queue_totals t WHERE t.abi_tag = ANY (queues));
BEGIN
    done := cardinality(queues) = 0;
    IF done THEN
        changes := now_changes;
        RETURN;
    END IF;
    IF changes <> now_changes THEN
        packages := ARRAY(
            SELECT u.package FROM (
                SELECT s.package, min(s.nth) AS nth
                FROM unnest(queues) AS q (queue)
                CROSS JOIN LATERAL piw.head_keys(q.queue, which, head, 0) h
                CROSS JOIN LATERAL piw.offers_sort(q.queue, h.packages, h.versions, false) s
                GROUP BY s.package) u
            ORDER BY u.nth, u.package LIMIT lim);
        changes := CASE WHEN cardinality(packages) = 0 THEN now_changes ELSE -1 END;
    END IF;
    done := changes >= 0;
    IF changes >= 0 AND walks THEN
        SELECT * INTO walked FROM piw.walk_offers(queues, which, lim, place);
        place := walked.place;
        packages := walked.packages;
        done := walked.done;
    END IF;
END
$$;

CREATE FUNCTION piw.offers_held(of_queue text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM piw.views) AND (SELECT h.until > piw.utc_now() FROM piw.offers_hold h)
           AND EXISTS (SELECT FROM piw.asking_queues() a WHERE a.queue = of_queue);
END
$$;

CREATE FUNCTION piw.offers_left(of_view text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT count(DISTINCT q.package)
    FROM piw.asking_queues() a
    JOIN piw.views v ON v.view = of_view AND CASE WHEN v.common THEN a.place = 0 ELSE a.queue = v.view END
    JOIN piw.queue q ON q.abi_tag = a.queue
    LEFT JOIN piw.pypi_known o ON o.package = q.package AND o.asked >= q.released
    WHERE o.package IS NULL
$$;

CREATE FUNCTION piw.offers_sort(of_queue text, packages text[], versions text[], known boolean) RETURNS TABLE(package character varying, version character varying, nth bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT q.package, q.version, k.nth
    FROM unnest(offers_sort.packages, offers_sort.versions) WITH ORDINALITY AS k (package, version, nth)
    CROSS JOIN LATERAL (SELECT q.package, q.version, q.released FROM piw.queue q
                        WHERE q.package = k.package AND q.version = k.version AND q.abi_tag = of_queue OFFSET 0) q
    WHERE EXISTS (SELECT FROM piw.pypi_known o WHERE o.package = q.package AND o.asked >= q.released) = offers_sort.known
    ORDER BY k.nth;
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
    IF EXISTS (SELECT FROM new_rows n WHERE n.skip = 'quarantined') THEN
        PERFORM piw.withhold(array_agg(n.package::text)) FROM new_rows n WHERE n.skip = 'quarantined';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.packages_come() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows n JOIN piw.quarantines q ON q.package = n.package AND q.version = '') THEN
        UPDATE piw.quarantines q SET former = n.skip
        FROM new_rows n WHERE q.package = n.package AND q.version = '' AND n.skip <> 'quarantined';
        UPDATE public.packages p SET skip = 'quarantined'
        FROM new_rows n, piw.quarantines q
        WHERE p.package = n.package AND q.package = n.package AND q.version = '' AND p.skip <> 'quarantined';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.platform_fits(platform text, platforms text[], glibc integer) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $_$
DECLARE
    part text[] := regexp_match(platform, '^manylinux(?:(1|2010|2014)|_([0-9]{1,3})_([0-9]{1,3}))(_.+)$');
BEGIN
    IF part IS NULL THEN
        RETURN platform = ANY (platforms);
    END IF;
    RETURN 'linux' || part[4] = ANY (platforms)
           AND coalesce(CASE part[1] WHEN '1' THEN 2005 WHEN '2010' THEN 2012 WHEN '2014' THEN 2017
                        ELSE part[2]::integer * 1000 + part[3]::integer END <= glibc, true);
END
$_$;

CREATE FUNCTION piw.popularity(recent bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN recent < 16 THEN greatest(recent, 0)::integer
                ELSE 16 + pg_catalog.floor(8 * pg_catalog.ln(recent / 16.0::double precision)
                                           / pg_catalog.ln(2::double precision))::integer END
$$;

CREATE FUNCTION piw.project_abis(pkg text) RETURNS TABLE(version character varying, abi_tag character varying, status text, build_id integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    WITH tried AS MATERIALIZED (
        SELECT b.version, b.abi_tag, b.build_id, b.status, array_agg(o.tag) FILTER (WHERE f.filename IS NOT NULL) AS offers
        FROM public.builds b
        LEFT JOIN public.files f ON f.build_id = b.build_id
        CROSS JOIN LATERAL unnest(piw.build_offers(b.abi_tag, f.py_version_tag, f.abi_tag)) AS o (tag)
        WHERE b.package = pkg
        GROUP BY b.build_id
    ), abis AS MATERIALIZED (
        SELECT a.abi_tag, a.skip, piw.abi_rank(a.abi_tag) AS rank, piw.abi_takes(a.abi_tag) AS takes FROM piw.farm_abis() a
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
    CROSS JOIN abis a
    LEFT JOIN LATERAL (
        SELECT t.build_id FROM tried t
        WHERE t.version = v.version AND t.offers && a.takes
        ORDER BY t.abi_tag = a.abi_tag DESC, t.build_id DESC LIMIT 1
    ) good ON true
    LEFT JOIN LATERAL (
        SELECT t.build_id, t.status FROM tried t
        WHERE t.version = v.version AND t.abi_tag = a.abi_tag
        ORDER BY t.build_id DESC LIMIT 1
    ) own ON true
    WHERE p.package = pkg
    ORDER BY v.version, a.rank, a.abi_tag
$$;

CREATE FUNCTION piw.project_histories(pkgs text[]) RETURNS TABLE(package character varying, is_build boolean, version character varying, abi_tag character varying, number bigint, status boolean, ended_us bigint, other_us bigint, cause character varying, recent bigint, ever bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT n.package::varchar, f.is_build, f.version, f.abi_tag, f.number, f.status, f.ended_us, f.other_us, f.cause, f.recent, f.ever
    FROM unnest(pkgs) WITH ORDINALITY AS n (package, ord)
    CROSS JOIN LATERAL (
        SELECT NULL::boolean AS is_build, NULL::varchar AS version, NULL::varchar AS abi_tag, NULL::bigint AS number,
               NULL::boolean AS status, NULL::bigint AS ended_us, NULL::bigint AS other_us, NULL::varchar AS cause,
               greatest(d.recent, 0) AS recent, greatest(d.ever, 0) AS ever
        FROM piw.package_downloads d WHERE d.package = n.package::varchar
        UNION ALL
        SELECT true, b.version, b.abi_tag, b.build_id, b.status, (extract(epoch FROM b.built_at) * 1000000)::bigint,
               (extract(epoch FROM b.duration) * 1000000)::bigint, NULL, NULL, NULL
        FROM public.builds b WHERE b.package = n.package::varchar
        UNION ALL
        SELECT false, t.version, t.abi_tag, count(*), NULL, (extract(epoch FROM max(t.ended)) * 1000000)::bigint,
               (extract(epoch FROM max(t.next_try) FILTER (WHERE t.next_try > piw.utc_now())) * 1000000)::bigint,
               (array_agg(t.cause ORDER BY t.attempt_id DESC))[1], NULL, NULL
        FROM piw.attempts t
        WHERE t.package = n.package::varchar AND t.state = 'transient' AND t.counts
        GROUP BY t.version, t.abi_tag
    ) f
    ORDER BY n.ord, f.is_build DESC NULLS FIRST, f.number
$$;

CREATE FUNCTION piw.put_first(pkg text, OUT known boolean, OUT reason text, OUT waiting bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    SELECT p.skip INTO reason FROM public.packages p WHERE p.package = pkg;
    known := FOUND;
    SELECT count(DISTINCT q.version) INTO waiting FROM piw.queue q WHERE q.package = pkg;
    IF waiting > 0 THEN
        INSERT INTO piw.firsts (package, asked) VALUES (pkg, piw.utc_now()) ON CONFLICT DO NOTHING;
        UPDATE piw.queue_totals t SET changes = t.changes + 1
        WHERE t.abi_tag IN (SELECT q.abi_tag FROM piw.queue q WHERE q.package = pkg);
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

CREATE FUNCTION piw.pypi_serves(tags text[], pythons bigint[], abi text, platforms text[], glibc integer, pure boolean) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
DECLARE
    takes text[] := piw.abi_takes(abi);
    minor integer := least(substring(abi from '^(?:cp|pypy)3([0-9]{1,3})')::integer, 62);
BEGIN
    RETURN EXISTS (
        SELECT FROM unnest(tags, pythons) AS t (tag, python)
        WHERE coalesce(t.python >> minor & 1 = 1, true)
          AND (piw.build_offers('', split_part(t.tag, '-', 1), split_part(t.tag, '-', 2)))[2:] && takes
          AND EXISTS (SELECT FROM unnest(string_to_array(split_part(t.tag, '-', 3), '.')) AS p (platform)
                      WHERE CASE WHEN p.platform = 'any' THEN pure
                                 ELSE NOT pure AND piw.platform_fits(p.platform, platforms, glibc) END));
END
$$;

CREATE FUNCTION piw.python_word(version text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT coalesce(substring(version from '^([23]\.[0-9]{1,2})(?:[^0-9]|$)'), 'other')
$_$;

CREATE FUNCTION piw.queue_ages() RETURNS TABLE(abi_tag character varying, age_s bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT a.abi_tag, greatest(0, extract(epoch FROM now() AT TIME ZONE 'UTC' - o.released))::bigint
    FROM piw.queues() a
    CROSS JOIN LATERAL (SELECT q.released FROM piw.queue q WHERE q.abi_tag = a.abi_tag ORDER BY q.released LIMIT 1) o
    WHERE a.skip = ''
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
    SELECT h.packages, h.versions INTO head_packages, head_versions FROM piw.head_keys(abi, which, lim, phase) h;
    IF piw.offers_held(abi) THEN
        SELECT array_agg(s.package ORDER BY s.nth), array_agg(s.version ORDER BY s.nth) INTO head_packages, head_versions
        FROM piw.offers_sort(abi, head_packages, head_versions, true) s;
    END IF;
    -- While what a large statement changed is still being worked off, nothing is given out without another look at it.
    IF EXISTS (SELECT FROM piw.dirty_later) THEN
        RETURN QUERY
        -- Grouped, not joined: see piw.recompute.
        SELECT k.package, k.version
        FROM (SELECT h.package::varchar, h.version::varchar, h.nth, false AS wanted
              FROM unnest(head_packages, head_versions) WITH ORDINALITY AS h (package, version, nth)
              UNION ALL
              SELECT w.package, w.version, NULL, true
              FROM (SELECT * FROM piw.wanted(head_packages, head_versions)
                    UNION ALL SELECT * FROM piw.view_wanted(head_packages, head_versions)) w WHERE w.abi_tag = abi) k
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
    FROM piw.queues() a
    LEFT JOIN piw.queue_totals t ON t.abi_tag = a.abi_tag
    ORDER BY a.place, piw.abi_rank(a.abi_tag), a.abi_tag
$$;

CREATE FUNCTION piw.queues() RETURNS TABLE(abi_tag character varying, skip character varying, place integer)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT a.abi_tag, a.skip, 0 FROM piw.farm_abis() a
    UNION ALL SELECT v.view, '', v.place FROM piw.views v WHERE NOT v.common
$$;

CREATE FUNCTION piw.recompute(packages text[], versions text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    wants_package text[];
    wants_version text[];
    wants_abi text[];
    wants_released timestamp[];
    unwanted tid[];
    come_package text[];
    come_version text[];
    come_abi text[];
    come_released timestamp[];
BEGIN
    SELECT array_agg(w.package), array_agg(w.version), array_agg(w.abi_tag), array_agg(w.released)
    INTO wants_package, wants_version, wants_abi, wants_released
    FROM (SELECT * FROM piw.wanted(packages, versions) UNION ALL SELECT * FROM piw.view_wanted(packages, versions)) w;

    -- What stands there and isn't wanted so, and what is wanted and doesn't stand there: of a version that many views wait for most
    -- stays. Grouped, not joined: the planner, which must look up key after key, would compare every key with every other. And looked
    -- up by range, in the order of the primary key: of two equal conditions a plan that is made while the queue is empty would take any
    -- index that has the columns somewhere, and read all of that for each key from then on.
    SELECT array_agg(n.place) FILTER (WHERE n.abi_tag IS NULL),
           array_agg(k.package) FILTER (WHERE n.abi_tag IS NOT NULL), array_agg(k.version) FILTER (WHERE n.abi_tag IS NOT NULL),
           array_agg(n.abi_tag) FILTER (WHERE n.abi_tag IS NOT NULL), array_agg(k.released) FILTER (WHERE n.abi_tag IS NOT NULL)
    INTO unwanted, come_package, come_version, come_abi, come_released
    FROM (SELECT k.package, k.version, array_agg(k.abi_tag) FILTER (WHERE k.abi_tag IS NOT NULL) AS abi_tags,
                 max(k.released) AS released
          FROM (SELECT k.package, k.version, NULL::text AS abi_tag, NULL::timestamp AS released
                FROM unnest(packages, versions) AS k (package, version)
                UNION ALL
                SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)) k
          GROUP BY k.package, k.version) k
    CROSS JOIN LATERAL (
        SELECT array_agg(q.place) FILTER (WHERE NOT q.stays) AS unwanted,
               array_agg(q.abi_tag) FILTER (WHERE q.stays) AS stay
        FROM (SELECT q.ctid AS place, q.abi_tag::text AS abi_tag,
                     coalesce(q.abi_tag::text = ANY (k.abi_tags) AND q.released = k.released, false) AS stays
              FROM piw.queue q
              WHERE (q.package, q.version) >= (k.package, k.version) AND (q.package, q.version) <= (k.package, k.version)
              ORDER BY q.package, q.version OFFSET 0) q
    ) q
    CROSS JOIN LATERAL (
        SELECT u.place, NULL::text AS abi_tag FROM unnest(q.unwanted) AS u (place)
        UNION ALL
        SELECT NULL, w.abi_tag FROM unnest(k.abi_tags) AS w (abi_tag) WHERE q.stay IS NULL OR w.abi_tag <> ALL (q.stay)
    ) n;

    -- Rows stay in their places: whoever changes the queue holds its lock.
    IF unwanted IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM piw.queue q WHERE q.ctid = ANY (unwanted) RETURNING q.abi_tag
        )
        INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
        SELECT g.abi_tag, -count(*), count(*) FROM gone g GROUP BY g.abi_tag ORDER BY g.abi_tag
        ON CONFLICT (abi_tag) DO UPDATE SET
            pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;
    END IF;

    IF come_abi IS NOT NULL THEN
        WITH come AS (
            INSERT INTO piw.queue (package, version, abi_tag, released, popularity)
            SELECT w.package, w.version, w.abi_tag, w.released,
                   coalesce((SELECT d.popularity FROM piw.package_downloads d WHERE d.package = w.package), 0)
            FROM unnest(come_package, come_version, come_abi, come_released) AS w (package, version, abi_tag, released)
            ON CONFLICT DO NOTHING
            RETURNING abi_tag
        )
        INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
        SELECT c.abi_tag, count(*), count(*) FROM come c GROUP BY c.abi_tag ORDER BY c.abi_tag
        ON CONFLICT (abi_tag) DO UPDATE SET
            pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;
    END IF;

    -- Of a package put first nothing waits any more: what comes later waits like the others.
    DELETE FROM piw.firsts f
    WHERE f.package = ANY (packages)
      AND (SELECT true FROM piw.queue q WHERE q.package = f.package LIMIT 1) IS NULL;
END
$$;

CREATE FUNCTION piw.record_builds(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], statuses boolean[], durations_us bigint[], file_builds integer[], filenames text[], filesizes integer[], filehashes text[], package_tags text[], version_tags text[], py_tags text[], file_abis text[], platforms text[], requires text[], locations text[], metadata_hashes text[], dep_files integer[], dep_tools text[], dep_names text[], file_needs text[] DEFAULT NULL::text[], from_queues text[] DEFAULT NULL::text[], addresses text[] DEFAULT NULL::text[]) RETURNS TABLE(ord integer, recorded boolean, why text, kept text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    accepted integer[];
    moment timestamp := piw.utc_now();
    rounds integer;
    taken text[];
    taken_files bigint[];
    published boolean; -- one of these names
    unchanged text[];
    stale text[];
    kept_builds integer[] := '{}';
    kept_names text[] := '{}';
    here_builds integer[];
    here_names text[];
    views text[] := piw.views_of(abis);
BEGIN
    accepted := piw.record_rows(
        build_ids, slaves, packages, versions, abis,
        ARRAY(SELECT coalesce(from_queues[b.ord], b.abi_tag) FROM unnest(abis) WITH ORDINALITY AS b (abi_tag, ord) ORDER BY b.ord),
        statuses, durations_us,
        ARRAY(SELECT CASE WHEN b.ord = ANY (file_builds) THEN 'BOTH' ELSE 'PROJECT' END
              FROM generate_series(1, cardinality(build_ids)) AS b (ord) ORDER BY b.ord), moment, addresses);

    -- Files of the same name in one group are taken one after the other, as if each build came alone.
    SELECT coalesce(max(s.occurrences), 0) INTO rounds
    FROM (SELECT count(*) AS occurrences FROM unnest(filenames) AS f GROUP BY f) s;
    FOR round IN 1..rounds LOOP
        SELECT bool_or(f.same IS NOT NULL), array_agg(f.filename) FILTER (WHERE f.same) INTO published, unchanged
        FROM (SELECT f.filename,
                     (SELECT o.filehash = f.filehash FROM public.files o WHERE o.filename = f.filename) AS same
              FROM unnest(filenames, filehashes) AS f (filename, filehash)) f;
        stale := NULL;
        IF published AND 0 = ANY (slaves) THEN
            -- Second entries whose wheel an operator replaces, and which the new wheel doesn't have.
            SELECT array_agg(s.filename) INTO stale
            FROM unnest(file_builds, filenames, filehashes) AS f (build, filename, filehash)
            CROSS JOIN LATERAL (
                SELECT s.filename
                FROM public.files o
                JOIN public.files s ON s.filename = piw.armv6l_name(f.filename) AND s.filename <> o.filename
                                   AND s.filehash = o.filehash
                WHERE o.filename = f.filename AND o.filehash <> f.filehash OFFSET 0) s
            WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND slaves[f.build] = 0 AND s.filename <> ALL (filenames);
        END IF;

        WITH candidates AS (
            SELECT f.*, row_number() OVER (PARTITION BY f.filename ORDER BY f.ord) AS nth
            FROM unnest(file_builds, filenames, filesizes, filehashes, package_tags, version_tags, py_tags, file_abis,
                        platforms, requires, locations) WITH ORDINALITY
                AS f (build, filename, filesize, filehash, package_tag, version_tag, py_tag, abi_tag, platform_tag,
                      requires_python, location, ord)
            WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND statuses[f.build]
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
        SELECT array_agg(k.filename) FILTER (WHERE k.stored), array_agg(k.ord) FILTER (WHERE k.stored),
               array_agg(k.build) FILTER (WHERE NOT k.stored), array_agg(k.filename) FILTER (WHERE NOT k.stored)
        INTO taken, taken_files, here_builds, here_names
        -- Grouped, not joined: the planner would compare every file with every other.
        FROM (SELECT c.filename, max(c.ord) AS ord, max(c.build) AS build, bool_or(c.stored) AS stored
              FROM (SELECT c.filename, c.ord, c.build, false AS stored FROM candidates c WHERE c.nth = round
                    UNION ALL SELECT s.filename, NULL, NULL, true FROM stored s) c
              GROUP BY c.filename) k;
        IF stale IS NOT NULL THEN
            DELETE FROM public.files s WHERE s.filename = ANY (stale);
        END IF;
        kept_builds := kept_builds || here_builds;
        kept_names := kept_names || here_names;

        IF published THEN
            DELETE FROM public.dependencies d WHERE d.filename = ANY (taken);
        END IF;
        INSERT INTO public.dependencies (filename, tool, dependency)
        SELECT filenames[d.file], d.tool, d.dependency
        FROM unnest(dep_files, dep_tools, dep_names) AS d (file, tool, dependency)
        WHERE d.file = ANY (taken_files)
        ON CONFLICT DO NOTHING;
        -- What was published before keeps the time at which it was.
        INSERT INTO piw.file_facts AS o (filename, package, metadata_hash, uploaded)
        SELECT f.filename, packages[f.build], f.metadata_hash, moment
        FROM unnest(file_builds, filenames, metadata_hashes) WITH ORDINALITY AS f (build, filename, metadata_hash, ord)
        WHERE f.ord = ANY (taken_files)
        ON CONFLICT (filename) DO UPDATE SET
            package = excluded.package, metadata_hash = excluded.metadata_hash,
            uploaded = CASE WHEN o.filename = ANY (unchanged) THEN o.uploaded ELSE excluded.uploaded END;
    END LOOP;
    FOR n IN 1..cardinality(file_builds) LOOP
        IF views[file_builds[n]] IS NOT NULL AND slaves[file_builds[n]] = 0 AND file_builds[n] = ANY (accepted) THEN
            PERFORM piw.drop_second_entry(views[file_builds[n]], filenames[n], filehashes[n]);
        END IF;
    END LOOP;
    FOR n IN 1..cardinality(file_builds) LOOP
        IF views[file_builds[n]] IS NULL OR NOT statuses[file_builds[n]] OR file_builds[n] <> ALL (accepted) THEN
            CONTINUE;
        ELSIF NOT piw.record_view_file(
                ROW(views[file_builds[n]], filenames[n], build_ids[file_builds[n]], filesizes[n], filehashes[n], package_tags[n],
                    version_tags[n], py_tags[n], file_abis[n], platforms[n], requires[n], locations[n], metadata_hashes[n],
                    moment)::piw.view_files, slaves[file_builds[n]] = 0,
                EXISTS (SELECT FROM unnest(file_builds, filenames, filehashes) AS f (build, filename, filehash)
                        WHERE f.build = file_builds[n] AND f.filename = piw.armv7l_name(filenames[n]) AND f.filename <> filenames[n]
                          AND f.filehash = filehashes[n])) THEN
            kept_builds := kept_builds || file_builds[n];
            kept_names := kept_names || filenames[n];
            CONTINUE;
        END IF;
        INSERT INTO piw.view_dependencies (view, filename, tool, dependency)
        SELECT views[file_builds[n]], filenames[n], d.tool, d.dependency
        FROM unnest(dep_files, dep_tools, dep_names) AS d (file, tool, dependency)
        WHERE d.file = n
        ON CONFLICT DO NOTHING;
    END LOOP;
    IF file_needs IS NOT NULL THEN
        PERFORM piw.record_needs(build_ids, slaves, abis, file_builds, filenames, file_needs);
    END IF;
    IF cardinality(array_remove(from_queues, NULL)) > 0 THEN
        PERFORM piw.record_uncovered(accepted, from_queues, build_ids, slaves, packages, versions, durations_us, moment);
    END IF;

    RETURN QUERY
    SELECT b.ord::integer, b.ord = ANY (accepted),
           CASE WHEN b.ord = ANY (accepted) THEN '' ELSE piw.why_refused(b.package, b.version, abis[b.ord]) END,
           ARRAY(SELECT k.name FROM unnest(kept_builds, kept_names) AS k (build, name)
                 WHERE k.build = b.ord ORDER BY k.name)
    FROM unnest(packages, versions) WITH ORDINALITY AS b (package, version, ord)
    ORDER BY b.ord;
END
$$;

CREATE FUNCTION piw.record_failures(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], durations_us bigint[], addresses text[] DEFAULT NULL::text[]) RETURNS TABLE(ord integer, recorded boolean, why text, kept text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    amount constant integer := cardinality(build_ids);
    accepted integer[];
BEGIN
    accepted := piw.record_rows(build_ids, slaves, packages, versions, abis, abis, array_fill(false, ARRAY[amount]), durations_us,
                                array_fill('PROJECT'::text, ARRAY[amount]), piw.utc_now(), addresses);
    FOR n IN 1..amount LOOP
        ord := n;
        recorded := n = ANY (accepted);
        why := CASE WHEN recorded THEN '' ELSE piw.why_refused(packages[n], versions[n], abis[n]) END;
        kept := '{}';
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION piw.record_needs(build_ids integer[], slaves integer[], abis text[], file_builds integer[], filenames text[], file_needs text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    views text[] := piw.views_of(abis);
    homes text[];
    names text[];
    lists text[];
    builders integer[];
    learned record;
BEGIN
    IF NOT EXISTS (SELECT FROM piw.views) THEN
        RETURN;
    END IF;
    SELECT array_agg(coalesce(views[f.build], '')), array_agg(f.filename), array_agg(f.needs), array_agg(f.build)
    INTO homes, names, lists, builders
    FROM unnest(file_builds, filenames, file_needs) AS f (build, filename, needs)
    WHERE f.filename NOT LIKE '%-any.whl'
      AND CASE WHEN views[f.build] IS NULL
               THEN (SELECT o.build_id FROM public.files o WHERE o.filename = f.filename) = build_ids[f.build]
               ELSE (SELECT o.build_id FROM piw.view_files o
                     WHERE o.view = views[f.build] AND o.filename = f.filename) = build_ids[f.build] END;
    IF names IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM piw.file_needs n USING unnest(homes, names, lists) AS f (home, filename, needs)
    WHERE n.view = f.home AND n.filename = f.filename AND f.needs IS NULL;
    INSERT INTO piw.file_needs AS o (view, filename, needs)
    SELECT DISTINCT ON (f.home, f.filename) f.home, f.filename, string_to_array(f.needs, ' ')
    FROM unnest(homes, names, lists) AS f (home, filename, needs) WHERE f.needs IS NOT NULL
    ON CONFLICT (view, filename) DO UPDATE SET needs = excluded.needs WHERE o.needs <> excluded.needs;
    FOR learned IN
        SELECT v.view, array_agg(DISTINCT w.word) AS words
        FROM unnest(builders, lists) AS f (build, needs)
        JOIN piw.views v ON CASE WHEN views[f.build] IS NULL THEN v.common AND v.abi_tag = abis[f.build]
                                 ELSE v.view = views[f.build] END
        CROSS JOIN unnest(string_to_array(f.needs, ' ')) AS w (word)
        WHERE slaves[f.build] <> 0
        GROUP BY v.view ORDER BY v.view
    LOOP
        PERFORM piw.learn_words(learned.view, learned.words);
    END LOOP;
END
$$;

CREATE FUNCTION piw.record_rows(build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], queues text[], statuses boolean[], durations_us bigint[], pages text[], moment timestamp without time zone, addresses text[]) RETURNS integer[]
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    accepted integer[];
    attempts bigint[];
    noted bigint[]; -- those of them that are there
    rested boolean;
    has_views boolean;
    had_views boolean;
    views text[];   -- NULL: none of them is for a view
BEGIN
    SELECT EXISTS (SELECT FROM piw.views v WHERE NOT v.common), EXISTS (SELECT FROM piw.view_names) INTO has_views, had_views;
    IF has_views THEN
        views := piw.views_of(abis);
    END IF;
    -- One array is unnested, by whose positions the others are read: each more would cost as much as looking up a row.
    SELECT array_agg(b.ord),
           array_agg((SELECT a.attempt_id FROM piw.attempts a
                      WHERE a.state = 'running' AND a.slave_id = slaves[b.ord] AND a.package = packages[b.ord]
                        AND a.version = versions[b.ord] AND a.abi_tag = queues[b.ord] LIMIT 1)),
           bool_or(EXISTS (SELECT FROM piw.attempts a
                           WHERE a.state = 'transient' AND a.counts AND a.package = packages[b.ord]
                             AND a.version = versions[b.ord] AND a.abi_tag IN (abis[b.ord], queues[b.ord])))
    INTO accepted, attempts, rested
    FROM unnest(build_ids) WITH ORDINALITY AS b (build_id, ord)
    WHERE array_position(build_ids, b.build_id) = b.ord -- of one number twice the first
      AND (SELECT o.build_id FROM public.builds o WHERE o.build_id = b.build_id) IS NULL
      AND (SELECT o.build_id FROM piw.view_builds o WHERE o.build_id = b.build_id) IS NULL
      AND (views[b.ord] IS NOT NULL OR (abis[b.ord] !~ '[.-]' AND NOT (had_views AND piw.was_view(abis[b.ord]))))
      AND (SELECT 'quarantined' NOT IN (v.skip, p.skip)
           FROM public.versions v JOIN public.packages p ON p.package = v.package
           WHERE v.package = packages[b.ord] AND v.version = versions[b.ord]);
    IF cardinality(array_remove(addresses, NULL)) > 0 THEN
        PERFORM piw.note_short_attempts(build_ids, slaves, packages, versions, queues, statuses, moment, addresses, accepted);
    END IF;
    IF accepted IS NULL THEN
        RETURN '{}';
    END IF;
    -- A microsecond apart: package, version, time and builder together are unique.
    INSERT INTO public.builds (build_id, package, version, built_by, built_at, duration, status, abi_tag)
    SELECT build_ids[b.ord], packages[b.ord], versions[b.ord], slaves[b.ord], moment + b.ord * interval '1 microsecond',
           durations_us[b.ord] * interval '1 microsecond', statuses[b.ord], abis[b.ord]
    FROM unnest(accepted) AS b (ord)
    WHERE views[b.ord] IS NULL;
    IF cardinality(array_remove(views, NULL)) > 0 THEN
        PERFORM piw.record_view_rows(accepted, views, build_ids, slaves, packages, versions, statuses, durations_us, moment);
    END IF;
    noted := array_remove(attempts, NULL);
    IF cardinality(noted) > 0 THEN
        UPDATE piw.attempts a SET state = CASE WHEN b.status THEN 'built' ELSE 'failed' END, ended = moment,
            build_id = b.build_id
        FROM (SELECT t.attempt_id, build_ids[t.ord] AS build_id, statuses[t.ord] AS status
              FROM unnest(attempts, accepted) AS t (attempt_id, ord)) b
        WHERE a.attempt_id = ANY (noted) AND a.attempt_id = b.attempt_id;
    END IF;
    IF rested THEN
        FOR n IN 1..cardinality(accepted) LOOP
            UPDATE piw.attempts a SET counts = false
            WHERE a.state = 'transient' AND a.counts AND a.package = packages[accepted[n]]
              AND a.version = versions[accepted[n]] AND a.abi_tag IN (abis[accepted[n]], queues[accepted[n]]);
        END LOOP;
    END IF;
    PERFORM piw.note_pages(array_agg(packages[b.ord]), array_agg(pages[b.ord])) FROM unnest(accepted) AS b (ord);
    RETURN accepted;
END
$$;

CREATE FUNCTION piw.record_uncovered(accepted integer[], queues text[], build_ids integer[], slaves integer[], packages text[], versions text[], durations_us bigint[], moment timestamp without time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    FOR n IN 1..cardinality(queues) LOOP
        CONTINUE WHEN queues[n] IS NULL OR n <> ALL (accepted);
        INSERT INTO piw.view_builds (build_id, view, package, version, built_by, built_at, duration, status)
        SELECT build_ids[n], v.view, packages[n], versions[n], slaves[n], moment, durations_us[n] * interval '1 microsecond', true
        FROM piw.views v
        WHERE v.view = queues[n] AND NOT v.common AND NOT EXISTS (
            SELECT FROM piw.version_files(packages[n]::varchar, versions[n]::varchar) f
            WHERE piw.view_runs(piw.abi_takes(v.abi_tag), v.platforms, piw.view_words(v.view), f.builder, f.py_version_tag, f.abi_tag,
                                f.platform_tag, f.needs));
    END LOOP;
END
$$;

CREATE TABLE piw.view_files (
    view character varying(32) NOT NULL,
    filename character varying(255) NOT NULL,
    build_id integer NOT NULL,
    filesize integer NOT NULL,
    filehash character(64) NOT NULL,
    package_tag character varying(200) NOT NULL,
    package_version_tag character varying(200) NOT NULL,
    py_version_tag character varying(100) NOT NULL,
    abi_tag character varying(100) NOT NULL,
    platform_tag character varying(100) NOT NULL,
    requires_python character varying(200),
    location character varying(100) DEFAULT ''::character varying NOT NULL,
    metadata_hash character(64),
    uploaded timestamp without time zone NOT NULL
);

CREATE FUNCTION piw.record_view_file(file piw.view_files, imported boolean, second boolean) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT imported AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = file.view AND o.filename = file.filename)
       AND piw.means_another(file.view, file.filename, file.filehash) THEN
        RETURN false;
    END IF;
    INSERT INTO piw.view_files AS o SELECT file.*
    ON CONFLICT (view, filename) DO UPDATE SET
        build_id = excluded.build_id, filesize = excluded.filesize, filehash = excluded.filehash,
        package_tag = excluded.package_tag, package_version_tag = excluded.package_version_tag,
        py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag, platform_tag = excluded.platform_tag,
        requires_python = excluded.requires_python, location = excluded.location, metadata_hash = excluded.metadata_hash,
        uploaded = CASE WHEN o.filehash = excluded.filehash THEN o.uploaded ELSE excluded.uploaded END
    WHERE o.filehash = excluded.filehash OR (imported AND NOT second);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM piw.view_dependencies d WHERE d.view = file.view AND d.filename = file.filename;
    DELETE FROM piw.view_removals r WHERE r.view = file.view AND r.filename = file.filename;
    RETURN true;
END
$$;

CREATE FUNCTION piw.record_view_rows(accepted integer[], views text[], build_ids integer[], slaves integer[], packages text[], versions text[], statuses boolean[], durations_us bigint[], moment timestamp without time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO piw.view_builds (build_id, view, package, version, built_by, built_at, duration, status)
    SELECT build_ids[a.ord], views[a.ord], packages[a.ord], versions[a.ord], slaves[a.ord],
           moment + a.ord * interval '1 microsecond', durations_us[a.ord] * interval '1 microsecond', statuses[a.ord]
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL;
    PERFORM piw.note(array_agg(packages[a.ord]), array_agg(versions[a.ord]))
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL;
    INSERT INTO piw.deltas (kind, package_tag, moment, amount)
    SELECT CASE WHEN statuses[a.ord] THEN 'built' ELSE 'failed' END, views[a.ord], moment::date, count(*)
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL GROUP BY 1, 2;
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
    PERFORM piw.recount_days();
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

CREATE FUNCTION piw.recount_days() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    INSERT INTO piw.days (day, kind, word, amount)
    SELECT b.built_at::date, CASE WHEN b.status THEN 'built' ELSE 'failed' END, b.abi_tag, count(*)
    FROM public.builds b
    WHERE b.built_at::date NOT IN (SELECT d.day FROM piw.days d WHERE d.kind IN ('built', 'failed'))
      AND b.built_at::date NOT IN (SELECT d.moment::date FROM piw.deltas d WHERE d.kind IN ('built', 'failed'))
    GROUP BY 1, 2, 3
$$;

CREATE FUNCTION piw.recount_downloads() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    WITH noted AS (
        DELETE FROM piw.deltas d WHERE d.kind = 'downloads'
    ), noted_packages AS (
        DELETE FROM piw.download_notes
    ), views AS (
        UPDATE piw.view_counts SET stale = true
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
    ), file_days AS MATERIALIZED (
        SELECT m.filename, m.hour::date AS day, sum(m.downloads)::bigint AS downloads FROM moments m GROUP BY 1, 2
    ), kept_file_days AS (
        INSERT INTO piw.file_days AS d (day, filename, downloads)
        SELECT o.day, o.filename, o.downloads FROM file_days o, piw.download_window w WHERE o.day >= w.since
        ON CONFLICT (day, filename) DO UPDATE SET downloads = excluded.downloads WHERE d.downloads <> excluded.downloads
    ), gone_file_days AS (
        DELETE FROM piw.file_days d
        WHERE NOT EXISTS (SELECT FROM file_days o WHERE o.day = d.day AND o.filename = d.filename)
    ), files AS MATERIALIZED (
        SELECT o.filename, coalesce(sum(o.downloads) FILTER (WHERE o.day >= w.since), 0) AS recent,
               sum(o.downloads) AS ever
        FROM file_days o, piw.download_window w GROUP BY o.filename
    ), kept_files AS (
        INSERT INTO piw.file_downloads AS f (filename, recent, ever) SELECT o.filename, o.recent, o.ever FROM files o
        ON CONFLICT (filename) DO UPDATE SET recent = excluded.recent, ever = excluded.ever
        WHERE (f.recent, f.ever) <> (excluded.recent, excluded.ever)
    ), gone_files AS (
        DELETE FROM piw.file_downloads f WHERE NOT EXISTS (SELECT FROM files o WHERE o.filename = f.filename)
    ), days AS MATERIALIZED (
        SELECT piw.download_package(m.filename, b.package) AS package, m.day, sum(m.downloads)::bigint AS downloads
        FROM file_days m
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
    FROM (SELECT a.abi_tag FROM piw.queues() a UNION SELECT t.abi_tag FROM piw.queue_totals t
          UNION SELECT q.abi_tag FROM piw.queue q) k
    LEFT JOIN (SELECT q.abi_tag, count(*) AS pending FROM piw.queue q GROUP BY q.abi_tag) q ON q.abi_tag = k.abi_tag
    ORDER BY k.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET pending = excluded.pending, changes = t.changes + 1
$$;

CREATE FUNCTION piw.recount_some_versions(after text, upto text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
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
    DELETE FROM piw.removals r WHERE r.filename = ANY (filenames);
    DELETE FROM piw.withheld w
    WHERE w.filename = ANY (filenames) AND NOT EXISTS (SELECT FROM public.files f WHERE f.filename = w.filename)
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

CREATE FUNCTION piw.remove_abi(abi text, force boolean, OUT outcome text, OUT builds bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM public.build_abis a WHERE a.abi_tag = abi FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'unknown';
        builds := 0;
        RETURN;
    END IF;
    SELECT count(*) INTO builds FROM public.builds b WHERE b.abi_tag = abi;
    IF EXISTS (SELECT FROM piw.views v WHERE v.common AND v.abi_tag = abi) THEN
        outcome := 'common';
        RETURN;
    END IF;
    IF builds > 0 AND NOT force THEN
        outcome := 'built';
        RETURN;
    END IF;
    DELETE FROM public.build_abis a WHERE a.abi_tag = abi;
    outcome := 'removed';
END
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
        PERFORM piw.forget_view_builds_of(pkg, NULL, false);
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
        PERFORM piw.forget_view_builds_of(pkg, ver, false);
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
    builds := builds + piw.forget_view_builds_of(pkg, ver, true);
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
    DELETE FROM piw.pages_due d USING unnest(packages, commands) AS r (package, command)
    WHERE d.package = r.package AND r.command <= d.command;
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
    WHERE p.package > after::varchar AND p.skip NOT IN ('deleted', 'quarantined')
    ORDER BY p.package
    LIMIT lim
$$;

CREATE FUNCTION piw.set_view_counts(machines_changed boolean) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    UPDATE piw.view_counts c SET stale = true
    WHERE machines_changed OR NOT EXISTS (SELECT FROM piw.views v WHERE v.view = c.view AND v.popular > 0);
    INSERT INTO piw.view_counts (view, since)
    SELECT v.view, date_trunc('hour', piw.utc_now()) + interval '1 hour' FROM piw.views v WHERE v.popular > 0
    ON CONFLICT DO NOTHING;
$$;

CREATE FUNCTION piw.set_views(names text[], abis text[], platforms text[], libraries text[], commons boolean[], skips boolean[], stables boolean[], newest integer[], popular integer[], pures boolean[], os_names text[], os_versions text[], machines text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    given piw.views[];
    gone text[];
    fault text;
    asks boolean;
    others boolean; -- machines than before
BEGIN
    SELECT coalesce(array_agg(ROW(v.view, v.place, v.abi_tag, string_to_array(v.platforms, ' '), string_to_array(v.libraries, ' '),
                                  v.common, v.skip, v.stable, v.newest, v.popular, v.pure, string_to_array(v.os_names, ' '),
                                  v.os_version, string_to_array(v.machines, ' '))::piw.views ORDER BY v.place), '{}')
    INTO given
    FROM unnest(set_views.names, set_views.abis, set_views.platforms, set_views.libraries, set_views.commons,
                set_views.skips, set_views.stables, set_views.newest, set_views.popular, set_views.pures, set_views.os_names,
                set_views.os_versions, set_views.machines) WITH ORDINALITY
        AS v (view, abi_tag, platforms, libraries, common, skip, stable, newest, popular, pure, os_names, os_version, machines, place);
    asks := EXISTS (SELECT FROM unnest(given) g WHERE g.skip_pypi_wheels OR NOT g.pure_from_pypi);
    IF asks THEN -- until cloud_gazer, which starts now, says how long
        UPDATE piw.offers_hold h SET until = greatest(h.until, piw.utc_now() + interval '1 minute');
    END IF;
    IF given = coalesce((SELECT array_agg(v ORDER BY v.place) FROM piw.views v), '{}') THEN
        RETURN;
    END IF;
    SELECT g.view INTO fault FROM unnest(given) g JOIN public.build_abis a ON a.abi_tag = g.view LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the view % has the name of an ABI that the farm builds for: it needs another', fault;
    END IF;
    SELECT g.view INTO fault FROM unnest(given) g WHERE g.common AND EXISTS (SELECT FROM piw.view_builds b WHERE b.view = g.view);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the view % has builds of its own and can''t become the common one; see common in [site]', fault;
    END IF;
    PERFORM pg_advisory_xact_lock(7306001);
    SELECT array_agg(v.view) INTO gone FROM piw.views v
    WHERE NOT v.common AND NOT EXISTS (SELECT FROM unnest(given) g WHERE g.view = v.view AND NOT g.common);
    DELETE FROM piw.view_drops d USING unnest(given) g WHERE d.view = g.view;
    IF NOT asks THEN -- nobody keeps up what is known
        DELETE FROM piw.pypi_known;
    END IF;
    -- Nobody has asked what wheels need that came while there was no view.
    IF cardinality(given) = 0 THEN
        UPDATE piw.needs_pass SET done = true;
    ELSIF NOT EXISTS (SELECT FROM piw.views) THEN
        UPDATE piw.needs_pass SET after = '', done = NOT EXISTS (SELECT FROM public.files);
    END IF;
    SELECT array_agg((v.view, v.abi_tag, v.platforms, v.os_names, v.os_version, v.machines)::text ORDER BY v.place)
           IS DISTINCT FROM (SELECT array_agg((g.view, g.abi_tag, g.platforms, g.os_names, g.os_version, g.machines)::text ORDER BY g.place)
                             FROM unnest(given) g)
    INTO others FROM piw.views v;
    DELETE FROM piw.views;
    INSERT INTO piw.views SELECT g.* FROM unnest(given) g;
    PERFORM piw.set_view_counts(others);
    INSERT INTO piw.view_names SELECT g.view FROM unnest(given) g ON CONFLICT DO NOTHING;
    INSERT INTO public.build_abis (abi_tag) SELECT g.abi_tag FROM unnest(given) g WHERE g.common ON CONFLICT DO NOTHING;
    -- What stood only in the queue of a view that has gone leaves it; the others' may be wanted or not by now.
    PERFORM piw.note_refill(g.view) FROM unnest(gone) AS g (view);
    IF cardinality(given) > 0 OR (SELECT count(*) FROM public.build_abis) > 1 THEN -- without views every ABI is built for
        PERFORM piw.note_refill(NULL);
    END IF;
END
$$;

CREATE FUNCTION piw.shift_files(last_day date, slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    places tid[];
    gone piw.file_days[];
BEGIN
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT ctid AS place FROM piw.file_days WHERE day <= last_day ORDER BY day, filename LIMIT slice) o;
    WITH taken AS (DELETE FROM piw.file_days d WHERE d.ctid = ANY (places) RETURNING d)
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL THEN
        RETURN false;
    END IF;
    UPDATE piw.file_downloads f SET recent = f.recent - g.downloads
    FROM (SELECT o.filename, sum(o.downloads) AS downloads FROM unnest(gone) o GROUP BY o.filename) g
    WHERE f.filename = g.filename;
    RETURN true;
END
$$;

CREATE FUNCTION piw.shift_views(last_day date, slice integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    places tid[];
    gone piw.view_download_days[];
    turned text[];
BEGIN
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT ctid AS place FROM piw.view_download_days WHERE day <= last_day ORDER BY day, view, package LIMIT slice) o;
    WITH taken AS (DELETE FROM piw.view_download_days d WHERE d.ctid = ANY (places) RETURNING d)
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL THEN
        RETURN false;
    END IF;
    FOR n IN 1..cardinality(gone) LOOP
        UPDATE piw.view_downloads d SET recent = d.recent - gone[n].downloads WHERE d.view = gone[n].view AND d.package = gone[n].package;
        DELETE FROM piw.view_downloads d WHERE d.view = gone[n].view AND d.package = gone[n].package AND d.recent <= 0;
    END LOOP;
    SELECT array_agg(g.package) INTO turned
    FROM (SELECT o.view, o.package, sum(o.downloads) AS downloads FROM unnest(gone) o GROUP BY o.view, o.package) g
    WHERE EXISTS (SELECT FROM piw.views v
                  WHERE v.view = g.view
                    AND coalesce((SELECT d.recent FROM piw.view_downloads d WHERE d.view = g.view AND d.package = g.package), 0)
                        BETWEEN v.popular - g.downloads AND v.popular - 1);
    PERFORM piw.note_popular(turned);
    RETURN true;
END
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
    places tid[];
    gone piw.download_days[];
BEGIN
    IF (SELECT w.since FROM piw.download_window w) > last_day THEN
        RETURN false;
    END IF;
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT ctid AS place FROM piw.download_days WHERE day <= last_day ORDER BY day, package LIMIT slice) o;
    WITH taken AS (DELETE FROM piw.download_days d WHERE d.ctid = ANY (places) RETURNING d)
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL AND (piw.shift_files(last_day, slice) OR piw.shift_views(last_day, slice)) THEN
        RETURN true;
    END IF;
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

CREATE FUNCTION piw.show(packages text[], versions text[]) RETURNS SETOF piw.pypi_change
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    shown piw.quarantines[];
BEGIN
    WITH gone AS (
        DELETE FROM piw.quarantines q
        USING (SELECT DISTINCT k.package, coalesce(k.version, '') AS version
               FROM unnest(packages, versions) AS k (package, version)) k
        WHERE q.package = k.package AND q.version = k.version
        RETURNING q
    )
    SELECT array_agg(g.q) INTO shown FROM gone g;
    RETURN QUERY
    WITH back AS (
        UPDATE public.packages p SET skip = s.former
        FROM unnest(shown) s
        WHERE s.version = '' AND p.package = s.package AND p.skip = 'quarantined'
        RETURNING p.package
    )
    SELECT b.package::text, NULL::text, 'shown'::text FROM back b;
    RETURN QUERY
    WITH back AS (
        UPDATE public.versions v SET skip = s.former
        FROM unnest(shown) s
        WHERE v.package = s.package AND v.version = s.version AND v.skip = 'quarantined'
        RETURNING v.package, v.version
    )
    SELECT b.package::text, b.version::text, 'shown'::text FROM back b;
END
$$;

CREATE FUNCTION piw.show_heads(queues text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF queues IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(7306001);
        UPDATE piw.queue_totals t SET changes = t.changes + 1 WHERE t.abi_tag = ANY (queues);
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

CREATE FUNCTION piw.site_days() RETURNS TABLE(day date, kind text, word character varying, amount bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT d.day, d.kind, d.word, d.amount FROM piw.days d WHERE d.day > piw.utc_now()::date - 60
    UNION ALL
    SELECT h.hour::date, 'downloads', '', sum(h.downloads)::bigint FROM piw.download_hours h
    WHERE h.hour >= piw.utc_now()::date - 59 GROUP BY h.hour::date
    ORDER BY 1, 2, 3
$$;

CREATE FUNCTION piw.site_mark(given text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF given <> '' THEN
        INSERT INTO piw.site (mark) VALUES (given) ON CONFLICT DO NOTHING;
    END IF;
    RETURN coalesce((SELECT s.mark FROM piw.site s), '');
END
$$;

CREATE FUNCTION piw.skip_abi(abi text, reason text, OUT outcome text, OUT builds bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    builds := 0;
    UPDATE public.build_abis a SET skip = reason WHERE a.abi_tag = abi;
    outcome := CASE WHEN FOUND THEN 'skipped' ELSE 'unknown' END;
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
    due varchar[];
BEGIN
    SELECT array_agg(o.package) INTO due FROM (SELECT package FROM piw.popularity_due ORDER BY package LIMIT slice) o;
    IF due IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM piw.popularity_due p WHERE p.package = ANY (due);
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
        PERFORM piw.forget_view_builds(array_agg(b.build_id)) FROM piw.view_builds b;
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'build_abis' THEN
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'downloads' THEN
        DELETE FROM piw.deltas d WHERE d.kind = 'downloads';
        INSERT INTO piw.deltas (kind, moment, amount) SELECT 'downloads', h.hour, -h.downloads FROM piw.download_hours h;
        DELETE FROM piw.download_notes;
        INSERT INTO piw.download_notes (package, filename, day, amount)
        SELECT d.package, NULL, d.day, -d.downloads FROM piw.download_days d
        UNION ALL
        SELECT p.package, NULL, '-infinity', p.recent - p.ever FROM piw.package_downloads p WHERE p.ever <> p.recent
        UNION ALL
        SELECT NULL, d.filename, d.day, -d.downloads FROM piw.file_days d
        UNION ALL
        SELECT NULL, f.filename, '-infinity', f.recent - f.ever FROM piw.file_downloads f WHERE f.ever <> f.recent;
        UPDATE piw.view_counts SET stale = true;
    ELSE
        INSERT INTO piw.deltas (kind, amount) VALUES ('recount', 0);
        PERFORM piw.note_refill(NULL);
    END CASE;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.utc_now() RETURNS timestamp without time zone
    LANGUAGE sql PARALLEL SAFE
    AS $$
    SELECT pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
$$;

CREATE FUNCTION piw.version_files(pkg character varying, ver character varying) RETURNS TABLE(view character varying, filename character varying, build_id integer, builder character varying, py_version_tag character varying, abi_tag character varying, platform_tag character varying, needs text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT '', f.filename, f.build_id, b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag,
           (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = f.filename)
    FROM public.builds b
    CROSS JOIN LATERAL (SELECT f.* FROM public.files f WHERE f.build_id = b.build_id OFFSET 0) f
    WHERE b.package = pkg AND b.version = ver
    UNION ALL
    SELECT f.view, f.filename, f.build_id, o.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag,
           (SELECT n.needs FROM piw.file_needs n WHERE n.view = f.view AND n.filename = f.filename)
    FROM piw.view_builds b
    CROSS JOIN LATERAL (SELECT f.* FROM piw.view_files f WHERE f.build_id = b.build_id OFFSET 0) f
    CROSS JOIN LATERAL (SELECT o.abi_tag FROM piw.views o WHERE o.view = b.view OFFSET 0) o
    WHERE b.package = pkg AND b.version = ver
$$;

CREATE FUNCTION piw.versions_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO piw.ages SELECT n.released, n.package, n.version FROM new_rows n;
        IF (SELECT count(*) FROM new_rows) > 2000 THEN -- as piw.note has it
            INSERT INTO piw.dirty_later (package, version) SELECT n.package, n.version FROM new_rows n;
            PERFORM pg_notify('piw_queue', '');
        ELSE
            PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
        END IF;
        IF EXISTS (SELECT FROM piw.views v WHERE v.newest > 0) THEN
            PERFORM piw.note_packages(array_agg(n.package::text)) FROM new_rows n;
        END IF;
        -- Known to be quarantined before it was here.
        IF EXISTS (SELECT FROM new_rows n JOIN piw.quarantines q ON q.package = n.package AND q.version = n.version) THEN
            UPDATE piw.quarantines q SET former = n.skip
            FROM new_rows n WHERE q.package = n.package AND q.version = n.version AND n.skip <> 'quarantined';
            UPDATE public.versions v SET skip = 'quarantined'
            FROM new_rows n, piw.quarantines q
            WHERE v.package = n.package AND v.version = n.version AND q.package = n.package AND q.version = n.version
              AND v.skip <> 'quarantined';
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM piw.ages a USING old_rows o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
        IF EXISTS (SELECT FROM piw.view_builds) THEN
            PERFORM piw.forget_view_builds(array_agg(b.build_id))
            FROM old_rows o JOIN piw.view_builds b ON b.package = o.package AND b.version = o.version;
        END IF;
        IF EXISTS (SELECT FROM piw.pypi_wheels) THEN
            DELETE FROM piw.pypi_wheels w USING old_rows o WHERE w.package = o.package AND w.version = o.version;
        END IF;
        PERFORM piw.note_packages(array_agg(o.package::text)) FROM old_rows o;
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
        PERFORM piw.note_packages(array_agg(n.package::text)) FROM new_rows n;
        IF EXISTS (SELECT FROM new_rows n WHERE n.skip = 'quarantined') THEN
            PERFORM piw.withhold(array_agg(n.package::text)) FROM new_rows n WHERE n.skip = 'quarantined';
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.view_counts_due() RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM piw.view_counts c WHERE c.stale OR c.since > (SELECT w.since FROM piw.download_window w));
END
$$;

CREATE FUNCTION piw.view_links(packages text[]) RETURNS TABLE(package character varying, version character varying, view character varying, home character varying, filename character varying)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH kinds AS MATERIALIZED (
        SELECT v.view, v.place, v.common, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has
        FROM piw.views v
    ), files AS MATERIALIZED (
        SELECT b.package, b.version, ''::varchar AS home, 0 AS place,
               coalesce((SELECT x.uploaded FROM piw.file_facts x WHERE x.filename = f.filename), b.built_at) AS uploaded,
               b.abi_tag AS builder, f.filename, f.filehash, f.py_version_tag, f.abi_tag, f.platform_tag,
               (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = f.filename) AS needs
        FROM public.builds b
        CROSS JOIN LATERAL (SELECT f.* FROM public.files f WHERE f.build_id = b.build_id OFFSET 0) f
        WHERE b.package = ANY (view_links.packages)
          AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = f.filename)
        UNION ALL
        SELECT b.package, b.version, f.view, o.place, f.uploaded, o.abi_tag, f.filename, f.filehash, f.py_version_tag, f.abi_tag,
               f.platform_tag,
               (SELECT n.needs FROM piw.file_needs n WHERE n.view = f.view AND n.filename = f.filename)
        FROM piw.view_builds b
        CROSS JOIN LATERAL (SELECT f.* FROM piw.view_files f WHERE f.build_id = b.build_id OFFSET 0) f
        JOIN piw.views o ON o.view = b.view
        WHERE b.package = ANY (view_links.packages)
          AND NOT EXISTS (SELECT FROM piw.view_withheld w WHERE w.view = f.view AND w.filename = f.filename)
    )
    SELECT DISTINCT ON (f.package, f.version, k.place, f.filename) f.package, f.version, k.view, f.home, f.filename
    FROM files f
    JOIN kinds k ON f.home <> k.view
    WHERE CASE WHEN k.common AND f.home = '' THEN true
               ELSE coalesce(piw.view_runs(k.takes, k.platforms, k.has, f.builder, f.py_version_tag, f.abi_tag,
                                           f.platform_tag, f.needs), false) END
      AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = k.view AND o.filename = f.filename)
    ORDER BY f.package, f.version, k.place, f.filename,
             coalesce((SELECT m.filehash <> f.filehash FROM piw.view_meanings m WHERE m.view = k.view AND m.filename = f.filename), true),
             f.uploaded, f.place;
END
$$;

CREATE FUNCTION piw.view_list() RETURNS TABLE(view character varying, abi_tag character varying, common boolean, ruled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT v.view, v.abi_tag, v.common, v.view IN (SELECT piw.views_with_rules()) FROM piw.views v ORDER BY v.place
$$;

CREATE FUNCTION piw.view_removals_done(views text[], filenames text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    DELETE FROM piw.view_removals r USING unnest(views, filenames) AS f (view, filename)
    WHERE r.view = f.view AND r.filename = f.filename;
    DELETE FROM piw.view_withheld w USING unnest(views, filenames) AS f (view, filename)
    WHERE w.view = f.view AND w.filename = f.filename
      AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = w.view AND o.filename = w.filename)
$$;

CREATE FUNCTION piw.view_removals_due(linger interval, lim integer) RETURNS TABLE(package character varying, filename character varying, view character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT r.package, r.filename, r.view
    FROM piw.view_removals r
    WHERE r.removed <= piw.utc_now() - linger
      AND NOT EXISTS (SELECT FROM piw.view_files f WHERE f.view = r.view AND f.filename = r.filename)
    ORDER BY r.removed, r.view, r.filename
    LIMIT lim
$$;

CREATE FUNCTION piw.view_rule(of_view text, pkg text, ver text, moment timestamp without time zone) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    own piw.views;
    there piw.pypi_wheels;
    recent bigint;
BEGIN
    SELECT * INTO own FROM piw.views v WHERE v.view = of_view;
    IF own.stable_only AND NOT piw.is_stable(ver) THEN
        RETURN 'stable_only: it is a pre-release';
    END IF;
    IF own.newest > 0 AND (SELECT count(*) FROM (
            SELECT FROM public.versions n
            WHERE n.package = pkg AND n.skip = '' AND (n.released, n.version) > (moment, ver)
              AND (NOT own.stable_only OR piw.is_stable(n.version)) LIMIT own.newest) n) >= own.newest THEN
        RETURN format('newest: there are %s newer ones', own.newest);
    END IF;
    IF own.popular > 0 THEN
        recent := coalesce((SELECT d.recent FROM piw.view_downloads d WHERE d.view = of_view AND d.package = pkg), 0);
        IF recent < own.popular THEN
            RETURN format('popular: %s of %s downloads by such machines in 30 days', recent, own.popular);
        END IF;
    END IF;
    IF own.skip_pypi_wheels OR NOT own.pure_from_pypi THEN
        SELECT w.* INTO there FROM piw.pypi_wheels w WHERE w.package = pkg AND w.version = ver;
        IF there.tags IS NOT NULL AND own.skip_pypi_wheels
           AND piw.pypi_serves(there.tags, there.pythons, own.abi_tag, own.platforms, piw.glibc_of(own.libraries), false) THEN
            RETURN 'skip_pypi_wheels: PyPI has a wheel for this kind of machine';
        END IF;
        IF there.tags IS NOT NULL AND NOT own.pure_from_pypi
           AND piw.pypi_serves(there.tags, there.pythons, own.abi_tag, own.platforms, NULL, true) THEN
            RETURN 'pure_from_pypi: PyPI has a wheel for any machine';
        END IF;
    END IF;
    RETURN '';
END
$$;

CREATE FUNCTION piw.view_runs(takes text[], platforms text[], has text[], builder text, py_tags text, abi_tags text, platform_tags text, needs text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN platform_tags = 'any' THEN true
                WHEN pg_catalog.string_to_array(platform_tags, '.') && platforms
                THEN coalesce(piw.meets(needs, has), false)
                ELSE false END
           AND (piw.build_offers(builder, py_tags, abi_tags))[2:] && takes
$$;

CREATE FUNCTION piw.view_wanted(packages text[], versions text[]) RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    unread varchar := piw.needs_unread();
BEGIN
    IF NOT EXISTS (SELECT FROM piw.views v WHERE NOT v.common) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH keys AS (
        SELECT DISTINCT k.package, k.version FROM unnest(view_wanted.packages, view_wanted.versions) AS k (package, version)
    ), kinds AS MATERIALIZED (
        SELECT v.view, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has,
               v.view IN (SELECT r.view FROM piw.views_with_rules() r) AS ruled
        FROM piw.views v WHERE NOT v.common
    )
    SELECT v.package, v.version, k.view, v.released
    FROM keys
    CROSS JOIN LATERAL (
        SELECT v.package, v.version, v.released
        FROM public.versions v
        JOIN public.packages p ON p.package = v.package
        WHERE v.package = keys.package AND v.version = keys.version AND v.skip = '' AND p.skip = '' OFFSET 0
    ) v
    CROSS JOIN LATERAL (
        SELECT array_agg(c.view) AS views
        FROM (SELECT b.view FROM piw.view_builds b WHERE b.package = v.package AND b.version = v.version
              UNION ALL
              SELECT k.view
              FROM piw.version_files(v.package, v.version) f
              JOIN kinds k ON piw.view_runs(k.takes, k.platforms, k.has, f.builder, f.py_version_tag, f.abi_tag,
                                            f.platform_tag, piw.needs_for_now(f.view, f.filename, f.needs, unread))) c
    ) covered
    CROSS JOIN kinds k
    WHERE (covered.views IS NULL OR k.view <> ALL (covered.views))
      AND (NOT k.ruled OR piw.view_rule(k.view, v.package, v.version, v.released) = '');
END
$$;

CREATE FUNCTION piw.view_withheld_done(away_views text[], away text[], back_views text[], back text[]) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    packages text[];
BEGIN
    INSERT INTO piw.view_withheld AS w (view, filename, package, away)
    SELECT f.view, f.filename, b.package, true
    FROM unnest(away_views, view_withheld_done.away) AS k (view, filename)
    JOIN piw.view_files f ON f.view = k.view AND f.filename = k.filename
    JOIN piw.view_builds b ON b.build_id = f.build_id
    ON CONFLICT (view, filename) DO UPDATE SET away = true;
    WITH gone AS (
        DELETE FROM piw.view_withheld w USING unnest(back_views, back) AS k (view, filename)
        WHERE w.view = k.view AND w.filename = k.filename AND NOT piw.is_view_hidden(w.view, w.filename)
        RETURNING w.package
    )
    SELECT array_agg(DISTINCT g.package::text) INTO packages FROM gone g;
    -- Hidden again while they were on their way.
    UPDATE piw.view_withheld w SET away = false FROM unnest(back_views, back) AS k (view, filename)
    WHERE w.view = k.view AND w.filename = k.filename;
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;

CREATE FUNCTION piw.view_withheld_due(after text, lim integer) RETURNS TABLE(package character varying, filename character varying, hidden boolean, view character varying)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET jit TO 'off'
    AS $$
    SELECT w.package, w.filename, w.hidden, w.view
    FROM (SELECT w.*, piw.is_view_hidden(w.view, w.filename) AS hidden FROM piw.view_withheld w
          WHERE w.filename > after::varchar) w
    WHERE w.hidden IS NOT NULL AND NOT (w.hidden AND w.away)
    ORDER BY w.filename, w.view
    LIMIT lim
$$;

CREATE FUNCTION piw.view_words(of_view text) RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN coalesce((SELECT v.libraries FROM piw.views v WHERE v.view = of_view AND cardinality(v.libraries) > 0),
                    (SELECT array_agg(h.word) FROM piw.view_has h WHERE h.view = of_view));
END
$$;

CREATE FUNCTION piw.views_of(queues text[]) RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN (SELECT array_agg((SELECT v.view FROM piw.views v WHERE v.view = q.name AND NOT v.common) ORDER BY q.ord)
            FROM unnest(queues) WITH ORDINALITY AS q (name, ord));
END
$$;

CREATE FUNCTION piw.views_with_rules() RETURNS TABLE(view character varying)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT v.view FROM piw.views v
    WHERE v.stable_only OR v.newest > 0 OR v.popular > 0
       OR ((v.skip_pypi_wheels OR NOT v.pure_from_pypi) AND (SELECT true FROM piw.pypi_wheels LIMIT 1))
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

CREATE FUNCTION piw.walk_begin(queue text, which text) RETURNS piw.queue
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    RETURN ROW('', '', queue, CASE WHEN which = 'oldest' THEN '-infinity' ELSE 'infinity' END::timestamp, 2147483647)::piw.queue;
END
$$;

CREATE FUNCTION piw.walk_offers(queues text[], which text, lim integer, INOUT place piw.queue, OUT packages text[], OUT done boolean) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 5000;
    at integer := coalesce(array_position(queues, place.abi_tag::text), 1);
    rows piw.queue[];
    last bigint;
BEGIN
    done := false;
    IF place.abi_tag IS DISTINCT FROM queues[at] THEN
        place := piw.walk_begin(queues[at], which);
    END IF;
    IF which = 'oldest' THEN
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.released, q.package, q.version) > (place.released, place.package, place.version)
                      ORDER BY q.released, q.package, q.version LIMIT slice);
    ELSIF which = 'newest' THEN
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.released, q.package, q.version) < (place.released, place.package, place.version)
                      ORDER BY q.released DESC, q.package DESC, q.version DESC LIMIT slice);
    ELSE
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.popularity, q.released, q.package, q.version)
                            < (place.popularity, place.released, place.package, place.version)
                      ORDER BY q.popularity DESC, q.released DESC, q.package DESC, q.version DESC LIMIT slice);
    END IF;
    SELECT array_agg(u.package ORDER BY u.nth), max(u.nth) INTO packages, last
    FROM (SELECT r.package, min(r.nth) AS nth
          FROM unnest(rows) WITH ORDINALITY AS r (package, version, abi_tag, released, popularity, nth)
          WHERE NOT EXISTS (SELECT FROM piw.pypi_known o WHERE o.package = r.package AND o.asked >= r.released)
          GROUP BY r.package ORDER BY min(r.nth) LIMIT lim) u;
    IF cardinality(packages) = lim THEN
        place := rows[last];
    ELSIF cardinality(rows) = slice THEN
        place := rows[slice];
    ELSIF at < cardinality(queues) THEN
        place := piw.walk_begin(queues[at + 1], which);
    ELSE
        place := NULL;
        done := packages IS NULL AND NOT EXISTS (SELECT FROM piw.refills);
    END IF;
END
$$;

CREATE FUNCTION piw.wanted(packages text[], versions text[]) RETURNS TABLE(package character varying, version character varying, abi_tag character varying, released timestamp without time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH keys AS (
        SELECT DISTINCT k.package, k.version FROM unnest(wanted.packages, wanted.versions) AS k (package, version)
    ), abis AS MATERIALIZED (
        SELECT a.abi_tag, piw.abi_rank(a.abi_tag) AS rank, piw.abi_takes(a.abi_tag) AS takes
        FROM piw.farm_abis() a WHERE a.skip = ''
    ), ruled AS MATERIALIZED (
        SELECT c.view FROM piw.views c WHERE c.common AND c.view IN (SELECT r.view FROM piw.views_with_rules() r)
    )
    SELECT v.package, v.version, lowest.abi_tag, v.released
    FROM keys k
    CROSS JOIN LATERAL (
        SELECT v.package, v.version, v.released
        FROM public.versions v
        JOIN public.packages p ON p.package = v.package
        WHERE v.package = k.package AND v.version = k.version AND v.skip = '' AND p.skip = '' OFFSET 0
    ) v
    CROSS JOIN LATERAL (
        SELECT array_agg(o.tag) AS offers
        FROM public.builds b
        LEFT JOIN LATERAL (
            SELECT f.py_version_tag, f.abi_tag FROM public.files f WHERE f.build_id = b.build_id OFFSET 0
        ) f ON true
        CROSS JOIN LATERAL unnest(CASE WHEN f.abi_tag IS NULL THEN ARRAY[b.abi_tag]::text[]
                                       ELSE piw.build_offers(b.abi_tag, f.py_version_tag, f.abi_tag) END) AS o (tag)
        WHERE b.package = v.package AND b.version = v.version
    ) covered
    CROSS JOIN LATERAL (
        SELECT a.abi_tag
        FROM abis a
        WHERE covered.offers IS NULL OR NOT covered.offers && a.takes
        ORDER BY a.rank, a.abi_tag
        LIMIT 1
    ) lowest
    WHERE NOT EXISTS (SELECT FROM ruled r WHERE piw.view_rule(r.view, v.package, v.version, v.released) <> '');
END
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

CREATE FUNCTION piw.was_view(queue text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN queue ~ '[.-]' OR (EXISTS (SELECT FROM piw.view_names n WHERE n.view = queue)
                              AND NOT EXISTS (SELECT FROM public.build_abis a WHERE a.abi_tag = queue));
END
$$;

CREATE FUNCTION piw.why_abis(pkg text, ver text) RETURNS TABLE(abi_tag character varying, abi_skip character varying, status text, build_id integer, offered boolean, unread boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
    SELECT w.abi_tag, w.abi_skip, w.status, w.build_id, w.offered,
           w.offered AND piw.offers_held(w.abi_tag) AND EXISTS (SELECT FROM piw.offers_sort(w.abi_tag, ARRAY[pkg], ARRAY[ver], false))
    FROM (SELECT p.abi_tag, CASE WHEN p.status = 'pending' AND a.skip = '' THEN coalesce(rule.text, '') ELSE a.skip END AS abi_skip,
                 CASE WHEN p.status = 'pending' AND rule.text <> '' THEN 'skip' ELSE p.status END AS status, p.build_id,
                 EXISTS (SELECT FROM piw.queue q WHERE q.package = pkg AND q.version = ver AND q.abi_tag = p.abi_tag) AS offered,
                 piw.abi_rank(p.abi_tag) AS place
          FROM piw.project_abis(pkg) p
          JOIN piw.farm_abis() a ON a.abi_tag = p.abi_tag
          LEFT JOIN LATERAL (
              SELECT piw.view_rule(c.view, pkg, ver, v.released) AS text
              FROM piw.views c, public.versions v WHERE c.common AND v.package = pkg AND v.version = ver) rule ON true
          WHERE p.version = ver) w
    ORDER BY w.place, w.abi_tag
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

CREATE FUNCTION piw.why_refused(pkg text, ver text, abi text) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.versions v WHERE v.package = pkg AND v.version = ver) THEN
        RETURN 'the version is unknown or has been removed';
    ELSIF EXISTS (SELECT FROM public.versions v JOIN public.packages p ON p.package = v.package
                  WHERE v.package = pkg AND v.version = ver AND 'quarantined' IN (v.skip, p.skip)) THEN
        RETURN 'it is quarantined by PyPI';
    ELSIF piw.was_view(abi) AND NOT EXISTS (SELECT FROM piw.views v WHERE v.view = abi AND NOT v.common) THEN
        RETURN 'the farm has no such view any more';
    END IF;
    RETURN 'a build of this number is recorded already';
END
$$;

CREATE FUNCTION piw.why_views(pkg text, ver text) RETURNS TABLE(abi_tag character varying, abi_skip character varying, status text, build_id integer, offered boolean, unread boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
    SELECT w.view, CASE WHEN own.build_id IS NULL AND good.build_id IS NULL THEN rule.text ELSE '' END::varchar,
           CASE WHEN own.status AND EXISTS (SELECT FROM piw.view_files f WHERE f.build_id = own.build_id) THEN 'success'
                WHEN good.build_id IS NOT NULL THEN 'success'
                WHEN own.status THEN 'error'
                WHEN own.build_id IS NOT NULL THEN 'fail'
                WHEN p.skip <> '' OR v.skip <> '' OR rule.text <> '' THEN 'skip'
                ELSE 'pending' END,
           CASE WHEN own.status OR good.build_id IS NULL THEN own.build_id ELSE good.build_id END,
           EXISTS (SELECT FROM piw.queue q WHERE q.package = pkg AND q.version = ver AND q.abi_tag = w.view),
           piw.offers_held(w.view) AND EXISTS (SELECT FROM piw.offers_sort(w.view, ARRAY[pkg], ARRAY[ver], false))
    FROM piw.views w
    JOIN public.versions v ON v.package = pkg AND v.version = ver
    JOIN public.packages p ON p.package = v.package
    LEFT JOIN LATERAL (
        SELECT b.build_id, b.status FROM piw.view_builds b
        WHERE b.view = w.view AND b.package = pkg AND b.version = ver ORDER BY b.build_id DESC LIMIT 1) own ON true
    LEFT JOIN LATERAL (
        SELECT f.build_id FROM piw.version_files(pkg, ver) f
        WHERE f.view <> w.view AND piw.view_runs(piw.abi_takes(w.abi_tag), w.platforms, piw.view_words(w.view), f.builder,
                                                 f.py_version_tag, f.abi_tag, f.platform_tag, f.needs)
        ORDER BY f.build_id LIMIT 1) good ON true
    CROSS JOIN LATERAL (SELECT piw.view_rule(w.view, pkg, ver, v.released) AS text) rule
    WHERE NOT w.common
    ORDER BY w.place
$$;

CREATE FUNCTION piw.withheld_done(away text[], back text[]) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    packages text[];
BEGIN
    UPDATE piw.withheld w SET away = true WHERE w.filename = ANY (withheld_done.away);
    -- The row went and came again while they were on their way: they belong into their place.
    INSERT INTO piw.withheld (filename, package, away)
    SELECT f.filename, b.package, true
    FROM public.files f
    JOIN public.builds b ON b.build_id = f.build_id
    WHERE f.filename = ANY (withheld_done.away)
    ON CONFLICT DO NOTHING;
    WITH gone AS (
        DELETE FROM piw.withheld w WHERE w.filename = ANY (back) AND NOT piw.is_hidden(w.filename) RETURNING w.package
    )
    SELECT array_agg(DISTINCT g.package::text) INTO packages FROM gone g;
    -- Hidden again while they were on their way.
    UPDATE piw.withheld w SET away = false WHERE w.filename = ANY (back);
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;

CREATE FUNCTION piw.withheld_due(after text, lim integer) RETURNS TABLE(package character varying, filename character varying, hidden boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET jit TO 'off'
    AS $$
    SELECT w.package, w.filename, w.hidden
    FROM (SELECT w.*, piw.is_hidden(w.filename) AS hidden FROM piw.withheld w
          WHERE w.filename > after::varchar) w
    WHERE w.hidden IS NOT NULL AND NOT (w.hidden AND w.away)
    ORDER BY w.filename
    LIMIT lim
$$;

CREATE FUNCTION piw.withhold(packages text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'piw', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
    INSERT INTO piw.withheld (filename, package)
    SELECT f.filename, b.package
    FROM (SELECT DISTINCT k.package FROM unnest(packages) AS k (package)) k
    JOIN public.packages p ON p.package = k.package
    JOIN public.versions v ON v.package = p.package
    JOIN public.builds b ON b.package = v.package AND b.version = v.version
    JOIN public.files f ON f.build_id = b.build_id
    WHERE p.skip = 'quarantined' OR v.skip = 'quarantined'
    ON CONFLICT DO NOTHING;
    INSERT INTO piw.view_withheld (view, filename, package)
    SELECT f.view, f.filename, b.package
    FROM (SELECT DISTINCT k.package FROM unnest(packages) AS k (package)) k
    JOIN public.packages p ON p.package = k.package
    JOIN public.versions v ON v.package = p.package
    JOIN piw.view_builds b ON b.package = v.package AND b.version = v.version
    JOIN piw.view_files f ON f.build_id = b.build_id
    WHERE p.skip = 'quarantined' OR v.skip = 'quarantined'
    ON CONFLICT DO NOTHING
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
    address character varying(100) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT attempts_state_check CHECK (((state)::text = ANY (ARRAY[('running'::character varying)::text, ('built'::character varying)::text, ('failed'::character varying)::text, ('transient'::character varying)::text, ('ended'::character varying)::text, ('void'::character varying)::text])))
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

CREATE TABLE piw.days (
    day date NOT NULL,
    kind text NOT NULL,
    word character varying(100) NOT NULL,
    amount bigint NOT NULL
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
    package character varying(200),
    day date NOT NULL,
    amount bigint NOT NULL,
    filename character varying(255)
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

CREATE TABLE piw.file_days (
    day date NOT NULL,
    filename character varying(255) NOT NULL,
    downloads bigint NOT NULL
);

CREATE TABLE piw.file_downloads (
    filename character varying(255) NOT NULL,
    recent bigint NOT NULL,
    ever bigint NOT NULL
);

CREATE TABLE piw.file_facts (
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    metadata_hash character(64),
    uploaded timestamp without time zone NOT NULL
);

CREATE TABLE piw.file_needs (
    view character varying(32) DEFAULT ''::character varying NOT NULL,
    filename character varying(255) NOT NULL,
    needs text[] NOT NULL
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

CREATE TABLE piw.metadata_pass (
    id integer DEFAULT 1 NOT NULL,
    after character varying(255) DEFAULT ''::character varying NOT NULL,
    done boolean NOT NULL,
    CONSTRAINT metadata_pass_id_check CHECK ((id = 1))
);

CREATE TABLE piw.more_sources (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    extra bigint NOT NULL
);

CREATE TABLE piw.needs_pass (
    id integer DEFAULT 1 NOT NULL,
    after character varying(255) DEFAULT ''::character varying NOT NULL,
    done boolean DEFAULT true NOT NULL,
    CONSTRAINT needs_pass_id_check CHECK ((id = 1))
);

CREATE TABLE piw.offers_hold (
    id integer DEFAULT 1 NOT NULL,
    until timestamp without time zone DEFAULT '-infinity'::timestamp without time zone NOT NULL,
    CONSTRAINT offers_hold_id_check CHECK ((id = 1))
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

CREATE TABLE piw.project_states (
    package character varying(200) NOT NULL,
    status character varying(31) NOT NULL,
    reason character varying(1000) NOT NULL
);

CREATE TABLE piw.pypi_compared (
    id integer DEFAULT 1 NOT NULL,
    at timestamp without time zone NOT NULL,
    CONSTRAINT pypi_compared_id_check CHECK ((id = 1))
);

CREATE TABLE piw.pypi_known (
    package character varying(200) NOT NULL,
    asked timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL
);

CREATE TABLE piw.pypi_projects (
    package character varying(200) NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE piw.pypi_wheels (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    tags text[] NOT NULL,
    pythons bigint[] DEFAULT '{}'::bigint[] NOT NULL
);

CREATE TABLE piw.quarantines (
    package character varying(200) NOT NULL,
    version character varying(200) DEFAULT ''::character varying NOT NULL,
    former character varying(100) DEFAULT ''::character varying NOT NULL,
    cause character varying(5) NOT NULL,
    serial bigint DEFAULT 0 NOT NULL,
    since timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL,
    CONSTRAINT quarantines_cause_check CHECK (((cause)::text = ANY (ARRAY[('event'::character varying)::text, ('list'::character varying)::text, ('here'::character varying)::text])))
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

CREATE TABLE piw.site (
    id integer DEFAULT 1 NOT NULL,
    mark character(32) NOT NULL,
    CONSTRAINT site_id_check CHECK ((id = 1))
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

CREATE TABLE piw.view_builds (
    build_id integer NOT NULL,
    view character varying(32) NOT NULL,
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    built_by integer NOT NULL,
    built_at timestamp without time zone NOT NULL,
    duration interval NOT NULL,
    status boolean NOT NULL
);

CREATE TABLE piw.view_counts (
    view character varying(32) NOT NULL,
    since timestamp without time zone NOT NULL,
    stale boolean DEFAULT false NOT NULL
);

CREATE TABLE piw.view_dependencies (
    view character varying(32) NOT NULL,
    filename character varying(255) NOT NULL,
    tool character varying(10) NOT NULL,
    dependency character varying(255) NOT NULL
);

CREATE TABLE piw.view_download_days (
    day date NOT NULL,
    view character varying(32) NOT NULL,
    package character varying(200) NOT NULL,
    downloads bigint NOT NULL
);

CREATE TABLE piw.view_download_notes (
    note_id bigint NOT NULL,
    view character varying(32) NOT NULL,
    package character varying(200) NOT NULL,
    hour timestamp without time zone NOT NULL,
    amount bigint NOT NULL
);

ALTER TABLE piw.view_download_notes ALTER COLUMN note_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME piw.view_download_notes_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE piw.view_downloads (
    view character varying(32) NOT NULL,
    package character varying(200) NOT NULL,
    recent bigint NOT NULL
);

CREATE TABLE piw.view_drops (
    view character varying(32) NOT NULL
);

CREATE TABLE piw.view_has (
    view character varying(32) NOT NULL,
    word character varying(200) NOT NULL
);

CREATE TABLE piw.view_meanings (
    view character varying(32) NOT NULL,
    filename character varying(255) NOT NULL,
    filehash character(64) NOT NULL
);

CREATE TABLE piw.view_names (
    view character varying(32) NOT NULL
);

CREATE TABLE piw.view_removals (
    view character varying(32) NOT NULL,
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    removed timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL
);

CREATE TABLE piw.view_withheld (
    view character varying(32) NOT NULL,
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    away boolean DEFAULT false NOT NULL
);

CREATE TABLE piw.views (
    view character varying(32) NOT NULL,
    place integer NOT NULL,
    abi_tag character varying(100) NOT NULL,
    platforms text[] NOT NULL,
    libraries text[] NOT NULL,
    common boolean NOT NULL,
    skip_pypi_wheels boolean NOT NULL,
    stable_only boolean NOT NULL,
    newest integer NOT NULL,
    popular integer NOT NULL,
    pure_from_pypi boolean NOT NULL,
    os_names text[] DEFAULT '{}'::text[] NOT NULL,
    os_version character varying(100) DEFAULT ''::character varying NOT NULL,
    machines text[] DEFAULT '{}'::text[] NOT NULL
);

CREATE TABLE piw.withheld (
    filename character varying(255) NOT NULL,
    package character varying(200) NOT NULL,
    away boolean DEFAULT false NOT NULL
);

CREATE TABLE piw.yank_reasons (
    package character varying(200) NOT NULL,
    version character varying(200) NOT NULL,
    reason character varying(1000) NOT NULL
);

INSERT INTO piw.ages VALUES ('2020-01-01 00:00:00', 'flask', '1.0');
INSERT INTO piw.ages VALUES ('2021-01-01 00:00:00', 'flask', '2.0');
INSERT INTO piw.ages VALUES ('2019-01-01 00:00:00', 'numpy', '1.0');
INSERT INTO piw.ages VALUES ('2022-01-01 00:00:00', 'numpy', '2.0');
INSERT INTO piw.ages VALUES ('2020-02-01 00:00:00', 'own', '1.0');
INSERT INTO piw.ages VALUES ('2018-01-01 00:00:00', 'skipped', '1');
INSERT INTO piw.ages VALUES ('2020-03-01 00:00:00', 'stable', '1.0');

INSERT INTO piw.built_tags VALUES ('numpy', 1);
INSERT INTO piw.built_tags VALUES ('stable', 1);
INSERT INTO piw.built_tags VALUES ('own', 1);

INSERT INTO piw.configuration VALUES (1, 5);

INSERT INTO piw.days VALUES ('2024-01-03', 'built', 'cp39', 1);
INSERT INTO piw.days VALUES ('2024-01-01', 'built', 'cp39', 1);
INSERT INTO piw.days VALUES ('2024-01-02', 'built', 'cp39', 1);

INSERT INTO piw.download_hours VALUES ('2024-01-01 00:00:00', 3);

INSERT INTO piw.download_window VALUES (1, '2026-11-01');

INSERT INTO piw.file_downloads VALUES ('numpy-1.0-cp39-cp39-linux_armv7l.whl', 0, 3);

INSERT INTO piw.metadata_pass VALUES (1, '', false);

INSERT INTO piw.needs_pass VALUES (1, '', false);

INSERT INTO piw.offers_hold VALUES (1, '2026-12-01 00:06:50.708815');

INSERT INTO piw.package_downloads VALUES ('numpy', 0, 3, 0);

INSERT INTO piw.pypi_compared VALUES (1, '2026-11-30 07:36:15.072147');

INSERT INTO piw.pypi_known VALUES ('flask', '2026-12-01 00:05:50.798951');

INSERT INTO piw.pypi_wheels VALUES ('flask', '1.0', '{cp313-cp313-manylinux_2_5_aarch64}', '{NULL}');
INSERT INTO piw.pypi_wheels VALUES ('flask', '2.0', '{cp313-cp313-manylinux_2_17_aarch64}', '{NULL}');

INSERT INTO piw.queue VALUES ('flask', '1.0', 'cp39', '2020-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('flask', '2.0', 'cp39', '2021-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('numpy', '2.0', 'cp39', '2022-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('numpy', '1.0', 'trixie', '2019-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('own', '1.0', 'trixie', '2020-02-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('numpy', '2.0', 'trixie', '2022-01-01 00:00:00', 0);
INSERT INTO piw.queue VALUES ('stable', '1.0', 'trixie', '2020-03-01 00:00:00', 0);

INSERT INTO piw.queue_totals VALUES ('cp39', 3, 3);
INSERT INTO piw.queue_totals VALUES ('cp311', 0, 4);
INSERT INTO piw.queue_totals VALUES ('cp313t', 0, 2);
INSERT INTO piw.queue_totals VALUES ('trixie', 4, 9);

INSERT INTO piw.totals VALUES (1, 3, 3000, 15000000, 3, 3);

INSERT INTO piw.view_names VALUES ('cp39view');
INSERT INTO piw.view_names VALUES ('trixie');

INSERT INTO piw.views VALUES ('cp39view', 1, 'cp39', '{linux_armv7l}', '{}', true, false, false, 0, 0, true, '{}', '', '{}');
INSERT INTO piw.views VALUES ('trixie', 2, 'cp313', '{linux_aarch64}', '{GLIBC_2.41}', false, true, false, 0, 0, false, '{}', '', '{}');

SELECT pg_catalog.setval('piw.attempts_attempt_id_seq', 1, false);

SELECT pg_catalog.setval('piw.dirty_later_note_id_seq', 1, false);

SELECT pg_catalog.setval('piw.download_notes_note_id_seq', 1, false);

SELECT pg_catalog.setval('piw.refills_refill_id_seq', 3, true);

SELECT pg_catalog.setval('piw.slave_numbers', 1, false);

SELECT pg_catalog.setval('piw.view_download_notes_note_id_seq', 1, false);

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

ALTER TABLE ONLY piw.days
    ADD CONSTRAINT days_pkey PRIMARY KEY (day, kind, word);

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

ALTER TABLE ONLY piw.file_days
    ADD CONSTRAINT file_days_pkey PRIMARY KEY (day, filename);

ALTER TABLE ONLY piw.file_downloads
    ADD CONSTRAINT file_downloads_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.file_facts
    ADD CONSTRAINT file_facts_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.file_needs
    ADD CONSTRAINT file_needs_pkey PRIMARY KEY (view, filename);

ALTER TABLE ONLY piw.firsts
    ADD CONSTRAINT firsts_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.local_versions
    ADD CONSTRAINT local_versions_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.log_batches
    ADD CONSTRAINT log_batches_pkey PRIMARY KEY (sender, number);

ALTER TABLE ONLY piw.metadata_pass
    ADD CONSTRAINT metadata_pass_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.more_sources
    ADD CONSTRAINT more_sources_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.needs_pass
    ADD CONSTRAINT needs_pass_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.offers_hold
    ADD CONSTRAINT offers_hold_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.package_downloads
    ADD CONSTRAINT package_downloads_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pages_due
    ADD CONSTRAINT pages_due_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.popularity_due
    ADD CONSTRAINT popularity_due_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.project_states
    ADD CONSTRAINT project_states_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pypi_compared
    ADD CONSTRAINT pypi_compared_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.pypi_known
    ADD CONSTRAINT pypi_known_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pypi_projects
    ADD CONSTRAINT pypi_projects_pkey PRIMARY KEY (package);

ALTER TABLE ONLY piw.pypi_wheels
    ADD CONSTRAINT pypi_wheels_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.quarantines
    ADD CONSTRAINT quarantines_pkey PRIMARY KEY (package, version);

ALTER TABLE ONLY piw.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (package, version, abi_tag);

ALTER TABLE ONLY piw.queue_totals
    ADD CONSTRAINT queue_totals_pkey PRIMARY KEY (abi_tag);

ALTER TABLE ONLY piw.refills
    ADD CONSTRAINT refills_pkey PRIMARY KEY (refill_id);

ALTER TABLE ONLY piw.removals
    ADD CONSTRAINT removals_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY piw.view_builds
    ADD CONSTRAINT view_builds_pkey PRIMARY KEY (build_id);

ALTER TABLE ONLY piw.view_counts
    ADD CONSTRAINT view_counts_pkey PRIMARY KEY (view);

ALTER TABLE ONLY piw.view_dependencies
    ADD CONSTRAINT view_dependencies_pkey PRIMARY KEY (view, filename, tool, dependency);

ALTER TABLE ONLY piw.view_download_days
    ADD CONSTRAINT view_download_days_pkey PRIMARY KEY (day, view, package);

ALTER TABLE ONLY piw.view_download_notes
    ADD CONSTRAINT view_download_notes_pkey PRIMARY KEY (note_id);

ALTER TABLE ONLY piw.view_downloads
    ADD CONSTRAINT view_downloads_pkey PRIMARY KEY (view, package);

ALTER TABLE ONLY piw.view_drops
    ADD CONSTRAINT view_drops_pkey PRIMARY KEY (view);

ALTER TABLE ONLY piw.view_files
    ADD CONSTRAINT view_files_pkey PRIMARY KEY (view, filename);

ALTER TABLE ONLY piw.view_has
    ADD CONSTRAINT view_has_pkey PRIMARY KEY (view, word);

ALTER TABLE ONLY piw.view_meanings
    ADD CONSTRAINT view_meanings_pkey PRIMARY KEY (view, filename);

ALTER TABLE ONLY piw.view_names
    ADD CONSTRAINT view_names_pkey PRIMARY KEY (view);

ALTER TABLE ONLY piw.view_removals
    ADD CONSTRAINT view_removals_pkey PRIMARY KEY (view, filename);

ALTER TABLE ONLY piw.view_withheld
    ADD CONSTRAINT view_withheld_pkey PRIMARY KEY (view, filename);

ALTER TABLE ONLY piw.views
    ADD CONSTRAINT views_pkey PRIMARY KEY (view);

ALTER TABLE ONLY piw.withheld
    ADD CONSTRAINT withheld_pkey PRIMARY KEY (filename);

ALTER TABLE ONLY piw.yank_reasons
    ADD CONSTRAINT yank_reasons_pkey PRIMARY KEY (package, version);

CREATE INDEX attempts_resting ON piw.attempts USING btree (abi_tag, next_try) WHERE (((state)::text = 'transient'::text) AND counts);

CREATE INDEX attempts_running ON piw.attempts USING btree (slave_id) WHERE ((state)::text = 'running'::text);

CREATE INDEX attempts_version ON piw.attempts USING btree (package, version);

CREATE INDEX firsts_order ON piw.firsts USING btree (asked, package);

CREATE INDEX package_downloads_popular ON piw.package_downloads USING btree (popularity, package);

CREATE INDEX queue_order ON piw.queue USING btree (abi_tag, released, package, version);

CREATE INDEX queue_popular ON piw.queue USING btree (abi_tag, popularity, released, package, version);

CREATE INDEX removals_time ON piw.removals USING btree (removed);

CREATE INDEX view_builds_time ON piw.view_builds USING btree (built_at);

CREATE INDEX view_builds_version ON piw.view_builds USING btree (package, version);

CREATE INDEX view_builds_view ON piw.view_builds USING btree (view, build_id);

CREATE INDEX view_files_build ON piw.view_files USING btree (build_id);

CREATE INDEX view_removals_time ON piw.view_removals USING btree (removed);

ALTER TABLE ONLY piw.view_dependencies
    ADD CONSTRAINT view_dependencies_view_filename_fkey FOREIGN KEY (view, filename) REFERENCES piw.view_files(view, filename) ON DELETE CASCADE;

ALTER TABLE ONLY piw.view_files
    ADD CONSTRAINT view_files_build_id_fkey FOREIGN KEY (build_id) REFERENCES piw.view_builds(build_id) ON DELETE CASCADE;

CREATE TRIGGER piw_delete AFTER DELETE ON public.build_abis REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.builds REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.downloads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_delete AFTER DELETE ON public.versions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.build_abis REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.builds REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.downloads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.files REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.packages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_come();

CREATE TRIGGER piw_insert AFTER INSERT ON public.versions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();

CREATE TRIGGER piw_quarantine BEFORE UPDATE OF skip ON public.packages FOR EACH ROW WHEN ((((old.skip)::text = ANY ((ARRAY['quarantined'::character varying, 'deleted'::character varying])::text[])) AND ((new.skip)::text <> ALL ((ARRAY['quarantined'::character varying, 'deleted'::character varying])::text[])))) EXECUTE FUNCTION piw.keep_quarantined();

CREATE TRIGGER piw_quarantine BEFORE UPDATE OF skip ON public.versions FOR EACH ROW WHEN ((((old.skip)::text = ANY ((ARRAY['quarantined'::character varying, 'deleted'::character varying])::text[])) AND ((new.skip)::text <> ALL ((ARRAY['quarantined'::character varying, 'deleted'::character varying])::text[])))) EXECUTE FUNCTION piw.keep_quarantined();

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
