-- quarantine.sql — what PyPI has quarantined: hidden at once and whole, with nothing of it lost. After pypi.sql's types.
--
-- While it lasts `skip` of the package or version is `quarantined`, which keeps every program that shares the database from
-- building it, and piw.quarantines has what `skip` was. Who sets another reason meanwhile sets what comes back. Files are
-- listed in piw.withheld from the transaction that hides them until they lie in their place again.

-- Keys of one cause: 'event' (of the log), 'list' (it left PyPI's list, or its project's document), 'here' (found so). A
-- version NULL: the whole project. What isn't here is noted too: it is hidden when it comes.
CREATE FUNCTION piw.hide(packages text[], versions text[], serials bigint[], why text) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- The other way: `skip` becomes what it was, or what it was to become meanwhile.
CREATE FUNCTION piw.show(packages text[], versions text[]) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- --- Events ---

-- Events of one round that hide, show, or take a source away. A package's last word of each kind decides.
CREATE FUNCTION piw.apply_marks(events piw.pypi_event[]) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- Versions whose last source has gone: what was never built of them can't be built any more.
CREATE FUNCTION piw.mark_binary(packages text[], versions text[]) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- --- Lists and pages ---

-- What the pages of projects said that had left PyPI's list: there is none (`gone`: deleted now), or it doesn't speak of a
-- quarantine (`back`).
CREATE FUNCTION piw.apply_project_pages(gone text[], back text[]) RETURNS SETOF piw.pypi_change
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- --- Files ---

-- The files of these packages that are hidden now are to be taken out of reach.
CREATE FUNCTION piw.withhold(packages text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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

-- NULL: there is no such file.
CREATE FUNCTION piw.is_hidden(of_filename text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
    SELECT p.skip = 'quarantined' OR v.skip = 'quarantined'
    FROM public.files f
    JOIN public.builds b ON b.build_id = f.build_id
    JOIN public.versions v ON v.package = b.package AND v.version = b.version
    JOIN public.packages p ON p.package = v.package
    WHERE f.filename = of_filename
$$;

-- Files that are not where they belong: hidden and not known to be out of reach, or not hidden any more. A file whose row has
-- gone meanwhile is brought back never: piw.removals has it.
CREATE FUNCTION piw.withheld_due(after text, lim integer) RETURNS TABLE (package varchar, filename varchar, hidden boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET jit = off
AS $$
    SELECT w.package, w.filename, w.hidden
    FROM (SELECT w.*, piw.is_hidden(w.filename) AS hidden FROM piw.withheld w
          WHERE w.filename > after::varchar) w
    WHERE w.hidden IS NOT NULL AND NOT (w.hidden AND w.away)
    ORDER BY w.filename
    LIMIT lim
$$;

-- These have been moved: `away` out of reach, `back` into their place, where pages may lead to them again. Returns the packages
-- of the latter.
CREATE FUNCTION piw.withheld_done(away text[], back text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- What stood `quarantined` when this schema came: of an earlier one, or an operator's own word.
CREATE FUNCTION piw.adopt_quarantines() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

-- --- Triggers ---

-- Somebody sets another reason than `quarantined`: it waits. What is marked deleted, on its way out, is not held back.
CREATE FUNCTION piw.keep_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

CREATE FUNCTION piw.packages_come() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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
