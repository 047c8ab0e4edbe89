-- public.sql — the tables, view and functions of schema version 0.23, which other programs know by name and shape.
--
-- Columns, constraints, indexes, signatures and settings here are fixed; what this project adds lives in schema piw.
-- Runs inside one transaction of piw-initdb, in an empty database, as a superuser who then owns everything. Every
-- function is SECURITY DEFINER with a fixed search_path, and none uses schema piw.

CREATE TABLE configuration (
    id integer DEFAULT 1 NOT NULL,
    version varchar(16) DEFAULT '0.6' NOT NULL,
    pypi_serial bigint DEFAULT 0 NOT NULL,
    CONSTRAINT config_pk PRIMARY KEY (id)
);
INSERT INTO configuration (id, version) VALUES (1, '0.23');

CREATE TABLE packages (
    package varchar(200) NOT NULL,
    skip varchar(100) DEFAULT '' NOT NULL,
    description varchar(200) DEFAULT '' NOT NULL,
    CONSTRAINT packages_pk PRIMARY KEY (package)
);

CREATE TABLE package_names (
    package varchar(200) NOT NULL,
    name varchar(200) NOT NULL,
    seen timestamp DEFAULT '1970-01-01 00:00:00' NOT NULL,
    CONSTRAINT package_names_pk PRIMARY KEY (name),
    CONSTRAINT package_names_package_fk FOREIGN KEY (package) REFERENCES packages (package) ON DELETE CASCADE
);
CREATE INDEX package_names_package ON package_names (package, seen DESC);

CREATE TABLE versions (
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    released timestamp DEFAULT '1970-01-01 00:00:00' NOT NULL,
    skip varchar(100) DEFAULT '' NOT NULL,
    yanked boolean DEFAULT false NOT NULL,
    CONSTRAINT versions_pk PRIMARY KEY (package, version),
    CONSTRAINT versions_package_fk FOREIGN KEY (package) REFERENCES packages (package) ON DELETE CASCADE
);
CREATE INDEX versions_package ON versions (package);

CREATE TABLE build_abis (
    abi_tag varchar(100) NOT NULL,
    skip varchar(100) DEFAULT '' NOT NULL,
    CONSTRAINT build_abis_pk PRIMARY KEY (abi_tag),
    CONSTRAINT build_abis_none_ck CHECK (abi_tag <> 'none')
);

CREATE TABLE builds (
    build_id serial NOT NULL,
    package varchar(200) NOT NULL,
    version varchar(200) NOT NULL,
    built_by integer NOT NULL,
    built_at timestamp DEFAULT (now() AT TIME ZONE 'UTC') NOT NULL,
    duration interval NOT NULL,
    status boolean DEFAULT true NOT NULL,
    abi_tag varchar(100) NOT NULL,
    CONSTRAINT builds_pk PRIMARY KEY (build_id),
    CONSTRAINT builds_unique UNIQUE (package, version, built_at, built_by),
    CONSTRAINT builds_versions_fk FOREIGN KEY (package, version) REFERENCES versions (package, version)
        ON DELETE CASCADE,
    CONSTRAINT builds_built_by_ck CHECK (built_by >= 0)
);
CREATE INDEX builds_timestamp ON builds (built_at DESC NULLS LAST);
CREATE INDEX builds_pkgver ON builds (package, version);
CREATE INDEX builds_pkgverid ON builds (build_id, package, version);
CREATE INDEX builds_pkgverabi ON builds (build_id, package, version, abi_tag);

CREATE TABLE files (
    filename varchar(255) NOT NULL,
    build_id integer NOT NULL,
    filesize integer NOT NULL,
    filehash char(64) NOT NULL,
    package_tag varchar(200) NOT NULL,
    package_version_tag varchar(200) NOT NULL,
    py_version_tag varchar(100) NOT NULL,
    abi_tag varchar(100) NOT NULL,
    platform_tag varchar(100) NOT NULL,
    requires_python varchar(200),
    location varchar(100) DEFAULT '/simple' NOT NULL,
    CONSTRAINT files_pk PRIMARY KEY (filename),
    CONSTRAINT files_builds_fk FOREIGN KEY (build_id) REFERENCES builds (build_id) ON DELETE CASCADE
);
CREATE INDEX files_builds ON files (build_id);
CREATE INDEX files_size ON files (platform_tag, filesize) WHERE platform_tag <> 'linux_armv6l';
CREATE INDEX files_abi ON files (build_id, abi_tag);
CREATE INDEX files_packages ON files (package_tag);

CREATE TABLE dependencies (
    filename varchar(255) NOT NULL,
    tool varchar(10) DEFAULT 'apt' NOT NULL,
    dependency varchar(255) NOT NULL,
    CONSTRAINT dependencies_pk PRIMARY KEY (filename, tool, dependency),
    CONSTRAINT dependencies_files_fk FOREIGN KEY (filename) REFERENCES files (filename) ON DELETE CASCADE,
    CONSTRAINT dependencies_tool_ck CHECK (tool IN ('apt', 'pip', ''))
);

CREATE TABLE preinstalled_apt_packages (
    abi_tag varchar(100) NOT NULL,
    apt_package varchar(255) NOT NULL,
    CONSTRAINT preinstalled_apt_packages_pk PRIMARY KEY (abi_tag, apt_package),
    CONSTRAINT preinstalled_apt_packages_abi_tag_fk FOREIGN KEY (abi_tag) REFERENCES build_abis (abi_tag)
        ON DELETE CASCADE
);
CREATE INDEX preinstalled_apt_packages_abi_tag ON preinstalled_apt_packages (abi_tag);

CREATE TABLE downloads (
    filename varchar(255) NOT NULL,
    accessed_by inet NOT NULL,
    accessed_at timestamp NOT NULL,
    arch varchar(100) DEFAULT NULL,
    distro_name varchar(100) DEFAULT NULL,
    distro_version varchar(100) DEFAULT NULL,
    os_name varchar(100) DEFAULT NULL,
    os_version varchar(100) DEFAULT NULL,
    py_name varchar(100) DEFAULT NULL,
    py_version varchar(100) DEFAULT NULL,
    installer_name varchar(20) DEFAULT NULL,
    installer_version varchar(100) DEFAULT NULL,
    setuptools_version varchar(100) DEFAULT NULL
);
CREATE INDEX downloads_files ON downloads (filename);
CREATE INDEX downloads_accessed_at ON downloads (accessed_at DESC);

CREATE TABLE searches (
    package varchar(200) NOT NULL,
    accessed_by inet NOT NULL,
    accessed_at timestamp NOT NULL,
    arch varchar(100) DEFAULT NULL,
    distro_name varchar(100) DEFAULT NULL,
    distro_version varchar(100) DEFAULT NULL,
    os_name varchar(100) DEFAULT NULL,
    os_version varchar(100) DEFAULT NULL,
    py_name varchar(100) DEFAULT NULL,
    py_version varchar(100) DEFAULT NULL,
    installer_name varchar(20) DEFAULT NULL,
    installer_version varchar(100) DEFAULT NULL,
    setuptools_version varchar(100) DEFAULT NULL
);
CREATE INDEX searches_package ON searches (package);
CREATE INDEX searches_accessed_at ON searches (accessed_at DESC);

CREATE TABLE project_page_hits (
    package varchar(200) NOT NULL,
    accessed_by inet NOT NULL,
    accessed_at timestamp NOT NULL,
    user_agent varchar(2000),
    bot boolean DEFAULT false NOT NULL
);
CREATE INDEX project_page_hits_package ON project_page_hits (package);
CREATE INDEX project_page_hits_accessed_at ON project_page_hits (accessed_at DESC);

CREATE TABLE project_json_downloads (
    package varchar(200) NOT NULL,
    accessed_by inet NOT NULL,
    accessed_at timestamp NOT NULL,
    user_agent varchar(2000)
);
CREATE INDEX project_json_downloads_package ON project_json_downloads (package);
CREATE INDEX project_json_downloads_accessed_at ON project_json_downloads (accessed_at DESC);

CREATE TABLE web_page_hits (
    page varchar(30) NOT NULL,
    accessed_by inet NOT NULL,
    accessed_at timestamp NOT NULL,
    user_agent varchar(2000),
    bot boolean DEFAULT false NOT NULL
);
CREATE INDEX web_page_hits_package ON web_page_hits (page);
CREATE INDEX web_page_hits_accessed_at ON web_page_hits (accessed_at DESC);

CREATE TABLE rewrites_pending (
    package varchar(200) NOT NULL,
    added_at timestamp NOT NULL,
    command varchar(8) NOT NULL,
    CONSTRAINT rewrites_pending_pk PRIMARY KEY (package),
    CONSTRAINT rewrites_pending_command_ck CHECK (command IN ('PROJECT', 'BOTH'))
);
CREATE INDEX rewrites_pending_added ON rewrites_pending (added_at);

-- What is to be built as programs of that version see it: ABIs in the order of their text, and a file's own tag
-- counts instead of its build's.
CREATE VIEW builds_pending AS
WITH wanted AS (
    SELECT v.package, v.version, v.released, a.abi_tag
    FROM packages p
    JOIN versions v ON v.package = p.package
    CROSS JOIN build_abis a
    WHERE p.skip = '' AND v.skip = '' AND a.skip = ''
), covered AS (
    SELECT b.package, b.version, coalesce(f.abi_tag, b.abi_tag) AS abi_tag
    FROM builds b
    LEFT JOIN files f ON f.build_id = b.build_id
), least AS (
    SELECT w.package, w.version, w.released, min(w.abi_tag::text) AS abi_tag
    FROM wanted w
    WHERE NOT EXISTS (
        SELECT FROM covered c
        WHERE c.package = w.package AND c.version = w.version AND c.abi_tag IN ('none', w.abi_tag))
    GROUP BY w.package, w.version, w.released
)
SELECT l.abi_tag, row_number() OVER (PARTITION BY l.abi_tag ORDER BY l.released) AS "position", l.package, l.version
FROM least l;

CREATE FUNCTION get_pypi_serial() RETURNS bigint
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT pypi_serial FROM configuration WHERE id = 1
$$;

CREATE FUNCTION set_pypi_serial(new_serial integer) RETURNS void
LANGUAGE plpgsql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE configuration SET pypi_serial = new_serial WHERE id = 1 AND pypi_serial <= new_serial;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the PyPI serial can only grow: % refused', new_serial;
    END IF;
END
$$;

CREATE FUNCTION add_new_package(package text, skip text DEFAULT '', description text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO packages AS p (package, skip, description)
    VALUES (add_new_package.package, add_new_package.skip, add_new_package.description)
    ON CONFLICT ON CONSTRAINT packages_pk DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO package_names AS n (package, name) VALUES (add_new_package.package, add_new_package.package)
    ON CONFLICT ON CONSTRAINT package_names_pk DO NOTHING;
    RETURN true;
END
$$;

CREATE FUNCTION add_new_package_version(package text, version text, released timestamp DEFAULT NULL,
                                        skip text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO versions AS v (package, version, released, skip)
    VALUES (add_new_package_version.package, add_new_package_version.version,
            coalesce(add_new_package_version.released, now() AT TIME ZONE 'UTC'), add_new_package_version.skip)
    ON CONFLICT ON CONSTRAINT versions_pk DO NOTHING;
    RETURN FOUND;
END
$$;

CREATE FUNCTION add_package_name(canon_name text, alt_name text, last_seen timestamp) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO package_names AS n (package, name, seen) VALUES (canon_name, alt_name, last_seen)
    ON CONFLICT (name) DO UPDATE SET seen = excluded.seen
$$;

CREATE FUNCTION get_package_aliases(pkg text) RETURNS TABLE (name varchar)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT n.name FROM package_names n WHERE n.package = pkg AND n.name <> pkg
$$;

CREATE FUNCTION set_package_description(pkg text, dsc text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE packages SET description = dsc WHERE package = pkg
$$;

CREATE FUNCTION skip_package(pkg text, reason text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE packages SET skip = reason WHERE package = pkg
$$;

CREATE FUNCTION skip_package_version(pkg text, ver text, reason text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE versions SET skip = reason WHERE package = pkg AND version = ver
$$;

CREATE FUNCTION delete_package(pkg text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM packages WHERE package = pkg
$$;

CREATE FUNCTION delete_version(pkg text, ver text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM versions WHERE package = pkg AND version = ver
$$;

CREATE FUNCTION yank_version(pkg text, ver text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE versions SET yanked = true WHERE package = pkg AND version = ver
$$;

CREATE FUNCTION unyank_version(pkg text, ver text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE versions SET yanked = false WHERE package = pkg AND version = ver
$$;

CREATE FUNCTION delete_build(pkg text, ver text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM builds WHERE package = pkg AND version = ver
$$;

CREATE FUNCTION test_package(pkg text) RETURNS boolean
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM packages WHERE package = pkg)
$$;

CREATE FUNCTION package_marked_deleted(pkg text) RETURNS boolean
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM packages WHERE package = pkg AND skip = 'deleted')
$$;

CREATE FUNCTION test_package_version(pkg text, ver text) RETURNS boolean
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM versions WHERE package = pkg AND version = ver)
$$;

CREATE FUNCTION get_versions_deleted(pkg text) RETURNS TABLE (version varchar)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT v.version FROM versions v WHERE v.package = pkg AND v.skip = 'deleted'
$$;

CREATE FUNCTION log_download(filename text, accessed_by inet, accessed_at timestamp, arch text DEFAULT NULL,
                             distro_name text DEFAULT NULL, distro_version text DEFAULT NULL,
                             os_name text DEFAULT NULL, os_version text DEFAULT NULL, py_name text DEFAULT NULL,
                             py_version text DEFAULT NULL, installer_name text DEFAULT NULL,
                             installer_version text DEFAULT NULL, setuptools_version text DEFAULT NULL) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO downloads VALUES (filename, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
        os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
$$;

CREATE FUNCTION log_search(package text, accessed_by inet, accessed_at timestamp, arch text DEFAULT NULL,
                           distro_name text DEFAULT NULL, distro_version text DEFAULT NULL,
                           os_name text DEFAULT NULL, os_version text DEFAULT NULL, py_name text DEFAULT NULL,
                           py_version text DEFAULT NULL, installer_name text DEFAULT NULL,
                           installer_version text DEFAULT NULL, setuptools_version text DEFAULT NULL) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO searches VALUES (package, accessed_by, accessed_at, arch, distro_name, distro_version, os_name,
        os_version, py_name, py_version, installer_name, installer_version, setuptools_version)
$$;

CREATE FUNCTION log_project(package text, accessed_by inet, accessed_at timestamp, user_agent text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO project_page_hits (package, accessed_by, accessed_at, user_agent)
    VALUES (package, accessed_by, accessed_at, user_agent)
$$;

CREATE FUNCTION log_json(package text, accessed_by inet, accessed_at timestamp, user_agent text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO project_json_downloads (package, accessed_by, accessed_at, user_agent)
    VALUES (package, accessed_by, accessed_at, user_agent)
$$;

CREATE FUNCTION log_page(page text, accessed_by inet, accessed_at timestamp, user_agent text) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO web_page_hits (page, accessed_by, accessed_at, user_agent)
    VALUES (page, accessed_by, accessed_at, user_agent)
$$;

-- A success replaces older rows of the same file names, and their dependencies. Every dependency's file name must be
-- among the files.
CREATE FUNCTION log_build_success(package text, version text, built_by integer, duration interval, abi_tag text,
                                  build_files files[], build_deps dependencies[]) RETURNS integer
LANGUAGE plpgsql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    new_id integer;
BEGIN
    IF coalesce(cardinality(build_files), 0) = 0 THEN
        RAISE EXCEPTION 'a successful build of % % has no files', package, version;
    END IF;
    INSERT INTO builds AS b (package, version, built_by, duration, status, abi_tag)
    VALUES (log_build_success.package, log_build_success.version, log_build_success.built_by,
            log_build_success.duration, true, log_build_success.abi_tag)
    RETURNING b.build_id INTO new_id;
    INSERT INTO files AS f
    SELECT n.filename, new_id, n.filesize, n.filehash, n.package_tag, n.package_version_tag, n.py_version_tag,
           n.abi_tag, n.platform_tag, n.requires_python, coalesce(n.location, '/simple')
    FROM unnest(build_files) AS n
    ON CONFLICT ON CONSTRAINT files_pk DO UPDATE SET
        build_id = excluded.build_id, filesize = excluded.filesize, filehash = excluded.filehash,
        package_tag = excluded.package_tag, package_version_tag = excluded.package_version_tag,
        py_version_tag = excluded.py_version_tag, abi_tag = excluded.abi_tag,
        platform_tag = excluded.platform_tag, requires_python = excluded.requires_python,
        location = excluded.location;
    DELETE FROM dependencies d USING unnest(build_files) AS n WHERE d.filename = n.filename;
    INSERT INTO dependencies AS d
    SELECT n.filename, n.tool, n.dependency FROM unnest(build_deps) AS n
    ON CONFLICT ON CONSTRAINT dependencies_pk DO NOTHING;
    RETURN new_id;
END
$$;

CREATE FUNCTION log_build_failure(package text, version text, built_by integer, duration interval, abi_tag text)
RETURNS integer
LANGUAGE plpgsql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    new_id integer;
BEGIN
    INSERT INTO builds AS b (package, version, built_by, duration, status, abi_tag)
    VALUES (log_build_failure.package, log_build_failure.version, log_build_failure.built_by,
            log_build_failure.duration, false, log_build_failure.abi_tag)
    RETURNING b.build_id INTO new_id;
    RETURN new_id;
END
$$;

CREATE FUNCTION get_build_queue(lim integer) RETURNS TABLE (abi_tag text, package varchar, version varchar)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT q.abi_tag, q.package, q.version FROM builds_pending q WHERE q."position" <= lim
    ORDER BY q.abi_tag, q."position"
$$;

CREATE FUNCTION get_initial_statistics() RETURNS TABLE (downloads_all bigint)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT count(*) FROM downloads
$$;

CREATE FUNCTION get_statistics() RETURNS TABLE (builds_time interval, builds_size bigint, packages_built integer,
                                                files_count integer, new_last_hour integer,
                                                downloads_last_month integer, downloads_last_hour integer)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT
        (SELECT coalesce(sum(b.duration), interval '0') FROM builds b WHERE b.duration < interval '1 week'),
        (SELECT coalesce(sum(f.filesize), 0)::bigint FROM files f WHERE f.platform_tag <> 'linux_armv6l'),
        (SELECT count(DISTINCT f.package_tag)::integer FROM files f),
        (SELECT count(*)::integer FROM files),
        (SELECT count(*)::integer FROM versions v
         WHERE v.released > now() AT TIME ZONE 'UTC' - interval '1 hour'),
        (SELECT count(*)::integer FROM downloads d
         WHERE d.accessed_at > now() AT TIME ZONE 'UTC' - interval '30 days'),
        (SELECT count(*)::integer FROM downloads d
         WHERE d.accessed_at > now() AT TIME ZONE 'UTC' - interval '1 hour')
$$;

CREATE FUNCTION get_builds_last_hour() RETURNS TABLE (abi_tag varchar, builds integer)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT a.abi_tag, count(b.build_id)::integer
    FROM build_abis a
    LEFT JOIN builds b ON b.abi_tag = a.abi_tag AND b.built_at > now() AT TIME ZONE 'UTC' - interval '1 hour'
    GROUP BY a.abi_tag
$$;

CREATE FUNCTION get_search_index() RETURNS TABLE (package varchar, downloads_recent integer, downloads_all integer)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT p.package,
           coalesce(sum(d.recent), 0)::integer,
           coalesce(sum(d.ever), 0)::integer
    FROM packages p
    LEFT JOIN (
        SELECT b.package,
               count(*) FILTER (WHERE l.accessed_at > now() AT TIME ZONE 'UTC' - interval '30 days') AS recent,
               count(*) AS ever
        FROM builds b
        JOIN files f ON f.build_id = b.build_id
        JOIN downloads l ON l.filename = f.filename
        GROUP BY b.package
    ) d ON d.package = p.package
    GROUP BY p.package
$$;

CREATE FUNCTION get_package_files(pkg text) RETURNS TABLE (filename varchar, filehash char)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT f.filename, f.filehash FROM builds b JOIN files f ON f.build_id = b.build_id WHERE b.package = pkg
$$;

CREATE FUNCTION get_version_files(pkg text, ver text) RETURNS TABLE (filename varchar)
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT f.filename FROM builds b JOIN files f ON f.build_id = b.build_id
    WHERE b.package = pkg AND b.version = ver
$$;

CREATE FUNCTION save_rewrites_pending(data rewrites_pending[]) RETURNS void
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM rewrites_pending;
    INSERT INTO rewrites_pending (package, added_at, command)
    SELECT r.package, r.added_at, r.command FROM unnest(data) AS r
$$;

CREATE FUNCTION load_rewrites_pending() RETURNS TABLE (package varchar, added_at timestamp, command varchar)
LANGUAGE sql CALLED ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT r.package, r.added_at, r.command FROM rewrites_pending r ORDER BY r.added_at
$$;
