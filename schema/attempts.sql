-- attempts.sql — tries at builds: begun, ended, failed for their slave's sake, wanted again. After writes.sql, whose rules it keeps.

CREATE FUNCTION piw.begin_attempts(
    slaves integer[], packages text[], versions text[], abis text[], addresses text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    UPDATE piw.attempts SET state = 'ended', cause = 'the slave began another build', ended = piw.utc_now()
    WHERE state = 'running' AND slave_id = ANY (slaves);
    INSERT INTO piw.attempts (slave_id, package, version, abi_tag, address)
    SELECT a.slave_id, a.package, a.version, a.abi_tag, coalesce(a.address, '')
    FROM unnest(slaves, packages, versions, abis, addresses) AS a (slave_id, package, version, abi_tag, address);
END
$$;

CREATE FUNCTION piw.end_attempts(slaves integer[], packages text[], versions text[], abis text[], causes text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    FOR n IN 1..cardinality(slaves) LOOP
        UPDATE piw.attempts a SET state = 'ended', cause = left(causes[n], 100), ended = piw.utc_now()
        WHERE a.state = 'running' AND a.slave_id = slaves[n] AND a.package = packages[n] AND a.version = versions[n]
          AND a.abi_tag = abis[n];
    END LOOP;
END
$$;

-- A try failed for its slave's sake: it is kept with its cause and the end of its log, and its version rests before the
-- next one (docs/reliability.md#a-build-fails-because-of-its-slave). The fifth is the last; those that don't count come before it.
CREATE FUNCTION piw.fail_attempt(slave integer, pkg text, ver text, abi text, why text, the_end text,
                                 unit_s integer DEFAULT 60, counted boolean DEFAULT true)
RETURNS TABLE (tries integer, final boolean, wait_s integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
DECLARE
    tries_max CONSTANT integer := 5;
    moment timestamp := piw.utc_now();
    attempt bigint;
BEGIN
    SELECT 1 + count(*) INTO tries FROM piw.attempts a
    WHERE a.package = pkg AND a.version = ver AND a.abi_tag = abi AND a.state = 'transient' AND a.counts;
    final := counted AND tries >= tries_max;
    wait_s := CASE WHEN final THEN 0 ELSE unit_s * 3 ^ least(tries - 1, tries_max - 2) END;
    UPDATE piw.attempts a SET state = 'transient', counts = counted, cause = left(why, 100), ended = moment, log = the_end,
        next_try = CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END
    WHERE a.state = 'running' AND a.slave_id = slave AND a.package = pkg AND a.version = ver AND a.abi_tag = abi
    RETURNING a.attempt_id INTO attempt;
    IF attempt IS NULL THEN
        INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended, log, counts, next_try)
        VALUES (slave, pkg, ver, abi, 'transient', left(why, 100), moment, the_end, counted,
                CASE WHEN final THEN NULL ELSE moment + wait_s * interval '1 second' END);
    END IF;
    INSERT INTO piw.deltas (kind, package_tag, moment, amount) VALUES ('cause', left(why, 100), moment::date, 1);
    RETURN NEXT;
END
$$;

-- An operator wants what failed tried again: failed builds go, and tries count from the first again; the attempts stay.
-- Without a version all of the package's. Returns how many builds and resting versions that were.
CREATE FUNCTION piw.retry(pkg text, ver text, OUT known boolean, OUT builds integer, OUT resting integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7306001);
    known := EXISTS (SELECT FROM public.versions v WHERE v.package = pkg AND (ver IS NULL OR v.version = ver));
    DELETE FROM public.builds b WHERE b.package = pkg AND (ver IS NULL OR b.version = ver) AND NOT b.status;
    GET DIAGNOSTICS builds = ROW_COUNT;
    builds := builds + piw.forget_view_builds_of(pkg, ver, true);
    SELECT count(DISTINCT (a.version, a.abi_tag)) INTO resting FROM piw.attempts a
    WHERE a.package = pkg AND (ver IS NULL OR a.version = ver) AND a.state = 'transient' AND a.counts
      AND a.next_try > piw.utc_now();
    UPDATE piw.attempts a SET counts = false
    WHERE a.package = pkg AND (ver IS NULL OR a.version = ver) AND a.state = 'transient' AND a.counts;
    IF builds > 0 THEN
        PERFORM piw.note_pages(ARRAY[pkg], ARRAY['PROJECT']);
    END IF;
    -- What rested shows in the queue's heads again: they have changed.
    UPDATE piw.queue_totals t SET changes = t.changes + 1
    WHERE resting > 0 AND t.abi_tag IN (SELECT q.abi_tag FROM piw.queue q WHERE q.package = pkg);
    PERFORM pg_notify('piw_queue', '');
END
$$;

-- The master has started: nobody builds any more.
CREATE FUNCTION piw.void_attempts() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    WITH ended AS (
        UPDATE piw.attempts SET state = 'void', cause = 'the master was restarted', ended = piw.utc_now()
        WHERE state = 'running'
        RETURNING 1
    )
    SELECT count(*) FROM ended
$$;
