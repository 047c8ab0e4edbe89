-- downloads.sql — how much is downloaded of each package and file, in all and lately: for pages, the search index and the queue's order.
-- After queue.sql. The callers hold the queue's lock (piw.drain). A slice is looked up first and taken by its keys then, for
-- the same reason as in piw.drain_later.

-- Whose wheel it is: as recorded, else by its name.
CREATE FUNCTION piw.download_package(filename text, package text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(package, left(regexp_replace(lower(split_part(filename, '-', 1)), '[-_.]+', '-', 'g'), 200))
$$;

-- Count a slice of what statements noted. True: there may be more.
CREATE FUNCTION piw.fold_downloads(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    first_day date;
    numbers bigint[];
    notes piw.download_notes[];
BEGIN
    SELECT array_agg(n.note_id) INTO numbers
    FROM (SELECT note_id FROM piw.download_notes ORDER BY note_id LIMIT slice) n;
    IF numbers IS NULL THEN
        RETURN false;
    END IF;
    WITH taken AS (DELETE FROM piw.download_notes d WHERE d.note_id = ANY (numbers) RETURNING d)
    SELECT array_agg(taken.d) INTO notes FROM taken;
    IF notes IS NULL THEN
        RETURN false;
    END IF;
    SELECT w.since INTO first_day FROM piw.download_window w;

    INSERT INTO piw.download_days AS d (day, package, downloads)
    SELECT n.day, n.package, sum(n.amount) FROM unnest(notes) n WHERE n.day >= first_day AND n.package IS NOT NULL
    GROUP BY n.day, n.package ORDER BY n.day, n.package
    ON CONFLICT (day, package) DO UPDATE SET downloads = d.downloads + excluded.downloads;

    INSERT INTO piw.file_days AS d (day, filename, downloads)
    SELECT n.day, n.filename, sum(n.amount) FROM unnest(notes) n WHERE n.day >= first_day AND n.filename IS NOT NULL
    GROUP BY n.day, n.filename ORDER BY n.day, n.filename
    ON CONFLICT (day, filename) DO UPDATE SET downloads = d.downloads + excluded.downloads;

    INSERT INTO piw.file_downloads AS f (filename, recent, ever)
    SELECT n.filename, coalesce(sum(n.amount) FILTER (WHERE n.day >= first_day), 0), sum(n.amount)
    FROM unnest(notes) n WHERE n.filename IS NOT NULL GROUP BY n.filename ORDER BY n.filename
    ON CONFLICT (filename) DO UPDATE SET recent = f.recent + excluded.recent, ever = f.ever + excluded.ever;

    WITH counted AS (
        INSERT INTO piw.package_downloads AS p (package, recent, ever)
        SELECT n.package, coalesce(sum(n.amount) FILTER (WHERE n.day >= first_day), 0), sum(n.amount)
        FROM unnest(notes) n WHERE n.package IS NOT NULL GROUP BY n.package ORDER BY n.package
        ON CONFLICT (package) DO UPDATE SET recent = p.recent + excluded.recent, ever = p.ever + excluded.ever
        RETURNING p.package, p.recent, p.popularity
    )
    INSERT INTO piw.popularity_due
    SELECT c.package FROM counted c WHERE piw.popularity(c.recent) <> c.popularity
    ON CONFLICT DO NOTHING;
    RETURN cardinality(notes) = slice;
END
$$;

-- A slice of the days of files up to that one. False: there are none.
CREATE FUNCTION piw.shift_files(last_day date, slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    places tid[];
    gone piw.file_days[];
BEGIN
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT ctid AS place FROM piw.file_days WHERE day <= last_day ORDER BY day, filename LIMIT slice) o;
    WITH taken AS (DELETE FROM piw.file_days d WHERE d.ctid = ANY (places) RETURNING d)
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL THEN
        RETURN false;
    END IF;
    UPDATE piw.file_downloads f SET recent = f.recent - g.downloads
    FROM (SELECT o.filename, sum(o.downloads) AS downloads FROM unnest(gone) o GROUP BY o.filename) g
    WHERE f.filename = g.filename;
    RETURN true;
END
$$;

-- A slice of the days that are no more among the last 30. True: there is more.
CREATE FUNCTION piw.shift_window(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    last_day constant date := piw.utc_now()::date - 31;
    places tid[];
    gone piw.download_days[];
BEGIN
    IF (SELECT w.since FROM piw.download_window w) > last_day THEN
        RETURN false;
    END IF;
    -- Rows stay in their places: whoever changes them holds the queue's lock.
    SELECT array_agg(o.place) INTO places
    FROM (SELECT ctid AS place FROM piw.download_days WHERE day <= last_day ORDER BY day, package LIMIT slice) o;
    WITH taken AS (DELETE FROM piw.download_days d WHERE d.ctid = ANY (places) RETURNING d)
    SELECT array_agg(taken.d) INTO gone FROM taken;
    IF gone IS NULL AND (piw.shift_files(last_day, slice) OR piw.shift_views(last_day, slice)) THEN
        RETURN true;
    END IF;
    IF gone IS NULL THEN
        UPDATE piw.download_window SET since = last_day + 1;
        RETURN false;
    END IF;
    WITH counted AS (
        UPDATE piw.package_downloads p SET recent = p.recent - g.downloads
        FROM (SELECT o.package, sum(o.downloads) AS downloads FROM unnest(gone) o GROUP BY o.package) g
        WHERE p.package = g.package
        RETURNING p.package, p.recent, p.popularity
    )
    INSERT INTO piw.popularity_due
    SELECT c.package FROM counted c WHERE piw.popularity(c.recent) <> c.popularity
    ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;

-- Tell the queue what has become more or less popular, a slice of the packages. True: there may be more.
CREATE FUNCTION piw.spread_popularity(slice integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    due varchar[];
BEGIN
    SELECT array_agg(o.package) INTO due FROM (SELECT package FROM piw.popularity_due ORDER BY package LIMIT slice) o;
    IF due IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM piw.popularity_due p WHERE p.package = ANY (due);
    UPDATE piw.package_downloads p SET popularity = piw.popularity(p.recent) WHERE p.package = ANY (due);
    WITH moved AS (
        UPDATE piw.queue q SET popularity = p.popularity
        FROM piw.package_downloads p
        WHERE p.package = ANY (due) AND q.package = p.package AND q.popularity <> p.popularity
        RETURNING q.abi_tag
    )
    UPDATE piw.queue_totals t SET changes = t.changes + 1 WHERE t.abi_tag IN (SELECT m.abi_tag FROM moved m);
    RETURN cardinality(due) = slice;
END
$$;
