-- 3-4.sql — from version 3 of schema piw to 4: downloads of each view's kind of machine, and of which packages it is known what
-- PyPI offers. Its functions and triggers have been dropped; those of this version follow.

-- --- What a machine of a view is, as the configuration has it: whose a download is ---

ALTER TABLE piw.views
    ADD COLUMN os_names text[] NOT NULL DEFAULT '{}',
    ADD COLUMN os_version varchar(100) NOT NULL DEFAULT '',
    ADD COLUMN machines text[] NOT NULL DEFAULT '{}';

-- --- Downloads by machines of a view ---

-- The views for which they are counted: those with a rule by downloads. From `since` on, an hour, all are; what was before is
-- counted in slices, backwards. `stale`: what is there is another's, by an earlier section, and goes first.
CREATE TABLE piw.view_counts (
    view varchar(32) PRIMARY KEY,
    since timestamp NOT NULL,
    stale boolean NOT NULL DEFAULT false
);
-- As piw.download_notes, piw.download_days and piw.package_downloads.
CREATE TABLE piw.view_download_notes (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view varchar(32) NOT NULL,
    package varchar(200) NOT NULL,
    hour timestamp NOT NULL,
    amount bigint NOT NULL
);
CREATE TABLE piw.view_download_days (
    day date NOT NULL,
    view varchar(32) NOT NULL,
    package varchar(200) NOT NULL,
    downloads bigint NOT NULL,
    PRIMARY KEY (day, view, package)
);
CREATE TABLE piw.view_downloads (
    view varchar(32) NOT NULL,
    package varchar(200) NOT NULL,
    recent bigint NOT NULL,
    PRIMARY KEY (view, package)
);

-- A rule by downloads counted those of all machines: every version is looked at again, in slices (see 2-3.sql for its number).
INSERT INTO piw.view_counts (view, since)
SELECT v.view, date_trunc('hour', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 hour' FROM piw.views v WHERE v.popular > 0;
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce((SELECT min(r.refill_id) FROM piw.refills r), 1), 1) - 1 WHERE EXISTS (SELECT FROM piw.view_counts);

-- --- What PyPI offers ---

-- Which of Python 3's releases take each of them: bit 11 for 3.11. Not known of those that are there.
ALTER TABLE piw.pypi_wheels ADD COLUMN pythons bigint[] NOT NULL DEFAULT '{}';
-- Packages of which it is known: piw.pypi_wheels has what there was when they were asked for.
CREATE TABLE piw.pypi_known (
    package varchar(200) PRIMARY KEY,
    asked timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')
);
-- Until then nothing of which it isn't known is given out for a view that it matters to; cloud_gazer, as long as it gets on, moves it on.
CREATE TABLE piw.offers_hold (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    until timestamp NOT NULL DEFAULT '-infinity'
);
INSERT INTO piw.offers_hold DEFAULT VALUES;

UPDATE piw.configuration SET version = 4;
