-- views.sql — views, the farm's named kinds of machine: what the configuration says of them, and which versions they want. After
-- coverage.sql, before queue.sql, which calls it.

-- The ABIs, as far as the farm builds for them: where it has views, for that of the common one alone. Machines of another have a view, whose
-- queue goes by its name; and as a version waits for its lowest ABI first, it would wait for one that nobody has.
CREATE FUNCTION piw.farm_abis() RETURNS TABLE (abi_tag varchar, skip varchar)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT a.abi_tag,
           coalesce((SELECT ('the common view is for ' || c.abi_tag)::varchar FROM piw.views c
                     WHERE c.common AND c.abi_tag <> a.abi_tag AND a.skip = ''), a.skip)
    FROM public.build_abis a
$$;

-- What the master's configuration says, at each of its starts. Lists are words with a blank between. What differs from the last
-- time is looked at again, in slices.
CREATE FUNCTION piw.set_views(
    names text[], abis text[], platforms text[], libraries text[], commons boolean[], skips boolean[], stables boolean[],
    newest integer[], popular integer[], pures boolean[], os_names text[], os_versions text[], machines text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given piw.views[];
    gone text[];
    fault text;
    asks boolean;
    others boolean; -- machines than before
BEGIN
    SELECT coalesce(array_agg(ROW(v.view, v.place, v.abi_tag, string_to_array(v.platforms, ' '), string_to_array(v.libraries, ' '),
                                  v.common, v.skip, v.stable, v.newest, v.popular, v.pure, string_to_array(v.os_names, ' '),
                                  v.os_version, string_to_array(v.machines, ' '))::piw.views ORDER BY v.place), '{}')
    INTO given
    FROM unnest(set_views.names, set_views.abis, set_views.platforms, set_views.libraries, set_views.commons,
                set_views.skips, set_views.stables, set_views.newest, set_views.popular, set_views.pures, set_views.os_names,
                set_views.os_versions, set_views.machines) WITH ORDINALITY
        AS v (view, abi_tag, platforms, libraries, common, skip, stable, newest, popular, pure, os_names, os_version, machines, place);
    asks := EXISTS (SELECT FROM unnest(given) g WHERE g.skip_pypi_wheels OR NOT g.pure_from_pypi);
    IF asks THEN -- until cloud_gazer, which starts now, says how long
        UPDATE piw.offers_hold h SET until = greatest(h.until, piw.utc_now() + interval '1 minute');
    END IF;
    IF given = coalesce((SELECT array_agg(v ORDER BY v.place) FROM piw.views v), '{}') THEN
        RETURN;
    END IF;
    SELECT g.view INTO fault FROM unnest(given) g JOIN public.build_abis a ON a.abi_tag = g.view LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the view % has the name of an ABI that the farm builds for: it needs another', fault;
    END IF;
    SELECT g.view INTO fault FROM unnest(given) g WHERE g.common AND EXISTS (SELECT FROM piw.view_builds b WHERE b.view = g.view);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the view % has builds of its own and can''t become the common one; see common in [site]', fault;
    END IF;
    PERFORM pg_advisory_xact_lock(7306001);
    SELECT array_agg(v.view) INTO gone FROM piw.views v
    WHERE NOT v.common AND NOT EXISTS (SELECT FROM unnest(given) g WHERE g.view = v.view AND NOT g.common);
    DELETE FROM piw.view_drops d USING unnest(given) g WHERE d.view = g.view;
    IF NOT asks THEN -- nobody keeps up what is known
        DELETE FROM piw.pypi_known;
    END IF;
    -- Nobody has asked what wheels need that came while there was no view.
    IF cardinality(given) = 0 THEN
        UPDATE piw.needs_pass SET done = true;
    ELSIF NOT EXISTS (SELECT FROM piw.views) THEN
        UPDATE piw.needs_pass SET after = '', done = NOT EXISTS (SELECT FROM public.files);
    END IF;
    SELECT array_agg((v.view, v.abi_tag, v.platforms, v.os_names, v.os_version, v.machines)::text ORDER BY v.place)
           IS DISTINCT FROM (SELECT array_agg((g.view, g.abi_tag, g.platforms, g.os_names, g.os_version, g.machines)::text ORDER BY g.place)
                             FROM unnest(given) g)
    INTO others FROM piw.views v;
    DELETE FROM piw.views;
    INSERT INTO piw.views SELECT g.* FROM unnest(given) g;
    PERFORM piw.set_view_counts(others);
    INSERT INTO piw.view_names SELECT g.view FROM unnest(given) g ON CONFLICT DO NOTHING;
    INSERT INTO public.build_abis (abi_tag) SELECT g.abi_tag FROM unnest(given) g WHERE g.common ON CONFLICT DO NOTHING;
    -- What stood only in the queue of a view that has gone leaves it; the others' may be wanted or not by now.
    PERFORM piw.note_refill(g.view) FROM unnest(gone) AS g (view);
    IF cardinality(given) > 0 OR (SELECT count(*) FROM public.build_abis) > 1 THEN -- without views every ABI is built for
        PERFORM piw.note_refill(NULL);
    END IF;
END
$$;

-- --- Which files run on a view's machines ---

-- What the machines of a view have: what the operator says, else what its slaves have shown; NULL: nobody has.
CREATE FUNCTION piw.view_words(of_view text) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN coalesce((SELECT v.libraries FROM piw.views v WHERE v.view = of_view AND cardinality(v.libraries) > 0),
                    (SELECT array_agg(h.word) FROM piw.view_has h WHERE h.view = of_view));
END
$$;

-- Would installers there take a wheel of these tags, and would it run? A pure one does anywhere; another one where all is that
-- it needs, so never where either isn't known. `takes`: of the view's ABI (coverage.sql).
CREATE FUNCTION piw.view_runs(takes text[], platforms text[], has text[], builder text, py_tags text, abi_tags text,
                              platform_tags text, needs text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN platform_tags = 'any' THEN true
                WHEN pg_catalog.string_to_array(platform_tags, '.') && platforms
                THEN coalesce(piw.meets(needs, has), false)
                ELSE false END
           AND (piw.build_offers(builder, py_tags, abi_tags))[2:] && takes
$$;

-- --- What a view is to have at all ---

-- No version of an alpha, a beta, a candidate or a state of development (PEP 440, in any spelling).
CREATE FUNCTION piw.is_stable(version text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.lower(pg_catalog.split_part(version, '+', 1)) !~ '[abcd]|pre'
$$;

-- The highest version of glibc among such words, 2036 for 2.36; NULL: none, so it isn't known.
CREATE FUNCTION piw.glibc_of(words text[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
BEGIN
    RETURN (SELECT max(w.part[1]::integer * 1000 + w.part[2]::integer)
            FROM (SELECT regexp_match(u.word, '^GLIBC_([0-9]{1,3})[.]([0-9]{1,3})(?:[.]|$)') AS part FROM unnest(words) AS u (word)) w);
END
$$;

-- May a wheel of this platform's tag run on a view's machines? PyPI's wheels for Linux are manylinux_GLIBC_MACHINE, older ones
-- manylinux2014_MACHINE and the like (PEP 600); musllinux is of another C library. Installers ask for versions from 2.5 on where the
-- machine is x86, for such from 2.17 on elsewhere. `glibc` NULL: not known, any of these may.
CREATE FUNCTION piw.platform_fits(platform text, platforms text[], glibc integer) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
DECLARE
    part text[] := regexp_match(platform, '^manylinux(?:(1|2010|2014)|_([0-9]{1,3})_([0-9]{1,3}))(_.+)$');
    version integer;
BEGIN
    IF part IS NULL THEN
        RETURN platform = ANY (platforms);
    END IF;
    version := CASE part[1] WHEN '1' THEN 2005 WHEN '2010' THEN 2012 WHEN '2014' THEN 2017
               ELSE part[2]::integer * 1000 + part[3]::integer END;
    RETURN 'linux' || part[4] = ANY (platforms)
           AND version >= CASE WHEN part[4] IN ('_x86_64', '_i686') THEN 2005 ELSE 2017 END
           AND coalesce(version <= glibc, true);
END
$$;

-- Does PyPI have a wheel of these tags that installers of a view take? With `pure`: one for any platform. `pythons`: which of
-- Python 3's releases take each, as far as that is known.
CREATE FUNCTION piw.pypi_serves(tags text[], pythons bigint[], abi text, platforms text[], glibc integer, pure boolean)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
DECLARE
    takes text[] := piw.abi_takes(abi);
    minor integer := least(substring(abi from '^(?:cp|pypy)3([0-9]{1,3})')::integer, 62);
BEGIN
    RETURN EXISTS (
        SELECT FROM unnest(tags, pythons) AS t (tag, python)
        WHERE coalesce(t.python >> minor & 1 = 1, true)
          AND (piw.build_offers('', split_part(t.tag, '-', 1), split_part(t.tag, '-', 2)))[2:] && takes
          AND EXISTS (SELECT FROM unnest(string_to_array(split_part(t.tag, '-', 3), '.')) AS p (platform)
                      WHERE CASE WHEN p.platform = 'any' THEN pure
                                 ELSE NOT pure AND piw.platform_fits(p.platform, platforms, glibc) END));
END
$$;

-- The policy of a view by which it doesn't want a version; '': none.
CREATE FUNCTION piw.view_rule(of_view text, pkg text, ver text, moment timestamp) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    own piw.views;
    there piw.pypi_wheels;
    recent bigint;
BEGIN
    SELECT * INTO own FROM piw.views v WHERE v.view = of_view;
    IF own.stable_only AND NOT piw.is_stable(ver) THEN
        RETURN 'stable_only: it is a pre-release';
    END IF;
    IF own.newest > 0 AND (SELECT count(*) FROM (
            SELECT FROM public.versions n
            WHERE n.package = pkg AND n.skip = '' AND (n.released, n.version) > (moment, ver)
              AND (NOT own.stable_only OR piw.is_stable(n.version)) LIMIT own.newest) n) >= own.newest THEN
        RETURN format('newest: there are %s newer ones', own.newest);
    END IF;
    IF own.popular > 0 THEN
        recent := coalesce((SELECT d.recent FROM piw.view_downloads d WHERE d.view = of_view AND d.package = pkg), 0);
        IF recent < own.popular THEN
            RETURN format('popular: %s of %s downloads by such machines in 30 days', recent, own.popular);
        END IF;
    END IF;
    IF own.skip_pypi_wheels OR NOT own.pure_from_pypi THEN
        SELECT w.* INTO there FROM piw.pypi_wheels w WHERE w.package = pkg AND w.version = ver;
        IF there.tags IS NOT NULL AND own.skip_pypi_wheels
           AND piw.pypi_serves(there.tags, there.pythons, own.abi_tag, own.platforms, piw.glibc_of(own.libraries), false) THEN
            RETURN 'skip_pypi_wheels: PyPI has a wheel for this kind of machine';
        END IF;
        IF there.tags IS NOT NULL AND NOT own.pure_from_pypi
           AND piw.pypi_serves(there.tags, there.pythons, own.abi_tag, own.platforms, NULL, true) THEN
            RETURN 'pure_from_pypi: PyPI has a wheel for any machine';
        END IF;
    END IF;
    RETURN '';
END
$$;

-- The views that piw.view_rule has something to say about.
CREATE FUNCTION piw.views_with_rules() RETURNS TABLE (view varchar)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT v.view FROM piw.views v
    WHERE v.stable_only OR v.newest > 0 OR v.popular > 0
       OR ((v.skip_pypi_wheels OR NOT v.pure_from_pypi) AND (SELECT true FROM piw.pypi_wheels LIMIT 1))
$$;

-- --- The queue ---

-- The wheels of a version, whosever they are (view '': the common view's), with what their code needs (NULL: not known).
CREATE FUNCTION piw.version_files(pkg varchar, ver varchar)
RETURNS TABLE (view varchar, filename varchar, build_id integer, builder varchar, py_version_tag varchar, abi_tag varchar,
               platform_tag varchar, needs text[])
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT '', f.filename, f.build_id, b.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag,
           (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = f.filename)
    FROM public.builds b
    CROSS JOIN LATERAL (SELECT f.* FROM public.files f WHERE f.build_id = b.build_id OFFSET 0) f
    WHERE b.package = pkg AND b.version = ver
    UNION ALL
    SELECT f.view, f.filename, f.build_id, o.abi_tag, f.py_version_tag, f.abi_tag, f.platform_tag,
           (SELECT n.needs FROM piw.file_needs n WHERE n.view = f.view AND n.filename = f.filename)
    FROM piw.view_builds b
    CROSS JOIN LATERAL (SELECT f.* FROM piw.view_files f WHERE f.build_id = b.build_id OFFSET 0) f
    CROSS JOIN LATERAL (SELECT o.abi_tag FROM piw.views o WHERE o.view = b.view OFFSET 0) o
    WHERE b.package = pkg AND b.version = ver
$$;

-- The wheels of the common store beyond this name are yet to be read for what they need (piw.needs_due); NULL: none.
CREATE FUNCTION piw.needs_unread() RETURNS varchar
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT p.after FROM piw.needs_pass p WHERE NOT p.done);
END
$$;

-- A wheel that is yet to be read is taken to need nothing: what it may cover isn't built before that is known.
CREATE FUNCTION piw.needs_for_now(view varchar, filename varchar, needs text[], unread varchar) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN needs IS NULL AND view = '' AND filename > unread THEN '{}' ELSE needs END
$$;

-- The views but the common one that want a build of these versions: those that have none of their own, whatever came of it, and
-- on whose machines no file of another view runs. As piw.wanted, by which the common one's are found.
CREATE FUNCTION piw.view_wanted(packages text[], versions text[])
RETURNS TABLE (package varchar, version varchar, abi_tag varchar, released timestamp)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    unread varchar := piw.needs_unread();
BEGIN
    IF NOT EXISTS (SELECT FROM piw.views v WHERE NOT v.common) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH keys AS (
        SELECT DISTINCT k.package, k.version FROM unnest(view_wanted.packages, view_wanted.versions) AS k (package, version)
    ), kinds AS MATERIALIZED (
        SELECT v.view, v.platforms, piw.abi_takes(v.abi_tag) AS takes, piw.view_words(v.view) AS has,
               v.view IN (SELECT r.view FROM piw.views_with_rules() r) AS ruled
        FROM piw.views v WHERE NOT v.common
    )
    SELECT v.package, v.version, k.view, v.released
    FROM keys
    CROSS JOIN LATERAL (
        SELECT v.package, v.version, v.released
        FROM public.versions v
        JOIN public.packages p ON p.package = v.package
        WHERE v.package = keys.package AND v.version = keys.version AND v.skip = '' AND p.skip = '' OFFSET 0
    ) v
    CROSS JOIN LATERAL (
        SELECT array_agg(c.view) AS views
        FROM (SELECT b.view FROM piw.view_builds b WHERE b.package = v.package AND b.version = v.version
              UNION ALL
              SELECT k.view
              FROM piw.version_files(v.package, v.version) f
              JOIN kinds k ON piw.view_runs(k.takes, k.platforms, k.has, f.builder, f.py_version_tag, f.abi_tag,
                                            f.platform_tag, piw.needs_for_now(f.view, f.filename, f.needs, unread))) c
    ) covered
    CROSS JOIN kinds k
    WHERE (covered.views IS NULL OR k.view <> ALL (covered.views))
      AND (NOT k.ruled OR piw.view_rule(k.view, v.package, v.version, v.released) = '');
END
$$;

-- --- Builds and files ---

-- Of each of these queues: the view whose it is, or NULL where its builds are stock's.
CREATE FUNCTION piw.views_of(queues text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT array_agg((SELECT v.view FROM piw.views v WHERE v.view = q.name AND NOT v.common) ORDER BY q.ord)
            FROM unnest(queues) WITH ORDINALITY AS q (name, ord));
END
$$;

-- Is this queue's name that of a view, though perhaps of one that the farm has no more? No ABI's tag has a dot or a hyphen.
CREATE FUNCTION piw.was_view(queue text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN queue ~ '[.-]' OR (EXISTS (SELECT FROM piw.view_names n WHERE n.view = queue)
                              AND NOT EXISTS (SELECT FROM public.build_abis a WHERE a.abi_tag = queue));
END
$$;

-- The rows of builds for views, of those positions that are `accepted` and have one.
CREATE FUNCTION piw.record_view_rows(
    accepted integer[], views text[], build_ids integer[], slaves integer[], packages text[], versions text[], statuses boolean[],
    durations_us bigint[], moment timestamp)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    INSERT INTO piw.view_builds (build_id, view, package, version, built_by, built_at, duration, status)
    SELECT build_ids[a.ord], views[a.ord], packages[a.ord], versions[a.ord], slaves[a.ord],
           moment + a.ord * interval '1 microsecond', durations_us[a.ord] * interval '1 microsecond', statuses[a.ord]
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL;
    PERFORM piw.note(array_agg(packages[a.ord]), array_agg(versions[a.ord]))
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL;
    INSERT INTO piw.deltas (kind, package_tag, moment, amount)
    SELECT CASE WHEN statuses[a.ord] THEN 'built' ELSE 'failed' END, views[a.ord], moment::date, count(*)
    FROM unnest(accepted) AS a (ord) WHERE views[a.ord] IS NOT NULL GROUP BY 1, 2;
END
$$;

-- Builds from the queue of one view whose rows are another's. Where none of the version's files runs on the machines of the first, as
-- when the names were taken, its own build stands for it as ever: it isn't tried again.
CREATE FUNCTION piw.record_uncovered(
    accepted integer[], queues text[], build_ids integer[], slaves integer[], packages text[], versions text[], durations_us bigint[],
    moment timestamp)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    FOR n IN 1..cardinality(queues) LOOP
        CONTINUE WHEN queues[n] IS NULL OR n <> ALL (accepted);
        INSERT INTO piw.view_builds (build_id, view, package, version, built_by, built_at, duration, status)
        SELECT build_ids[n], v.view, packages[n], versions[n], slaves[n], moment, durations_us[n] * interval '1 microsecond', true
        FROM piw.views v
        WHERE v.view = queues[n] AND NOT v.common AND NOT EXISTS (
            SELECT FROM piw.version_files(packages[n]::varchar, versions[n]::varchar) f
            WHERE piw.view_runs(piw.abi_takes(v.abi_tag), v.platforms, piw.view_words(v.view), f.builder, f.py_version_tag, f.abi_tag,
                                f.platform_tag, f.needs));
    END LOOP;
END
$$;

-- Does the view's index lead to a file of this name with other bytes (view_pages.sql), in the store of another view?
CREATE FUNCTION piw.means_another(of_view text, name text, hash text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN coalesce((
        SELECT f.filehash <> hash
        FROM (SELECT o.filehash, o.py_version_tag, o.abi_tag, o.platform_tag, b.abi_tag AS builder, 0 AS place,
                     coalesce((SELECT x.uploaded FROM piw.file_facts x WHERE x.filename = o.filename), b.built_at) AS uploaded,
                     (SELECT n.needs FROM piw.file_needs n WHERE n.view = '' AND n.filename = o.filename) AS needs
              FROM public.files o JOIN public.builds b ON b.build_id = o.build_id
              WHERE o.filename = name::varchar AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = o.filename)
              UNION ALL
              SELECT o.filehash, o.py_version_tag, o.abi_tag, o.platform_tag, h.abi_tag, h.place, o.uploaded,
                     (SELECT n.needs FROM piw.file_needs n WHERE n.view = o.view AND n.filename = o.filename)
              FROM piw.views h JOIN piw.view_files o ON o.view = h.view AND o.filename = name::varchar
              WHERE h.view <> of_view
                AND NOT EXISTS (SELECT FROM piw.view_withheld w WHERE w.view = o.view AND w.filename = o.filename)) f
        JOIN piw.views v ON v.view = of_view
        WHERE piw.view_runs(piw.abi_takes(v.abi_tag), v.platforms, piw.view_words(v.view), f.builder, f.py_version_tag, f.abi_tag,
                            f.platform_tag, f.needs)
        ORDER BY coalesce((SELECT m.filehash <> f.filehash FROM piw.view_meanings m
                           WHERE m.view = of_view AND m.filename = name::varchar), true), f.uploaded, f.place
        LIMIT 1), false);
END
$$;

-- Of a wheel for linux_armv7l that an operator replaces, the second entry (piw.armv6l_name) goes with it: the new one brings its own, or
-- has none.
CREATE FUNCTION piw.drop_second_entry(of_view text, name text, hash text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    WITH gone AS (
        DELETE FROM piw.view_files s USING piw.view_files o
        WHERE o.view = of_view AND o.filename = name AND o.filehash <> hash
          AND s.view = of_view AND s.filename = piw.armv6l_name(name) AND s.filename <> o.filename AND s.filehash = o.filehash
        RETURNING s.view, s.filename, s.build_id
    ), needless AS (
        DELETE FROM piw.file_needs n USING gone g WHERE n.view = g.view AND n.filename = g.filename
    )
    INSERT INTO piw.view_removals (view, filename, package)
    SELECT g.view, g.filename, b.package FROM gone g JOIN piw.view_builds b ON b.build_id = g.build_id
    ON CONFLICT (view, filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
END
$$;

-- A file of a view's build, in the place of one of that name that has the same bytes, or that an operator replaces; but a `second` entry
-- never takes the place of a wheel for linux_armv6l. False: the published one stays, be it the view's own or one that its index leads to.
CREATE FUNCTION piw.record_view_file(file piw.view_files, imported boolean, second boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF NOT imported AND NOT EXISTS (SELECT FROM piw.view_files o WHERE o.view = file.view AND o.filename = file.filename)
       AND piw.means_another(file.view, file.filename, file.filehash) THEN
        RETURN false;
    END IF;
    INSERT INTO piw.view_files AS o SELECT file.*
    ON CONFLICT (view, filename) DO UPDATE SET
        build_id = excluded.build_id, filesize = excluded.filesize, filehash = excluded.filehash,
        package_tag = excluded.package_tag, package_version_tag = excluded.package_version_tag,
        py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag, platform_tag = excluded.platform_tag,
        requires_python = excluded.requires_python, location = excluded.location, metadata_hash = excluded.metadata_hash,
        uploaded = CASE WHEN o.filehash = excluded.filehash THEN o.uploaded ELSE excluded.uploaded END
    WHERE o.filehash = excluded.filehash OR (imported AND NOT second);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM piw.view_dependencies d WHERE d.view = file.view AND d.filename = file.filename;
    DELETE FROM piw.view_removals r WHERE r.view = file.view AND r.filename = file.filename;
    RETURN true;
END
$$;

-- Builds of views are taken back; their versions are looked at again, and their files follow later.
CREATE FUNCTION piw.forget_view_builds(build_ids integer[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    IF build_ids IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text)) FROM piw.view_builds b
    WHERE b.build_id = ANY (build_ids);
    INSERT INTO piw.view_removals (view, filename, package)
    SELECT f.view, f.filename, b.package
    FROM piw.view_builds b JOIN piw.view_files f ON f.build_id = b.build_id WHERE b.build_id = ANY (build_ids)
    ON CONFLICT (view, filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
    DELETE FROM piw.file_needs n USING piw.view_files f
    WHERE f.build_id = ANY (build_ids) AND n.view = f.view AND n.filename = f.filename;
    DELETE FROM piw.view_withheld w USING piw.view_files f
    WHERE f.build_id = ANY (build_ids) AND w.view = f.view AND w.filename = f.filename;
    DELETE FROM piw.view_builds b WHERE b.build_id = ANY (build_ids);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

-- Of a package, or one of its versions: all of them, or those that failed.
CREATE FUNCTION piw.forget_view_builds_of(pkg text, ver text, failed_only boolean) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT piw.forget_view_builds(array_agg(b.build_id)) FROM piw.view_builds b
    WHERE b.package = pkg AND (ver IS NULL OR b.version = ver) AND NOT (failed_only AND b.status)
$$;

-- --- What operators ask for (piw-ctl view) ---

-- The views of the configuration, then those of which only builds are left. It counts rows: for an operator, not for what the
-- master does by itself.
CREATE FUNCTION piw.list_views()
RETURNS TABLE (view varchar, abi_tag varchar, platforms text, common boolean, configured boolean, pending bigint, builds bigint,
               files bigint, unread bigint, held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT n.view, coalesce(v.abi_tag, ''), coalesce(array_to_string(v.platforms, ' '), ''), coalesce(v.common, false),
           v.view IS NOT NULL,
           coalesce((SELECT t.pending FROM piw.queue_totals t WHERE t.abi_tag = CASE WHEN v.common THEN v.abi_tag ELSE n.view END), 0),
           CASE WHEN v.common THEN (SELECT count(*) FROM public.builds b WHERE b.abi_tag = v.abi_tag)
                ELSE (SELECT count(*) FROM piw.view_builds b WHERE b.view = n.view) END,
           CASE WHEN v.common
                THEN (SELECT count(*) FROM public.files f JOIN public.builds b ON b.build_id = f.build_id WHERE b.abi_tag = v.abi_tag)
                ELSE (SELECT count(*) FROM piw.view_files f WHERE f.view = n.view) END,
           piw.offers_left(n.view), piw.offers_held(CASE WHEN v.common THEN v.abi_tag ELSE n.view END)
    FROM (SELECT v.view FROM piw.views v UNION SELECT b.view FROM piw.view_builds b) n
    LEFT JOIN piw.views v ON v.view = n.view
    ORDER BY v.place NULLS LAST, n.view
$$;

-- Look at every version again, in slices. `outcome`: filling, unknown.
CREATE FUNCTION piw.fill_view(of_view text, OUT outcome text, OUT builds bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    builds := 0;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view) THEN 'filling' ELSE 'unknown' END;
    PERFORM piw.note_refill(NULL) WHERE outcome = 'filling';
END
$$;

-- Take back all that was built for it, in slices. `outcome`: dropping, unknown; common; there: the configuration has it.
CREATE FUNCTION piw.drop_view(of_view text, OUT outcome text, OUT builds bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    SELECT count(*) INTO builds FROM piw.view_builds b WHERE b.view = of_view;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view AND v.common) THEN 'common'
                    WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = of_view) THEN 'there'
                    WHEN builds = 0 THEN 'unknown' ELSE 'dropping' END;
    IF outcome = 'dropping' THEN
        INSERT INTO piw.view_drops VALUES (of_view) ON CONFLICT DO NOTHING;
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

-- A slice of the builds of views that are dropped. True: there may be more.
CREATE FUNCTION piw.drop_slice(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    dropped varchar;
BEGIN
    SELECT d.view INTO dropped FROM piw.view_drops d ORDER BY d.view LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF piw.forget_view_builds(ARRAY(SELECT b.build_id FROM piw.view_builds b WHERE b.view = dropped LIMIT slice)) < slice THEN
        DELETE FROM piw.view_drops d WHERE d.view = dropped;
        DELETE FROM piw.view_has h WHERE h.view = dropped;
        DELETE FROM piw.view_meanings m WHERE m.view = dropped;
    END IF;
    RETURN true;
END
$$;

-- What became of a version for each view but the common one (piw.why_abis): its own build, a file of another view that runs
-- there, the rule by which it isn't wanted; or it waits.
CREATE FUNCTION piw.why_views(pkg text, ver text)
RETURNS TABLE (abi_tag varchar, abi_skip varchar, status text, build_id integer, offered boolean, unread boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off
AS $$
    SELECT w.view, CASE WHEN own.build_id IS NULL AND good.build_id IS NULL THEN rule.text ELSE '' END::varchar,
           CASE WHEN own.status AND EXISTS (SELECT FROM piw.view_files f WHERE f.build_id = own.build_id) THEN 'success'
                WHEN good.build_id IS NOT NULL THEN 'success'
                WHEN own.status THEN 'error'
                WHEN own.build_id IS NOT NULL THEN 'fail'
                WHEN p.skip <> '' OR v.skip <> '' OR rule.text <> '' THEN 'skip'
                ELSE 'pending' END,
           CASE WHEN own.status OR good.build_id IS NULL THEN own.build_id ELSE good.build_id END,
           EXISTS (SELECT FROM piw.queue q WHERE q.package = pkg AND q.version = ver AND q.abi_tag = w.view),
           piw.offers_held(w.view) AND EXISTS (SELECT FROM piw.offers_sort(w.view, ARRAY[pkg], ARRAY[ver], false))
    FROM piw.views w
    JOIN public.versions v ON v.package = pkg AND v.version = ver
    JOIN public.packages p ON p.package = v.package
    LEFT JOIN LATERAL (
        SELECT b.build_id, b.status FROM piw.view_builds b
        WHERE b.view = w.view AND b.package = pkg AND b.version = ver ORDER BY b.build_id DESC LIMIT 1) own ON true
    LEFT JOIN LATERAL (
        SELECT f.build_id FROM piw.version_files(pkg, ver) f
        WHERE f.view <> w.view AND piw.view_runs(piw.abi_takes(w.abi_tag), w.platforms, piw.view_words(w.view), f.builder,
                                                 f.py_version_tag, f.abi_tag, f.platform_tag, f.needs)
        ORDER BY f.build_id LIMIT 1) good ON true
    CROSS JOIN LATERAL (SELECT piw.view_rule(w.view, pkg, ver, v.released) AS text) rule
    WHERE NOT w.common
    ORDER BY w.place
$$;
