#include "tests/unit/edit_fixture.h"

#include "gateway/base/json.h"

int edit_pick(int n)
{
    edit_seed = edit_seed * 1103515245 + 12345;
    return (int)(edit_seed >> 16) % n;
}

#define ONE_OF(rows) rows[edit_pick((int)(sizeof(rows) / sizeof *(rows)))]

static const char *const names[] = { "\"a\"", "\"\\u0061\"", "\"b\"", "\"c\"", "\"d e\"",
                                     "\"\"", "\"\\u00e9\"", "\"é\"", "\"m~n/o\"" };
static const char *const tokens[] = { "a", "b", "c", "d e", "", "é", "m~0n~1o", "0", "1", "2", "-", "01", "3" };
static const char *const scalars[] = { "0",     "-0",    "1",    "1.50", "15e-1", "100",      "1E2",       "-7.0",  "null",
                                       "true",  "false", "\"\"", "\"a\"", "\"\\u0061\\n\"", "\"\\\"}],\"", "\"{,\"" };

static void blank(struct buf *b)
{
    static const char *const spaces[] = { "", "", "", "", " ", "\n", "\t ", "\r\n" };

    buf_str(b, ONE_OF(spaces));
}

/* In a merge patch many values are null. */
static void put_value(struct buf *b, int depth, bool merge, bool root)
{
    int kind = !depth ? 0 : root && edit_pick(8) ? 2 : edit_pick(4), n = edit_pick(5);
    bool object = kind > 1;

    if (!kind) {
        buf_str(b, merge && !edit_pick(2) ? "null" : ONE_OF(scalars));
        return;
    }

    buf_char(b, object ? '{' : '[');
    for (int i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        blank(b);
        if (object) {
            buf_str(b, ONE_OF(names));
            blank(b);
            buf_char(b, ':');
            blank(b);
        }
        put_value(b, depth - 1, merge, false);
        blank(b);
    }
    if (!n)
        blank(b);
    buf_char(b, object ? '}' : ']');
}

void random_value(struct buf *b, int depth)
{
    blank(b);
    put_value(b, depth, false, true);
    blank(b);
}

void random_merge_patch(struct buf *b, int depth)
{
    blank(b);
    put_value(b, depth, true, true);
    blank(b);
}

/* The pointer to a random place of the value, as the scanner sees it. */
static void put_pointer(struct buf *b, struct slice value)
{
    struct json j;
    enum json_type type;
    struct slice name, next, chosen = SLICE_NONE;
    struct arena *a = arena_new(SIZE_MAX);
    bool escaped;
    int n = 0, at = 0;

    json_begin(&j, value, JSON_DEPTH);
    json_peek(&j, &type);
    if (edit_pick(5) && type == JSON_OBJECT) {
        const char *token = NULL;

        for (json_object_begin(&j); json_object_next(&j, &name, &escaped);) {
            json_value(&j, &next);
            json_unescape(a, name, escaped, &name);
            if (!edit_pick(++n)) {
                token = slice_is(name, "m~n/o") ? "m~0n~1o" : arena_strndup(a, name.p, name.n);
                chosen = next;
            }
        }
        if (token) {
            buf_char(b, '/');
            buf_str(b, token);
        }
    } else if (edit_pick(5) && type == JSON_ARRAY) {
        for (json_array_begin(&j); json_array_next(&j); n++) {
            json_value(&j, &next);
            if (!edit_pick(n + 1)) {
                at = n;
                chosen = next;
            }
        }
        if (chosen.p)
            buf_printf(b, "/%d", at);
    }
    if (chosen.p && edit_pick(4))
        put_pointer(b, chosen);
    else if (!edit_pick(3))
        buf_printf(b, "/%s", ONE_OF(tokens));
    arena_free(a);
}

void random_patch(struct buf *b, struct slice value, int operations)
{
    static const char *const kinds[] = { "add", "add", "remove", "replace", "move", "copy", "copy", "test" };
    int n = 1 + edit_pick(operations);

    buf_char(b, '[');
    for (int i = 0; i < n; i++) {
        const char *kind = ONE_OF(kinds);

        buf_printf(b, "%s{\"op\":\"%s\",\"path\":\"", i ? "," : "", kind);
        put_pointer(b, value);
        buf_str(b, "\",\"from\":\"");
        put_pointer(b, value);
        buf_str(b, "\",\"value\":");
        random_value(b, 2);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}
