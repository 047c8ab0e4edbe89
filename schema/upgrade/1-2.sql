-- 1-2.sql — from version 1 of schema piw to 2: other orders of the queue, packages put first, downloads by package, refills
-- from both ends, tries that failed for their slave's sake, web logs in batches, marks of commits. Its functions and
-- triggers have been dropped; those of this version follow.

ALTER TABLE piw.queue ADD COLUMN popularity integer NOT NULL DEFAULT 0;
CREATE INDEX queue_popular ON piw.queue (abi_tag, popularity, released, package, version);

CREATE TABLE piw.firsts (
    package varchar(200) PRIMARY KEY,
    asked timestamp NOT NULL
);
CREATE INDEX firsts_order ON piw.firsts (asked, package);

ALTER TABLE piw.refills
    ADD COLUMN to_released timestamp NOT NULL DEFAULT 'infinity',
    ADD COLUMN to_package varchar(200) NOT NULL DEFAULT '',
    ADD COLUMN to_version varchar(200) NOT NULL DEFAULT '',
    ADD COLUMN abi_tag varchar(100);

CREATE TABLE piw.download_notes (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package varchar(200) NOT NULL,
    day date NOT NULL,
    amount bigint NOT NULL
);
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
CREATE TABLE piw.package_downloads (
    package varchar(200) PRIMARY KEY,
    recent bigint NOT NULL,
    ever bigint NOT NULL,
    popularity integer NOT NULL DEFAULT 0
);
CREATE INDEX package_downloads_popular ON piw.package_downloads (popularity, package);
CREATE TABLE piw.popularity_due (
    package varchar(200) PRIMARY KEY
);

ALTER TABLE piw.attempts
    ADD COLUMN counts boolean NOT NULL DEFAULT true,
    ADD COLUMN log text,
    DROP CONSTRAINT attempts_state_check,
    ADD CONSTRAINT attempts_state_check
        CHECK (state IN ('running', 'built', 'failed', 'transient', 'ended', 'void'));
CREATE INDEX attempts_resting ON piw.attempts (abi_tag, next_try) WHERE state = 'transient' AND counts;

CREATE TABLE piw.pypi_projects (
    package varchar(200) COLLATE "C" PRIMARY KEY
);
CREATE TABLE piw.pypi_compared (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    at timestamp NOT NULL
);
INSERT INTO piw.pypi_compared (at) VALUES (clock_timestamp() AT TIME ZONE 'UTC');
CREATE TABLE piw.local_versions (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    PRIMARY KEY (package, version)
);

CREATE TABLE piw.commits (
    instance integer PRIMARY KEY,
    mark bigint NOT NULL
);
CREATE TABLE piw.log_batches (
    sender bigint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (sender, number)
);

UPDATE piw.configuration SET version = 2;
