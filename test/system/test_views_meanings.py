#!/usr/bin/python3
"""A name keeps its meaning in a view's index when an older file of that name comes to run there. A private PostgreSQL.

TEST-TIMEOUT: 60
"""

import sys

import score
from cluster import Cluster
from score import equal

NAME = "demo-1.0-cp311-cp311-linux_aarch64.whl"
DATABASE = "meanings"
VIEWS = ("common", "older", "newer", "reader")
# Of each store: the build's time, the first letter of the hash, and what the code needs.
STORES = {"": ("2024-01-01", "a", None), "older": ("2024-02-01", "b", "GLIBC_2.36 libmore.so.1"), "newer": ("2024-03-01", "c", "GLIBC_2.31")}


def four(value, first=None):
    return ",".join([first or value] + [value] * 3)


def fill(cluster):
    cluster.sql(DATABASE, "INSERT INTO build_abis VALUES ('cp311') ON CONFLICT DO NOTHING; INSERT INTO packages VALUES ('demo', '', ''); "
                          "INSERT INTO versions VALUES ('demo', '1.0', '2020-01-01')")
    cluster.sql(DATABASE, f"SELECT piw.set_views('{{{','.join(VIEWS)}}}', '{{{four('cp311')}}}', '{{{four('linux_aarch64')}}}', "
                          f"ARRAY['','','',''], '{{{four('f', 't')}}}', '{{{four('f')}}}', '{{{four('f')}}}', '{{{four('0')}}}', "
                          f"'{{{four('0')}}}', '{{{four('f', 't')}}}', ARRAY['','','',''], ARRAY['','','',''], ARRAY['','','',''])")
    tags = "'demo', '1.0', 'cp311', 'cp311', 'linux_aarch64'"
    for number, (store, (time, letter, needs)) in enumerate(STORES.items(), 101):
        facts = f"'{NAME}', {number}, 1000, repeat('{letter}', 64), {tags}"
        if store == "":
            cluster.sql(DATABASE, f"INSERT INTO builds VALUES ({number}, 'demo', '1.0', 1, '{time}', '5 s', true, 'cp311'); "
                                  f"INSERT INTO files VALUES ({facts}, NULL)")
        else:
            cluster.sql(DATABASE, f"INSERT INTO piw.view_builds VALUES ({number}, '{store}', 'demo', '1.0', 1, '{time}', '5 s', true); "
                                  "INSERT INTO piw.view_files (view, filename, build_id, filesize, filehash, package_tag, "
                                  "package_version_tag, py_version_tag, abi_tag, platform_tag, uploaded) "
                                  f"VALUES ('{store}', {facts}, '{time}')")
        if needs:
            cluster.sql(DATABASE, f"INSERT INTO piw.file_needs VALUES ('{store}', '{NAME}', string_to_array('{needs}', ' '))")
    cluster.sql(DATABASE, "INSERT INTO piw.view_has VALUES ('reader', 'GLIBC_2.36')")


def leads_to(cluster, view="reader"):
    return cluster.rows(DATABASE, f"SELECT coalesce(nullif(home, ''), 'stock') FROM piw.view_links('{{demo}}') WHERE view = '{view}' AND filename = '{NAME}'")


def refuses(cluster, letter):
    """Is a build of the view's own with these bytes another than what its index leads to?"""
    return cluster.value(DATABASE, f"SELECT piw.means_another('reader', '{NAME}', repeat('{letter}', 64))")


def learns(cluster):
    """The view is seen to have a library more, so that the older view's file runs there."""
    equal("learns.before", leads_to(cluster), [("newer",)])
    cluster.sql(DATABASE, "SELECT piw.learn_words('reader', '{libmore.so.1}')")
    equal("learns.the older one runs there", cluster.value(DATABASE, "SELECT piw.meets(n.needs, piw.view_words('reader')) FROM "
                                                                     "piw.file_needs n WHERE n.view = 'older'"), "t")
    equal("learns.the name leads where it led", leads_to(cluster), [("newer",)])
    equal("learns.own builds are compared with that", (refuses(cluster, "c"), refuses(cluster, "b")), ("f", "t"))


def read(cluster):
    """What the common store's file needs comes to be known; it is the oldest."""
    cluster.sql(DATABASE, f"UPDATE piw.needs_pass SET done = false; SELECT piw.needs_read('{{{NAME}}}', ARRAY[repeat('a', 64)], "
                          "'{GLIBC_2.31}', NULL)")
    equal("read.it is known", cluster.value(DATABASE, "SELECT needs FROM piw.file_needs WHERE view = ''"), "{GLIBC_2.31}")
    equal("read.the name leads where it led", leads_to(cluster), [("newer",)])
    equal("read.the common view's own is its own", leads_to(cluster, "common"), [("stock",)])


def removed(cluster):
    """With its file gone the name means the oldest that runs there."""
    cluster.sql(DATABASE, "SELECT piw.forget_view_builds('{103}')")
    equal("removed.leads to the oldest", leads_to(cluster), [("stock",)])
    equal("removed.own builds are compared with that", (refuses(cluster, "a"), refuses(cluster, "c")), ("f", "t"))


def main():
    with Cluster() as cluster:
        cluster.create(DATABASE)
        fill(cluster)
        return score.run((learns, read, removed), cluster)


if __name__ == "__main__":
    sys.exit(main())
