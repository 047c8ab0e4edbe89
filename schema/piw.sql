-- piw.sql — schema piw: the tables that this project adds beside the stock ones, with a version row of its own.
--
-- Stock tables get nothing but triggers, all of which call functions of this schema, so that DROP SCHEMA piw
-- CASCADE restores a stock database exactly. The triggers only note what changed (piw.dirty, piw.deltas, …): they take no
-- lock that another transaction waits for. piw.drain() turns the notes into the build queue and the totals. Runs inside
-- one transaction of piw-initdb, as a superuser.
--
-- Whoever changes a table here raises the version, here and in actors/shared/schema_version.h, and writes the step for
-- databases that are there already: schema/upgrade/FROM-TO.sql. Functions and triggers (the other files) need no steps:
-- an upgrade replaces them all.

CREATE SCHEMA piw;

CREATE TABLE piw.configuration (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    version integer NOT NULL
);
INSERT INTO piw.configuration (version) VALUES (6);

-- --- What the queue is made of ---

-- Each version by its release time: stock tables have no such index, and none may be added to them.
CREATE TABLE piw.ages (
    released timestamp NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    PRIMARY KEY (released, package, version)
);

-- The build queue: a version stands in it once, for the lowest ABI that it wants, and once for each view but the common one
-- that wants it, under the view's name. Each order of `[site] order` reads an index from one end: oldest queue_order, newest
-- queue_order backwards, popular queue_popular.
CREATE TABLE piw.queue (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    released timestamp NOT NULL,
    popularity integer NOT NULL DEFAULT 0,  -- of the package: piw.package_downloads.popularity
    PRIMARY KEY (package, version, abi_tag)
);
CREATE INDEX queue_order ON piw.queue (abi_tag, released, package, version);
CREATE INDEX queue_popular ON piw.queue (abi_tag, popularity, released, package, version);

-- Packages that an operator has put first, until nothing of them waits any more.
CREATE TABLE piw.firsts (
    package varchar(200) PRIMARY KEY,
    asked timestamp NOT NULL
);
CREATE INDEX firsts_order ON piw.firsts (asked, package);

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
-- By whole rows, as there is no key: else a publication of all tables would let nothing be deleted here.
ALTER TABLE piw.dirty REPLICA IDENTITY FULL;

-- The same of statements that touched many: worked off in slices, so that nobody waits for them.
CREATE TABLE piw.dirty_later (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL
);

-- Changes that touch every version (an ABI came): worked off in slices from both ends of piw.ages, so that the oldest
-- versions and the newest are right at once, whichever the farm builds first. Up to and including `from_…` and from
-- `to_…` on it is done; the infinities: not begun. With an ABI (it went, or is skipped): only what stands in its queue.
CREATE TABLE piw.refills (
    refill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_released timestamp NOT NULL DEFAULT '-infinity',
    from_package varchar(200) NOT NULL DEFAULT '',
    from_version varchar(200) NOT NULL DEFAULT '',
    to_released timestamp NOT NULL DEFAULT 'infinity',
    to_package varchar(200) NOT NULL DEFAULT '',
    to_version varchar(200) NOT NULL DEFAULT '',
    abi_tag varchar(100)
);

-- --- Totals ---

CREATE TABLE piw.deltas (
    kind text NOT NULL,         -- files, time, downloads, or a kind of piw.days
    package_tag varchar(200),   -- files: of this name; of piw.days: the word
    moment timestamp,           -- downloads: the hour; of piw.days: the day
    amount bigint NOT NULL,     -- files, downloads: how many · time: microseconds
    size_bytes bigint NOT NULL DEFAULT 0
);
ALTER TABLE piw.deltas REPLICA IDENTITY FULL; -- as piw.dirty

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

-- --- What happened on each day, for the site ---

-- kind built, failed (word: the ABI), cause (of tries that failed for their slave's sake), python, distro, arch (of downloads).
CREATE TABLE piw.days (
    day date NOT NULL,
    kind text NOT NULL,
    word varchar(100) NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (day, kind, word)
);

CREATE TABLE piw.download_hours (
    hour timestamp PRIMARY KEY,
    downloads bigint NOT NULL
);

-- Downloads of wheels: noted by statements, …
CREATE TABLE piw.download_notes (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package varchar(200),       -- null: nothing of packages changes
    day date NOT NULL,
    amount bigint NOT NULL,
    filename varchar(255)       -- null: nothing of files changes
);

-- … then counted by day, for the days from piw.download_window.since on, …
CREATE TABLE piw.download_days (
    day date NOT NULL,
    package varchar(200) NOT NULL,
    downloads bigint NOT NULL,
    PRIMARY KEY (day, package)
);
CREATE TABLE piw.download_window (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    since date NOT NULL
);
INSERT INTO piw.download_window (since) VALUES ((clock_timestamp() AT TIME ZONE 'UTC')::date - 30);

-- … and in all. `recent`: of those days. `popularity` is piw.popularity(recent) as the queue knows it; packages of which
-- it has changed are listed until the queue has been told.
CREATE TABLE piw.package_downloads (
    package varchar(200) PRIMARY KEY,
    recent bigint NOT NULL,
    ever bigint NOT NULL,
    popularity integer NOT NULL DEFAULT 0
);
CREATE INDEX package_downloads_popular ON piw.package_downloads (popularity, package);
-- The same of each file.
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
CREATE TABLE piw.popularity_due (
    package varchar(200) PRIMARY KEY
);

-- --- The master's own ---

-- The last transaction of each instance of the_oracle that is committed.
CREATE TABLE piw.commits (
    instance integer PRIMARY KEY,
    mark bigint NOT NULL
);

-- --- Web logs ---

-- Batches of log entries that are stored, the last ones of the sender that runs: sent again, they are passed over.
CREATE TABLE piw.log_batches (
    sender bigint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (sender, number)
);

-- --- Builds and files ---

CREATE SEQUENCE piw.slave_numbers AS integer;

-- One slave's try at one version for one ABI. Kept when the version is gone: it is the farm's memory. A transient one
-- failed because of its slave and writes no row of builds; until next_try its version rests.
CREATE TABLE piw.attempts (
    attempt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slave_id integer NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    -- running, built, failed, transient, ended or void. No CHECK: each statement would read it anew, for a twentieth of a build's time.
    state varchar(10) NOT NULL DEFAULT 'running',
    cause varchar(100) NOT NULL DEFAULT '',
    started timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    ended timestamp,
    next_try timestamp,
    counts boolean NOT NULL DEFAULT true, -- transient: towards the last try, until one ends otherwise or an operator says so
    build_id integer,
    log text,                             -- transient: the end of it; others have a file
    address varchar(100) NOT NULL DEFAULT '' -- where the slave was; '': not known
);
CREATE INDEX attempts_running ON piw.attempts (slave_id) WHERE state = 'running';
CREATE INDEX attempts_version ON piw.attempts (package, version);
CREATE INDEX attempts_resting ON piw.attempts (abi_tag, next_try) WHERE state = 'transient' AND counts;

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
-- Projects that a list of PyPI's has had. In the order of bytes, as lists are compared.
CREATE TABLE piw.pypi_projects (
    package varchar(200) COLLATE "C" PRIMARY KEY
);
-- When the last such list was compared with what is here.
CREATE TABLE piw.pypi_compared (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    at timestamp NOT NULL
);
INSERT INTO piw.pypi_compared (at) VALUES (clock_timestamp() AT TIME ZONE 'UTC');
-- Versions that an operator added: not PyPI's to take away.
CREATE TABLE piw.local_versions (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    PRIMARY KEY (package, version)
);

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

-- --- The site ---

-- The mark of the site that this database belongs to: a file in the output folder holds the same.
CREATE TABLE piw.site (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    mark char(32) NOT NULL
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
    pure_from_pypi boolean NOT NULL,    -- a pure wheel that PyPI has is built all the same
    os_names text[] NOT NULL DEFAULT '{}',  -- what its machines are, besides: whose a download is
    os_version varchar(100) NOT NULL DEFAULT '',
    machines text[] NOT NULL DEFAULT '{}'
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
-- Of names that several stores have, the bytes that a view's index led to when another of these files came to run there: they stay.
CREATE TABLE piw.view_meanings (
    view varchar(32) NOT NULL,
    filename varchar(255) NOT NULL,
    filehash char(64) NOT NULL,
    PRIMARY KEY (view, filename)
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
-- What PyPI offers of a version as wheels: tags as in their names, PYTHON-ABI-PLATFORM, and of each which of Python 3's releases its
-- Requires-Python takes (bit 11: 3.11; missing: not known).
CREATE TABLE piw.pypi_wheels (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    tags text[] NOT NULL,
    pythons bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (package, version)
);

-- --- Views: downloads by their machines, and what PyPI offers them ---

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
