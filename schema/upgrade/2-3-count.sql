-- 2-3-count.sql — how many versions the new rule of coverage brings back into the queue of a database of version 1 or 2. Asked
-- before the upgrade, in a transaction that is taken back. After coverage.sql.

-- Live versions that have builds, wait for none, and want one by the new rule.
CREATE FUNCTION piw.count_coming_back() RETURNS bigint
LANGUAGE plpgsql SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    bounds text[];
    counted bigint := 0;
    more bigint;
BEGIN
    bounds := ARRAY(
        SELECT max(t.package)
        FROM (SELECT p.package, ntile(100) OVER (ORDER BY p.package) AS part FROM public.packages p) t
        GROUP BY t.part ORDER BY t.part);
    FOR part IN 1..cardinality(bounds) LOOP
        WITH abis AS MATERIALIZED (
            SELECT piw.abi_takes(a.abi_tag) AS takes FROM public.build_abis a WHERE a.skip = ''
        )
        SELECT count(*) INTO more
        FROM public.versions v
        JOIN public.packages p ON p.package = v.package
        CROSS JOIN LATERAL (
            SELECT array_agg(o.tag) AS offers
            FROM public.builds b
            LEFT JOIN public.files f ON f.build_id = b.build_id
            CROSS JOIN LATERAL unnest(piw.build_offers(b.abi_tag, f.py_version_tag, f.abi_tag)) AS o (tag)
            WHERE b.package = v.package AND b.version = v.version
        ) made
        WHERE v.package > CASE WHEN part > 1 THEN bounds[part - 1] ELSE '' END::varchar AND v.package <= bounds[part]::varchar
          AND v.skip = '' AND p.skip = '' AND made.offers IS NOT NULL
          AND EXISTS (SELECT FROM abis a WHERE NOT made.offers && a.takes)
          AND NOT EXISTS (SELECT FROM piw.queue q WHERE q.package = v.package AND q.version = v.version);
        counted := counted + more;
        RAISE NOTICE USING ERRCODE = 'PIW01', MESSAGE = format('%s %% done', part * 100 / cardinality(bounds));
    END LOOP;
    RETURN counted;
END
$$;

SELECT piw.count_coming_back();
