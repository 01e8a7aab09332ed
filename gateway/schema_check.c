#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/commands.h"
#include "gateway/registry_client.h"
#include "gateway/schema_files.h"

/* What the registry answers of a schema: Confluent's codes. */
enum { UNKNOWN_SUBJECT = 40401, UNKNOWN_SCHEMA = 40403, INVALID_SCHEMA = 42201 };

enum verdict { UNCHANGED, NEW, COMPATIBLE, BREAKS, INVALID, VERDICTS };

static const char *const words[VERDICTS] = { "unchanged", "new", "compatible", "breaks", "invalid" };

struct check {
    struct registry_client *registry;
    struct schema_files files;
    enum verdict *verdicts;             /* of each file */
    size_t counts[VERDICTS];
    char why[REGISTRY_WHY];             /* why it cannot go on */
};

static void print_plain(const char *text)
{
    for (; *text; text++)
        putchar(http_plain_char(*text));
    putchar('\n');
}

static bool unexpected(struct check *c, const struct schema_file *f, const struct registry_answer *a)
{
    snprintf(c->why, sizeof c->why, "%.200s: the registry answers %ld: %.600s", f->name, a->status, registry_answer_message(a));
    http_plain(c->why);
    return false;
}

static bool body_of(const struct schema_file *f, struct buf *ret)
{
    buf_printf(ret, "{\"schemaType\":\"%s\",\"schema\":", f->type);
    buf_json_string(ret, f->text);
    if (f->references.p) {
        BUF_LIT(ret, ",\"references\":");
        buf_slice(ret, f->references);
    }
    BUF_LIT(ret, "}");
    return !ret->failed;
}

/* One call for a file; false: it could not be made, and c->why says so. */
static bool post(struct check *c, const char *before, const struct schema_file *f, const char *after, struct registry_answer *ret)
{
    struct buf body = { 0 };
    bool answered = false;

    if (!body_of(f, &body))
        snprintf(c->why, sizeof c->why, "memory is out");
    else
        answered = registry_client_post(c->registry, before, f->subject, after, (struct slice){ body.p, body.n }, ret, c->why);
    buf_free(&body);
    return answered;
}

static void tell(struct check *c, const struct schema_file *f, enum verdict v, const char *more)
{
    c->verdicts[f - c->files.v] = v;
    c->counts[v]++;
    printf("%-11s %s%s", words[v], f->name, more ? ": " : "\n");
    if (more)
        print_plain(more);
}

static void tell_findings(const json_t *messages)
{
    const json_t *one;
    size_t i;

    json_array_foreach(messages, i, one) {
        fputs("            ", stdout);
        print_plain(json_is_string(one) ? json_string_value(one) : "(not a sentence)");
    }
}

/* Is it in the registry already? *ret_known: told, nothing is left to do. */
static bool look_up(struct check *c, const struct schema_file *f, bool *ret_known, bool *ret_subject)
{
    struct registry_answer a;
    char more[64];
    bool good = true;
    int code;

    if (!post(c, "/subjects/", f, "?normalize=false", &a))
        return false;
    code = registry_answer_error_code(&a);
    *ret_known = a.status == 200 || code == INVALID_SCHEMA;
    *ret_subject = code != UNKNOWN_SUBJECT;
    if (a.status == 200) {
        snprintf(more, sizeof more, "version %lld", (long long)json_integer_value(json_object_get(a.body, "version")));
        tell(c, f, UNCHANGED, more);
    } else if (code == INVALID_SCHEMA) {
        tell(c, f, INVALID, registry_answer_message(&a));
    } else if (a.status != 404 || (code != UNKNOWN_SUBJECT && code != UNKNOWN_SCHEMA)) {
        good = unexpected(c, f, &a);
    }
    json_decref(a.body);
    return good;
}

static bool compare(struct check *c, const struct schema_file *f, bool subject)
{
    struct registry_answer a;
    const json_t *compatible;
    bool good = true;

    if (!post(c, "/compatibility/subjects/", f, "/versions?verbose=true", &a))
        return false;
    compatible = json_object_get(a.body, "is_compatible");
    if (registry_answer_error_code(&a) == INVALID_SCHEMA) {
        tell(c, f, INVALID, registry_answer_message(&a));
    } else if (a.status != 200 || !json_is_boolean(compatible)) {
        good = unexpected(c, f, &a);
    } else {
        tell(c, f, json_is_false(compatible) ? BREAKS : subject ? COMPATIBLE : NEW, NULL);
        if (json_is_false(compatible))
            tell_findings(json_object_get(a.body, "messages"));
    }
    json_decref(a.body);
    return good;
}

static bool check_all(struct check *c)
{
    for (size_t i = 0; i < c->files.n; i++) {
        bool known = false, subject = false;

        if (!look_up(c, &c->files.v[i], &known, &subject) || (!known && !compare(c, &c->files.v[i], subject)))
            return false;
    }
    printf("%zu schema%s:", c->files.n, c->files.n == 1 ? "" : "s");
    for (int v = 0; v < VERDICTS; v++)
        if (c->counts[v])
            printf(" %zu %s", c->counts[v], words[v]);
    putchar('\n');
    return true;
}

static bool register_all(struct check *c)
{
    for (size_t i = 0; i < c->files.n; i++) {
        const struct schema_file *f = &c->files.v[i];
        struct registry_answer a;
        bool good = true;

        if (c->verdicts[i] == UNCHANGED)
            continue;
        if (!post(c, "/subjects/", f, "/versions?normalize=false", &a))
            return false;
        if (a.status == 200)
            printf("registered  %s: id %lld\n", f->name, (long long)json_integer_value(json_object_get(a.body, "id")));
        else
            good = unexpected(c, f, &a);
        json_decref(a.body);
        if (!good)
            return false;
    }
    return true;
}

static bool run(struct check *c, bool also_register)
{
    if (!(c->verdicts = calloc(c->files.n, sizeof *c->verdicts))) {
        snprintf(c->why, sizeof c->why, "memory is out");
        return false;
    }
    if (!check_all(c))
        return false;
    if (c->counts[BREAKS] || c->counts[INVALID]) {
        snprintf(c->why, sizeof c->why, "%s", also_register ? "nothing was registered" : "");
        return false;
    }
    return !also_register || register_all(c);
}

int command_schema_check(struct call *call)
{
    const char *url = call->url ? call->url : getenv("WEIR_URL"), *token = call->token ? call->token : getenv("WEIR_TOKEN");
    struct check c = { 0 };
    bool good = false;

    if (!url || !url[0] || !call->operand) {
        complain(call->operand ? "say where the gateway is, with --url or WEIR_URL" : "say in which folder the schemas are");
        return 2;
    }
    if (schema_files_read(&c.files, call->operand, c.why) &&
        (c.registry = registry_client_new(url, token && token[0] ? token : NULL, call->ca_file, c.why)))
        good = run(&c, call->also_register);
    fflush(stdout);
    if (c.why[0])
        complain(c.why);
    registry_client_free(c.registry);
    schema_files_free(&c.files);
    free(c.verdicts);
    return good ? 0 : 1;
}
