#include "gateway/base/json.h"

#include <endian.h>

#include "gateway/base/utf8.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (ONES << 7)

static const char *fail(struct json *j, const char *p, const char *error)
{
    j->p = p;
    j->error = p < j->end ? error : "the JSON text ends too early";
    return NULL;
}

static const char *space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* White space between the tokens of a value. */
static inline const char *space_inside(struct json *j, const char *p)
{
    for (; p < j->end && (unsigned char)*p <= ' '; p++) {
        if (*p == '\n' || *p == '\r')
            j->line_breaks = true;
        else if (*p != ' ' && *p != '\t')
            break;
    }
    return p;
}

/* The end of a run of plain ASCII in a string: a quote, a backslash, a control character or a byte above 0x7F. Eight
 * bytes at a time: in the lowest byte whose high bit is raised there is no borrow from below, so it is a true hit. */
static inline const char *plain_end(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t w;

        memcpy(&w, p, 8);
        w = le64toh(w);
        uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');
        uint64_t hit = (w | (w - ONES * 0x20) | (quote - ONES) | (slash - ONES)) & HIGHS;

        if (hit)
            return p + (__builtin_ctzll(hit) >> 3);
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of the \uXXXX at p, or -1. */
static int32_t code_unit(const char *p, const char *end)
{
    int32_t v = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int d = hex_digit(p[i]);

        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static const char *escape_end(struct json *j, const char *p)
{
    if (j->end - p < 2)
        return fail(j, j->end, NULL);
    if (p[1] != 'u')
        return strchr("\"\\/bfnrt", p[1]) && p[1] ? p + 2 : fail(j, p, "a string has an unknown escape");

    int32_t unit = code_unit(p, j->end);

    if (unit < 0)
        return j->end - p < 6 ? fail(j, j->end, NULL) : fail(j, p, "\\u needs four hexadecimal digits");
    if (unit < 0xD800 || unit > 0xDFFF)
        return p + 6;
    int32_t low = code_unit(p + 6, j->end);

    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return fail(j, p, "a string has half of a surrogate pair");
    return p + 12;
}

/* From the byte after the opening quote to the closing quote. */
static const char *string_end(struct json *j, const char *p, bool *ret_escaped)
{
    *ret_escaped = false;
    while ((p = plain_end(p, j->end)) < j->end && *p != '"') {
        if (*p == '\\') {
            *ret_escaped = true;
            if (!(p = escape_end(j, p)))
                return NULL;
        } else if ((unsigned char)*p < 0x20) {
            return fail(j, p, "a control character in a string must be escaped");
        }
        while (p < j->end && (unsigned char)*p >= 0x80) {
            size_t n = utf8_sequence(p, j->end);

            if (!n)
                return fail(j, p, "a string is not UTF-8");
            p += n;
        }
    }
    return p < j->end ? p : fail(j, p, NULL);
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static const char *number_end(struct json *j, const char *p)
{
    static const char wrong[] = "a number is malformed";
    const char *end = j->end, *q;

    p += *p == '-';
    if ((q = digits_end(p, end)) == p)
        return fail(j, p, wrong);
    if (*p == '0' && q - p > 1)
        return fail(j, p, "a number must not begin with 0");
    if (q < end && *q == '.') {
        p = q + 1;
        if ((q = digits_end(p, end)) == p)
            return fail(j, p, wrong);
    }
    if (q < end && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        p += p < end && (*p == '+' || *p == '-');
        if ((q = digits_end(p, end)) == p)
            return fail(j, p, wrong);
    }
    return q;
}

static const char *word_end(struct json *j, const char *p, const char *word)
{
    for (; *word; word++, p++)
        if (p == j->end || *p != *word)
            return fail(j, p, "a value is expected: null, true, false, a number, a string, an array or an object");
    return p;
}

static const char *scalar_end(struct json *j, const char *p)
{
    bool escaped;

    switch (*p) {
    case '"':
        p = string_end(j, p + 1, &escaped);
        return p ? p + 1 : NULL;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return number_end(j, p);
    case 't':
        return word_end(j, p, "true");
    case 'f':
        return word_end(j, p, "false");
    default:
        return word_end(j, p, "null");
    }
}

/* From where a member name belongs to where its value begins. */
static const char *name_end(struct json *j, const char *p)
{
    bool escaped;

    if (p == j->end || *p != '"')
        return fail(j, p, "the name of a member is expected");
    if (!(p = string_end(j, p + 1, &escaped)))
        return NULL;
    p = space_inside(j, p + 1);
    if (p == j->end || *p != ':')
        return fail(j, p, "':' is expected");
    return space_inside(j, p + 1);
}

/* One value from its first byte, containers by a stack of bits: set for an object. */
static const char *value_end(struct json *j, const char *p)
{
    uint64_t objects[JSON_DEPTH / 64] = { 0 };
    unsigned depth = 0, room = j->max_depth - j->depth;

    for (;;) {
        bool open = false, object = false;

        if (p == j->end)
            return fail(j, p, NULL);
        if (*p == '{' || *p == '[') {
            if (depth == room)
                return fail(j, p, "the JSON text is nested too deep");
            uint64_t bit = UINT64_C(1) << (depth & 63);

            open = true;
            object = *p == '{';
            objects[depth >> 6] = object ? objects[depth >> 6] | bit : objects[depth >> 6] & ~bit;
            depth++;
            p++;
        } else if (!(p = scalar_end(j, p))) {
            return NULL;
        }
        for (;;) {
            if (!depth)
                return p;
            object = objects[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
            p = space_inside(j, p);
            if (p == j->end)
                return fail(j, p, NULL);
            if (*p == (object ? '}' : ']')) {
                depth--;
                p++;
                open = false;
                continue;
            }
            if (!open && *p != ',')
                return fail(j, p, object ? "',' or '}' is expected" : "',' or ']' is expected");
            if (!open)
                p = space_inside(j, p + 1);
            break;
        }
        if (object && !(p = name_end(j, p)))
            return NULL;
    }
}

void json_begin(struct json *j, struct slice text, unsigned max_depth)
{
    if (!text.p)
        text = SLICE("");
    *j = (struct json){
        .start = text.p,
        .p = text.p,
        .end = text.p + text.n,
        .max_depth = max_depth < JSON_DEPTH ? max_depth : JSON_DEPTH,
    };
}

bool json_peek(struct json *j, enum json_type *ret)
{
    if (j->error)
        return false;
    j->p = space(j->p, j->end);
    switch (j->p < j->end ? *j->p : '\0') {
    case '{':
        *ret = JSON_OBJECT;
        return true;
    case '[':
        *ret = JSON_ARRAY;
        return true;
    case '"':
        *ret = JSON_STRING;
        return true;
    case 't':
        *ret = JSON_TRUE;
        return true;
    case 'f':
        *ret = JSON_FALSE;
        return true;
    case 'n':
        *ret = JSON_NULL;
        return true;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        *ret = JSON_NUMBER;
        return true;
    default:
        fail(j, j->p, "a value is expected");
        return false;
    }
}

bool json_value(struct json *j, struct slice *ret_raw)
{
    if (j->error)
        return false;
    const char *begin = space(j->p, j->end), *end;

    j->line_breaks = false;
    if (!(end = value_end(j, begin)))
        return false;
    j->p = end;
    *ret_raw = (struct slice){ begin, (size_t)(end - begin) };
    return true;
}

/* Steps over `c`, after white space. */
static bool take(struct json *j, char c, const char *error)
{
    if (j->error)
        return false;
    j->p = space(j->p, j->end);
    if (j->p == j->end || *j->p != c) {
        fail(j, j->p, error);
        return false;
    }
    j->p++;
    return true;
}

bool json_scan_string(struct json *j, struct slice *ret_inside, bool *ret_escaped)
{
    const char *begin, *end;

    if (!take(j, '"', "a string is expected"))
        return false;
    begin = j->p;
    if (!(end = string_end(j, begin, ret_escaped)))
        return false;
    *ret_inside = (struct slice){ begin, (size_t)(end - begin) };
    j->p = end + 1;
    return true;
}

static bool container_begin(struct json *j, char c, const char *error)
{
    if (!take(j, c, error))
        return false;
    if (j->depth == j->max_depth) {
        fail(j, j->p - 1, "the JSON text is nested too deep");
        return false;
    }
    j->depth++;
    return j->opened = true;
}

/* Steps to the next member or item, over its comma; false at the end of the container, which is stepped over. */
static bool container_next(struct json *j, char close, const char *error)
{
    bool first = j->opened;

    if (j->error)
        return false;
    j->opened = false;
    j->p = space(j->p, j->end);
    if (j->p < j->end && *j->p == close) {
        j->p++;
        j->depth--;
        return false;
    }
    return first ? j->p < j->end || fail(j, j->p, NULL) : take(j, ',', error);
}

bool json_object_begin(struct json *j)
{
    return container_begin(j, '{', "an object is expected");
}

bool json_object_next(struct json *j, struct slice *ret_key, bool *ret_escaped)
{
    if (!container_next(j, '}', "',' or '}' is expected"))
        return false;
    return json_scan_string(j, ret_key, ret_escaped) && take(j, ':', "':' is expected");
}

bool json_array_begin(struct json *j)
{
    return container_begin(j, '[', "an array is expected");
}

bool json_array_next(struct json *j)
{
    return container_next(j, ']', "',' or ']' is expected");
}

bool json_end(struct json *j)
{
    if (j->error)
        return false;
    j->p = space(j->p, j->end);
    if (j->p < j->end)
        fail(j, j->p, "there is text after the end of the JSON value");
    return j->p == j->end;
}

void json_where(const struct json *j, size_t *ret_line, size_t *ret_column)
{
    const char *p = j->start;

    *ret_line = *ret_column = 1;
    for (; p < j->p; p++) {
        if (*p == '\n') {
            ++*ret_line;
            *ret_column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) {
            ++*ret_column;
        }
    }
}

static char *put_utf8(char *out, int32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 63));
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    }
    return out;
}

bool json_unescape(struct arena *a, struct slice inside, bool escaped, struct slice *ret)
{
    static const char plain[128] = { ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                     ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t' };
    const char *p = inside.p, *end = inside.p + inside.n;
    char *begin, *out;

    if (!escaped) {
        *ret = inside;
        return true;
    }
    if (!(begin = out = arena_alloc(a, inside.n))) /* an escape is never shorter than what it stands for */
        return false;
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
        } else if (p[1] != 'u') {
            *out++ = plain[(unsigned char)p[1] & 127];
            p += 2;
        } else {
            int32_t c = code_unit(p, end);

            p += 6;
            if (c >= 0xD800 && c <= 0xDBFF) {
                c = 0x10000 + ((c - 0xD800) << 10) + (code_unit(p, end) - 0xDC00);
                p += 6;
            }
            out = put_utf8(out, c);
        }
    }
    *ret = (struct slice){ begin, (size_t)(out - begin) };
    return true;
}
