#include "gateway/base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>

#include "gateway/base/config_value.h"

#define ERR_BYTES 512
#define STRINGS_BYTES ((size_t)1 << 20) /* of all settings together */

enum origin { FROM_DEFAULT, FROM_PROGRAM, FROM_FILE, FROM_ENV, FROM_ARGV };

struct source {
    enum origin origin;
    int line; /* of the file */
};

struct config_state {
    struct arena *strings;
    const char *file;        /* NULL: none */
    struct source sources[]; /* as config_rows */
};

static const struct alias {
    const char *flag, *name;
} aliases[] = { { "--port", "http.port" }, { "--address", "http.address" } };

/* The wrong way out of every function here: writes the sentence and returns false. */
static bool refuse(char err[ERR_BYTES], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(char err[ERR_BYTES], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err, ERR_BYTES, fmt, ap);
    va_end(ap);
    return false;
}

static const struct config_row *row_find(const char *name, enum config_form form)
{
    char own[CONFIG_NAME];

    for (size_t i = 0; form == FORM_FLAG && i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].flag, name) == 0)
            return row_find(aliases[i].name, FORM_FILE);
    for (size_t i = 0; i < config_row_count; i++) {
        config_name(&config_rows[i], form, own);
        if (strcmp(own, name) == 0)
            return &config_rows[i];
    }
    return NULL;
}

static struct source *row_source(const struct config *c, const struct config_row *r)
{
    return &c->state->sources[r - config_rows];
}

/* Levenshtein's distance, with one row of his table; b has less than CONFIG_NAME bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[CONFIG_NAME];

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            row[j] = best < row[j] + 1 ? best : row[j] + 1;
        }
    }
    return row[n];
}

static bool unknown(const char *name, enum config_form form, const char *from, char err[ERR_BYTES])
{
    char own[CONFIG_NAME], nearest[CONFIG_NAME] = "";
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < config_row_count; i++) {
        config_name(&config_rows[i], form, own);
        size_t d = distance(name, own);

        if (d < least) {
            least = d;
            memcpy(nearest, own, sizeof nearest);
        }
    }
    return refuse(err, "%s: there is no setting %.100s; did you mean %s?", from, name, nearest);
}

static void describe(const struct config *c, const struct config_row *r, struct source s, char out[ERR_BYTES])
{
    char name[CONFIG_NAME];

    config_name(r, s.origin == FROM_ENV ? FORM_ENV : FORM_FLAG, name);
    switch (s.origin) {
    case FROM_DEFAULT:
        snprintf(out, ERR_BYTES, "default");
        break;
    case FROM_PROGRAM:
        snprintf(out, ERR_BYTES, "default of this command");
        break;
    case FROM_FILE:
        snprintf(out, ERR_BYTES, "%.200s:%d", c->state->file, s.line);
        break;
    case FROM_ENV:
        snprintf(out, ERR_BYTES, "environment %s", name);
        break;
    case FROM_ARGV:
        snprintf(out, ERR_BYTES, "command line %s", name);
        break;
    }
}

void config_source(const struct config *c, size_t row, char out[ERR_BYTES])
{
    describe(c, &config_rows[row], c->state->sources[row], out);
}

static bool set(struct config *c, const struct config_row *r, const char *value, struct source s, char err[ERR_BYTES])
{
    char from[ERR_BYTES], allowed[CONFIG_TEXT];

    if (config_parse(r, value, c, c->state->strings)) {
        *row_source(c, r) = s;
        return true;
    }
    describe(c, r, s, from);
    config_allowed(r, allowed);
    if (r->type == CONF_SECRET)
        return refuse(err, "%.200s: the value of %s is not valid; it takes %s.", from, r->name, allowed);
    return refuse(err, "%.200s: \"%.60s\" is not valid for %s, which takes %s.", from, value, r->name, allowed);
}

static char *trim(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s))
        s++;
    for (n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

static bool load_line(struct config *c, char *line, int number, char err[ERR_BYTES])
{
    const struct source s = { FROM_FILE, number };
    char *name = trim(line), *value = strchr(name, '='), from[300];
    const struct config_row *r;

    snprintf(from, sizeof from, "%.200s:%d", c->state->file, number);
    if (!*name || *name == '#')
        return true;
    if (!value)
        return refuse(err, "%s: a line is `name = value`, a comment that begins with #, or empty.", from);
    *value++ = '\0';
    name = trim(name);
    if (!(r = row_find(name, FORM_FILE)))
        return unknown(name, FORM_FILE, from, err);
    if (row_source(c, r)->origin == FROM_FILE)
        return refuse(err, "%s: %s is set a second time, after line %d.", from, r->name, row_source(c, r)->line);
    return set(c, r, trim(value), s, err);
}

static bool load_file(struct config *c, const char *path, char err[ERR_BYTES])
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    bool ok = true;

    if (!f || !(c->state->file = arena_strndup(c->state->strings, path, strlen(path)))) {
        if (f)
            fclose(f);
        return refuse(err, "The configuration file %.200s cannot be read: %s.", path, strerror(errno));
    }
    for (int number = 1; ok && getline(&line, &size, f) >= 0; number++)
        ok = load_line(c, line, number, err);
    if (ok && ferror(f))
        ok = refuse(err, "The configuration file %.200s cannot be read: %s.", path, strerror(errno));
    free(line);
    fclose(f);
    return ok;
}

/* Kubernetes tells pods of a service "weir" or "weir-x": WEIR_SERVICE_HOST, WEIR_PORT=tcp://…, WEIR_PORT_80_TCP. */
static bool is_kubernetes(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT_");
    bool link = strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;

    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") || (link && strstr(name, "_PORT")) ||
           (port && isdigit((unsigned char)port[6]));
}

/* What the examples read: they may stand in the shell in which Weir is started. */
static bool is_clients(const char *name)
{
    static const char *const names[] = { "WEIR_URL", "WEIR_TOKEN", "WEIR_STREAM", "WEIR_GROUP", "WEIR_WAIT" };
    bool found = false;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found |= strcmp(name, names[i]) == 0;
    return found;
}

static bool load_env(struct config *c, char **env, char err[ERR_BYTES])
{
    const struct source s = { FROM_ENV, 0 };
    const struct config_row *r;

    for (; *env; env++) {
        const char *value = strchr(*env, '=');
        char name[128];

        if (strncmp(*env, "WEIR_", 5) || !value || !value[1])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(value - *env), *env);
        if (strcmp(name, "WEIR_CONFIG") == 0 || is_kubernetes(name, value + 1) || is_clients(name))
            continue;
        if (!(r = row_find(name, FORM_ENV)))
            return unknown(name, FORM_ENV, "environment", err);
        if (!set(c, r, value + 1, s, err))
            return false;
    }
    return true;
}

struct option {
    char flag[128];
    const char *value; /* NULL: none */
};

/* Takes one option off; returns how many arguments it was. */
static int take_option(int argc, char **argv, struct option *ret)
{
    size_t n = strcspn(argv[0], "=");

    snprintf(ret->flag, sizeof ret->flag, "%.*s", n < 127 ? (int)n : 127, argv[0]);
    ret->value = argv[0][n] ? argv[0] + n + 1 : NULL;
    if (ret->value || argc < 2 || strncmp(argv[1], "--", 2) == 0)
        return 1;
    ret->value = argv[1];
    return 2;
}

static bool load_argv(struct config *c, int argc, char **argv, char err[ERR_BYTES])
{
    const struct source s = { FROM_ARGV, 0 };
    const struct config_row *r;
    struct option o;

    for (int taken; argc > 0; argc -= taken, argv += taken) {
        if (strncmp(argv[0], "--", 2))
            return refuse(err, "command line: \"%.60s\" is not an option; options are --name value.", argv[0]);
        taken = take_option(argc, argv, &o);
        if (strcmp(o.flag, "--config") == 0)
            continue;
        if (!(r = row_find(o.flag, FORM_FLAG)))
            return unknown(o.flag, FORM_FLAG, "command line", err);
        if (!o.value && r->type == CONF_BOOL)
            o.value = "true";
        if (!o.value)
            return refuse(err, "command line: %s needs a value.", o.flag);
        if (!set(c, r, o.value, s, err))
            return false;
    }
    return true;
}

/* The file: --config, else WEIR_CONFIG, else none. */
static bool find_file(int argc, char **argv, char **env, const char **ret, char err[ERR_BYTES])
{
    struct option o;

    *ret = NULL;
    for (; *env; env++)
        if (strncmp(*env, "WEIR_CONFIG=", 12) == 0 && (*env)[12])
            *ret = *env + 12;
    for (int taken; argc > 0; argc -= taken, argv += taken) {
        taken = take_option(argc, argv, &o);
        if (strcmp(o.flag, "--config"))
            continue;
        if (!o.value || !*o.value)
            return refuse(err, "command line: --config needs a file name.");
        *ret = o.value;
    }
    return true;
}

static bool load_defaults(struct config *c, char err[ERR_BYTES])
{
    const struct source s = { FROM_DEFAULT, 0 };
    struct arena *strings = arena_new(STRINGS_BYTES);

    if (strings)
        c->state = arena_zalloc(strings, sizeof *c->state + config_row_count * sizeof *c->state->sources);
    if (!c->state) {
        arena_free(strings);
        return refuse(err, "There is no memory for the configuration.");
    }
    c->state->strings = strings;
    for (size_t i = 0; i < config_row_count; i++)
        if (!set(c, &config_rows[i], config_rows[i].dflt, s, err))
            return false;
    return true;
}

bool config_load(struct config *c, int argc, char **argv, char **env, char err[ERR_BYTES])
{
    const char *file;

    memset(c, 0, sizeof *c);
    if (load_defaults(c, err) && find_file(argc, argv, env, &file, err) && (!file || load_file(c, file, err)) &&
        load_env(c, env, err) && load_argv(c, argc, argv, err) && config_check(c, err))
        return true;
    config_free(c);
    return false;
}

void config_free(struct config *c)
{
    if (!c || !c->state)
        return;
    arena_free(c->state->strings);
    memset(c, 0, sizeof *c);
}

bool config_is_set(const struct config *c, const char *name)
{
    const struct config_row *r = row_find(name, FORM_FILE);

    return r && row_source(c, r)->origin > FROM_PROGRAM;
}

bool config_set_default(struct config *c, const char *name, const char *value)
{
    const struct config_row *r = row_find(name, FORM_FILE);
    char err[ERR_BYTES];

    return r && (config_is_set(c, name) || set(c, r, value, (struct source){ FROM_PROGRAM, 0 }, err));
}
