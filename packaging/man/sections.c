/* sections.c — the keys of [site], [auth] and each [task:NAME], from the tables of the master and its plugins, as JSON (make man). */
#include "man.h"

#include "piw-master/options.h"
#include "piw/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>

static bool task(const char *path)
{
    void *image = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const piw_plugin *plugin = image != NULL ? dlsym(image, "piw_plugin_manifest") : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    printf(",\n{\"section\": \"task:%s\", \"summary\": ", plugin->name);
    man_text(plugin->summary);
    printf(", \"options\": ");
    man_options(plugin->options);
    putchar('}');
    return true;
}

int main(int argc, char **argv)
{
    bool good = true;
    printf("[{\"section\": \"site\", \"summary\": null, \"options\": ");
    man_options(master_site_options);
    printf("},\n{\"section\": \"auth\", \"summary\": null, \"options\": ");
    man_options(master_auth_options);
    printf("},\n{\"section\": \"task:NAME\", \"summary\": null, \"options\": ");
    man_options(master_task_options);
    putchar('}');
    for (int i = 1; i < argc; i++)
        good = task(argv[i]) && good;
    printf("]\n");
    return good && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
