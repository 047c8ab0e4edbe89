-- triggers.sql — what happens when rows of stock tables change, whoever changes them. After piw.sql.
--
-- Per statement, never per row. Each trigger notes the touched keys and sends one payload-less notification; many in one
-- transaction become one.

CREATE FUNCTION piw.note(packages text[], versions text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
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

CREATE FUNCTION piw.note_refill() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    INSERT INTO piw.refills DEFAULT VALUES;
    PERFORM pg_notify('piw_queue', '');
END
$$;

CREATE FUNCTION piw.versions_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO piw.ages SELECT n.released, n.package, n.version FROM new_rows n;
        PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM piw.ages a USING old_rows o
        WHERE a.released = o.released AND a.package = o.package AND a.version = o.version;
        PERFORM piw.note(array_agg(o.package::text), array_agg(o.version::text)) FROM old_rows o;
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
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.packages_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM piw.note(array_agg(v.package::text), array_agg(v.version::text))
    FROM new_rows n
    JOIN public.versions v ON v.package = n.package
    WHERE NOT EXISTS (SELECT FROM old_rows o WHERE o.package = n.package AND o.skip = n.skip);
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.abis_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM piw.note_refill();
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
        PERFORM piw.note(array_agg(n.package::text), array_agg(n.version::text)) FROM new_rows n;
        INSERT INTO piw.deltas (kind, amount)
        SELECT 'time', sum(extract(epoch FROM n.duration) * 1000000)::bigint
        FROM new_rows n WHERE n.duration < interval '1 week' HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END
$$;

-- A file that goes by the cascade from its build finds the build's row gone; the build's own trigger has noted the key.
CREATE FUNCTION piw.files_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM old_rows o JOIN public.builds b ON b.build_id = o.build_id;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', o.package_tag, -count(*),
               -coalesce(sum(o.filesize) FILTER (WHERE o.platform_tag <> 'linux_armv6l'), 0)
        FROM old_rows o GROUP BY o.package_tag;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM piw.note(array_agg(b.package::text), array_agg(b.version::text))
        FROM new_rows n JOIN public.builds b ON b.build_id = n.build_id;
        INSERT INTO piw.deltas (kind, package_tag, amount, size_bytes)
        SELECT 'files', n.package_tag, count(*),
               coalesce(sum(n.filesize) FILTER (WHERE n.platform_tag <> 'linux_armv6l'), 0)
        FROM new_rows n GROUP BY n.package_tag;
        DELETE FROM piw.removals r USING new_rows n WHERE r.filename = n.filename;
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO piw.removals (filename, package)
        SELECT o.filename, coalesce(f.package, piw.canonical(o.package_tag))
        FROM old_rows o
        LEFT JOIN piw.file_facts f ON f.filename = o.filename
        ON CONFLICT (filename) DO UPDATE SET package = excluded.package, removed = excluded.removed;
        DELETE FROM piw.file_facts f USING old_rows o WHERE f.filename = o.filename;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION piw.downloads_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', o.accessed_at), -count(*) FROM old_rows o GROUP BY 2;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO piw.deltas (kind, moment, amount)
        SELECT 'downloads', date_trunc('hour', n.accessed_at), count(*) FROM new_rows n GROUP BY 2;
    END IF;
    RETURN NULL;
END
$$;

-- Compute the queue's sources and all totals from the stock tables: at adoption, and after a TRUNCATE.
CREATE FUNCTION piw.recount() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    DELETE FROM piw.ages;
    INSERT INTO piw.ages SELECT v.released, v.package, v.version FROM public.versions v;
    DELETE FROM piw.queue q WHERE NOT EXISTS (
        SELECT FROM public.versions v WHERE v.package = q.package AND v.version = q.version);
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT k.abi_tag, count(q.abi_tag), 1
    FROM (SELECT abi_tag FROM public.build_abis UNION SELECT abi_tag FROM piw.queue_totals
          UNION SELECT abi_tag FROM piw.queue) k
    LEFT JOIN piw.queue q ON q.abi_tag = k.abi_tag
    GROUP BY k.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET pending = excluded.pending, changes = t.changes + 1;
    DELETE FROM piw.deltas;
    DELETE FROM piw.built_tags;
    INSERT INTO piw.built_tags SELECT f.package_tag, count(*) FROM public.files f GROUP BY f.package_tag;
    DELETE FROM piw.download_hours;
    INSERT INTO piw.download_hours
    SELECT date_trunc('hour', d.accessed_at), count(*) FROM public.downloads d GROUP BY 1;
    UPDATE piw.totals SET
        files_count = (SELECT count(*) FROM public.files),
        builds_size = (SELECT coalesce(sum(f.filesize), 0) FROM public.files f
                       WHERE f.platform_tag <> 'linux_armv6l'),
        builds_time_us = (SELECT coalesce(sum(extract(epoch FROM b.duration) * 1000000), 0)::bigint
                          FROM public.builds b WHERE b.duration < interval '1 week'),
        packages_built = (SELECT count(*) FROM piw.built_tags),
        downloads_all = (SELECT coalesce(sum(h.downloads), 0) FROM piw.download_hours h);
    PERFORM piw.note_refill();
END
$$;

CREATE FUNCTION piw.truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM piw.recount();
    RETURN NULL;
END
$$;

CREATE TRIGGER piw_insert AFTER INSERT ON public.versions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.versions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.versions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.versions_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.versions
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_update AFTER UPDATE ON public.packages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.packages_changed();

CREATE TRIGGER piw_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.build_abis
    FOR EACH STATEMENT EXECUTE FUNCTION piw.abis_changed();

CREATE TRIGGER piw_insert AFTER INSERT ON public.builds REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.builds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.builds REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.builds_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.builds
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_insert AFTER INSERT ON public.files REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.files REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.files_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.files
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

CREATE TRIGGER piw_insert AFTER INSERT ON public.downloads REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_update AFTER UPDATE ON public.downloads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_delete AFTER DELETE ON public.downloads REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION piw.downloads_changed();
CREATE TRIGGER piw_truncate AFTER TRUNCATE ON public.downloads
    FOR EACH STATEMENT EXECUTE FUNCTION piw.truncated();

-- An adopted database has rows already.
SELECT piw.recount();
