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

-- --- Views: named kinds of machine (views.sql) ---
--
-- What the common view makes stands in stock's tables, under its ABI; what the others make stands here, under their names. The
-- build queue, attempts and counts by ABI go by the queue's name: the common view's is its ABI, each other's is its own.

-- The views as the master's configuration has them. No row: a farm without views.
CREATE TABLE piw.views (
    view varchar(32) PRIMARY KEY,
    place integer NOT NULL,             -- in the configuration, from 1
    abi_tag varchar(100) NOT NULL,
    platforms text[] NOT NULL,          -- of wheels that run there, beside `any`
    libraries text[] NOT NULL,          -- sonames and symbol versions that are there, as far as the operator says
    common boolean NOT NULL,            -- its wheels are those of the common index
    skip_pypi_wheels boolean NOT NULL,
    stable_only boolean NOT NULL,
    newest integer NOT NULL,            -- so many versions of a package at most; 0: all
    popular integer NOT NULL,           -- packages of which so many wheels were downloaded in the last 30 days; 0: all
    pure_from_pypi boolean NOT NULL     -- a pure wheel that PyPI has is built all the same
);
-- As public.builds, of which it shares the numbers.
CREATE TABLE piw.view_builds (
    build_id integer PRIMARY KEY,
    view varchar(32) NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    built_by integer NOT NULL,
    built_at timestamp NOT NULL,
    duration interval NOT NULL,
    status boolean NOT NULL
);
CREATE INDEX view_builds_version ON piw.view_builds (package, version);
CREATE INDEX view_builds_view ON piw.view_builds (view, build_id);
CREATE INDEX view_builds_time ON piw.view_builds (built_at);
-- As public.files and piw.file_facts. A name has one meaning within a view.
CREATE TABLE piw.view_files (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    build_id integer NOT NULL REFERENCES piw.view_builds (build_id) ON DELETE CASCADE,
    filesize integer NOT NULL,
    filehash char(64) NOT NULL,
    package_tag varchar(200) NOT NULL,
    package_version_tag varchar(200) NOT NULL,
    py_version_tag varchar(100) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    platform_tag varchar(100) NOT NULL,
    requires_python varchar(200),
    location varchar(100) NOT NULL DEFAULT '',
    metadata_hash char(64),
    uploaded timestamp NOT NULL,
    PRIMARY KEY (view, filename)
);
CREATE INDEX view_files_build ON piw.view_files (build_id);
CREATE TABLE piw.view_dependencies (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    tool varchar(10) NOT NULL,
    dependency varchar(255) NOT NULL,
    PRIMARY KEY (view, filename, tool, dependency),
    FOREIGN KEY (view, filename) REFERENCES piw.view_files (view, filename) ON DELETE CASCADE
);
-- What a wheel's code needs of the machine: sonames of libraries and symbol versions (GLIBC_2.36). View '': a file of stock's
-- table. A wheel of one platform without a row: not known.
CREATE TABLE piw.file_needs (
    view varchar(32) NOT NULL DEFAULT '',
    filename varchar(255) NOT NULL,
    needs text[] NOT NULL,
    PRIMARY KEY (view, filename)
);
-- How far wheels that were recorded when the farm had no views have been read for what their code needs.
CREATE TABLE piw.needs_pass (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    after varchar(255) NOT NULL DEFAULT '',
    done boolean NOT NULL DEFAULT true
);
INSERT INTO piw.needs_pass DEFAULT VALUES;
-- What the machines of a view have, as its slaves' builds have shown; beside piw.views.libraries.
CREATE TABLE piw.view_has (
    view varchar(32) NOT NULL,
    word varchar(200) NOT NULL,
    PRIMARY KEY (view, word)
);
-- As piw.removals and piw.withheld, of files of views.
CREATE TABLE piw.view_removals (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    package varchar(200) NOT NULL,
    removed timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    PRIMARY KEY (view, filename)
);
CREATE INDEX view_removals_time ON piw.view_removals (removed);
CREATE TABLE piw.view_withheld (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    package varchar(200) NOT NULL,
    away boolean NOT NULL DEFAULT false,
    PRIMARY KEY (view, filename)
);
-- Names that views had or have: a build for one that has gone is none for an ABI.
CREATE TABLE piw.view_names (
    view varchar(32) PRIMARY KEY
);
-- Views of which an operator wants nothing kept: their builds go in slices.
CREATE TABLE piw.view_drops (
    view varchar(32) PRIMARY KEY
);
-- What PyPI offers of a version as wheels: tags as in their names, PYTHON-ABI-PLATFORM.
CREATE TABLE piw.pypi_wheels (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    tags text[] NOT NULL,
    PRIMARY KEY (package, version)
);

ALTER TABLE piw.queue DROP CONSTRAINT queue_pkey;
ALTER TABLE piw.queue ADD PRIMARY KEY (package, version, abi_tag);

-- --- Coverage ---

-- The rule is another one (coverage.sql): every version is looked at again, in slices, while the farm works. Before other refills,
-- with a number that the table's sequence never gives: a sequence would not take back its step after a dry run.
INSERT INTO piw.refills (refill_id) OVERRIDING SYSTEM VALUE
SELECT least(coalesce(min(r.refill_id), 1), 1) - 1 FROM piw.refills r;

UPDATE piw.configuration SET version = 3;
