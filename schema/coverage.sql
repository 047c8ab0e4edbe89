-- coverage.sql — which ABIs a build does for: those whose installers would take one of its files. After piw.sql, before
-- queue.sql.
--
-- Both sides are sets of tags, as in a wheel's name without its platform. What a build offers: its own ABI, the ABI tags of
-- its files, and INTERPRETER-none, INTERPRETER-abi3, INTERPRETER-abi3t of those that are for more than one. What an ABI
-- takes: what an installer that runs on it accepts. Sets that overlap: covered. (Of pure wheels piw_abi_takes_pure in
-- actors/shared/abi.c says the same, for who has no database at hand.)
--
-- Nothing here depends on what schema piw held before: piw-initdb asks these functions too what an upgrade will change.

-- https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/ and packaging.tags. Of an interpreter
-- of which nothing is known: its own tag, and what any Python 3 takes.
CREATE FUNCTION piw.abi_takes(abi text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
DECLARE
    part text[] := regexp_match(abi, '^(cp)([0-9])(0|[1-9][0-9]{0,2})([a-z]*)$');
    minor integer;
    takes text[];
BEGIN
    part := coalesce(part, regexp_match(abi, '^(py)py([0-9])(0|[1-9][0-9]{0,2})_'));
    IF part IS NULL THEN
        RETURN ARRAY[abi, 'py3-none'];
    END IF;
    minor := part[3];
    takes := ARRAY[abi, 'py' || part[2] || '-none']
             || ARRAY(SELECT 'py' || part[2] || n || '-none' FROM generate_series(0, minor) n);
    IF part[1] <> 'cp' THEN
        RETURN takes || ARRAY['pp' || part[2] || part[3] || '-none', 'pp' || part[2] || '-none'];
    END IF;
    takes := takes || ('cp' || part[2] || part[3] || '-none');
    -- The stable ABIs: of interpreters with a GIL since 3.2, of free-threaded ones since 3.15.
    IF part[2] <> '3' THEN
        RETURN takes;
    ELSIF part[4] LIKE '%t%' THEN
        RETURN takes || ARRAY(SELECT 'cp3' || n || '-abi3t' FROM generate_series(15, minor) n);
    END IF;
    RETURN takes || ARRAY(SELECT 'cp3' || n || '-abi3' FROM generate_series(2, minor) n);
END
$$;

-- What a build for `builder` offers by one of its files; by itself, when the file's tags are NULL. Tags may be compressed
-- sets. A stable ABI is promised from the interpreter on that the name says, but not for older ones than it was built with.
CREATE FUNCTION piw.build_offers(builder text, py_tags text, abi_tags text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = piw, public, pg_temp
AS $$
DECLARE
    offers text[] := ARRAY[builder];
    built_with integer;
    abi text;
    py text;
BEGIN
    IF py_tags IS NULL OR abi_tags IS NULL THEN
        RETURN offers;
    END IF;
    FOREACH abi IN ARRAY string_to_array(abi_tags, '.') LOOP
        IF abi NOT IN ('none', 'abi3', 'abi3t') THEN
            offers := offers || abi;
            CONTINUE;
        END IF;
        FOREACH py IN ARRAY string_to_array(py_tags, '.') LOOP
            IF abi <> 'none' AND py ~ '^cp3[0-9]{1,3}$' THEN
                built_with := substring(builder from '^cp3([0-9]{1,3})[a-z]*$');
                py := 'cp3' || greatest(substr(py, 4)::integer, built_with);
            END IF;
            offers := offers || (py || '-' || abi);
        END LOOP;
    END LOOP;
    RETURN offers;
END
$$;
