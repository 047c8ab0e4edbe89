-- project_data.sql — the one function in which release 0.23 differs from 0.22. After public.sql; or into a database of
-- release 0.22 from which its own has been taken.

CREATE FUNCTION public.get_project_data(pkg text) RETURNS json
LANGUAGE sql RETURNS NULL ON NULL INPUT SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    WITH tried AS (
        -- The newest build of each version and ABI decides.
        SELECT DISTINCT ON (b.version, b.abi_tag) b.version, b.abi_tag, b.build_id, b.status,
               EXISTS (SELECT FROM files f WHERE f.build_id = b.build_id) AS has_files
        FROM builds b
        WHERE b.package = pkg
        ORDER BY b.version, b.abi_tag, b.build_id DESC
    ), produced AS (
        SELECT b.version, b.abi_tag AS builder_abi, f.*
        FROM builds b
        JOIN files f ON f.build_id = b.build_id
        WHERE b.package = pkg
    ), file_data AS (
        SELECT f.version, json_object_agg(f.filename, json_build_object(
            'location', f.location,
            'hash', f.filehash,
            'size', f.filesize,
            'abi_builder', f.builder_abi,
            'abi_file', f.abi_tag,
            'platform', f.platform_tag,
            'requires_python', f.requires_python,
            'apt_dependencies', (
                SELECT coalesce(json_agg(d.dependency ORDER BY d.dependency), '[]'::json)
                FROM dependencies d
                WHERE d.filename = f.filename AND d.tool = 'apt' AND NOT EXISTS (
                    SELECT FROM preinstalled_apt_packages i
                    WHERE i.abi_tag = f.builder_abi AND i.apt_package = d.dependency)),
            'pip_dependencies', (
                SELECT coalesce(json_agg(d.dependency ORDER BY d.dependency), '[]'::json)
                FROM dependencies d
                WHERE d.filename = f.filename AND d.tool = 'pip')
        ) ORDER BY f.filename) AS files
        FROM produced f
        GROUP BY f.version
    ), abi_data AS (
        SELECT v.version, json_object_agg(a.abi_tag, json_build_object(
            'status', CASE
                WHEN t.status AND t.has_files THEN 'success'
                WHEN EXISTS (SELECT FROM produced f
                             WHERE f.version = v.version AND f.abi_tag IN ('none', a.abi_tag)) THEN 'success'
                WHEN t.status THEN 'error'
                WHEN NOT t.status THEN 'fail'
                WHEN p.skip <> '' OR v.skip <> '' OR a.skip <> '' THEN 'skip'
                ELSE 'pending' END,
            'build_id', coalesce(t.build_id, (
                SELECT max(f.build_id) FROM produced f
                WHERE f.version = v.version AND f.abi_tag IN ('none', a.abi_tag)))
        ) ORDER BY a.abi_tag) AS abis
        FROM packages p
        JOIN versions v ON v.package = p.package
        CROSS JOIN build_abis a
        LEFT JOIN tried t ON t.version = v.version AND t.abi_tag = a.abi_tag
        WHERE p.package = pkg
        GROUP BY v.version
    )
    SELECT json_build_object(
        'name', coalesce((SELECT n.name FROM package_names n WHERE n.package = p.package
                          ORDER BY n.seen DESC, n.name LIMIT 1), p.package),
        'description', p.description,
        'releases', (
            SELECT coalesce(json_object_agg(v.version, json_build_object(
                'yanked', v.yanked,
                'released', v.released AT TIME ZONE 'UTC',
                'skip', CASE WHEN p.skip <> '' THEN p.skip ELSE v.skip END,
                'files', coalesce(f.files, '{}'::json),
                'abis', coalesce(a.abis, '{}'::json))), '{}'::json)
            FROM versions v
            LEFT JOIN file_data f ON f.version = v.version
            LEFT JOIN abi_data a ON a.version = v.version
            WHERE v.package = p.package))
    FROM packages p
    WHERE p.package = pkg
$$;
