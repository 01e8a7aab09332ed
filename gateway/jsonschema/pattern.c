#define PCRE2_CODE_UNIT_WIDTH 8
#include "gateway/jsonschema/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/jsonschema/jsonschema.h"
#include "gateway/jsonschema/plain.h"
#include "gateway/jsonschema/regex.h"

/* How far a match may backtrack, and what it costs: a text of n bytes may take MATCH_BASE + MATCH_BYTE x n of PCRE2's matching
 * steps, and spends STEPS_BASE + n. So all matches of a text together are bounded by its steps. */
enum { MATCH_BASE = 20 * 1000, MATCH_BYTE = 200, STEPS_BASE = 100, HEAP_KIB = 2048, NESTING = 100 };

struct pattern {
    struct plain plain;
    bool is_plain;
    pcre2_code *code;
    size_t memory;
};

struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static void code_free(void *code)
{
    pcre2_code_free(code);
}

static pcre2_code *compile(struct slice text, char *ret_why, size_t size)
{
    const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
                             PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    struct buf b = { 0 };
    const char *wrong = regex_translate(text, &b);
    pcre2_code *code = NULL;
    PCRE2_SIZE at;
    int error;

    if (wrong) {
        snprintf(ret_why, size, "%s", wrong);
    } else if (!context || b.failed) {
        snprintf(ret_why, size, "memory is out");
    } else {
        pcre2_set_parens_nest_limit(context, NESTING);
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        if (!(code = pcre2_compile((PCRE2_SPTR)(b.p ? b.p : ""), b.n, options, &error, &at, context)))
            pcre2_get_error_message(error, (PCRE2_UCHAR *)ret_why, size);
    }
    pcre2_compile_context_free(context);
    buf_free(&b);
    return code;
}

enum err pattern_compile(struct slice text, struct arena *a, struct pattern **ret, struct fault *f)
{
    struct pattern *p = arena_zalloc(a, sizeof *p);
    char why[160] = "";
    size_t size = 0, jit = 0;

    if (!p)
        return ERR_NO_MEMORY;
    if (text.n > JSONSCHEMA_REGEX)
        return fault(f, ERR_BAD_BODY, "A regular expression has at most %d bytes.", JSONSCHEMA_REGEX);
    *ret = p;
    if ((p->is_plain = plain_compile(text, &p->plain)))
        return OK;
    if (!(p->code = compile(text, why, sizeof why)))
        return fault(f, ERR_BAD_BODY, "This is no regular expression of ECMA-262 that is known here: %s.", why);
    if (!arena_defer(a, code_free, p->code)) {
        pcre2_code_free(p->code);
        return ERR_NO_MEMORY;
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it, it is matched all the same */
    pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &size);
    pcre2_pattern_info(p->code, PCRE2_INFO_JITSIZE, &jit);
    p->memory = size + jit;
    return OK;
}

size_t pattern_memory(const struct pattern *p)
{
    return p->memory;
}

static struct matcher *matcher_new(void)
{
    struct matcher *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (!m->data || !m->context) {
        matcher_free(m);
        return NULL;
    }
    pcre2_set_heap_limit(m->context, HEAP_KIB);
    return m;
}

void matcher_free(struct matcher *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    free(m);
}

bool pattern_matches(const struct pattern *p, struct slice s, struct toil *t, struct matcher **m)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)(s.p ? s.p : "");
    int n;

    if (p->is_plain)
        return toil_spend(t, 1 + (int64_t)s.n / 16) && plain_matches(&p->plain, s);
    if (!toil_spend(t, STEPS_BASE + (int64_t)s.n))
        return false;
    if (!*m && !(*m = matcher_new())) {
        t->err = ERR_NO_MEMORY;
        return false;
    }
    pcre2_set_match_limit((*m)->context, (uint32_t)(MATCH_BASE + MATCH_BYTE * s.n));
    n = pcre2_match(p->code, subject, s.n, 0, PCRE2_NO_UTF_CHECK, (*m)->data, (*m)->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(p->code, subject, s.n, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, (*m)->data, (*m)->context);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH && !t->err)
        t->err = n == PCRE2_ERROR_NOMEMORY ? ERR_NO_MEMORY : ERR_SCHEMA_LIMIT;
    return n >= 0;
}

bool is_regex(struct slice s)
{
    char why[160];
    pcre2_code *code = s.n <= JSONSCHEMA_REGEX ? compile(s, why, sizeof why) : NULL;

    pcre2_code_free(code);
    return code;
}
