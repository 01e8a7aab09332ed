#include "gateway/engine/selection.h"

#include "gateway/base/glob.h"
#include "gateway/engine/streams.h"

/* Letters that names are made of, and stars. What no name can match is a mistake worth telling. */
static bool pattern_valid(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '*' && !name_valid((struct slice){ text.p + i, 1 }) && (!strchr(".-", text.p[i]) || i == 0 || !text.p[i]))
            return false;
    return text.n >= 1 && text.n <= 120;
}

static bool is_in(const struct slice *list, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(list[i], text))
            return true;
    return false;
}

static void add(struct slice *list, size_t *n, struct slice text)
{
    if (!is_in(list, *n, text))
        list[(*n)++] = text;
}

enum err selection_make(struct selection *s, struct arena *a, const struct slice *texts, size_t n, struct fault *f)
{
    *s = (struct selection){ 0 };
    if (n == 0)
        return fault(f, ERR_BAD_PARAMETER, "Say which streams: stream=orders&stream=payments.* (at least one).");
    if (n > SELECTION_MAX)
        return fault(f, ERR_BAD_PARAMETER, "At most %d names and patterns of streams may be given.", SELECTION_MAX);
    s->names = arena_alloc(a, n * sizeof *s->names);
    s->patterns = arena_alloc(a, n * sizeof *s->patterns);
    if (!s->names || !s->patterns)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        bool pattern = texts[i].n && memchr(texts[i].p, '*', texts[i].n);

        if (pattern ? !pattern_valid(texts[i]) : !name_valid(texts[i]))
            return fault(f, ERR_BAD_NAME, "The parameter stream (no. %zu) is neither a name, [a-z0-9][a-z0-9._-]{0,119}, nor a "
                                          "pattern of such letters and *.", i + 1);
        if (pattern)
            add(s->patterns, &s->pattern_n, texts[i]);
        else
            add(s->names, &s->name_n, texts[i]);
    }
    return OK;
}

bool selection_names(const struct selection *s, struct slice name)
{
    return is_in(s->names, s->name_n, name);
}

bool selection_covers(const struct selection *s, struct slice name)
{
    unsigned forms = name_forms(name);

    for (size_t i = 0; i < s->pattern_n; i++)
        if (!(forms & ~name_forms(s->patterns[i])) && glob_match(s->patterns[i], name))
            return true;
    return false;
}
