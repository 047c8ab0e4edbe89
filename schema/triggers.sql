-- triggers.sql — what happens when rows of stock tables change, whoever changes them. After recounts.sql, before attach.sql.
--
-- Per statement, never per row. Each trigger notes the touched keys and sends one payload-less notification; many in one
-- transaction become one. Inner functions of this file have the settings and the rights of the triggers that call them.

CREATE FUNCTION piw.note(packages text[], versions text[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF packages IS NOT NULL THEN
        -- The next commit of anybody's works off the first kind: more would keep it waiting.
        IF cardinality(packages) <= 2000 THEN
            INSERT INTO piw.dirty (package, version) SELECT * FROM unnest(packages, versions);
        ELSE
            INSERT INTO piw.dirty_later (package, version) SELECT * FROM unnest(packages, versions);
        END IF;
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

-- Where a view wants only a package's newest versions, each change of one is a change of others.
CREATE FUNCTION piw.note_packages(packages text[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM piw.views v WHERE v.newest > 0) THEN
        PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
        FROM public.versions v WHERE v.package = ANY (packages);
    END IF;
END
$$;

-- Everything is to be looked at again, or what stands in the queue of one ABI.
CREATE FUNCTION piw.note_refill(abi text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    INSERT INTO piw.refills (abi_tag) VALUES (abi);
    PERFORM pg_notify('piw_queue', '');
END
$$;

CREATE FUNCTION piw.versions_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO piw.ages SELECT n.released, n.package, n.version FROM new_rows n;
        IF (SELECT count(*) FROM new_rows) > 2000 THEN -- as piw.note has it
            INSERT INTO piw.dirty_later (package, version) SELECT n.package, n.version FROM new_rows n;
            PERFORM pg_notify('piw_queue', '');
        ELSE
            PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
        END IF;
        IF EXISTS (SELECT FROM piw.views v WHERE v.newest > 0) THEN
            PERFORM piw.note_packages(array_agg(n.package::text)) FROM new_rows n;
        END IF;
        -- Known to be quarantined before it was here.
        IF EXISTS (SELECT FROM new_rows n JOIN piw.quarantines q ON q.package = n.package AND q.version = n.version) THEN
            UPDATE piw.quarantines q SET former = n.skip
            FROM new_rows n WHERE q.package = n.package AND q.version = n.version AND n.skip <> 'quarantined';
            UPDATE public.versions v SET skip = 'quarantined'
            FROM new_rows n, piw.quarantines q
            WHERE v.package = n.package AND v.version = n.version AND q.package = n.package AND q.version = n.version
              AND v.skip <> 'quarantined';
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM piw.ages a USING old_rows o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
        IF EXISTS (SELECT FROM piw.view_builds) THEN
            PERFORM piw.forget_view_builds(array_agg(b.build_id))
            FROM old_rows o JOIN piw.view_builds b ON b.package = o.package AND b.version = o.version;
        END IF;
        IF EXISTS (SELECT FROM piw.pypi_wheels) THEN
            DELETE FROM piw.pypi_wheels w USING old_rows o WHERE w.package = o.package AND w.version = o.version;
        END IF;
        PERFORM piw.note_packages(array_agg(o.package::text)) FROM old_rows o;
    ELSE
        DELETE FROM piw.ages a USING (
            SELECT o.released, o.package, o.version FROM old_rows o
            EXCEPT SELECT n.released, n.package, n.version FROM new_rows n) o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        INSERT INTO piw.ages
        SELECT n.released, n.package, n.version FROM new_rows n
        EXCEPT SELECT o.released, o.package, o.version FROM old_rows o;
        -- Both sides of what is not the same any more: keys too may have changed.
        PERFORM piw.note(array_agg(c.package), array_agg(c.version))
        FROM (SELECT d.package::text, d.version::text
              FROM ((SELECT package, version, released, skip FROM old_rows
                     EXCEPT SELECT package, version, released, skip FROM new_rows)
                    UNION
                    (SELECT package, version, released, skip FROM new_rows
                     EXCEPT SELECT package, version, released, skip FROM old_rows)) d) c;
        PERFORM piw.note_packages(array_agg(n.package::text)) FROM new_rows n;
        IF EXISTS (SELECT FROM new_rows n WHERE n.skip = 'quarantined') THEN
            PERFORM piw.withhold(array_agg(n.package::text)) FROM new_rows n WHERE n.skip = 'quarantined';
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.packages_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM (SELECT package, skip FROM new_rows EXCEPT SELECT package, skip FROM old_rows) n
    JOIN public.versions v ON v.package = n.package;
    IF EXISTS (SELECT FROM new_rows n WHERE n.skip = 'quarantined') THEN
        PERFORM piw.withhold(array_agg(n.package::text)) FROM new_rows n WHERE n.skip = 'quarantined';
    END IF;
    RETURN NULL;
END
$$;

-- An ABI that is built for no more leaves its queue; one that is built for from now on may be wanted by any version.
CREATE FUNCTION piw.abis_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM piw.note_refill(NULL) WHERE EXISTS (SELECT FROM new_rows n WHERE n.skip = '');
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM piw.note_refill(o.abi_tag) FROM old_rows o WHERE o.skip = '';
    ELSE
        PERFORM piw.note_refill(o.abi_tag)
        FROM (SELECT abi_tag FROM old_rows WHERE skip = '' EXCEPT SELECT abi_tag FROM new_rows WHERE skip = '') o;
        PERFORM piw.note_refill(NULL) WHERE EXISTS (
            SELECT abi_tag FROM new_rows WHERE skip = '' EXCEPT SELECT abi_tag FROM old_rows WHERE skip = '');
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.builds_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
        INSERT INTO piw.deltas (kind, amount)
        SELECT 'time', -sum(extract(epoch FROM o.duration) * 1000000)::bigint
        FROM old_rows o WHERE o.duration < interval '1 week' HAVING count(*) > 0;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        -- Few, as nearly always, in one statement; else as piw.note has it.
        INSERT INTO piw.dirty (package, version)
        SELECT n.package, n.version FROM new_rows n WHERE NOT EXISTS (SELECT FROM new_rows OFFSET 2000);
        IF FOUND THEN
            PERFORM pg_notify('piw_queue', '');
        ELSE
            PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
        END IF;
        -- What happened on a day stays so when a build is removed later.
        INSERT INTO piw.deltas (kind, package_tag, moment, amount)
        SELECT d.kind, d.word, d.day, d.amount
        FROM (SELECT n.status, n.abi_tag, n.built_at::date AS day, count(*) AS builds,
                     sum(extract(epoch FROM n.duration) * 1000000) FILTER (WHERE n.duration < interval '1 week')::bigint AS time_us
              FROM new_rows n GROUP BY 1, 2, 3) g
        CROSS JOIN LATERAL (VALUES ('time', NULL, NULL, g.time_us),
                                   (CASE WHEN g.status THEN 'built' ELSE 'failed' END, g.abi_tag, g.day, g.builds)) AS d (kind, word, day, amount)
        WHERE d.amount IS NOT NULL AND (d.kind = 'time' OR TG_OP = 'INSERT');
    END IF;
    RETURN NULL;
END
$$;

-- A file that goes by the cascade from its build finds the build's row gone; the build's own trigger has noted the key.
CREATE FUNCTION piw.files_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    -- Whatever is inserted ON CONFLICT comes here as an update too.
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM new_rows) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM old_rows o
        CROSS JOIN LATERAL (SELECT b.package, b.version FROM public.builds b WHERE b.build_id = o.build_id OFFSET 0) b;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', o.package_tag, -count(*),
               -coalesce(sum(o.filesize) FILTER (WHERE o.platform_tag <> 'linux_armv6l'), 0)
        FROM old_rows o GROUP BY o.package_tag;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.dirty (package, version) -- as builds_changed does it
        SELECT b.package, b.version
        FROM new_rows n
        CROSS JOIN LATERAL (SELECT b.package, b.version FROM public.builds b WHERE b.build_id = n.build_id OFFSET 0) b
        WHERE NOT EXISTS (SELECT FROM new_rows OFFSET 2000);
        IF FOUND THEN
            PERFORM pg_notify('piw_queue', '');
        ELSE
            PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
            FROM new_rows n
            CROSS JOIN LATERAL (SELECT b.package, b.version FROM public.builds b WHERE b.build_id = n.build_id OFFSET 0) b;
        END IF;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', n.package_tag, count(*),
               coalesce(sum(n.filesize) FILTER (WHERE n.platform_tag <> 'linux_armv6l'), 0)
        FROM new_rows n GROUP BY n.package_tag;
        DELETE FROM piw.removals r WHERE r.filename = ANY (ARRAY(SELECT n.filename FROM new_rows n));
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO piw.removals (filename, package)
        SELECT o.filename, coalesce(f.package, piw.canonical(o.package_tag))
        FROM old_rows o
        LEFT JOIN piw.file_facts f ON f.filename = o.filename
        ON CONFLICT (filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
        DELETE FROM piw.file_facts f USING old_rows o WHERE f.filename = o.filename;
        DELETE FROM piw.withheld w USING old_rows o WHERE w.filename = o.filename;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.note_downloads(filenames text[], days date[], amounts bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
    INSERT INTO piw.download_notes (package, filename, day, amount)
    SELECT piw.download_package(n.filename, b.package), n.filename, n.day, n.amount
    FROM unnest(filenames, days, amounts) AS n (filename, day, amount)
    LEFT JOIN public.files f ON f.filename = n.filename
    LEFT JOIN public.builds b ON b.build_id = f.build_id
$$;

CREATE FUNCTION piw.downloads_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', o.accessed_at), -count(*) FROM old_rows o GROUP BY 2;
        PERFORM piw.note_downloads(array_agg(g.filename::text), array_agg(g.day), array_agg(g.amount))
        FROM (SELECT o.filename, o.accessed_at::date AS day, -count(*) AS amount FROM old_rows o GROUP BY 1, 2) g;
        IF EXISTS (SELECT FROM piw.view_counts) THEN
            PERFORM piw.note_view_downloads(array_agg(g.filename::text), array_agg(g.hour), array_agg(g.arch::text),
                                            array_agg(g.distro_name::text), array_agg(g.distro_version::text),
                                            array_agg(g.py_name::text), array_agg(g.py_version::text), array_agg(g.amount))
            FROM (SELECT o.filename, date_trunc('hour', o.accessed_at) AS hour, o.arch, o.distro_name, o.distro_version, o.py_name,
                         o.py_version, -count(*) AS amount FROM old_rows o GROUP BY 1, 2, 3, 4, 5, 6, 7) g;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', n.accessed_at), count(*) FROM new_rows n GROUP BY 2;
        -- Words cost more than all else of a row, and a statement's rows are of few kinds of machine.
        INSERT INTO piw.deltas (kind, package_tag, moment, amount)
        SELECT w.kind, w.word, m.day, sum(m.amount)
        FROM (SELECT n.py_version, n.arch, n.distro_name, n.distro_version, n.accessed_at::date AS day, count(*) AS amount
              FROM new_rows n GROUP BY 1, 2, 3, 4, 5) m
        CROSS JOIN LATERAL (VALUES ('python', piw.python_word(m.py_version)), ('arch', piw.arch_word(m.arch)),
                                   ('distro', piw.distro_word(m.distro_name, m.distro_version))) AS w (kind, word)
        GROUP BY 1, 2, 3;
        PERFORM piw.note_downloads(array_agg(g.filename::text), array_agg(g.day), array_agg(g.amount))
        FROM (SELECT n.filename, n.accessed_at::date AS day, count(*) AS amount FROM new_rows n GROUP BY 1, 2) g;
        IF EXISTS (SELECT FROM piw.view_counts) THEN
            PERFORM piw.note_view_downloads(array_agg(g.filename::text), array_agg(g.hour), array_agg(g.arch::text),
                                            array_agg(g.distro_name::text), array_agg(g.distro_version::text),
                                            array_agg(g.py_name::text), array_agg(g.py_version::text), array_agg(g.amount))
            FROM (SELECT n.filename, date_trunc('hour', n.accessed_at) AS hour, n.arch, n.distro_name, n.distro_version, n.py_name,
                         n.py_version, count(*) AS amount FROM new_rows n GROUP BY 1, 2, 3, 4, 5, 6, 7) g;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

-- A table has been emptied. What that makes wrong is noted only: this transaction holds a lock that others may wait for
-- while they hold the queue's.
CREATE FUNCTION piw.truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'versions' THEN
        DELETE FROM piw.ages;
        PERFORM piw.forget_view_builds(array_agg(b.build_id)) FROM piw.view_builds b;
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'build_abis' THEN
        PERFORM piw.note_refill(t.abi_tag) FROM piw.queue_totals t;
    WHEN 'downloads' THEN
        DELETE FROM piw.deltas d WHERE d.kind = 'downloads';
        INSERT INTO piw.deltas (kind, moment, amount) SELECT 'downloads', h.hour, -h.downloads FROM piw.download_hours h;
        DELETE FROM piw.download_notes;
        INSERT INTO piw.download_notes (package, filename, day, amount)
        SELECT d.package, NULL, d.day, -d.downloads FROM piw.download_days d
        UNION ALL
        SELECT p.package, NULL, '-infinity', p.recent - p.ever FROM piw.package_downloads p WHERE p.ever <> p.recent
        UNION ALL
        SELECT NULL, d.filename, d.day, -d.downloads FROM piw.file_days d
        UNION ALL
        SELECT NULL, f.filename, '-infinity', f.recent - f.ever FROM piw.file_downloads f WHERE f.ever <> f.recent;
        UPDATE piw.view_counts SET stale = true;
    ELSE
        INSERT INTO piw.deltas (kind, amount) VALUES ('recount', 0);
        PERFORM piw.note_refill(NULL);
    END CASE;
    RETURN NULL;
END
$$;
