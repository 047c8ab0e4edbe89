-- piw.sql — schema piw: what this project adds beside the stock tables, with a version row of its own.
--
-- Stock tables get nothing but statement triggers, all of which call functions of this schema, so that DROP SCHEMA piw
-- CASCADE restores a stock database exactly. The triggers only note what changed (piw.dirty, piw.deltas): they take no
-- lock that another transaction waits for. piw.drain() turns the notes into the build queue and the totals. Runs inside
-- one transaction of piw-initdb, as a superuser.

CREATE SCHEMA piw;

CREATE TABLE piw.configuration (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    version integer NOT NULL
);
INSERT INTO piw.configuration (version) VALUES (1);

-- --- What the queue is made of ---

-- Each version by its release time: stock tables have no such index, and none may be added to them.
CREATE TABLE piw.ages (
    released timestamp NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    PRIMARY KEY (released, package, version)
);

-- The build queue: a version stands in it once, for the lowest ABI that it wants.
CREATE TABLE piw.queue (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    released timestamp NOT NULL,
    PRIMARY KEY (package, version)
);
CREATE INDEX queue_order ON piw.queue (abi_tag, released, package, version);

-- How many rows the queue has for an ABI, and how often they changed: readers skip an ABI whose count is the same.
CREATE TABLE piw.queue_totals (
    abi_tag varchar(100) PRIMARY KEY,
    pending bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0
);

-- Keys to be looked at again. No unique key: writers must not wait for each other.
CREATE TABLE piw.dirty (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL
);

-- The same of statements that touched many: worked off in slices, so that nobody waits for them.
CREATE TABLE piw.dirty_later (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL
);

-- Changes that touch every version (an ABI came, went or is skipped): worked off in slices, oldest versions first.
-- Up to and including `from_…` it is done; -infinity: not begun.
CREATE TABLE piw.refills (
    refill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_released timestamp NOT NULL DEFAULT '-infinity',
    from_package varchar(200) NOT NULL DEFAULT '',
    from_version varchar(200) NOT NULL DEFAULT ''
);

-- --- Totals ---

CREATE TABLE piw.deltas (
    kind text NOT NULL,         -- files, time, downloads
    package_tag varchar(200),   -- files: of this name
    moment timestamp,           -- downloads: the hour
    amount bigint NOT NULL,     -- files, downloads: how many · time: microseconds
    size_bytes bigint NOT NULL DEFAULT 0
);

CREATE TABLE piw.totals (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    files_count bigint NOT NULL DEFAULT 0,
    builds_size bigint NOT NULL DEFAULT 0,
    builds_time_us bigint NOT NULL DEFAULT 0,
    packages_built bigint NOT NULL DEFAULT 0,
    downloads_all bigint NOT NULL DEFAULT 0
);
INSERT INTO piw.totals DEFAULT VALUES;

CREATE TABLE piw.built_tags (
    package_tag varchar(200) PRIMARY KEY,
    files bigint NOT NULL
);

CREATE TABLE piw.download_hours (
    hour timestamp PRIMARY KEY,
    downloads bigint NOT NULL
);

-- --- Builds and files ---

CREATE SEQUENCE piw.slave_numbers AS integer;

-- One slave's try at one version for one ABI. Kept when the version is gone: it is the farm's memory. A transient one
-- failed for its builder's sake and writes no row of builds; until next_try its version rests.
CREATE TABLE piw.attempts (
    attempt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slave_id integer NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    state varchar(10) NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'built', 'failed', 'transient', 'ended', 'void')),
    cause varchar(100) NOT NULL DEFAULT '',
    started timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    ended timestamp,
    next_try timestamp,
    counts boolean NOT NULL DEFAULT true, -- transient: towards the last try, until one ends otherwise or an operator says so
    build_id integer,
    log text                              -- transient: the end of it; others have a file
);
CREATE INDEX attempts_running ON piw.attempts (slave_id) WHERE state = 'running';
CREATE INDEX attempts_version ON piw.attempts (package, version);

-- What stock's files table has no room for.
CREATE TABLE piw.file_facts (
    filename varchar(255) PRIMARY KEY,
    package varchar(200) NOT NULL,
    metadata_hash char(64),
    uploaded timestamp NOT NULL
);

-- Wheels whose rows are gone: their bytes follow later.
CREATE TABLE piw.removals (
    filename varchar(255) PRIMARY KEY,
    package varchar(200) NOT NULL,
    removed timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')
);
CREATE INDEX removals_time ON piw.removals (removed);

-- Pages that a committed change made stale, noted in its own transaction: what the_secretary had not yet saved when the
-- master was killed is asked for again when it starts.
CREATE TABLE piw.pages_due (
    package varchar(200) PRIMARY KEY,
    noted timestamp NOT NULL,
    command varchar(8) NOT NULL
);

CREATE TABLE piw.applied_serials (
    serial bigint PRIMARY KEY
);

-- --- Small functions ---

-- PEP 503.
CREATE FUNCTION piw.canonical(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
    SELECT regexp_replace(lower(name), '[-_.]+', '-', 'g')
$$;

-- Order of interpreters: cp39 before cp311. Tags of another form come last.
CREATE FUNCTION piw.abi_rank(abi_tag text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
    SELECT coalesce((
        SELECT part[1]::integer * 10000 + coalesce(nullif(part[2], ''), '0')::integer * 10
        FROM regexp_match(abi_tag, '^[a-z]+([0-9])([0-9]{0,3})[a-z]*$') AS part), 2147483647)
$$;

-- Does a version rest for an ABI, after a try that failed for its builder's sake? One look at an index.
CREATE FUNCTION piw.rests(pkg varchar, ver varchar, abi varchar) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM piw.attempts a
                   WHERE a.package = pkg AND a.version = ver AND a.abi_tag = abi AND a.state = 'transient' AND a.counts
                     AND a.next_try > clock_timestamp() AT TIME ZONE 'UTC')
$$;

CREATE FUNCTION piw.utc_now() RETURNS timestamp
LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
    SELECT clock_timestamp() AT TIME ZONE 'UTC'
$$;

-- --- The queue: for each key the lowest ABI that it wants ---

-- The definition (SPEC "Build queue"), for just these keys. Every other function of the queue uses it. The planner must
-- look up key after key: from its guess of how many there are it would at times rather read a whole table.
CREATE FUNCTION piw.wanted(packages text[], versions text[])
RETURNS TABLE (package varchar, version varchar, abi_tag varchar, released timestamp)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
    WITH keys AS (
        SELECT DISTINCT k.package, k.version FROM unnest(packages, versions) AS k (package, version)
    ), abis AS MATERIALIZED (
        SELECT a.abi_tag, piw.abi_rank(a.abi_tag) AS rank FROM public.build_abis a WHERE a.skip = ''
    )
    SELECT v.package, v.version, lowest.abi_tag, v.released
    FROM keys k
    JOIN public.versions v ON v.package = k.package AND v.version = k.version
    JOIN public.packages p ON p.package = v.package
    CROSS JOIN LATERAL (
        SELECT array_agg(b.abi_tag::text) || array_agg(f.abi_tag::text) AS tags,
               bool_or(f.abi_tag = 'none') AS everywhere,
               min(piw.abi_rank(b.abi_tag)) FILTER (WHERE f.abi_tag = 'abi3') AS stable_from
        FROM public.builds b
        LEFT JOIN public.files f ON f.build_id = b.build_id
        WHERE b.package = v.package AND b.version = v.version
    ) covered
    CROSS JOIN LATERAL (
        SELECT a.abi_tag
        FROM abis a
        WHERE covered.everywhere IS NOT TRUE
          AND (covered.tags IS NULL OR a.abi_tag <> ALL (array_remove(covered.tags, NULL)))
          AND (covered.stable_from IS NULL OR a.rank < covered.stable_from)
        ORDER BY a.rank, a.abi_tag
        LIMIT 1
    ) lowest
    WHERE v.skip = '' AND p.skip = ''
$$;

-- Bring the queue's rows of these keys up to date. The caller holds the queue's lock (piw.drain).
CREATE FUNCTION piw.recompute(packages text[], versions text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    wants_package text[];
    wants_version text[];
    wants_abi text[];
    wants_released timestamp[];
BEGIN
    SELECT array_agg(w.package), array_agg(w.version), array_agg(w.abi_tag), array_agg(w.released)
    INTO wants_package, wants_version, wants_abi, wants_released
    FROM piw.wanted(packages, versions) w;

    WITH wants AS (
        SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)
            AS w (package, version, abi_tag, released)
    ), gone AS (
        DELETE FROM piw.queue q
        USING (SELECT DISTINCT k.package, k.version FROM unnest(packages, versions) AS k (package, version)) k
        LEFT JOIN wants w ON w.package = k.package AND w.version = k.version
        WHERE q.package = k.package AND q.version = k.version
          AND (w.abi_tag IS NULL OR w.abi_tag <> q.abi_tag OR w.released <> q.released)
        RETURNING q.abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT g.abi_tag, -count(*), count(*) FROM gone g GROUP BY g.abi_tag ORDER BY g.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;

    WITH come AS (
        INSERT INTO piw.queue (package, version, abi_tag, released)
        SELECT * FROM unnest(wants_package, wants_version, wants_abi, wants_released)
        ON CONFLICT DO NOTHING
        RETURNING abi_tag
    )
    INSERT INTO piw.queue_totals AS t (abi_tag, pending, changes)
    SELECT c.abi_tag, count(*), count(*) FROM come c GROUP BY c.abi_tag ORDER BY c.abi_tag
    ON CONFLICT (abi_tag) DO UPDATE SET
        pending = t.pending + excluded.pending, changes = t.changes + excluded.changes;
END
$$;

-- One slice of the oldest unfinished refill. The keys already passed are up to date whatever happened since: changes
-- note them in piw.dirty.
CREATE FUNCTION piw.refill_slice(slice integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    refill piw.refills;
    keys_package text[];
    keys_version text[];
    last_released timestamp;
BEGIN
    -- A refill that has not begun covers all that one under way would still do.
    DELETE FROM piw.refills
    WHERE refill_id < (SELECT max(refill_id) FROM piw.refills WHERE from_released = '-infinity');
    SELECT * INTO refill FROM piw.refills ORDER BY refill_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The index's own order lets the slice begin where the last one ended.
    SELECT array_agg(s.package), array_agg(s.version), max(s.released)
    INTO keys_package, keys_version, last_released
    FROM (SELECT a.released, a.package, a.version FROM piw.ages a
          WHERE (a.released, a.package, a.version)
                > (refill.from_released, refill.from_package, refill.from_version)
          ORDER BY a.released, a.package, a.version LIMIT slice) s;
    IF keys_package IS NULL THEN
        DELETE FROM piw.refills WHERE refill_id = refill.refill_id;
        RETURN;
    END IF;
    UPDATE piw.refills SET from_released = last_released, from_package = keys_package[cardinality(keys_package)],
        from_version = keys_version[cardinality(keys_version)]
    WHERE refill_id = refill.refill_id;
    PERFORM piw.recompute(keys_package, keys_version);
END
$$;

-- Fold the noted differences into the totals. The caller holds the queue's lock.
CREATE FUNCTION piw.fold_deltas() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    notes piw.deltas[];
    tags_more integer;
    tags_less integer;
BEGIN
    WITH taken AS (DELETE FROM piw.deltas d RETURNING d)
    SELECT array_agg(taken.d) INTO notes FROM taken;
    IF notes IS NULL THEN
        RETURN;
    END IF;

    WITH change AS (
        SELECT n.package_tag, sum(n.amount) AS files FROM unnest(notes) n
        WHERE n.kind = 'files' GROUP BY n.package_tag HAVING sum(n.amount) <> 0
    ), kept AS (
        INSERT INTO piw.built_tags AS t (package_tag, files)
        SELECT c.package_tag, c.files FROM change c ORDER BY c.package_tag
        ON CONFLICT (package_tag) DO UPDATE SET files = t.files + excluded.files
        RETURNING xmax = 0 AS fresh
    )
    SELECT count(*) INTO tags_more FROM kept WHERE kept.fresh;
    WITH gone AS (
        DELETE FROM piw.built_tags t
        WHERE t.files <= 0 AND t.package_tag IN (SELECT n.package_tag FROM unnest(notes) n WHERE n.kind = 'files')
        RETURNING 1
    )
    SELECT count(*) INTO tags_less FROM gone;

    INSERT INTO piw.download_hours AS h (hour, downloads)
    SELECT n.moment, sum(n.amount) FROM unnest(notes) n WHERE n.kind = 'downloads' GROUP BY n.moment ORDER BY n.moment
    ON CONFLICT (hour) DO UPDATE SET downloads = h.downloads + excluded.downloads;

    UPDATE piw.totals SET
        packages_built = packages_built + tags_more - tags_less,
        files_count = files_count + s.files,
        builds_size = builds_size + s.size_bytes,
        builds_time_us = builds_time_us + s.time_us,
        downloads_all = downloads_all + s.downloads
    FROM (
        SELECT coalesce(sum(n.amount) FILTER (WHERE n.kind = 'files'), 0) AS files,
               coalesce(sum(n.size_bytes), 0) AS size_bytes,
               coalesce(sum(n.amount) FILTER (WHERE n.kind = 'time'), 0) AS time_us,
               coalesce(sum(n.amount) FILTER (WHERE n.kind = 'downloads'), 0) AS downloads
        FROM unnest(notes) n
    ) s;
END
$$;

-- A slice of what large statements touched. Returns how many keys.
CREATE FUNCTION piw.drain_later(slice integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    keys_package text[];
    keys_version text[];
BEGIN
    WITH taken AS (
        DELETE FROM piw.dirty_later d
        WHERE d.note_id IN (SELECT l.note_id FROM piw.dirty_later l ORDER BY l.note_id LIMIT slice)
        RETURNING d.package, d.version
    )
    SELECT array_agg(t.package), array_agg(t.version) INTO keys_package, keys_version FROM taken t;
    IF keys_package IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM piw.recompute(keys_package, keys_version);
    RETURN cardinality(keys_package);
END
$$;

-- Turn what was noted into queue rows and totals; with a slice, also that much of what takes long: then true says that
-- there may be more of it. One transaction at a time; what it waits for is short.
CREATE FUNCTION piw.drain(slice integer DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    keys_package text[];
    keys_version text[];
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    WITH taken AS (DELETE FROM piw.dirty d RETURNING d.package, d.version)
    SELECT array_agg(t.package), array_agg(t.version) INTO keys_package, keys_version
    FROM (SELECT DISTINCT package, version FROM taken) t;
    IF keys_package IS NOT NULL THEN
        PERFORM piw.recompute(keys_package, keys_version);
    END IF;
    PERFORM piw.fold_deltas();
    IF slice <= 0 THEN
        RETURN false;
    END IF;
    IF piw.drain_later(slice) = slice THEN
        RETURN true;
    END IF;
    PERFORM piw.refill_slice(slice);
    RETURN EXISTS (SELECT FROM piw.refills);
END
$$;

-- The whole queue by its definition, beside the rows that are there: what differs. For checks, not for the master.
CREATE FUNCTION piw.check_queue() RETURNS TABLE (package varchar, version varchar, has varchar, wants varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT coalesce(q.package, w.package), coalesce(q.version, w.version), q.abi_tag, w.abi_tag
    FROM piw.queue q
    FULL JOIN (SELECT * FROM piw.wanted((SELECT array_agg(v.package::text) FROM public.versions v),
                                        (SELECT array_agg(v.version::text) FROM public.versions v))) w
        ON w.package = q.package AND w.version = q.version
    WHERE q.abi_tag IS DISTINCT FROM w.abi_tag OR q.released IS DISTINCT FROM w.released
$$;

-- What the_architect reads: the state of each ABI's queue, and the head of one.
CREATE FUNCTION piw.queue_state() RETURNS TABLE (abi_tag varchar, pending bigint, changes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT a.abi_tag, CASE WHEN a.skip = '' THEN coalesce(t.pending, 0) ELSE 0 END, coalesce(t.changes, 0)
    FROM public.build_abis a
    LEFT JOIN piw.queue_totals t ON t.abi_tag = a.abi_tag
    ORDER BY piw.abi_rank(a.abi_tag), a.abi_tag
$$;

CREATE FUNCTION piw.queue_head(abi text, lim integer) RETURNS TABLE (package varchar, version varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT q.package, q.version
    FROM piw.queue q
    WHERE q.abi_tag = abi AND EXISTS (SELECT FROM public.build_abis a WHERE a.abi_tag = abi AND a.skip = '')
      AND NOT piw.rests(q.package, q.version, q.abi_tag)
    ORDER BY q.released, q.package, q.version
    LIMIT lim
$$;
