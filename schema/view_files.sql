-- view_files.sql — files of views that are to be deleted, or out of reach while PyPI has them quarantined. After quarantine.sql,
-- which does the same for the common index's.

CREATE FUNCTION piw.view_removals_due(linger interval, lim integer) RETURNS TABLE (package varchar, filename varchar, view varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT r.package, r.filename, r.view
    FROM piw.view_removals r
    WHERE r.removed <= piw.utc_now() - linger
      AND NOT EXISTS (SELECT FROM piw.view_files f WHERE f.view = r.view AND f.filename = r.filename)
    ORDER BY r.removed, r.view, r.filename
    LIMIT lim
$$;

CREATE FUNCTION piw.view_removals_done(views text[], filenames text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    DELETE FROM piw.view_removals r USING unnest(views, filenames) AS f (view, filename)
    WHERE r.view = f.view AND r.filename = f.filename;
    DELETE FROM piw.view_withheld w USING unnest(views, filenames) AS f (view, filename)
    WHERE w.view = f.view AND w.filename = f.filename
      AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = w.view AND o.filename = w.filename)
$$;

-- NULL: there is no such file.
CREATE FUNCTION piw.is_view_hidden(of_view text, of_filename text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
    SELECT p.skip = 'quarantined' OR v.skip = 'quarantined'
    FROM piw.view_files f
    JOIN piw.view_builds b ON b.build_id = f.build_id
    JOIN public.versions v ON v.package = b.package AND v.version = b.version
    JOIN public.packages p ON p.package = v.package
    WHERE f.view = of_view AND f.filename = of_filename
$$;

-- In order of name, those after `after`.
CREATE FUNCTION piw.view_withheld_due(after text, lim integer)
RETURNS TABLE (package varchar, filename varchar, hidden boolean, view varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET jit = off
AS $$
    SELECT w.package, w.filename, w.hidden, w.view
    FROM (SELECT w.*, piw.is_view_hidden(w.view, w.filename) AS hidden FROM piw.view_withheld w
          WHERE w.filename > after::varchar) w
    WHERE w.hidden IS NOT NULL AND NOT (w.hidden AND w.away)
    ORDER BY w.filename, w.view
    LIMIT lim
$$;

CREATE FUNCTION piw.view_withheld_done(away_views text[], away text[], back_views text[], back text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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
