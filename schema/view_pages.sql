-- view_pages.sql — what the indexes of views list beside what is in their own stores, and how the farm comes to know what runs
-- where. After views.sql.

-- The views in the configuration's order; `ruled`: not every version is to be built for it.
CREATE FUNCTION piw.view_list() RETURNS TABLE (view varchar, abi_tag varchar, common boolean, ruled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT v.view, v.abi_tag, v.common, v.view IN (SELECT piw.views_with_rules()) FROM piw.views v ORDER BY v.place
$$;

-- Of packages, the files that views list from other stores ('': the common one): of a name that more than one store has, the one
-- that was published first, unless its index led to another before that one came to run there (piw.keep_meanings). So a name keeps its
-- meaning. The common view lists all that the common index does.
CREATE FUNCTION piw.view_links(packages text[])
RETURNS TABLE (package varchar, version varchar, view varchar, home varchar, filename varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH kinds AS MATERIALIZED (
        SELECT v.view, v.place, v.common, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has
        FROM piw.views v
    ), files AS MATERIALIZED (
        SELECT b.package, b.version, ''::varchar AS home, 0 AS place,
               coalesce((SELECT x.uploaded FROM piw.file_facts x WHERE x.filename = f.filename), b.built_at) AS uploaded,
               b.abi_tag AS builder, f.filename, f.filehash, f.py_version_tag, f.abi_tag, f.platform_tag,
               (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = f.filename) AS needs
        FROM public.builds b
        CROSS JOIN LATERAL (SELECT f.* FROM public.files f WHERE f.build_id = b.build_id OFFSET 0) f
        WHERE b.package = ANY (view_links.packages)
          AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = f.filename)
        UNION ALL
        SELECT b.package, b.version, f.view, o.place, f.uploaded, o.abi_tag, f.filename, f.filehash, f.py_version_tag, f.abi_tag,
               f.platform_tag,
               (SELECT n.needs FROM piw.file_needs n WHERE n.view = f.view AND n.filename = f.filename)
        FROM piw.view_builds b
        CROSS JOIN LATERAL (SELECT f.* FROM piw.view_files f WHERE f.build_id = b.build_id OFFSET 0) f
        JOIN piw.views o ON o.view = b.view
        WHERE b.package = ANY (view_links.packages)
          AND NOT EXISTS (SELECT FROM piw.view_withheld w WHERE w.view = f.view AND w.filename = f.filename)
    )
    SELECT DISTINCT ON (f.package, f.version, k.place, f.filename) f.package, f.version, k.view, f.home, f.filename
    FROM files f
    JOIN kinds k ON f.home <> k.view
    WHERE CASE WHEN k.common AND f.home = '' THEN true
               ELSE coalesce(piw.view_runs(k.takes, k.platforms, k.has, f.builder, f.py_version_tag, f.abi_tag,
                                           f.platform_tag, f.needs), false) END
      AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = k.view AND o.filename = f.filename)
    ORDER BY f.package, f.version, k.place, f.filename,
             coalesce((SELECT m.filehash <> f.filehash FROM piw.view_meanings m WHERE m.view = k.view AND m.filename = f.filename), true),
             f.uploaded, f.place;
END
$$;

-- Before files of these packages come to run where they didn't: what names that several stores have mean in the views' indexes stays.
CREATE FUNCTION piw.keep_meanings(packages text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO piw.view_meanings AS o (view, filename, filehash)
    SELECT l.view, l.filename, h.filehash
    FROM piw.view_links(keep_meanings.packages) l
    CROSS JOIN LATERAL (
        SELECT f.filehash FROM public.files f WHERE l.home = '' AND f.filename = l.filename
        UNION ALL SELECT f.filehash FROM piw.view_files f WHERE f.view = l.home AND f.filename = l.filename
    ) h
    WHERE piw.in_another_store(l.home, l.filename)
    ON CONFLICT (view, filename) DO UPDATE SET filehash = excluded.filehash WHERE o.filehash <> excluded.filehash;
END
$$;

-- Has another store than `home` ('': the common one) a file of this name?
CREATE FUNCTION piw.in_another_store(home text, name text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (home <> '' AND EXISTS (SELECT FROM public.files f WHERE f.filename = name::varchar))
           OR EXISTS (SELECT FROM piw.views v JOIN piw.view_files f ON f.view = v.view AND f.filename = name::varchar WHERE v.view <> home);
END
$$;

-- Machines of this view have these words: its slaves have built what needs them. What runs there now that didn't before is looked at
-- again, and listed.
CREATE FUNCTION piw.learn_words(of_view text, words text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    before text[] := piw.view_words(of_view);
    after text[];
    is_common constant boolean := (SELECT v.common FROM piw.views v WHERE v.view = of_view);
    met text[];
    pages text[];
BEGIN
    IF coalesce(piw.meets(words, before), false)
       OR EXISTS (SELECT FROM piw.views v WHERE v.view = of_view AND cardinality(v.libraries) > 0) THEN
        RETURN;
    END IF;
    after := coalesce(before, '{}') || words;
    FOR met IN
        SELECT n.needs FROM (SELECT n.needs FROM piw.file_needs n GROUP BY n.needs) n
        WHERE NOT coalesce(piw.meets(n.needs, before), false) AND piw.meets(n.needs, after)
    LOOP
        -- Where nothing is known of the view, nothing with needs runs there; the common view lists its own in any case.
        SELECT array_agg(DISTINCT f.package::text) INTO pages
        FROM (SELECT b.package, n.view, n.filename FROM piw.file_needs n
              JOIN public.files f ON f.filename = n.filename
              JOIN public.builds b ON b.build_id = f.build_id
              WHERE n.view = '' AND n.needs = met AND NOT is_common AND before IS NOT NULL
              UNION ALL
              SELECT b.package, n.view, n.filename FROM piw.file_needs n
              JOIN piw.view_files f ON f.view = n.view AND f.filename = n.filename
              JOIN piw.view_builds b ON b.build_id = f.build_id
              WHERE n.view <> of_view AND n.view <> '' AND n.needs = met AND (is_common OR before IS NOT NULL)) f
        WHERE piw.in_another_store(f.view, f.filename);
        IF pages IS NOT NULL THEN
            PERFORM piw.keep_meanings(pages);
        END IF;
        WITH files AS (
            SELECT b.package, b.version FROM piw.file_needs n
            JOIN public.files f ON f.filename = n.filename
            JOIN public.builds b ON b.build_id = f.build_id
            WHERE n.view = '' AND n.needs = met
            UNION
            SELECT b.package, b.version FROM piw.file_needs n
            JOIN piw.view_files f ON f.view = n.view AND f.filename = n.filename
            JOIN piw.view_builds b ON b.build_id = f.build_id
            WHERE n.view <> of_view AND n.needs = met
        ), noted AS (
            SELECT piw.note(array_agg(f.package::text), array_agg(f.version::text)) FROM files f HAVING count(*) > 0
        )
        SELECT array_agg(DISTINCT f.package::text) INTO pages FROM files f LEFT JOIN noted ON true;
        IF pages IS NOT NULL THEN
            PERFORM piw.note_pages(pages, array_fill('BOTH'::text, ARRAY[cardinality(pages)]));
        END IF;
    END LOOP;
    INSERT INTO piw.view_has (view, word) SELECT of_view, w.word FROM unnest(words) AS w (word) ON CONFLICT DO NOTHING;
END
$$;

-- What the code of these files needs, words with a blank between; NULL: it isn't known. Only of those that are published as this
-- build's. Called by piw.record_builds, whose arrays these are.
CREATE FUNCTION piw.record_needs(build_ids integer[], slaves integer[], abis text[], file_builds integer[], filenames text[],
                                 file_needs text[]) RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    views text[] := piw.views_of(abis);
    homes text[];
    names text[];
    lists text[];
    builders integer[];
    learned record;
BEGIN
    IF NOT EXISTS (SELECT FROM piw.views) THEN
        RETURN;
    END IF;
    SELECT array_agg(coalesce(views[f.build], '')), array_agg(f.filename), array_agg(f.needs), array_agg(f.build)
    INTO homes, names, lists, builders
    FROM unnest(file_builds, filenames, file_needs) AS f (build, filename, needs)
    WHERE f.filename NOT LIKE '%-any.whl'
      AND CASE WHEN views[f.build] IS NULL
               THEN (SELECT o.build_id FROM public.files o WHERE o.filename = f.filename) = build_ids[f.build]
               ELSE (SELECT o.build_id FROM piw.view_files o
                     WHERE o.view = views[f.build] AND o.filename = f.filename) = build_ids[f.build] END;
    IF names IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM piw.file_needs n USING unnest(homes, names, lists) AS f (home, filename, needs)
    WHERE n.view = f.home AND n.filename = f.filename AND f.needs IS NULL;
    INSERT INTO piw.file_needs AS o (view, filename, needs)
    SELECT DISTINCT ON (f.home, f.filename) f.home, f.filename, string_to_array(f.needs, ' ')
    FROM unnest(homes, names, lists) AS f (home, filename, needs) WHERE f.needs IS NOT NULL
    ON CONFLICT (view, filename) DO UPDATE SET needs = excluded.needs WHERE o.needs <> excluded.needs;
    FOR learned IN
        SELECT v.view, array_agg(DISTINCT w.word) AS words
        FROM unnest(builders, lists) AS f (build, needs)
        JOIN piw.views v ON CASE WHEN views[f.build] IS NULL THEN v.common AND v.abi_tag = abis[f.build]
                                 ELSE v.view = views[f.build] END
        CROSS JOIN unnest(string_to_array(f.needs, ' ')) AS w (word)
        WHERE slaves[f.build] <> 0
        GROUP BY v.view ORDER BY v.view
    LOOP
        PERFORM piw.learn_words(learned.view, learned.words);
    END LOOP;
END
$$;
