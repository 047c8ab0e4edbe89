-- needs.sql — what a wheel's code needs of a machine, and whether a view's machines have it. After coverage.sql, before
-- views.sql, which calls it.
--
-- Words are sonames (libssl.so.3) and versions of symbols (GLIBC_2.36, OPENSSL_3.0.0): what stands before the number is the
-- version's kind, and a library that has one has all lower ones of the kind, too. That is what symbol versions are for.

CREATE FUNCTION piw.need_kind(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.substring(word, '^(.+_)[0-9]{1,9}(?:\.[0-9]{1,9})*$')
$$;

CREATE FUNCTION piw.need_number(word text) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT pg_catalog.string_to_array(pg_catalog.substring(word, '^.+_([0-9]{1,9}(?:\.[0-9]{1,9})*)$'), '.')::bigint[]
$$;

-- Has who has these words all that is needed? NULL where either isn't known.
CREATE FUNCTION piw.meets(needs text[], has text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = piw, pg_catalog, pg_temp
AS $$
    SELECT needs <@ has OR NOT EXISTS (
        SELECT FROM unnest(needs) AS n (word)
        WHERE n.word <> ALL (has)
          AND NOT EXISTS (SELECT FROM unnest(has) AS h (word)
                          WHERE piw.need_kind(h.word) = piw.need_kind(n.word)
                            AND piw.need_number(h.word) >= piw.need_number(n.word)))
$$;
