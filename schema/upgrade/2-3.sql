-- 2-3.sql — from version 2 of schema piw to 3. Its functions and triggers have been dropped; those of this version follow.

-- --- What PyPI has quarantined ---

-- Projects (version '') and releases. `former` is what `skip` was, or is to become, when it ends.
CREATE TABLE piw.quarantines (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL DEFAULT '',
    former varchar(100) NOT NULL DEFAULT '',
    cause varchar(5) NOT NULL CHECK (cause IN ('event', 'list', 'here')),
    serial bigint NOT NULL DEFAULT 0,   -- of the event
    since timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    PRIMARY KEY (package, version)
);
-- Wheels that pages don't list because they lie out of reach, are to be taken there, or are not back yet.
CREATE TABLE piw.withheld (
    filename varchar(255) PRIMARY KEY,
    package varchar(200) NOT NULL,
    away boolean NOT NULL DEFAULT false
);
-- Versions with more than one source: how many more.
CREATE TABLE piw.more_sources (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    extra bigint NOT NULL,
    PRIMARY KEY (package, version)
);
-- What PyPI says of projects and releases beside what stock's tables hold: the state of those that aren't `active` (PEP 792),
-- and why releases were yanked. Versions are spelt as in the names of files.
CREATE TABLE piw.project_states (
    package varchar(200) PRIMARY KEY,
    status varchar(31) NOT NULL,
    reason varchar(1000) NOT NULL
);
CREATE TABLE piw.yank_reasons (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    reason varchar(1000) NOT NULL,
    PRIMARY KEY (package, version)
);
-- How far wheels without METADATA beside them, as an adopted database has them, have been given it.
CREATE TABLE piw.metadata_pass (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    after varchar(255) NOT NULL DEFAULT '',
    done boolean NOT NULL
);
INSERT INTO piw.metadata_pass (done) SELECT NOT EXISTS (SELECT FROM public.files);

-- --- Who may go on with a build ---

ALTER TABLE piw.attempts ADD COLUMN address varchar(100) NOT NULL DEFAULT '';

-- --- The site ---

-- The mark of the site that this database belongs to: a file in the output folder holds the same.
CREATE TABLE piw.site (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    mark char(32) NOT NULL
);

-- --- What happened on each day, for the site ---

-- kind built, failed (word: the ABI), cause (of tries that failed for their slave's sake), python, distro, arch (of downloads).
CREATE TABLE piw.days (
    day date NOT NULL,
    kind text NOT NULL,
    word varchar(100) NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (day, kind, word)
);

-- --- Downloads of each file ---

-- What is noted is counted anew (2-3-fill.sql).
ALTER TABLE piw.download_notes ALTER COLUMN package DROP NOT NULL, ADD COLUMN filename varchar(255);
CREATE TABLE piw.file_days (
    day date NOT NULL,
    filename varchar(255) NOT NULL,
    downloads bigint NOT NULL,
    PRIMARY KEY (day, filename)
);
CREATE TABLE piw.file_downloads (
    filename varchar(255) PRIMARY KEY,
    recent bigint NOT NULL,
    ever bigint NOT NULL
);

-- --- Coverage ---

-- The rule is another one (coverage.sql): every version is looked at again, in slices, while the farm works. Before other refills,
-- with a number that the table's sequence never gives: a sequence would not take back its step after a dry run.
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce(min(r.refill_id), 1), 1) - 1 FROM piw.refills r;

UPDATE piw.configuration SET version = 3;
