-- recounts.sql — full computations of what is otherwise kept up to date: at adoption, in upgrades and repairs, and after a
-- TRUNCATE. After downloads.sql.
--
-- Each statement counts a table and takes away the notes about it under one snapshot, so that what others change
-- meanwhile is counted once.

-- Tells whoever waits how far it is: a notice with a code of its own.
CREATE FUNCTION piw.tell_progress(part bigint, parts bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    RAISE NOTICE USING ERRCODE = 'PIW01', MESSAGE = format('%s %% done', part * 100 / parts);
END
$$;

-- The versions of the packages after `after` up to `upto`.
CREATE FUNCTION piw.recount_some_versions(after text, upto text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
    INSERT INTO piw.ages SELECT v.released, v.package, v.version FROM public.versions v
    WHERE v.package > after::varchar AND v.package <= upto::varchar
    ON CONFLICT DO NOTHING
$$;

-- Each version by its release time. Then every version is looked at, in slices.
CREATE FUNCTION piw.recount_versions() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- How many rows the queue has. The caller holds the queue's lock.
CREATE FUNCTION piw.recount_queue() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT k.abi_tag, coalesce(q.pending, 0), 1
    FROM (SELECT a.abi_tag FROM piw.queues() a UNION SELECT t.abi_tag FROM piw.queue_totals t
          UNION SELECT q.abi_tag FROM piw.queue q) k
    LEFT JOIN (SELECT q.abi_tag, count(*) AS pending FROM piw.queue q GROUP BY q.abi_tag) q ON q.abi_tag = k.abi_tag
    ORDER BY k.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET pending = excluded.pending, changes = t.changes + 1
$$;

-- Totals of builds and files.
CREATE FUNCTION piw.recount_builds() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- Downloads, by hour, by package, by file and in all; by view in slices, later.
CREATE FUNCTION piw.recount_downloads() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- Builds by day, of the days that nothing is known of yet: what is counted as it happens stays when a build is removed.
CREATE FUNCTION piw.recount_days() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    INSERT INTO piw.days (day, kind, word, amount)
    SELECT b.built_at::date, CASE WHEN b.status THEN 'built' ELSE 'failed' END, b.abi_tag, count(*)
    FROM public.builds b
    WHERE b.built_at::date NOT IN (SELECT d.day FROM piw.days d WHERE d.kind IN ('built', 'failed'))
      AND b.built_at::date NOT IN (SELECT d.moment::date FROM piw.deltas d WHERE d.kind IN ('built', 'failed'))
    GROUP BY 1, 2, 3
$$;

-- All of it, for repairs. Returns nothing that would be worth knowing.
CREATE FUNCTION piw.recount() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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
