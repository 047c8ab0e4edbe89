-- site.sql — what the pages of the site show beside a package's files. Totals by day are kept as things happen; nothing here reads
-- a table of builds, files or downloads whole. After reads.sql.

-- Downloads of wheels come with words that anybody can send: each is one of a fixed set, or "other".
CREATE FUNCTION piw.python_word(version text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(substring(version from '^([23]\.[0-9]{1,2})(?:[^0-9]|$)'), 'other')
$$;
CREATE FUNCTION piw.arch_word(arch text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN lower(arch) IN ('armv6l', 'armv7l', 'armv8l', 'aarch64', 'arm64', 'x86_64', 'amd64', 'i386', 'i686', 'riscv64',
                                     'ppc64le', 's390x', 'loongarch64')
           THEN lower(arch) ELSE 'other' END
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

-- What happened on each of the last 60 days, downloads too.
CREATE FUNCTION piw.site_days() RETURNS TABLE (day date, kind text, word varchar, amount bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
    SELECT d.day, d.kind, d.word, d.amount FROM piw.days d WHERE d.day > piw.utc_now()::date - 60
    UNION ALL
    SELECT h.hour::date, 'downloads', '', sum(h.downloads)::bigint FROM piw.download_hours h
    WHERE h.hour >= piw.utc_now()::date - 59 GROUP BY h.hour::date
    ORDER BY 1, 2, 3
$$;

CREATE FUNCTION piw.last_builds(lim integer)
RETURNS TABLE (build_id integer, package varchar, version varchar, abi_tag varchar, status boolean, built_at timestamp,
               duration interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
    SELECT b.build_id, b.package, b.version, b.abi_tag, b.status, b.built_at, b.duration
    FROM public.builds b
    WHERE (SELECT 'quarantined' NOT IN (v.skip, p.skip) FROM public.packages p
           JOIN public.versions v ON v.package = p.package
           WHERE p.package = b.package AND v.version = b.version)
    ORDER BY b.build_id DESC
    LIMIT lim
$$;

-- By classes of popularity, as the queue knows them; within these by number.
CREATE FUNCTION piw.most_downloaded(lim integer) RETURNS TABLE (package varchar, recent bigint, ever bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- Of each package, in the order of the given names: its downloads (is_build null), its builds by their numbers, and for what is
-- not built yet how often it was tried in vain, why last, and when again.
CREATE FUNCTION piw.project_histories(pkgs text[])
RETURNS TABLE (package varchar, is_build boolean, version varchar, abi_tag varchar, number bigint, status boolean,
               ended_us bigint, other_us bigint, cause varchar, recent bigint, ever bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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
