-- projects.sql — schema piw: following PyPI by its list of projects and their documents, which say how a project is, not
-- what happened to it.

-- Bring projects to what their documents say (additions_only: taking nothing away), in one transaction, and store where
-- the follower is. A release is of the `owners`-th project; without a time it has no files: such a version is neither added
-- nor taken away. A project that has gone is deleted. Versions that an operator added stay, until PyPI has them too.
CREATE FUNCTION piw.apply_projects(packages text[], names text[], gone boolean[], owners integer[], versions text[],
                                   moments timestamp[], sources boolean[], yanks boolean[], new_serial bigint,
                                   additions_only boolean, development boolean)
RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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
        WHERE NOT gone[p.i]
        GROUP BY p.i
        UNION ALL
        SELECT 1, packages[r.owner], names[r.owner], r.version, r.moment, CASE WHEN r.source THEN 'source' ELSE 'binary' END
        FROM unnest(owners, versions, moments, sources) AS r (owner, version, moment, source)
        WHERE r.moment IS NOT NULL AND NOT gone[r.owner]
        UNION ALL
        SELECT 2, packages[r.owner], names[r.owner], r.version, r.moment, CASE WHEN r.yank THEN 'yank' ELSE 'unyank' END
        FROM unnest(owners, versions, moments, yanks) AS r (owner, version, moment, yank)
        WHERE r.moment IS NOT NULL AND NOT gone[r.owner]
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
        SELECT packages[p.i] AS package, NULL::text AS version FROM generate_subscripts(packages, 1) AS p (i) WHERE gone[p.i]
        UNION ALL
        (SELECT v.package::text, v.version::text
         FROM generate_subscripts(packages, 1) AS p (i)
         JOIN public.versions v ON v.package = packages[p.i]
         WHERE NOT gone[p.i] AND NOT additions_only
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

    INSERT INTO piw.pypi_projects SELECT packages[p.i] FROM generate_subscripts(packages, 1) AS p (i) WHERE NOT gone[p.i]
    ON CONFLICT DO NOTHING;
    DELETE FROM piw.pypi_projects k
    USING (SELECT packages[p.i] AS package FROM generate_subscripts(packages, 1) AS p (i) WHERE gone[p.i]) g
    WHERE k.package = g.package;
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

-- Compare what PyPI's list has in the range (after, upto] of names with what is here; upto NULL: to the end. Those that the
-- list has and we never had are `missing`. Those that an earlier list had and this one hasn't are deleted; who never
-- was in a list was added here, and stays. `total` is the length of the whole list: when it has lost more than a tenth, it
-- is not believed, and nothing is done but to say how many there were.
CREATE FUNCTION piw.compare_projects(names text[], after text, upto text, total bigint)
RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    known bigint;
    events piw.pypi_event[];
BEGIN
    SELECT count(*) INTO known FROM piw.pypi_projects;
    IF total < known - known / 10 THEN
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
