-- queue.sql — the build queue's functions: what is wanted, what changed, in which order it is given out. After piw.sql.

-- --- Small functions ---
--
-- Those of a single expression have no settings and name the schema of what they call, so that they become part of the
-- statement that calls them: a function in SQL with settings is planned anew at each call.

-- PEP 503.
CREATE FUNCTION piw.canonical(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.regexp_replace(pg_catalog.lower(name), '[-_.]+', '-', 'g')
$$;

-- Order of interpreters: CPython's by version (cp39 before cp311, and cp313 before the free-threaded cp313t, since what it
-- builds may do for both), then others by theirs. Tags of another form come last.
CREATE FUNCTION piw.abi_rank(abi_tag text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
DECLARE
    part text[] := regexp_match(abi_tag, '^([a-z]+)([0-9])([0-9]{0,3})([a-z]*)(?:_.*)?$');
BEGIN
    IF part IS NULL THEN
        RETURN 2147483647;
    END IF;
    RETURN CASE part[1] WHEN 'cp' THEN 0 ELSE 1000000 END + part[2]::integer * 10000
           + coalesce(nullif(part[3], ''), '0')::integer * 10 + (part[4] LIKE '%t%')::integer;
END
$$;

-- A step for the number of a package's downloads: exact below 16, then eight steps to each doubling, so that the queue
-- needn't be touched for each download of a package of which much is downloaded.
CREATE FUNCTION piw.popularity(recent bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN recent < 16 THEN greatest(recent, 0)::integer
                ELSE 16 + pg_catalog.floor(8 * pg_catalog.ln(recent / 16.0::double precision)
                                           / pg_catalog.ln(2::double precision))::integer END
$$;

CREATE FUNCTION piw.utc_now() RETURNS timestamp
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
    SELECT pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
$$;

-- --- The queue: for each key the lowest ABI that it wants; and the views that want it (views.sql) ---

-- The definition (docs/schema.md#the-build-queue), for just these keys. Every other function of the queue uses it. The
-- planner must look up key after key, by a plan made once: from its guess of how many there are it would at times rather read a
-- whole table, and planning takes longer than one key. (OFFSET 0: see writes.sql.)
CREATE FUNCTION piw.wanted(packages text[], versions text[])
RETURNS TABLE (package varchar, version varchar, abi_tag varchar, released timestamp)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
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

-- Bring the queue's rows of these keys up to date. The caller holds the queue's lock (piw.drain).
CREATE FUNCTION piw.recompute(packages text[], versions text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET enable_bitmapscan = off SET enable_sort = off
    SET plan_cache_mode = force_generic_plan
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

-- The keys of one slice of a refill, and how far the refill has come with them. None: it has been through.
CREATE FUNCTION piw.refill_keys(INOUT refill piw.refills, slice integer, OUT packages text[], OUT versions text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- One slice of the oldest unfinished refill. The keys already passed are up to date whatever happened since: changes
-- note them in piw.dirty.
CREATE FUNCTION piw.refill_slice(slice integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- Fold the noted differences into the totals. The caller holds the queue's lock.
CREATE FUNCTION piw.fold_deltas() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- A slice of what large statements touched. Returns how many keys.
CREATE FUNCTION piw.drain_later(slice integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- Turn what was noted into queue rows and totals; with a slice, also that much of what takes long: then true says that
-- there is more of it. One transaction at a time; what it waits for is short.
CREATE FUNCTION piw.drain(slice integer DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET plan_cache_mode = force_generic_plan
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

-- The same without waiting for somebody who does it just then: what was noted here has sent a notification, upon which the_architect
-- looks again. Builds that are to be recorded wait behind whoever calls this.
CREATE FUNCTION piw.drain_unless_busy() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    -- As piw.drain does, before the lock.
    LOCK TABLE public.packages, public.versions, public.builds, public.files, public.build_abis IN ACCESS SHARE MODE;
    IF pg_try_advisory_xact_lock(7306001) THEN
        PERFORM piw.drain();
    END IF;
END
$$;

-- --- Checking ---

-- The definition once more, for all versions at once and in the way of full computations: by numbers of versions instead
-- of sets of tags, so that a mistake in piw.wanted() or in coverage.sql is found too. It reads everything: not for the
-- master.
CREATE FUNCTION piw.full_queue()
RETURNS TABLE (package varchar, version varchar, abi_tag varchar, released timestamp)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET work_mem = '64MB'
AS $$
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
$$;

-- The same of piw.view_wanted, by what each file covers.
CREATE FUNCTION piw.full_view_queue()
RETURNS TABLE (package varchar, version varchar, abi_tag varchar, released timestamp)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET work_mem = '64MB'
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

-- What differs from it, but for keys that are noted and not yet looked at. With `has` and `wants` NULL: the row of
-- piw.ages, or the popularity, is wrong.
CREATE FUNCTION piw.check_queue() RETURNS TABLE (package varchar, version varchar, has varchar, wants varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET work_mem = '64MB'
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

-- ABIs whose row in piw.queue_totals is wrong.
CREATE FUNCTION piw.check_totals() RETURNS TABLE (abi_tag varchar, has bigint, wants bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT coalesce(t.abi_tag, q.abi_tag), coalesce(t.pending, 0), coalesce(q.pending, 0)
    FROM piw.queue_totals t
    FULL JOIN (SELECT q.abi_tag, count(*) AS pending FROM piw.queue q GROUP BY q.abi_tag) q ON q.abi_tag = t.abi_tag
    WHERE coalesce(t.pending, 0) <> coalesce(q.pending, 0)
$$;

-- Make right what check_queue and check_totals found; the keys are only noted here, piw.drain works them off in slices.
-- Returns how many rows were wrong.
CREATE FUNCTION piw.repair_queue() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- --- Reading ---

-- The queues there are: of each ABI, then of each view but the common one.
CREATE FUNCTION piw.queues() RETURNS TABLE (abi_tag varchar, skip varchar, place integer)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT a.abi_tag, a.skip, 0 FROM piw.farm_abis() a
    UNION ALL SELECT v.view, '', v.place FROM piw.views v WHERE NOT v.common
$$;

-- What the_architect reads: the state of each ABI's queue, and the head of one.
CREATE FUNCTION piw.queue_state() RETURNS TABLE (abi_tag varchar, pending bigint, changes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT a.abi_tag, CASE WHEN a.skip = '' THEN coalesce(t.pending, 0) ELSE 0 END, coalesce(t.changes, 0)
    FROM piw.queues() a
    LEFT JOIN piw.queue_totals t ON t.abi_tag = a.abi_tag
    ORDER BY a.place, piw.abi_rank(a.abi_tag), a.abi_tag
$$;

-- Of each ABI for which anything waits: for how long the oldest release has.
CREATE FUNCTION piw.queue_ages() RETURNS TABLE (abi_tag varchar, age_s bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT a.abi_tag, greatest(0, extract(epoch FROM now() AT TIME ZONE 'UTC' - o.released))::bigint
    FROM piw.queues() a
    CROSS JOIN LATERAL (SELECT q.released FROM piw.queue q WHERE q.abi_tag = a.abi_tag ORDER BY q.released LIMIT 1) o
    WHERE a.skip = ''
$$;

-- The head of an ABI's queue, in the order in which it is to be given out; versions that rest after a try that failed for
-- its builder's sake are left out. Packages that an operator put first come first. Then the order that is configured;
-- with `oldest` every version has its turn, since finitely many are older. The other orders would let some wait for
-- ever: there every eighth place is for the version that was released first. `phase` (0 to 7) moves these places:
-- whoever takes only a few from each head must find them at the front at times.
CREATE FUNCTION piw.head_keys(abi text, which text, lim integer, phase integer, OUT packages text[], OUT versions text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
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

-- The same as it is given out: but for versions of which a view wants to know first what PyPI offers (offers.sql).
CREATE FUNCTION piw.queue_head(abi text, which text, lim integer, phase integer DEFAULT floor(random() * 8)::integer)
RETURNS TABLE (package varchar, version varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- Put a package first, for all ABIs; asked again, it stays where it is. `waiting` counts its versions in the queue: with
-- none there is nothing to be first with.
CREATE FUNCTION piw.put_first(pkg text, OUT known boolean, OUT reason text, OUT waiting bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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
