-- pypi.sql — schema piw: following PyPI, by the events of its log or by its list of projects and their documents, which say
-- how a project is, not what happened to it.

-- --- Events ---

CREATE TYPE piw.pypi_event AS (
    ord bigint,
    package text,
    name text,
    version text,
    moment timestamp,
    action text,
    serial bigint,
    round bigint
);

CREATE TYPE piw.pypi_change AS (
    package text,
    version text,
    change text
);

-- The planner must look up key after key, in these functions as in the queue's: a plan made while a table was small is
-- kept, and would read the whole of it when it has grown. What is looked up is grouped first.

-- Events of one round that add or mark. A version without a source so far is marked `binary only`. New versions are told one by
-- one; unless `each`, only which packages have any that were there before: the caller asks no more, and there may be many.
CREATE FUNCTION piw.apply_additions(events piw.pypi_event[], development boolean, each boolean) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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
    new_packages text[]; -- of each new version that is to be told
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

    -- Looked up first, which costs less than ON CONFLICT. Somebody may add one of them just then: seen the next time. A package
    -- that is new has none, and nobody else sees it yet: its versions have a NULL for `known`, with which no index is looked into.
    LOOP
        BEGIN
            WITH wanted AS MATERIALIZED (
                SELECT g.package, g.version, g.released, g.source, g.uploads, g.known, v.skip
                FROM (SELECT e.package, e.version, min(e.moment) AS released, bool_or(e.action = 'source') AS source,
                             count(*) FILTER (WHERE e.action = 'source' AND e.serial > 0) AS uploads,
                             CASE WHEN e.package IN (SELECT unnest(fresh)) THEN NULL ELSE e.package END AS known
                      FROM unnest(events) e
                      WHERE e.action IN ('source', 'binary') AND e.version IS NOT NULL
                      GROUP BY e.package, e.version) g
                LEFT JOIN public.versions v ON v.package = g.known AND v.version = g.version
            ), come AS (
                INSERT INTO public.versions (package, version, released, skip)
                SELECT w.package, w.version, w.released, CASE WHEN w.source THEN '' ELSE 'binary only' END
                FROM wanted w
                WHERE w.skip IS NULL
                ORDER BY w.package COLLATE "C", w.version COLLATE "C"
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
            FROM (SELECT array_agg(w.package) AS packages, array_agg(w.version) FILTER (WHERE each) AS versions
                  FROM wanted w WHERE w.skip IS NULL AND (each OR w.known IS NOT NULL)) n,
                 (SELECT array_agg(o.package) AS packages, array_agg(o.version) AS versions FROM open o) o;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
    IF each THEN
        RETURN QUERY
        SELECT n.package, n.version, 'new_version'::text FROM unnest(new_packages, new_versions) AS n (package, version)
        ORDER BY n.package COLLATE "C", n.version COLLATE "C";
    ELSE
        RETURN QUERY
        SELECT n.package, NULL::text, 'new_version'::text
        FROM (SELECT DISTINCT unnest(new_packages)) AS n (package) ORDER BY n.package COLLATE "C";
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

-- Events of one round that remove. Builds, files and queue rows go by cascade and triggers; a quarantine has an end.
CREATE FUNCTION piw.apply_removals(events piw.pypi_event[]) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- 0 adds or marks as yanked, 1 removes, 2 hides, shows or takes a source away.
CREATE FUNCTION piw.event_kind(action text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT CASE WHEN action = 'remove' THEN 1 WHEN action IN ('quarantine', 'clear', 'unsource') THEN 2 ELSE 0 END
$$;

-- Apply PyPI's events in their order and store where the follower is. Serials applied before are passed over: replaying
-- a removal would delete wheels built since. A NULL in `versions`: the event is about the
-- package.
CREATE FUNCTION piw.apply_pypi_events(packages text[], names text[], versions text[], moments timestamp[],
                                      actions text[], serials bigint[], new_serial bigint, development boolean)
RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

CREATE FUNCTION piw.describe(packages text[], descriptions text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    UPDATE public.packages p SET description = d.description
    FROM (SELECT DISTINCT ON (d.package) d.package, left(d.description, 200) AS description
          FROM unnest(packages, descriptions) WITH ORDINALITY AS d (package, description, ord)
          ORDER BY d.package, d.ord DESC) d
    WHERE p.package = d.package AND p.description <> d.description
$$;

-- Keep what a project's page says of its state, and why releases are yanked. Is it something new?
CREATE FUNCTION piw.keep_facts(pkg text, new_status text, new_reason text, yanked text[], reasons text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
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

-- --- Projects ---

-- Bring projects to what their documents say (additions_only: taking nothing away), in one transaction, and store where
-- the follower is. A release is of the `owners`-th project; without a time it has no files: such a version is neither added
-- nor taken away. Versions that an operator added stay, until PyPI has them too.
CREATE FUNCTION piw.apply_projects(packages text[], names text[], owners integer[], versions text[],
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

-- Compare what PyPI's list has in the range (after, upto] of names with what is here; upto NULL: to the end. Those that the
-- list has and we never had are `missing`. Those that an earlier list had and this one hasn't, or that are quarantined, are
-- hidden, and `left`: their pages tell whether they are deleted. Who never was in a list was added here, and stays.
-- `total` is the length of the whole list: when it has lost more than one in a hundred, it is not believed, and nothing is
-- done but to say how many there were.
CREATE FUNCTION piw.compare_projects(names text[], serials bigint[], after text, upto text, total bigint)
RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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
