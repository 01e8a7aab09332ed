#include "gateway/schema_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/json.h"
#include "gateway/http/router.h"

#define REFERENCES ".references"
#define REFERENCES_DEPTH 8

static const struct {
    const char *ending, *type;
} kinds[] = { { ".avsc", "AVRO" }, { ".json", "JSON" } };

static bool refuse(char why[SCHEMA_WHY], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(char why[SCHEMA_WHY], const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, SCHEMA_WHY, fmt, args);
    va_end(args);
    return false;
}

/* The length of a name without this ending; 0: it has another, or nothing before it. */
static size_t stem_of(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);

    return n > e && strcmp(name + n - e, ending) == 0 ? n - e : 0;
}

static const char *type_of(const char *name, size_t *ret_stem)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((*ret_stem = stem_of(name, kinds[i].ending)))
            return kinds[i].type;
    return NULL;
}

static bool fill(int fd, char *text, size_t size)
{
    for (size_t n = 0; n < size;) {
        ssize_t got = read(fd, text + n, size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;                /* an error, or somebody has cut it meanwhile */
        n += (size_t)got;
    }
    return true;
}

/* OK, or false with a sentence; a file that is not there is refused only if it must be. */
static bool read_text(struct arena *a, int folder, const char *name, bool must, struct slice *ret, char why[SCHEMA_WHY])
{
    struct stat st;
    char *text = NULL;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
    bool read_all;

    *ret = SLICE_NONE;
    if (fd < 0)
        return (errno == ENOENT && !must) || refuse(why, "%.200s cannot be opened: %s", name, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > SCHEMA_FILE_BYTES) {
        close(fd);
        return refuse(why, "%.200s is not a file of at most %lu MiB", name, SCHEMA_FILE_BYTES >> 20);
    }
    text = arena_alloc(a, (size_t)st.st_size + 1);
    errno = 0;
    read_all = text && fill(fd, text, (size_t)st.st_size);
    saved = errno;
    close(fd);
    if (!text)
        return refuse(why, "the schemas have more than %lu MiB together", SCHEMA_FILES_BYTES >> 20);
    if (!read_all)
        return refuse(why, "%.200s cannot be read: %s", name, saved ? strerror(saved) : "it became shorter meanwhile");
    *ret = (struct slice){ text, (size_t)st.st_size };
    if (!utf8_valid(*ret))
        return refuse(why, "%.200s is not UTF-8", name);
    return true;
}

static bool is_array(struct slice text)
{
    struct json j;
    struct slice raw;

    json_begin(&j, text, REFERENCES_DEPTH);
    return json_value(&j, &raw) && json_end(&j) && raw.p[0] == '[';
}

static bool take(struct arena *a, int folder, const char *name, struct schema_file *ret, char why[SCHEMA_WHY])
{
    size_t stem;
    char *references;

    ret->type = type_of(name, &stem);
    ret->name = arena_strndup(a, name, strlen(name));
    references = arena_printf(a, "%.*s" REFERENCES, (int)stem, name);
    if (!ret->name || !references)
        return refuse(why, "memory is out");
    if (!percent_decode(a, (struct slice){ ret->name, stem }, false, &ret->subject))
        return refuse(why, "%.200s: the name is not UTF-8, or has a %% that two hexadecimal digits do not follow", name);
    if (!read_text(a, folder, name, true, &ret->text, why) || !read_text(a, folder, references, false, &ret->references, why))
        return false;
    return !ret->references.p || is_array(ret->references) ||
           refuse(why, "%.200s is not a JSON array of {\"name\", \"subject\", \"version\"}", references);
}

static int wanted(const struct dirent *e)
{
    size_t stem;

    return e->d_name[0] != '.' && (type_of(e->d_name, &stem) || stem_of(e->d_name, REFERENCES));
}

static int by_order(const void *a, const void *b)
{
    const struct schema_file *x = a, *y = b;

    if (!x->references.p != !y->references.p)
        return x->references.p ? 1 : -1;
    return strcmp(x->name, y->name);
}

static bool has_subject(const struct schema_files *f, struct slice subject, const char **ret_name)
{
    for (size_t i = 0; i < f->n; i++)
        if (slice_eq(f->v[i].subject, subject)) {
            *ret_name = f->v[i].name;
            return true;
        }
    return false;
}

/* Every .references belongs to a schema: a misspelt name would go unnoticed otherwise. */
static bool references_belong(const struct schema_files *f, struct dirent *const *names, size_t n, char why[SCHEMA_WHY])
{
    for (size_t i = 0; i < n; i++) {
        size_t stem = stem_of(names[i]->d_name, REFERENCES), k = 0;

        while (stem && k < f->n && !(strncmp(f->v[k].name, names[i]->d_name, stem) == 0 && strlen(f->v[k].name) == stem + 5))
            k++;
        if (stem && k == f->n)
            return refuse(why, "%.200s is of no schema: there is no %.*s.avsc and no .json", names[i]->d_name, (int)stem,
                          names[i]->d_name);
    }
    return true;
}

static bool take_all(struct schema_files *f, int folder, struct dirent *const *names, size_t n, char why[SCHEMA_WHY])
{
    const char *other;
    size_t stem;

    if (!(f->v = arena_zalloc(f->arena, (n + 1) * sizeof *f->v)))
        return refuse(why, "memory is out");
    for (size_t i = 0; i < n; i++) {
        struct schema_file one = { 0 };

        if (!type_of(names[i]->d_name, &stem))
            continue;
        if (!take(f->arena, folder, names[i]->d_name, &one, why))
            return false;
        if (has_subject(f, one.subject, &other))
            return refuse(why, "%.200s and %.200s are of the same subject", other, one.name);
        f->v[f->n++] = one;
    }
    return references_belong(f, names, n, why);
}

bool schema_files_read(struct schema_files *ret, const char *folder, char why[SCHEMA_WHY])
{
    struct dirent **names = NULL;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = fd < 0 ? -1 : scandir(folder, &names, wanted, alphasort);
    bool good = false;

    *ret = (struct schema_files){ .arena = arena_new(SCHEMA_FILES_BYTES) };
    if (n < 0)
        refuse(why, "%.200s cannot be read: %s", folder, strerror(errno));
    else if (!ret->arena)
        refuse(why, "memory is out");
    else if (n > SCHEMA_FILES_MAX)
        refuse(why, "%.200s has more than %d schemas", folder, SCHEMA_FILES_MAX);
    else
        good = take_all(ret, fd, names, (size_t)n, why);
    if (good && ret->n == 0)
        good = refuse(why, "%.200s has no schemas: files that end in .avsc or .json", folder);
    if (good)
        qsort(ret->v, ret->n, sizeof *ret->v, by_order);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    if (fd >= 0)
        close(fd);
    return good;
}

void schema_files_free(struct schema_files *f)
{
    arena_free(f->arena);
    *f = (struct schema_files){ 0 };
}
