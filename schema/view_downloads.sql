-- view_downloads.sql — how much the machines of each view download: for views with a rule by downloads (`popular`), and for no
-- other. After downloads.sql, whose window it has. The callers hold the queue's lock (piw.drain).
--
-- What comes is noted by statements, as piw.download_notes is, and counted from the hour piw.view_counts.since on. The hours
-- before are read from public.downloads one by one, backwards, until all of the window are counted: each under one snapshot with
-- the notes about it, so that what others write meanwhile is counted once.

-- --- Whose a download is ---

-- What a wheel was taken for: the platforms in its name; of a pure one, that of the machine that asked.
CREATE FUNCTION piw.download_platforms(filename text, arch text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN filename LIKE '%-any.whl' THEN ARRAY['linux_' || pg_catalog.lower(arch)]
                ELSE pg_catalog.string_to_array(pg_catalog.substring(filename, '([^-]+)\.whl$'), '.') END
$$;

-- How the tag of an interpreter's ABI begins, or ends: cp311 of CPython 3.11.2, …_pp73 of PyPy 7.3.11. NULL: of another.
CREATE FUNCTION piw.download_abi(py_name text, py_version text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE pg_catalog.lower(coalesce(py_name, 'CPython')) WHEN 'cpython' THEN '^cp' || n.digits || '[a-z]*$'
                                                              WHEN 'pypy' THEN '_pp' || n.digits || '$' END
    FROM (SELECT pg_catalog.replace(pg_catalog.substring(py_version, '^[0-9]\.[0-9]{1,3}(?![0-9])'), '.', '') AS digits) n
$$;

-- The view that such a machine is of, by the rule for slaves: the first that fits. An installer doesn't tell a machine's board.
CREATE FUNCTION piw.download_view(filename text, arch text, distro text, distro_version text, py_name text, py_version text)
RETURNS varchar
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET plan_cache_mode = force_generic_plan
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

-- --- Counting ---

-- Downloads by such machines, so many each time.
CREATE FUNCTION piw.note_view_downloads(
    filenames text[], hours timestamp[], archs text[], distros text[], distro_versions text[], py_names text[], py_versions text[],
    amounts bigint[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
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

-- Add to the counts of days within the window. Versions of packages that come to reach a view's number, or no more, are looked at
-- again.
CREATE FUNCTION piw.count_view_downloads(views text[], packages text[], days date[], amounts bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
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

CREATE FUNCTION piw.note_popular(packages text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM public.versions v WHERE packages IS NOT NULL AND v.package = ANY (packages);
END
$$;

-- A slice of the counts of views that are to be counted anew, or no more. True: there may be more.
CREATE FUNCTION piw.clear_view_counts(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
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

-- Is there a view that isn't counted through the window yet, so that public.downloads will be read?
CREATE FUNCTION piw.view_counts_due() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM piw.view_counts c WHERE c.stale OR c.since > (SELECT w.since FROM piw.download_window w));
END
$$;

-- The next hour backwards of views that aren't counted through the window yet; hours without a download are passed over. True:
-- there is more.
CREATE FUNCTION piw.fill_view_counts() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
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
$$;

-- A slice of what statements noted. What is of an hour that isn't counted yet is left to piw.fill_view_counts. True: there may be more.
CREATE FUNCTION piw.fold_view_downloads(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
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

-- All of it that is to be done now, a slice. True: there may be more.
CREATE FUNCTION piw.drain_view_counts(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
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

-- A slice of the days up to that one. False: there are none.
CREATE FUNCTION piw.shift_views(last_day date, slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
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

-- --- What the configuration says ---

-- Views have changed: which of them are counted for. What another section would have counted is counted anew.
CREATE FUNCTION piw.set_view_counts(machines_changed boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    UPDATE piw.view_counts c SET stale = true
    WHERE machines_changed OR NOT EXISTS (SELECT FROM piw.views v WHERE v.view = c.view AND v.popular > 0);
    INSERT INTO piw.view_counts (view, since)
    SELECT v.view, date_trunc('hour', piw.utc_now()) + interval '1 hour' FROM piw.views v WHERE v.popular > 0
    ON CONFLICT DO NOTHING;
$$;
