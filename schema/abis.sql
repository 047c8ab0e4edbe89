-- abis.sql — what an operator says about the ABIs that the farm builds for (piw-ctl abi). After queue.sql. That the queue
-- follows is the triggers' work.

-- Build for an ABI, again if it was skipped. `outcome`: added, enabled, known; view: a view has this name; views: who builds for another
-- ABI than the common view's needs a view (piw.farm_abis).
CREATE FUNCTION piw.add_abi(abi text, OUT outcome text, OUT builds bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    builds := 0;
    outcome := CASE WHEN EXISTS (SELECT FROM piw.views v WHERE v.view = abi) THEN 'view'
                    WHEN EXISTS (SELECT FROM piw.views v WHERE v.common AND v.abi_tag <> abi) THEN 'views' END;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO public.build_abis (abi_tag) VALUES (abi) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        outcome := 'added';
        RETURN;
    END IF;
    UPDATE public.build_abis a SET skip = '' WHERE a.abi_tag = abi AND a.skip <> '';
    outcome := CASE WHEN FOUND THEN 'enabled' ELSE 'known' END;
END
$$;

-- Build for it no more; what is there stays, and pages go on showing it. `outcome`: skipped, unknown.
CREATE FUNCTION piw.skip_abi(abi text, reason text, OUT outcome text, OUT builds bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    builds := 0;
    UPDATE public.build_abis a SET skip = reason WHERE a.abi_tag = abi;
    outcome := CASE WHEN FOUND THEN 'skipped' ELSE 'unknown' END;
END
$$;

-- Forget it. Builds name their ABI without a key, so they and their files stay; but pages show it no more, and what is
-- preinstalled for it goes by cascade: that is refused while there are any, unless `force`. `outcome`: removed, unknown, built; common: the
-- common view builds for it.
CREATE FUNCTION piw.remove_abi(abi text, force boolean, OUT outcome text, OUT builds bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
BEGIN
    PERFORM FROM public.build_abis a WHERE a.abi_tag = abi FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'unknown';
        builds := 0;
        RETURN;
    END IF;
    SELECT count(*) INTO builds FROM public.builds b WHERE b.abi_tag = abi;
    IF EXISTS (SELECT FROM piw.views v WHERE v.common AND v.abi_tag = abi) THEN
        outcome := 'common';
        RETURN;
    END IF;
    IF builds > 0 AND NOT force THEN
        outcome := 'built';
        RETURN;
    END IF;
    DELETE FROM public.build_abis a WHERE a.abi_tag = abi;
    outcome := 'removed';
END
$$;

-- All of them, with what waits and what was built. It counts builds, so it reads an index of theirs whole: for an operator,
-- not for what the master does by itself.
CREATE FUNCTION piw.list_abis() RETURNS TABLE (abi_tag varchar, skip varchar, pending bigint, builds bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, public, pg_temp
AS $$
    SELECT a.abi_tag, a.skip, s.pending, coalesce(b.builds, 0)
    FROM piw.farm_abis() a
    JOIN piw.queue_state() s ON s.abi_tag = a.abi_tag
    LEFT JOIN (SELECT b.abi_tag, count(*) AS builds FROM public.builds b GROUP BY b.abi_tag) b ON b.abi_tag = a.abi_tag
    ORDER BY piw.abi_rank(a.abi_tag), a.abi_tag
$$;
