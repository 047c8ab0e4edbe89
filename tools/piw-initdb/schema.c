/* schema.c — the SQL files of schema/, inside the program. The assembler takes them in, which needs no generator and
 * keeps them byte for byte. Paths are relative to the folder of the Makefile. */
#include "schema.h"

#include <stddef.h>

#define INCLUDE(symbol, path)                                                                                          \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");                       \
    extern const char symbol[] __attribute__((visibility("hidden")))

INCLUDE(sql_public, "schema/public.sql");
INCLUDE(sql_project_data, "schema/project_data.sql");
INCLUDE(sql_piw, "schema/piw.sql");
INCLUDE(sql_coverage, "schema/coverage.sql");
INCLUDE(sql_needs, "schema/needs.sql");
INCLUDE(sql_offers, "schema/offers.sql");
INCLUDE(sql_views, "schema/views.sql");
INCLUDE(sql_view_pages, "schema/view_pages.sql");
INCLUDE(sql_view_needs, "schema/view_needs.sql");
INCLUDE(sql_view_files, "schema/view_files.sql");
INCLUDE(sql_queue, "schema/queue.sql");
INCLUDE(sql_abis, "schema/abis.sql");
INCLUDE(sql_downloads, "schema/downloads.sql");
INCLUDE(sql_view_downloads, "schema/view_downloads.sql");
INCLUDE(sql_recounts, "schema/recounts.sql");
INCLUDE(sql_writes, "schema/writes.sql");
INCLUDE(sql_attempts, "schema/attempts.sql");
INCLUDE(sql_pypi, "schema/pypi.sql");
INCLUDE(sql_quarantine, "schema/quarantine.sql");
INCLUDE(sql_reads, "schema/reads.sql");
INCLUDE(sql_site, "schema/site.sql");
INCLUDE(sql_triggers, "schema/triggers.sql");
INCLUDE(sql_attach, "schema/attach.sql");
INCLUDE(sql_grants, "schema/grants.sql");
INCLUDE(sql_drop, "schema/upgrade/drop.sql");
INCLUDE(sql_stock_22, "schema/upgrade/0.22-0.23.sql");
INCLUDE(sql_1_2, "schema/upgrade/1-2.sql");
INCLUDE(sql_2_3, "schema/upgrade/2-3.sql");
INCLUDE(sql_2_3_count, "schema/upgrade/2-3-count.sql");
INCLUDE(sql_2_3_fill, "schema/upgrade/2-3-fill.sql");
INCLUDE(sql_3_4, "schema/upgrade/3-4.sql");
INCLUDE(sql_4_5, "schema/upgrade/4-5.sql");
INCLUDE(sql_5_6, "schema/upgrade/5-6.sql");

const schema_file schema_public[] = {
    {"public.sql", sql_public, "creating the tables and functions of release 0.23"},
    {"project_data.sql", sql_project_data, "creating its function get_project_data"},
    {0},
};

const schema_file schema_stock_step[] = {
    {"0.22-0.23.sql", sql_stock_22, "upgrading the stock schema from 0.22 to 0.23"},
    {"project_data.sql", sql_project_data, "replacing its function get_project_data"},
    {0},
};

const schema_file schema_piw_tables[] = {
    {"piw.sql", sql_piw, "creating schema piw: tables"},
    {0},
};

const schema_file schema_piw_programs[] = {
    {"coverage.sql", sql_coverage, "schema piw: which ABIs a build does for"},
    {"needs.sql", sql_needs, "schema piw: what wheels need of a machine"},
    {"offers.sql", sql_offers, "schema piw: functions of what PyPI offers"},
    {"views.sql", sql_views, "schema piw: functions of views"},
    {"view_pages.sql", sql_view_pages, "schema piw: functions of views' indexes"},
    {"view_needs.sql", sql_view_needs, "schema piw: functions of what older wheels need"},
    {"queue.sql", sql_queue, "schema piw: functions of the build queue"},
    {"abis.sql", sql_abis, "schema piw: functions of the list of ABIs"},
    {"downloads.sql", sql_downloads, "schema piw: functions of the download counts"},
    {"view_downloads.sql", sql_view_downloads, "schema piw: functions of downloads by views"},
    {"recounts.sql", sql_recounts, "schema piw: full computations"},
    {"writes.sql", sql_writes, "schema piw: functions that write"},
    {"attempts.sql", sql_attempts, "schema piw: functions of tries at builds"},
    {"pypi.sql", sql_pypi, "schema piw: functions that follow PyPI"},
    {"quarantine.sql", sql_quarantine, "schema piw: functions of what PyPI has quarantined"},
    {"view_files.sql", sql_view_files, "schema piw: functions of views' files"},
    {"reads.sql", sql_reads, "schema piw: functions that read"},
    {"site.sql", sql_site, "schema piw: functions of the site's pages"},
    {"triggers.sql", sql_triggers, "schema piw: functions of the triggers"},
    {"attach.sql", sql_attach, "schema piw: triggers on the stock tables"},
    {0},
};

const schema_file schema_attach = {"attach.sql", sql_attach,
                                   "schema piw: putting back its triggers on the stock tables"};

const schema_file schema_counts[] = {
    {"versions", "SELECT piw.recount_versions()", "counting versions"},
    {"builds", "SELECT piw.recount_builds()", "counting builds and files"},
    {"downloads", "SELECT piw.recount_downloads()", "counting downloads"},
    {"days", "SELECT piw.recount_days()", "counting builds by day"},
    {"quarantines", "SELECT piw.adopt_quarantines()", "keeping what is quarantined"},
    {0},
};

const schema_file schema_drop_programs = {"drop.sql", sql_drop,
                                          "schema piw: taking away the old functions and triggers"};

const schema_step schema_steps[] = {
    {1, {"1-2.sql", sql_1_2, "upgrading schema piw from version 1 to 2"}, {0}},
    {2,
     {"2-3.sql", sql_2_3, "upgrading schema piw from version 2 to 3"},
     {"2-3-fill.sql", sql_2_3_fill, "keeping what is quarantined, and counting downloads"}},
    {3, {"3-4.sql", sql_3_4, "upgrading schema piw from version 3 to 4"}, {0}},
    {4, {"4-5.sql", sql_4_5, "upgrading schema piw from version 4 to 5"}, {0}},
    {5, {"5-6.sql", sql_5_6, "upgrading schema piw from version 5 to 6"}, {0}},
    {0},
};

const schema_file schema_count_back[] = {
    {"coverage.sql", sql_coverage, ""},
    {"2-3-count.sql", sql_2_3_count, ""},
    {0},
};

const schema_file schema_grants = {"grants.sql", sql_grants, "granting privileges"};
