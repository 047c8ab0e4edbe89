-- writes.sql — the functions through which the master writes. After piw.sql, before triggers.sql.
--
-- Set-based: each takes arrays, so that the writer stores all that waits in one transaction. Each is whole: it either
-- does what its arrays say or fails without effect.
--
-- What is called for each build looks up key after key, by plans that are made once a session: made anew for each group,
-- planning would take longer than the group. Such a plan may be older than its tables' rows. So nothing is left to it that
-- suits an empty table only: a row of a table is looked up in a subquery of its own (OFFSET 0 keeps it one), or by `= ANY`
-- of its key, and never joined with an array, whose other side might then be read whole.

-- `amount` numbers in a row that were never given and never will be. Numbers skipped on the way are lost, which is fine.
CREATE FUNCTION piw.reserve(kind text, amount integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    source regclass;
    first bigint;
    last bigint;
BEGIN
    IF amount IS NULL OR amount < 1 OR amount > 100000 THEN
        RAISE EXCEPTION 'between 1 and 100000 numbers can be reserved, not %', amount;
    END IF;
    source := CASE kind WHEN 'slave' THEN 'piw.slave_numbers'::regclass
                        WHEN 'build' THEN 'public.builds_build_id_seq'::regclass END;
    IF source IS NULL THEN
        RAISE EXCEPTION 'there are no numbers of kind %', kind;
    END IF;
    -- Another session may take numbers in between: then these are not in a row, and the next attempt's may be.
    FOR try IN 1..20 LOOP
        SELECT min(n), max(n) INTO first, last FROM (SELECT nextval(source) AS n FROM generate_series(1, amount)) s;
        IF last - first + 1 = amount THEN
            RETURN first;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no % numbers of kind % in a row', amount, kind;
END
$$;

-- --- What became of a transaction ---

CREATE FUNCTION piw.mark_commit(of_instance integer, this_mark bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    INSERT INTO piw.commits AS c VALUES (of_instance, this_mark)
    ON CONFLICT (instance) DO UPDATE SET mark = excluded.mark;
END
$$;

-- Was the last transaction of this instance the one with the mark? Waits for one that is still under way.
CREATE FUNCTION piw.was_committed(of_instance integer, this_mark bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    INSERT INTO piw.commits VALUES (of_instance, 0) ON CONFLICT DO NOTHING;
    PERFORM FROM piw.commits c WHERE c.instance = of_instance FOR UPDATE;
    RETURN EXISTS (SELECT FROM piw.commits c WHERE c.instance = of_instance AND c.mark = this_mark);
END
$$;

-- --- Pages ---

-- Note that these packages' pages are stale; BOTH wins. Called under the settings and the rights of the functions that change
-- something.
CREATE FUNCTION piw.note_pages(packages text[], commands text[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    moment timestamp := piw.utc_now();
BEGIN
    INSERT INTO piw.pages_due AS d (package, noted, command)
    SELECT n.package, moment, min(n.command)
    FROM unnest(packages, commands) AS n (package, command)
    GROUP BY n.package
    ORDER BY n.package COLLATE "C"
    ON CONFLICT (package) DO UPDATE SET noted = excluded.noted, command = least(d.command, excluded.command);
END
$$;

-- What the_secretary holds, whole: so whole tables are compared, and the planner, which guesses that arrays are short, must
-- not take one row after the other. It has heard of what it names, but for BOTH where it names PROJECT; what it doesn't name after so
-- long it has done.
CREATE FUNCTION piw.save_rewrites(packages text[], moments timestamp[], commands text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_nestloop = off SET jit = off
AS $$
BEGIN
    DELETE FROM piw.pages_due d USING unnest(packages, commands) AS r (package, command)
    WHERE d.package = r.package AND r.command <= d.command;
    DELETE FROM piw.pages_due d WHERE d.noted < piw.utc_now() - interval '10 minutes';
    DELETE FROM public.rewrites_pending w
    WHERE NOT EXISTS (SELECT FROM unnest(packages) AS r (package) WHERE r.package = w.package);
    -- Most are there already, as they are.
    INSERT INTO public.rewrites_pending AS w (package, added_at, command)
    SELECT r.package, r.added_at, r.command
    FROM (SELECT DISTINCT ON (r.package) r.package, r.added_at, r.command
          FROM unnest(packages, moments, commands) AS r (package, added_at, command)
          ORDER BY r.package, r.command, r.added_at) r
    WHERE NOT EXISTS (SELECT FROM public.rewrites_pending o
                      WHERE o.package = r.package AND o.added_at = r.added_at AND o.command = r.command)
    ON CONFLICT (package) DO UPDATE SET added_at = excluded.added_at, command = excluded.command;
END
$$;

-- What has to be written after a start: what was held, and what was committed and not yet heard of. Oldest first.
CREATE FUNCTION piw.load_rewrites() RETURNS TABLE (package varchar, added_at timestamp, command varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT w.package, min(w.added_at), min(w.command)::varchar
    FROM (SELECT r.package, r.added_at, r.command FROM public.rewrites_pending r
          UNION ALL SELECT d.package, d.noted, d.command FROM piw.pages_due d) w
    GROUP BY w.package
    ORDER BY 2
$$;

-- --- Builds ---

-- The names of a wheel for linux_armv7l and of its second entry; other names stay as they are.
CREATE FUNCTION piw.armv7l_name(filename text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.regexp_replace(filename, '-linux_armv6l\.whl$', '-linux_armv7l.whl')
$$;

CREATE FUNCTION piw.armv6l_name(filename text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.regexp_replace(filename, '-linux_armv7l\.whl$', '-linux_armv6l.whl')
$$;

-- The rows of builds themselves, their attempts, and the pages that they make stale. Returns the positions of those that are recorded:
-- not when the number is there already or the version is gone. `queues`: from which they were built, where not for their ABI's;
-- `file_builds`: positions that have files; `views`: whose their rows are, NULL: stock's; `viewed`: the farm has views, or had some;
-- `addresses`: of those whose attempt has not been noted before, where their slave was. Called under the settings of the two that follow.
CREATE FUNCTION piw.record_rows(
    build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], queues text[], statuses boolean[],
    durations_us bigint[], file_builds integer[], moment timestamp, addresses text[], views text[], viewed boolean)
RETURNS integer[]
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    accepted integer[];
    attempts bigint[];
    noted boolean;     -- one of them is there
    rested boolean;
BEGIN
    -- One array is unnested, by whose positions the others are read: each more would cost as much as looking up a row.
    SELECT array_agg(l.ord), array_agg(l.attempt_id), bool_or(l.attempt_id IS NOT NULL), bool_or(l.rested)
    INTO accepted, attempts, noted, rested
    FROM (SELECT b.ord,
                 (SELECT a.attempt_id FROM piw.attempts a
                  WHERE a.state = 'running' AND a.slave_id = slaves[b.ord] AND a.package = packages[b.ord]
                    AND a.version = versions[b.ord] AND a.abi_tag = coalesce(queues[b.ord], abis[b.ord]) LIMIT 1) AS attempt_id,
                 EXISTS (SELECT FROM piw.attempts a
                         WHERE a.state = 'transient' AND a.counts AND a.package = packages[b.ord]
                           AND a.version = versions[b.ord] AND a.abi_tag IN (abis[b.ord], queues[b.ord])) AS rested
          FROM unnest(build_ids) WITH ORDINALITY AS b (build_id, ord)
          WHERE array_position(build_ids, b.build_id) = b.ord -- of one number twice the first
            AND (SELECT o.build_id FROM public.builds o WHERE o.build_id = b.build_id) IS NULL
            AND (SELECT o.build_id FROM piw.view_builds o WHERE o.build_id = b.build_id) IS NULL
            AND (views[b.ord] IS NOT NULL OR (abis[b.ord] !~ '[.-]' AND NOT (viewed AND piw.was_view(abis[b.ord]))))
            AND (SELECT 'quarantined' NOT IN (v.skip, p.skip)
                 FROM public.versions v JOIN public.packages p ON p.package = v.package
                 WHERE v.package = packages[b.ord] AND v.version = versions[b.ord])
          OFFSET 0) l;
    IF cardinality(array_remove(addresses, NULL)) > 0 THEN
        -- Hardly ever there is one, and an UPDATE of nothing costs as much as an INSERT of a row.
        IF EXISTS (SELECT FROM piw.attempts WHERE state = 'running' AND slave_id = ANY (slaves)) THEN
            UPDATE piw.attempts SET state = 'ended', cause = 'the slave began another build', ended = moment
            WHERE state = 'running' AND slave_id = ANY (ARRAY(
                SELECT b.slave_id FROM unnest(slaves, addresses) AS b (slave_id, address) WHERE b.address IS NOT NULL));
        END IF;
        -- They were over before anybody would have noted that they had begun.
        INSERT INTO piw.attempts (slave_id, package, version, abi_tag, address, state, ended, build_id)
        SELECT slaves[b.ord], packages[b.ord], versions[b.ord], coalesce(queues[b.ord], abis[b.ord]), b.address,
               CASE WHEN b.ord <> ALL (coalesce(accepted, '{}')) THEN 'running' WHEN statuses[b.ord] THEN 'built' ELSE 'failed' END,
               CASE WHEN b.ord = ANY (accepted) THEN moment END, CASE WHEN b.ord = ANY (accepted) THEN build_ids[b.ord] END
        FROM unnest(addresses) WITH ORDINALITY AS b (address, ord)
        WHERE b.address IS NOT NULL;
    END IF;
    IF accepted IS NULL THEN
        RETURN '{}';
    END IF;
    -- A microsecond apart: package, version, time and builder together are unique.
    INSERT INTO public.builds (build_id, package, version, built_by, built_at, duration, status, abi_tag)
    SELECT build_ids[b.ord], packages[b.ord], versions[b.ord], slaves[b.ord], moment + b.ord * interval '1 microsecond',
           durations_us[b.ord] * interval '1 microsecond', statuses[b.ord], abis[b.ord]
    FROM unnest(accepted) AS b (ord)
    WHERE views[b.ord] IS NULL;
    IF viewed AND cardinality(array_remove(views, NULL)) > 0 THEN
        PERFORM piw.record_view_rows(accepted, views, build_ids, slaves, packages, versions, statuses, durations_us, moment);
    END IF;
    IF noted THEN
        UPDATE piw.attempts a SET state = CASE WHEN b.status THEN 'built' ELSE 'failed' END, ended = moment,
            build_id = b.build_id
        FROM (SELECT t.attempt_id, build_ids[t.ord] AS build_id, statuses[t.ord] AS status
              FROM unnest(attempts, accepted) AS t (attempt_id, ord)) b
        WHERE a.attempt_id = ANY (array_remove(attempts, NULL)) AND a.attempt_id = b.attempt_id;
    END IF;
    IF rested THEN
        FOR n IN 1..cardinality(accepted) LOOP
            UPDATE piw.attempts a SET counts = false
            WHERE a.state = 'transient' AND a.counts AND a.package = packages[accepted[n]]
              AND a.version = versions[accepted[n]] AND a.abi_tag IN (abis[accepted[n]], queues[accepted[n]]);
        END LOOP;
    END IF;
    IF cardinality(accepted) = 1 THEN
        INSERT INTO piw.pages_due AS d (package, noted, command)
        VALUES (packages[accepted[1]], moment, CASE WHEN accepted[1] = ANY (file_builds) THEN 'BOTH' ELSE 'PROJECT' END)
        ON CONFLICT (package) DO UPDATE SET noted = excluded.noted, command = least(d.command, excluded.command);
    ELSE
        PERFORM piw.note_pages(array_agg(packages[b.ord]), array_agg(CASE WHEN b.ord = ANY (file_builds) THEN 'BOTH' ELSE 'PROJECT' END))
        FROM unnest(accepted) AS b (ord);
    END IF;
    RETURN accepted;
END
$$;

-- Why a build is not recorded.
CREATE FUNCTION piw.why_refused(pkg text, ver text, abi text) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.versions v WHERE v.package = pkg AND v.version = ver) THEN
        RETURN 'the version is unknown or has been removed';
    ELSIF EXISTS (SELECT FROM public.versions v JOIN public.packages p ON p.package = v.package
                  WHERE v.package = pkg AND v.version = ver AND 'quarantined' IN (v.skip, p.skip)) THEN
        RETURN 'it is quarantined by PyPI';
    ELSIF piw.was_view(abi) AND NOT EXISTS (SELECT FROM piw.views v WHERE v.view = abi AND NOT v.common) THEN
        RETURN 'the farm has no such view any more';
    END IF;
    RETURN 'a build of this number is recorded already';
END
$$;

-- Record builds that failed: what record_builds does when there are no files, in a fraction of its time.
CREATE FUNCTION piw.record_failures(
    build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], durations_us bigint[],
    addresses text[] DEFAULT NULL)
RETURNS TABLE (ord integer, recorded boolean, why text, kept text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    viewed constant boolean := EXISTS (SELECT FROM piw.views) OR EXISTS (SELECT FROM piw.view_names);
    accepted integer[];
BEGIN
    accepted := piw.record_rows(build_ids, slaves, packages, versions, abis, NULL,
                                array_fill(false, ARRAY[cardinality(build_ids)]), durations_us, NULL, piw.utc_now(), addresses,
                                CASE WHEN viewed THEN piw.views_of(abis) END, viewed);
    FOR n IN 1..cardinality(build_ids) LOOP
        ord := n;
        recorded := n = ANY (accepted);
        why := CASE WHEN recorded THEN '' ELSE piw.why_refused(packages[n], versions[n], abis[n]) END;
        kept := '{}';
        RETURN NEXT;
    END LOOP;
END
$$;

-- Record builds with their files. Arrays of builds first; then of files, whose `file_builds` says to which build (by
-- position, from 1); then of dependencies, whose `dep_files` says to which file; what files' code needs (view_pages.sql); and of
-- builds whose rows are another view's, from which queue they were built. A published name keeps its row when the bytes differ,
-- unless an operator imports it (slave 0): those names come back in `kept`.
CREATE FUNCTION piw.record_builds(
    build_ids integer[], slaves integer[], packages text[], versions text[], abis text[], statuses boolean[],
    durations_us bigint[],
    file_builds integer[], filenames text[], filesizes integer[], filehashes text[], package_tags text[],
    version_tags text[], py_tags text[], file_abis text[], platforms text[], requires text[], locations text[],
    metadata_hashes text[],
    dep_files integer[], dep_tools text[], dep_names text[], file_needs text[] DEFAULT NULL,
    from_queues text[] DEFAULT NULL, addresses text[] DEFAULT NULL)
RETURNS TABLE (ord integer, recorded boolean, why text, kept text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    moment constant timestamp := piw.utc_now();
    viewed constant boolean := EXISTS (SELECT FROM piw.views) OR EXISTS (SELECT FROM piw.view_names);
    views constant text[] := CASE WHEN viewed THEN piw.views_of(abis) END;
    accepted integer[];
    amount bigint;
    round integer := 0;
    rounds integer := 0;
    taken text[];
    taken_files bigint[]; -- NULL: all
    known_files bigint[]; -- whose name was published before
    unchanged text[];
    stale text[];
    kept_builds integer[];
    kept_names text[];
    here_builds integer[];
    here_names text[];
BEGIN
    accepted := piw.record_rows(build_ids, slaves, packages, versions, abis, from_queues, statuses, durations_us, file_builds, moment,
                                addresses, views, viewed);

    -- New names, as nearly all are. What isn't stored by this was published before, or comes twice.
    INSERT INTO public.files (filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag, abi_tag,
                              platform_tag, requires_python, location)
    SELECT filenames[f.ord], build_ids[f.build], filesizes[f.ord], filehashes[f.ord], package_tags[f.ord], version_tags[f.ord],
           py_tags[f.ord], file_abis[f.ord], platforms[f.ord], requires[f.ord], locations[f.ord]
    FROM unnest(file_builds) WITH ORDINALITY AS f (build, ord)
    WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND statuses[f.build]
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS amount = ROW_COUNT;
    IF amount < cardinality(filenames) THEN
        SELECT coalesce(array_agg(f.ord) FILTER (WHERE f.new), '{}'), array_agg(f.ord) FILTER (WHERE NOT f.new),
               coalesce(max(f.nth) FILTER (WHERE NOT f.new), 0)
        INTO taken_files, known_files, rounds
        FROM (SELECT f.ord, f.new, row_number() OVER (PARTITION BY f.filename, f.new ORDER BY f.ord) AS nth
              FROM (SELECT f.filename, f.ord,
                           row_number() OVER (PARTITION BY f.filename ORDER BY f.ord) = 1
                           AND (SELECT o.build_id FROM public.files o WHERE o.filename = f.filename) = build_ids[f.build] AS new
                    FROM unnest(file_builds, filenames) WITH ORDINALITY AS f (build, filename, ord)
                    WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND statuses[f.build]) f) f;
    END IF;
    -- Then files of the same name are taken one after the other, as if each build came alone.
    LOOP
        IF cardinality(dep_files) > 0 THEN
            INSERT INTO public.dependencies (filename, tool, dependency)
            SELECT filenames[d.file], d.tool, d.dependency
            FROM unnest(dep_files, dep_tools, dep_names) AS d (file, tool, dependency)
            WHERE taken_files IS NULL OR d.file = ANY (taken_files)
            ON CONFLICT DO NOTHING;
        END IF;
        -- What was published before keeps the time at which it was.
        INSERT INTO piw.file_facts AS o (filename, package, metadata_hash, uploaded)
        SELECT filenames[f.ord], packages[f.build], metadata_hashes[f.ord], moment
        FROM unnest(file_builds) WITH ORDINALITY AS f (build, ord)
        WHERE taken_files IS NULL OR f.ord = ANY (taken_files)
        ON CONFLICT (filename) DO UPDATE SET
            package = excluded.package, metadata_hash = excluded.metadata_hash,
            uploaded = CASE WHEN o.filename = ANY (unchanged) THEN o.uploaded ELSE excluded.uploaded END;
        EXIT WHEN round = rounds;
        round := round + 1;
        SELECT array_agg(f.filename) INTO unchanged
        FROM unnest(known_files) AS k (ord)
        CROSS JOIN LATERAL (SELECT o.filename FROM public.files o
                            WHERE o.filename = filenames[k.ord] AND o.filehash = filehashes[k.ord] OFFSET 0) f;
        stale := NULL;
        IF 0 = ANY (slaves) THEN
            -- Second entries whose wheel an operator replaces, and which the new wheel doesn't have.
            SELECT array_agg(s.filename) INTO stale
            FROM unnest(file_builds, filenames, filehashes) AS f (build, filename, filehash)
            CROSS JOIN LATERAL (
                SELECT s.filename
                FROM public.files o
                JOIN public.files s ON s.filename = piw.armv6l_name(f.filename) AND s.filename <> o.filename
                                   AND s.filehash = o.filehash
                WHERE o.filename = f.filename AND o.filehash <> f.filehash OFFSET 0) s
            WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND slaves[f.build] = 0 AND s.filename <> ALL (filenames);
        END IF;

        WITH candidates AS (
            SELECT f.*, CASE WHEN f.ord = ANY (known_files)
                             THEN row_number() OVER (PARTITION BY f.filename, f.ord = ANY (known_files) ORDER BY f.ord) END AS nth
            FROM unnest(file_builds, filenames, filesizes, filehashes, package_tags, version_tags, py_tags, file_abis,
                        platforms, requires, locations) WITH ORDINALITY
                AS f (build, filename, filesize, filehash, package_tag, version_tag, py_tag, abi_tag, platform_tag,
                      requires_python, location, ord)
            WHERE f.build = ANY (accepted) AND views[f.build] IS NULL AND statuses[f.build]
        ), stored AS (
            INSERT INTO public.files AS o (filename, build_id, filesize, filehash, package_tag, package_version_tag,
                                           py_version_tag, abi_tag, platform_tag, requires_python, location)
            SELECT c.filename, build_ids[c.build], c.filesize, c.filehash, c.package_tag, c.version_tag, c.py_tag,
                   c.abi_tag, c.platform_tag, c.requires_python, c.location
            FROM candidates c
            WHERE c.nth = round
            ON CONFLICT (filename) DO UPDATE SET
                build_id = excluded.build_id, filesize = excluded.filesize, filehash = excluded.filehash,
                package_tag = excluded.package_tag, package_version_tag = excluded.package_version_tag,
                py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag,
                platform_tag = excluded.platform_tag, requires_python = excluded.requires_python,
                location = excluded.location
            WHERE o.filehash = excluded.filehash
               -- A second entry of a wheel for linux_armv7l never takes the place of a wheel for linux_armv6l.
               OR (slaves[array_position(build_ids, excluded.build_id)] = 0
                   AND (NOT EXISTS (SELECT FROM candidates s
                                    WHERE s.filename = piw.armv7l_name(excluded.filename) AND s.filename <> o.filename
                                      AND s.filehash = excluded.filehash AND build_ids[s.build] = excluded.build_id)
                        OR EXISTS (SELECT FROM public.files s
                                   WHERE s.filename = piw.armv7l_name(o.filename) AND s.filename <> o.filename
                                     AND s.filehash = o.filehash)))
            RETURNING o.filename
        )
        SELECT coalesce(array_agg(k.filename) FILTER (WHERE k.stored), '{}'), coalesce(array_agg(k.ord) FILTER (WHERE k.stored), '{}'),
               array_agg(k.build) FILTER (WHERE NOT k.stored), array_agg(k.filename) FILTER (WHERE NOT k.stored)
        INTO taken, taken_files, here_builds, here_names
        -- Grouped, not joined: the planner would compare every file with every other.
        FROM (SELECT c.filename, max(c.ord) AS ord, max(c.build) AS build, bool_or(c.stored) AS stored
              FROM (SELECT c.filename, c.ord, c.build, false AS stored FROM candidates c WHERE c.nth = round
                    UNION ALL SELECT s.filename, NULL, NULL, true FROM stored s) c
              GROUP BY c.filename) k;
        IF stale IS NOT NULL THEN
            DELETE FROM public.files s WHERE s.filename = ANY (stale);
        END IF;
        kept_builds := kept_builds || here_builds;
        kept_names := kept_names || here_names;
        DELETE FROM public.dependencies d WHERE d.filename = ANY (taken);
    END LOOP;
    IF viewed THEN
        FOR n IN 1..cardinality(file_builds) LOOP
            IF views[file_builds[n]] IS NOT NULL AND slaves[file_builds[n]] = 0 AND file_builds[n] = ANY (accepted) THEN
                PERFORM piw.drop_second_entry(views[file_builds[n]], filenames[n], filehashes[n]);
            END IF;
        END LOOP;
        FOR n IN 1..cardinality(file_builds) LOOP
            IF views[file_builds[n]] IS NULL OR NOT statuses[file_builds[n]] OR file_builds[n] <> ALL (accepted) THEN
                CONTINUE;
            ELSIF NOT piw.record_view_file(
                    ROW(views[file_builds[n]], filenames[n], build_ids[file_builds[n]], filesizes[n], filehashes[n], package_tags[n],
                        version_tags[n], py_tags[n], file_abis[n], platforms[n], requires[n], locations[n], metadata_hashes[n],
                        moment)::piw.view_files, slaves[file_builds[n]] = 0,
                    EXISTS (SELECT FROM unnest(file_builds, filenames, filehashes) AS f (build, filename, filehash)
                            WHERE f.build = file_builds[n] AND f.filename = piw.armv7l_name(filenames[n])
                              AND f.filename <> filenames[n] AND f.filehash = filehashes[n])) THEN
                kept_builds := kept_builds || file_builds[n];
                kept_names := kept_names || filenames[n];
                CONTINUE;
            END IF;
            INSERT INTO piw.view_dependencies (view, filename, tool, dependency)
            SELECT views[file_builds[n]], filenames[n], d.tool, d.dependency
            FROM unnest(dep_files, dep_tools, dep_names) AS d (file, tool, dependency)
            WHERE d.file = n
            ON CONFLICT DO NOTHING;
        END LOOP;
        IF file_needs IS NOT NULL THEN
            PERFORM piw.record_needs(build_ids, slaves, abis, file_builds, filenames, file_needs);
        END IF;
        IF cardinality(array_remove(from_queues, NULL)) > 0 THEN
            PERFORM piw.record_uncovered(accepted, from_queues, build_ids, slaves, packages, versions, durations_us, moment);
        END IF;
    END IF;

    FOR n IN 1..cardinality(build_ids) LOOP
        ord := n;
        recorded := n = ANY (accepted);
        why := CASE WHEN recorded THEN '' ELSE piw.why_refused(packages[n], versions[n], abis[n]) END;
        kept := '{}';
        IF kept_names IS NOT NULL THEN
            kept := ARRAY(SELECT k.name FROM unnest(kept_builds, kept_names) AS k (build, name) WHERE k.build = n ORDER BY k.name);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

-- --- Web logs: a batch of entries each, which fit their columns ---
--
-- Of a user agent only the first word is kept. A bot is who says there that it follows links for a machine's sake.

-- False: this batch was stored before.
CREATE FUNCTION piw.take_log_batch(from_sender bigint, batch bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    -- More than can be under way at a time.
    remembered constant bigint := 10000;
BEGIN
    INSERT INTO piw.log_batches VALUES (from_sender, batch) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF batch % 256 = 1 THEN
        DELETE FROM piw.log_batches b WHERE b.sender <> from_sender OR b.number <= batch - remembered;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION piw.log_downloads(
    sender bigint, number bigint, filenames text[], hosts inet[], moments timestamp[], archs text[], distro_names text[],
    distro_versions text[], os_names text[], os_versions text[], py_names text[], py_versions text[],
    installer_names text[], installer_versions text[], setuptools_versions text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
            os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
        SELECT * FROM unnest(filenames, hosts, moments, archs, distro_names, distro_versions, os_names, os_versions,
            py_names, py_versions, installer_names, installer_versions, setuptools_versions);
    END IF;
END
$$;

CREATE FUNCTION piw.log_searches(
    sender bigint, number bigint, packages text[], hosts inet[], moments timestamp[], archs text[], distro_names text[],
    distro_versions text[], os_names text[], os_versions text[], py_names text[], py_versions text[],
    installer_names text[], installer_versions text[], setuptools_versions text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.searches (package, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
            os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
        SELECT * FROM unnest(packages, hosts, moments, archs, distro_names, distro_versions, os_names, os_versions,
            py_names, py_versions, installer_names, installer_versions, setuptools_versions);
    END IF;
END
$$;

CREATE FUNCTION piw.log_projects(sender bigint, number bigint, packages text[], hosts inet[], moments timestamp[],
                                 agents text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.project_page_hits (package, accessed_by, accessed_at, user_agent, bot)
        SELECT h.*, coalesce(h.agent ~ '(bot|spider|crawl|slurp)', false)
        FROM unnest(packages, hosts, moments, agents) AS h (package, host, moment, agent);
    END IF;
END
$$;

CREATE FUNCTION piw.log_jsons(sender bigint, number bigint, packages text[], hosts inet[], moments timestamp[],
                              agents text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.project_json_downloads (package, accessed_by, accessed_at, user_agent)
        SELECT h.*
        FROM unnest(packages, hosts, moments, agents) AS h (package, host, moment, agent);
    END IF;
END
$$;

CREATE FUNCTION piw.log_pages(sender bigint, number bigint, pages text[], hosts inet[], moments timestamp[],
                              agents text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF piw.take_log_batch(sender, number) THEN
        INSERT INTO public.web_page_hits (page, accessed_by, accessed_at, user_agent, bot)
        SELECT h.*, coalesce(h.agent ~ '(bot|spider|crawl|slurp)', false)
        FROM unnest(pages, hosts, moments, agents) AS h (page, host, moment, agent);
    END IF;
END
$$;

-- --- Removals ---

CREATE FUNCTION piw.removals_due(linger interval, lim integer) RETURNS TABLE (package varchar, filename varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT r.package, r.filename
    FROM piw.removals r
    WHERE r.removed <= piw.utc_now() - linger
      AND NOT EXISTS (SELECT FROM public.files f WHERE f.filename = r.filename)
    ORDER BY r.removed, r.filename
    LIMIT lim
$$;

CREATE FUNCTION piw.removals_done(filenames text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    DELETE FROM piw.removals r WHERE r.filename = ANY (filenames);
    DELETE FROM piw.withheld w
    WHERE w.filename = ANY (filenames) AND NOT EXISTS (SELECT FROM public.files f WHERE f.filename = w.filename)
$$;

-- The given mark becomes the site's when there is none; '' only asks. The site's, or ''.
CREATE FUNCTION piw.site_mark(given text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF given <> '' THEN
        INSERT INTO piw.site (mark) VALUES (given) ON CONFLICT DO NOTHING;
    END IF;
    RETURN coalesce((SELECT s.mark FROM piw.site s), '');
END
$$;

-- --- What operators ask for ---

-- done: it is the answer; else an error. again: builds went, and the versions are to be built anew.
CREATE TYPE piw.admin_outcome AS (
    done boolean,
    word text,
    again boolean
);

-- Spellings of a package: aliases, and last the name as it was typed, which becomes the display name.
CREATE FUNCTION piw.add_names(pkg text, typed text, aliases text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    moment timestamp := piw.utc_now();
BEGIN
    -- The canonical name first, in case an alias of another package holds it.
    INSERT INTO public.package_names AS n (package, name) VALUES (pkg, pkg)
    ON CONFLICT (name) DO UPDATE SET package = excluded.package WHERE n.package <> excluded.package;
    SELECT greatest(moment, max(n.seen)) + interval '1 microsecond' INTO moment
    FROM public.package_names n WHERE n.package = pkg;
    INSERT INTO public.package_names AS n (package, name, seen)
    SELECT pkg, a.name, moment FROM (SELECT unnest(aliases) EXCEPT SELECT typed) AS a (name)
    UNION ALL SELECT pkg, typed, moment + interval '1 microsecond'
    ORDER BY 2
    ON CONFLICT (name) DO UPDATE SET package = excluded.package, seen = excluded.seen;
END
$$;

CREATE FUNCTION piw.add_package(pkg text, typed text, descr text, reason text, unskip boolean, aliases text[])
RETURNS piw.admin_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    word text := 'NEWPKG';
BEGIN
    IF NOT public.add_new_package(pkg, reason, left(descr, 200)) THEN
        IF reason <> '' THEN
            RETURN (false, 'SKIPPKG'::text, false);
        END IF;
        UPDATE public.packages p SET skip = '' WHERE p.package = pkg AND unskip AND p.skip <> '';
        UPDATE public.packages p SET description = left(descr, 200) WHERE p.package = pkg AND descr <> '';
        word := 'UPDPKG';
    END IF;
    PERFORM piw.add_names(pkg, typed, aliases);
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, false);
END
$$;

CREATE FUNCTION piw.add_version(pkg text, typed text, ver text, reason text, unskip boolean, moment timestamp,
                                yank boolean, unyank boolean, aliases text[])
RETURNS piw.admin_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    word text := 'NEWVER';
BEGIN
    IF NOT public.test_package(pkg) THEN
        RETURN (false, 'NOPKG'::text, false);
    END IF;
    IF public.add_new_package_version(pkg, ver, moment, reason) THEN
        INSERT INTO piw.local_versions VALUES (pkg, ver) ON CONFLICT DO NOTHING;
        UPDATE public.versions v SET yanked = true WHERE v.package = pkg AND v.version = ver AND yank;
    ELSIF reason <> '' THEN
        RETURN (false, 'SKIPVER'::text, false);
    ELSIF yank THEN
        RETURN (false, 'YANKVER'::text, false);
    ELSE
        UPDATE public.versions v SET skip = '' WHERE v.package = pkg AND v.version = ver AND unskip AND v.skip <> '';
        UPDATE public.versions v SET yanked = false WHERE v.package = pkg AND v.version = ver AND unyank AND v.yanked;
        word := 'UPDVER';
    END IF;
    PERFORM piw.add_names(pkg, typed, aliases);
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, false);
END
$$;

-- Builds, files and queue rows go by cascade and triggers.
CREATE FUNCTION piw.remove_package(pkg text, with_builds boolean, reason text) RETURNS piw.admin_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    word text := 'DELPKG';
BEGIN
    IF NOT public.test_package(pkg) THEN
        RETURN (false, 'NOPKG'::text, false);
    END IF;
    IF reason <> '' THEN
        PERFORM public.skip_package(pkg, reason);
        word := 'SKIPPKG';
    END IF;
    IF with_builds THEN
        DELETE FROM public.builds b WHERE b.package = pkg;
        PERFORM piw.forget_view_builds_of(pkg, NULL, false);
        word := 'DELPKGBLD';
    END IF;
    IF word = 'DELPKG' THEN
        PERFORM public.delete_package(pkg);
    END IF;
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, with_builds AND reason = '');
END
$$;

CREATE FUNCTION piw.remove_version(pkg text, ver text, with_builds boolean, reason text, yank boolean)
RETURNS piw.admin_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    word text := 'DELVER';
BEGIN
    IF NOT public.test_package_version(pkg, ver) THEN
        RETURN (false, 'NOVER'::text, false);
    END IF;
    IF reason <> '' THEN
        PERFORM public.skip_package_version(pkg, ver, reason);
        word := 'SKIPVER';
    END IF;
    IF yank THEN
        PERFORM public.yank_version(pkg, ver);
        word := 'YANKVER';
    END IF;
    IF with_builds THEN
        PERFORM public.delete_build(pkg, ver);
        PERFORM piw.forget_view_builds_of(pkg, ver, false);
        word := 'DELVERBLD';
    END IF;
    IF word = 'DELVER' THEN
        PERFORM public.delete_version(pkg, ver);
    END IF;
    PERFORM piw.note_pages(ARRAY[pkg], ARRAY['BOTH']);
    RETURN (true, word, with_builds AND reason = '');
END
$$;

-- --- Wheels that came without METADATA beside them ---

-- The next published wheels, `lim` at most, of which METADATA isn't known to lie beside them, among the next 1,000 files in the
-- order of names; the last row has no file, but the name up to which these are all (NULL: to the end). No row: all are done.
CREATE FUNCTION piw.metadata_due(lim integer) RETURNS TABLE (package text, filename text, upto text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 1000;
    so_far varchar;
    amount bigint;
    last text;
    lacking bigint := 0;
BEGIN
    SELECT p.after INTO so_far FROM piw.metadata_pass p WHERE NOT p.done;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT count(*), max(n.filename) INTO amount, last
    FROM (SELECT f.filename FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n;
    FOR package, filename IN
        SELECT b.package, n.filename
        FROM (SELECT f.filename, f.build_id FROM public.files f WHERE f.filename > so_far ORDER BY f.filename LIMIT slice) n
        JOIN public.builds b ON b.build_id = n.build_id
        LEFT JOIN piw.file_facts x ON x.filename = n.filename
        WHERE x.metadata_hash IS NULL AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = n.filename)
        ORDER BY n.filename
        LIMIT lim
    LOOP
        lacking := lacking + 1;
        upto := filename;
        RETURN QUERY SELECT package, filename, NULL::text;
    END LOOP;
    IF lacking < lim THEN
        upto := CASE WHEN amount = slice THEN last END;
    END IF;
    RETURN QUERY SELECT NULL::text, NULL::text, upto;
END
$$;

-- These have it now, and all up to `upto` (NULL: all there are) have been looked at. Returns the packages whose pages are to say so.
CREATE FUNCTION piw.metadata_made(filenames text[], hashes text[], upto text) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    packages text[];
BEGIN
    WITH made AS (
        INSERT INTO piw.file_facts AS o (filename, package, metadata_hash, uploaded)
        SELECT f.filename, b.package, m.metadata_hash, b.built_at
        FROM unnest(filenames, hashes) AS m (filename, metadata_hash)
        JOIN public.files f ON f.filename = m.filename
        JOIN public.builds b ON b.build_id = f.build_id
        ON CONFLICT (filename) DO UPDATE SET metadata_hash = excluded.metadata_hash WHERE o.metadata_hash IS NULL
        RETURNING o.package
    )
    SELECT array_agg(DISTINCT m.package::text) INTO packages FROM made m;
    UPDATE piw.metadata_pass p SET after = coalesce(upto, p.after), done = upto IS NULL WHERE id = 1;
    IF packages IS NOT NULL THEN
        PERFORM piw.note_pages(packages, array_fill('BOTH'::text, ARRAY[cardinality(packages)]));
        RETURN QUERY SELECT unnest(packages);
    END IF;
END
$$;
