#include "gateway/jsonschema/regex.h"

#include <ctype.h>
#include <stdint.h>

/* White space of ECMA-262, and what is none, as the inside of a class. */
#define SPACE "\\x09-\\x0d\\x20\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NO_SPACE                                                                                                              \
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-"     \
    "\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define NO_LINE_END "[^\\n\\r\\x{2028}\\x{2029}]"

static const char *const categories[][2] = {
    { "Letter", "L" },           { "Cased_Letter", "L&" },     { "Uppercase_Letter", "Lu" },  { "Lowercase_Letter", "Ll" },
    { "Titlecase_Letter", "Lt" }, { "Modifier_Letter", "Lm" },  { "Other_Letter", "Lo" },      { "Mark", "M" },
    { "Nonspacing_Mark", "Mn" }, { "Spacing_Mark", "Mc" },     { "Enclosing_Mark", "Me" },    { "Number", "N" },
    { "Decimal_Number", "Nd" },  { "digit", "Nd" },            { "Letter_Number", "Nl" },     { "Other_Number", "No" },
    { "Punctuation", "P" },      { "punct", "P" },             { "Connector_Punctuation", "Pc" }, { "Dash_Punctuation", "Pd" },
    { "Open_Punctuation", "Ps" }, { "Close_Punctuation", "Pe" }, { "Initial_Punctuation", "Pi" }, { "Final_Punctuation", "Pf" },
    { "Other_Punctuation", "Po" }, { "Symbol", "S" },          { "Math_Symbol", "Sm" },       { "Currency_Symbol", "Sc" },
    { "Modifier_Symbol", "Sk" }, { "Other_Symbol", "So" },     { "Separator", "Z" },          { "Space_Separator", "Zs" },
    { "Line_Separator", "Zl" },  { "Paragraph_Separator", "Zp" }, { "Other", "C" },           { "Control", "Cc" },
    { "Format", "Cf" },          { "Private_Use", "Co" },      { "Unassigned", "Cn" },
};

struct translation {
    const char *p, *end;
    struct buf *out;
    bool class, atom;            /* inside of a class; something stands before that a quantifier may follow */
    const char *error;
};

static void fail(struct translation *t, const char *error)
{
    t->error = error;
    t->p = t->end;
}

static bool more(const struct translation *t, const char *s)
{
    size_t n = strlen(s);

    return (size_t)(t->end - t->p) >= n && memcmp(t->p, s, n) == 0;
}

/* Up to 8 hexadecimal digits; -1: none of them, or too many. */
static int64_t hex(const char *p, const char *end)
{
    int64_t v = 0;

    if (p == end || end - p > 8)
        return -1;
    for (; p < end; p++) {
        if (!isxdigit((unsigned char)*p))
            return -1;
        v = v * 16 + (isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
    }
    return v;
}

/* \uXXXX, a pair of them, or \u{X}; p is behind the u. */
static void unicode(struct translation *t)
{
    int64_t c = -1;

    if (more(t, "{")) {
        const char *close = memchr(t->p, '}', (size_t)(t->end - t->p));

        if (close)
            c = hex(t->p + 1, close);
        t->p = close ? close + 1 : t->end;
    } else if (t->end - t->p >= 4) {
        c = hex(t->p, t->p + 4);
        t->p += 4;
        if (c >= 0xD800 && c < 0xDC00 && more(t, "\\u") && t->end - t->p >= 6) {
            int64_t low = hex(t->p + 2, t->p + 6);

            if (low >= 0xDC00 && low < 0xE000) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                t->p += 6;
            }
        }
    }
    if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        fail(t, "\\u is not followed by a character");
    else
        buf_printf(t->out, "\\x{%x}", (unsigned)c);
}

static bool begins(struct slice s, const char *prefix, struct slice *ret_rest)
{
    size_t n = strlen(prefix);

    if (s.n < n || memcmp(s.p, prefix, n) != 0)
        return false;
    *ret_rest = (struct slice){ s.p + n, s.n - n };
    return true;
}

/* \p{…}; p is behind the p. */
static void property(struct translation *t, char p)
{
    const char *close = more(t, "{") ? memchr(t->p, '}', (size_t)(t->end - t->p)) : NULL;
    struct slice name, value;
    const char *prefix = "";

    if (!close) {
        fail(t, "\\p needs a property in braces");
        return;
    }
    name = value = (struct slice){ t->p + 1, (size_t)(close - t->p - 1) };
    if (begins(name, "Script=", &value) || begins(name, "sc=", &value))
        prefix = "sc:";
    else if (begins(name, "Script_Extensions=", &value) || begins(name, "scx=", &value))
        prefix = "scx:";
    else if (!begins(name, "General_Category=", &value))
        begins(name, "gc=", &value);
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (slice_is(value, categories[i][0]))
            value = slice_of(categories[i][1]);
    for (size_t i = 0; i < value.n; i++)
        if (!isalnum((unsigned char)value.p[i]) && value.p[i] != '_' && value.p[i] != '&') {
            fail(t, "\\p needs a property in braces");
            return;
        }
    buf_printf(t->out, "\\%c{%s%.*s}", p, prefix, (int)value.n, value.p);
    t->p = close + 1;
}

/* A reference to a group, \k<name> or a number. */
static void reference(struct translation *t, char c)
{
    if (t->class) {
        fail(t, "a reference cannot stand in a class");
    } else if (c == 'k') {
        const char *close = more(t, "<") ? memchr(t->p, '>', (size_t)(t->end - t->p)) : NULL;

        if (!close) {
            fail(t, "\\k needs a name");
            return;
        }
        buf_str(t->out, "\\k");
        buf_put(t->out, t->p, (size_t)(close + 1 - t->p));
        t->p = close + 1;
    } else {
        const char *begin = t->p - 1;

        while (t->p < t->end && isdigit((unsigned char)*t->p))
            t->p++;
        if (t->p - begin > 4)
            fail(t, "there is no such group");
        else
            buf_printf(t->out, "\\g{%.*s}", (int)(t->p - begin), begin);
    }
}

/* Escapes of letters and digits. */
static void escape_word(struct translation *t, char c)
{
    switch (c) {
    case 'd': case 'D': case 'w': case 'W': case 'f': case 'n': case 'r': case 't':
        buf_printf(t->out, "\\%c", c);
        break;
    case 's':
        buf_str(t->out, t->class ? SPACE : "[" SPACE "]");
        break;
    case 'S':
        buf_str(t->out, t->class ? NO_SPACE : "[" NO_SPACE "]");
        break;
    case 'v':
        buf_str(t->out, "\\x0b");
        break;
    case 'b':
        t->atom = t->class;
        buf_str(t->out, t->class ? "\\x08" : "\\b");
        break;
    case 'B':
        if (t->class)
            fail(t, "\\B cannot stand in a class");
        t->atom = false;
        buf_str(t->out, "\\B");
        break;
    case 'c':
        if (t->p == t->end || !isalpha((unsigned char)*t->p))
            fail(t, "\\c is not followed by a letter");
        else
            buf_printf(t->out, "\\x%02x", (unsigned)(*t->p++ & 31));
        break;
    case 'x':
        if (t->end - t->p < 2 || hex(t->p, t->p + 2) < 0)
            fail(t, "\\x is not followed by two hexadecimal digits");
        else
            buf_printf(t->out, "\\x%.2s", t->p);
        t->p += t->error ? 0 : 2;
        break;
    case 'u':
        unicode(t);
        break;
    case 'p': case 'P':
        property(t, c);
        break;
    case '0':
        if (t->p < t->end && isdigit((unsigned char)*t->p))
            fail(t, "octal escapes are not of ECMA-262");
        buf_str(t->out, "\\x00");
        break;
    case 'k': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        reference(t, c);
        break;
    default:
        fail(t, "it has an escape that ECMA-262 does not know");
    }
}

static void escape(struct translation *t)
{
    if (++t->p == t->end) {
        fail(t, "it ends with a backslash");
        return;
    }
    char c = *t->p++;

    t->atom = true;
    if (isalnum((unsigned char)c)) {
        escape_word(t, c);
    } else {
        if (ispunct((unsigned char)c) && c != '_')
            buf_char(t->out, '\\');
        buf_char(t->out, c);
    }
}

/* The end of {n}, {n,} or {n,m} at p; NULL: the brace is itself. */
static const char *counted(const char *p, const char *end)
{
    const char *q = ++p;

    while (q < end && isdigit((unsigned char)*q))
        q++;
    if (q == p)
        return NULL;
    if (q < end && *q == ',')
        for (q++; q < end && isdigit((unsigned char)*q);)
            q++;
    return q < end && *q == '}' ? q + 1 : NULL;
}

static void quantifier(struct translation *t)
{
    const char *q = *t->p == '{' ? counted(t->p, t->end) : t->p + 1;

    if (!q) {
        buf_str(t->out, "\\{");
        t->p++;
        t->atom = true;
        return;
    }
    if (!t->atom) {
        fail(t, "there is nothing to repeat");
        return;
    }
    q += q < t->end && *q == '?';
    buf_put(t->out, t->p, (size_t)(q - t->p));
    t->p = q;
    t->atom = false;
}

static void group(struct translation *t)
{
    static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!" };
    size_t n = 1;

    t->atom = false;
    if (more(t, "(?")) {
        n = 0;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (more(t, kinds[i]))
                n = strlen(kinds[i]);
        if (!n && more(t, "(?<") && t->end - t->p > 3 && (isalpha((unsigned char)t->p[3]) || t->p[3] == '_'))
            n = 3;
        if (!n) {
            fail(t, "it has a kind of group that ECMA-262 does not know");
            return;
        }
    }
    buf_put(t->out, t->p, n);
    t->p += n;
}

static void outside(struct translation *t)
{
    char c = *t->p;

    switch (c) {
    case '[':
        t->class = true;
        buf_char(t->out, c);
        t->p++;
        if (more(t, "^")) {
            buf_char(t->out, '^');
            t->p++;
        }
        break;
    case '(':
        group(t);
        break;
    case '*': case '+': case '?': case '{':
        quantifier(t);
        break;
    case '.':
        buf_str(t->out, NO_LINE_END);
        t->atom = true;
        t->p++;
        break;
    case ']': case '}':
        buf_char(t->out, '\\');
        /* fall through */
    default:
        buf_char(t->out, c);
        t->atom = c != '|' && c != '^' && c != '$';
        t->p++;
    }
}

static void inside(struct translation *t)
{
    char c = *t->p++;

    if (c == '[')
        buf_char(t->out, '\\');
    buf_char(t->out, c);
    if (c == ']') {
        t->class = false;
        t->atom = true;
    }
}

const char *regex_translate(struct slice text, struct buf *out)
{
    struct translation t = { .p = text.p, .end = text.p + text.n, .out = out };

    while (t.p < t.end) {
        if (*t.p == '\\')
            escape(&t);
        else if (t.class)
            inside(&t);
        else
            outside(&t);
    }
    return !t.error && t.class ? "a class does not end" : t.error;
}
