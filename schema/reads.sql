-- reads.sql — what the master asks again and again: none of it scans a table whole. After piw.sql.

CREATE FUNCTION piw.statistics() RETURNS TABLE (
    packages_built bigint, files_count bigint, builds_time_us bigint, builds_size bigint, new_last_hour bigint,
    downloads_last_hour bigint, downloads_last_month bigint, downloads_all bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
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

CREATE FUNCTION piw.builds_last_hour() RETURNS TABLE (abi_tag varchar, builds bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
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

-- Packages in order of name, `lim` at most, after `after`: how much of each was downloaded in the last 30 days, and ever.
CREATE FUNCTION piw.search_index(after text, lim integer)
RETURNS TABLE (package varchar, downloads_recent bigint, downloads_all bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off
AS $$
    SELECT p.package, greatest(coalesce(d.recent, 0), 0), greatest(coalesce(d.ever, 0), 0)
    FROM public.packages p
    LEFT JOIN piw.package_downloads d ON d.package = p.package
    WHERE p.package > after::varchar AND p.skip NOT IN ('deleted', 'quarantined')
    ORDER BY p.package
    LIMIT lim
$$;

-- Each live version of a package and each ABI: what came of it. Uses the queue's own notion of what is covered.
CREATE FUNCTION piw.project_abis(pkg text)
RETURNS TABLE (version varchar, abi_tag varchar, status text, build_id integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
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

-- What an operator may want to know of a version (piw-ctl why): what came of it for each ABI, and the newest tries.
CREATE FUNCTION piw.why_abis(pkg text, ver text)
RETURNS TABLE (abi_tag varchar, abi_skip varchar, status text, build_id integer, offered boolean, unread boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
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

CREATE FUNCTION piw.why_attempts(pkg text, ver text, lim integer)
RETURNS TABLE (abi_tag varchar, slave_id integer, state varchar, cause varchar, started timestamp, ended timestamp,
               next_try timestamp, build_id integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT a.abi_tag, a.slave_id, a.state, a.cause, a.started, a.ended,
           CASE WHEN a.state = 'transient' AND a.counts AND a.next_try > now() AT TIME ZONE 'UTC' THEN a.next_try END,
           a.build_id
    FROM piw.attempts a
    WHERE a.package = pkg AND a.version = ver
    ORDER BY a.attempt_id DESC
    LIMIT lim
$$;
