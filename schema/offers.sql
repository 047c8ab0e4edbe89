-- offers.sql — what PyPI offers as wheels, for views that don't want what it has. Nothing is given out for such a view before it is
-- known (piw.queue_head), so packages are asked for in the order in which they would be given out. Before views.sql.

-- The queues of such views: of the common one all ABIs'.
CREATE FUNCTION piw.asking_queues() RETURNS TABLE (queue varchar, place integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT q.abi_tag, q.place
    FROM (SELECT v.view, v.common FROM piw.views v WHERE v.skip_pypi_wheels OR NOT v.pure_from_pypi OFFSET 0) v
    JOIN piw.queues() q ON CASE WHEN v.common THEN q.place = 0 ELSE q.abi_tag = v.view END
    WHERE q.skip = '';
END
$$;

-- Is nothing of this queue given out for now of which it isn't known?
CREATE FUNCTION piw.offers_held(of_queue text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM piw.views) AND (SELECT h.until > piw.utc_now() FROM piw.offers_hold h)
           AND EXISTS (SELECT FROM piw.asking_queues() a WHERE a.queue = of_queue);
END
$$;

-- Those of these versions of a queue, in their order, of which it is known (or isn't), each with its place: their package was asked
-- for since they were released.
CREATE FUNCTION piw.offers_sort(of_queue text, packages text[], versions text[], known boolean)
RETURNS TABLE (package varchar, version varchar, nth bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT q.package, q.version, k.nth
    FROM unnest(offers_sort.packages, offers_sort.versions) WITH ORDINALITY AS k (package, version, nth)
    CROSS JOIN LATERAL (SELECT q.package, q.version, q.released FROM piw.queue q
                        WHERE q.package = k.package AND q.version = k.version AND q.abi_tag = of_queue OFFSET 0) q
    WHERE EXISTS (SELECT FROM piw.pypi_known o WHERE o.package = q.package AND o.asked >= q.released) = offers_sort.known
    ORDER BY k.nth;
END
$$;

-- Reading goes on: nothing is given out of which it isn't known, for so many seconds; 0: no longer.
CREATE FUNCTION piw.hold_offers(seconds bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    before boolean := (SELECT h.until > piw.utc_now() FROM piw.offers_hold h);
BEGIN
    UPDATE piw.offers_hold h SET until = CASE WHEN seconds > 0 THEN piw.utc_now() + seconds * interval '1 second' ELSE '-infinity' END
    WHERE seconds > 0 OR h.until <> '-infinity';
    IF before IS DISTINCT FROM (seconds > 0) THEN
        PERFORM piw.show_heads(array_agg(a.queue::text)) FROM piw.asking_queues() a;
    END IF;
END
$$;

-- The heads of these queues are to be looked at again, though the same stands in them.
CREATE FUNCTION piw.show_heads(queues text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    IF queues IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(7306001);
        UPDATE piw.queue_totals t SET changes = t.changes + 1 WHERE t.abi_tag = ANY (queues);
        PERFORM pg_notify('piw_queue', '');
    END IF;
END
$$;

-- What PyPI offers of a package is known, as of so long ago. (A release of a day to come isn't asked for again and again.)
CREATE FUNCTION piw.know_offers(pkg text, age_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    moment timestamp := piw.utc_now();
    before timestamp := (SELECT k.asked FROM piw.pypi_known k WHERE k.package = pkg);
BEGIN
    IF NOT EXISTS (SELECT FROM public.packages p WHERE p.package = pkg) OR NOT EXISTS (SELECT FROM piw.asking_queues()) THEN
        RETURN;
    END IF;
    moment := greatest(before, moment - age_ms * interval '1 millisecond',
                       (SELECT max(v.released) FROM public.versions v WHERE v.package = pkg AND v.released > moment));
    INSERT INTO piw.pypi_known (package, asked) VALUES (pkg, moment) ON CONFLICT (package) DO UPDATE SET asked = excluded.asked;
    PERFORM piw.show_heads(array_agg(DISTINCT q.abi_tag::text))
    FROM piw.queue q
    WHERE q.package = pkg AND q.released > coalesce(before, '-infinity') AND q.abi_tag IN (SELECT a.queue FROM piw.asking_queues() a);
END
$$;

-- What stands in the queue of these versions is decided anew at once: as soon as it is known what PyPI offers, a head of the queue has
-- what is there, and it may be read before the notes are worked off.
CREATE FUNCTION piw.decide_offered(pkg text, versions text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    queued text[];
BEGIN
    -- As piw.drain does, before the lock.
    LOCK TABLE public.packages, public.versions, public.builds, public.files, public.build_abis IN ACCESS SHARE MODE;
    PERFORM pg_advisory_xact_lock(7306001);
    queued := ARRAY(SELECT DISTINCT q.version FROM piw.queue q WHERE q.package = pkg AND q.version = ANY (decide_offered.versions));
    IF cardinality(queued) > 0 THEN
        PERFORM piw.recompute(array_fill(pkg, ARRAY[cardinality(queued)]), queued);
    END IF;
END
$$;

-- What PyPI has as wheels of a package, by versions as the names of files spell them. `pythons`: bit 11 for a wheel that Python 3.11
-- may take, NULL: not known.
CREATE FUNCTION piw.keep_pypi_wheels(pkg text, versions text[], tags text[], pythons bigint[] DEFAULT NULL, age_ms bigint DEFAULT 0)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    changed text[];
BEGIN
    WITH given AS MATERIALIZED (
        SELECT g.version, array_agg(g.tag ORDER BY g.tag, g.pythons) AS tags, array_agg(g.pythons ORDER BY g.tag, g.pythons) AS pythons
        FROM (SELECT DISTINCT g.version, g.tag, g.pythons
              FROM unnest(keep_pypi_wheels.versions, keep_pypi_wheels.tags, keep_pypi_wheels.pythons) AS g (version, tag, pythons)) g
        GROUP BY g.version
    ), gone AS (
        DELETE FROM piw.pypi_wheels w
        WHERE w.package = pkg AND NOT EXISTS (SELECT FROM given g WHERE g.version = w.version) RETURNING w.version
    ), kept AS (
        INSERT INTO piw.pypi_wheels AS w (package, version, tags, pythons) SELECT pkg, g.version, g.tags, g.pythons FROM given g
        WHERE EXISTS (SELECT FROM public.packages p WHERE p.package = pkg)
        ON CONFLICT (package, version) DO UPDATE SET tags = excluded.tags, pythons = excluded.pythons
        WHERE w.tags <> excluded.tags OR w.pythons IS DISTINCT FROM excluded.pythons
        RETURNING w.version
    )
    SELECT array_agg(c.version) INTO changed FROM (SELECT version FROM gone UNION ALL SELECT version FROM kept) c;
    IF changed IS NOT NULL THEN
        PERFORM piw.note(array_fill(pkg, ARRAY[cardinality(changed)]), changed);
        PERFORM piw.decide_offered(pkg, changed) WHERE EXISTS (SELECT FROM piw.asking_queues());
    END IF;
    PERFORM piw.know_offers(pkg, age_ms);
END
$$;

-- --- What is to be asked for ---

-- Packages of which it isn't known, `lim` at most: first of the heads of the queues, then those that a walk through all of them meets,
-- each in the order in which it is given out. `changes` and `place` are what the last call said; -1: the heads have changed; no
-- place: the walk begins. `walks`: it goes on. `done`: nothing is to be asked for now.
CREATE FUNCTION piw.offers_due(which text, lim integer, INOUT changes bigint, INOUT place piw.queue, walks boolean,
                               OUT packages text[], OUT done boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    head constant integer := 1000;
    queues text[] := ARRAY(SELECT a.queue FROM piw.asking_queues() a ORDER BY a.place, a.queue);
    walked record;
    now_changes bigint := (SELECT coalesce(sum(t.changes), 0) FROM piw.queue_totals t WHERE t.abi_tag = ANY (queues));
BEGIN
    done := cardinality(queues) = 0;
    IF done THEN
        changes := now_changes;
        RETURN;
    END IF;
    IF changes <> now_changes THEN
        packages := ARRAY(
            SELECT u.package FROM (
                SELECT s.package, min(s.nth) AS nth
                FROM unnest(queues) AS q (queue)
                CROSS JOIN LATERAL piw.head_keys(q.queue, which, head, 0) h
                CROSS JOIN LATERAL piw.offers_sort(q.queue, h.packages, h.versions, false) s
                GROUP BY s.package) u
            ORDER BY u.nth, u.package LIMIT lim);
        changes := CASE WHEN cardinality(packages) = 0 THEN now_changes ELSE -1 END;
    END IF;
    done := changes >= 0;
    IF changes >= 0 AND walks THEN
        SELECT * INTO walked FROM piw.walk_offers(queues, which, lim, place);
        place := walked.place;
        packages := walked.packages;
        done := walked.done;
    END IF;
END
$$;

CREATE FUNCTION piw.walk_begin(queue text, which text) RETURNS piw.queue
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN ROW('', '', queue, CASE WHEN which = 'oldest' THEN '-infinity' ELSE 'infinity' END::timestamp, 2147483647)::piw.queue;
END
$$;

-- One slice of the walk. At its end it is done; while queues are being filled it begins anew.
CREATE FUNCTION piw.walk_offers(queues text[], which text, lim integer, INOUT place piw.queue, OUT packages text[], OUT done boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    slice constant integer := 5000;
    at integer := coalesce(array_position(queues, place.abi_tag::text), 1);
    rows piw.queue[];
    last bigint;
BEGIN
    done := false;
    IF place.abi_tag IS DISTINCT FROM queues[at] THEN
        place := piw.walk_begin(queues[at], which);
    END IF;
    IF which = 'oldest' THEN
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.released, q.package, q.version) > (place.released, place.package, place.version)
                      ORDER BY q.released, q.package, q.version LIMIT slice);
    ELSIF which = 'newest' THEN
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.released, q.package, q.version) < (place.released, place.package, place.version)
                      ORDER BY q.released DESC, q.package DESC, q.version DESC LIMIT slice);
    ELSE
        rows := ARRAY(SELECT q FROM piw.queue q
                      WHERE q.abi_tag = place.abi_tag
                        AND (q.popularity, q.released, q.package, q.version)
                            < (place.popularity, place.released, place.package, place.version)
                      ORDER BY q.popularity DESC, q.released DESC, q.package DESC, q.version DESC LIMIT slice);
    END IF;
    SELECT array_agg(u.package ORDER BY u.nth), max(u.nth) INTO packages, last
    FROM (SELECT r.package, min(r.nth) AS nth
          FROM unnest(rows) WITH ORDINALITY AS r (package, version, abi_tag, released, popularity, nth)
          WHERE NOT EXISTS (SELECT FROM piw.pypi_known o WHERE o.package = r.package AND o.asked >= r.released)
          GROUP BY r.package ORDER BY min(r.nth) LIMIT lim) u;
    IF cardinality(packages) = lim THEN
        place := rows[last];
    ELSIF cardinality(rows) = slice THEN
        place := rows[slice];
    ELSIF at < cardinality(queues) THEN
        place := piw.walk_begin(queues[at + 1], which);
    ELSE
        place := NULL;
        done := packages IS NULL AND NOT EXISTS (SELECT FROM piw.refills);
    END IF;
END
$$;

-- Of how many packages that stand in the queue of a view it isn't known. For an operator: it reads all of the queue.
CREATE FUNCTION piw.offers_left(of_view text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT count(DISTINCT q.package)
    FROM piw.asking_queues() a
    JOIN piw.views v ON v.view = of_view AND CASE WHEN v.common THEN a.place = 0 ELSE a.queue = v.view END
    JOIN piw.queue q ON q.abi_tag = a.queue
    LEFT JOIN piw.pypi_known o ON o.package = q.package AND o.asked >= q.released
    WHERE o.package IS NULL
$$;
