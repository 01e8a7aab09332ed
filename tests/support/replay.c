#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replays a fuzz target over its corpus: every file of the directories named on the command line. A crash leaves the name of
 * the file as the last line; `ok - <file>` says that it was survived. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *dir, const char *name)
{
    char path[4096];
    uint8_t *data = NULL;
    size_t n = 0;
    FILE *f;
    bool ok = false;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path || !(f = fopen(path, "rb")))
        return false;
    if (fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f);

        rewind(f);
        /* Exactly as long as the file, so that AddressSanitizer sees a read beyond its end. */
        data = malloc(size > 0 ? (size_t)size : 1);
        n = data ? fread(data, 1, (size_t)size, f) : 0;
        ok = data && size >= 0 && n == (size_t)size;
    }
    fclose(f);
    if (ok) {
        printf("# %s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, n);
        printf("ok - %s\n", path);
    }
    free(data);
    return ok;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        struct dirent **names;
        int n = scandir(argv[i], &names, NULL, alphasort);

        if (n < 0) {
            perror(argv[i]);
            return 1;
        }
        for (int k = 0; k < n; k++) {
            if (names[k]->d_name[0] != '.' && !replay(argv[i], names[k]->d_name)) {
                printf("not ok - %s/%s cannot be read\n", argv[i], names[k]->d_name);
                failed++;
            }
            free(names[k]);
        }
        free(names);
    }
    return failed ? 1 : 0;
}
