-- view_needs.sql — wheels of the common store that came when the farm had no views are read for what their code needs, in the
-- background. After view_pages.sql. The stores of views have none of that kind: whoever builds for a view is asked.

-- The next ones, `lim` at most, of which it isn't known, among the next 1,000 files in the order of names; the last row has no file,
-- but the name up to which these are all (NULL: to the end). No row: all have been read.
CREATE FUNCTION piw.needs_due(lim integer) RETURNS TABLE (package text, filename text, filehash text, upto text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 1000;
    so_far varchar := piw.needs_unread();
    amount bigint;
    last text;
    lacking bigint := 0;
BEGIN
    IF so_far IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*), max(n.filename) INTO amount, last
    FROM (SELECT f.filename FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n;
    FOR package, filename, filehash IN
        SELECT b.package, n.filename, n.filehash
        FROM (SELECT f.filename, f.build_id, f.filehash, f.platform_tag FROM public.files f
              WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n
        JOIN public.builds b ON b.build_id = n.build_id
        WHERE n.platform_tag <> 'any'
          AND NOT EXISTS (SELECT FROM piw.file_needs x WHERE x.view = '' AND x.filename = n.filename)
        ORDER BY n.filename
        LIMIT lim
    LOOP
        lacking := lacking + 1;
        upto := filename;
        RETURN QUERY SELECT package, filename, filehash, NULL::text;
    END LOOP;
    IF lacking < lim THEN
        upto := CASE WHEN amount = slice THEN last END;
    END IF;
    RETURN QUERY SELECT NULL::text, NULL::text, NULL::text, upto;
END
$$;

-- These have been read (`needs`: words with a blank between, NULL: can't be known), and with them all up to `upto` (NULL: all there
-- are). What they may cover is looked at again. Returns the packages whose pages are to list more.
CREATE FUNCTION piw.needs_read(filenames text[], hashes text[], needs text[], upto text) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    packages text[];
    covering text[];
    covered text[];
BEGIN
    SELECT array_agg(DISTINCT b.package::text) INTO packages
    FROM unnest(needs_read.filenames) AS r (filename)
    JOIN public.files f ON f.filename = r.filename
    JOIN public.builds b ON b.build_id = f.build_id
    WHERE piw.in_another_store('', r.filename);
    IF packages IS NOT NULL THEN
        PERFORM piw.keep_meanings(packages);
    END IF;
    -- Of a name that has other bytes by now, whoever recorded those has said what they need.
    INSERT INTO piw.file_needs (view, filename, needs)
    SELECT '', f.filename, string_to_array(r.needs, ' ')
    FROM unnest(needs_read.filenames, needs_read.hashes, needs_read.needs) AS r (filename, filehash, needs)
    JOIN public.files f ON f.filename = r.filename AND f.filehash = r.filehash
    WHERE r.needs IS NOT NULL AND EXISTS (SELECT FROM piw.views)
    ON CONFLICT DO NOTHING;
    UPDATE piw.needs_pass p SET after = coalesce(needs_read.upto, p.after), done = needs_read.upto IS NULL WHERE NOT p.done;
    WITH kinds AS MATERIALIZED (
        SELECT v.view, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has
        FROM piw.views v WHERE NOT v.common
    ), files AS (
        SELECT b.package::text AS package, b.version::text AS version,
               bool_or(piw.view_runs(k.takes, k.platforms, k.has, b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag, n.needs)) AS runs
        FROM unnest(needs_read.filenames) AS r (filename)
        JOIN public.files f ON f.filename = r.filename
        JOIN public.builds b ON b.build_id = f.build_id
        LEFT JOIN piw.file_needs n ON n.view = '' AND n.filename = f.filename
        JOIN kinds k ON piw.view_runs(k.takes, k.platforms, '{}', b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag, '{}')
        GROUP BY b.package, b.version
    )
    SELECT array_agg(f.package), array_agg(f.version), array_agg(DISTINCT f.package) FILTER (WHERE f.runs)
    INTO covering, covered, packages FROM files f;
    IF covering IS NOT NULL THEN
        PERFORM piw.note(covering, covered);
    END IF;
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;
