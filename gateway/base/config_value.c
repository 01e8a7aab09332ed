#include "gateway/base/config_value.h"

#include <ctype.h>
#include <inttypes.h>

#include "gateway/base/clock.h"

static const struct unit {
    const char *name;
    int shift;
} units[] = { { "GiB", 30 }, { "MiB", 20 }, { "KiB", 10 }, { "", 0 } };

static const struct word {
    const char *text;
    bool value;
} words[] = { { "true", true }, { "false", false }, { "1", true },  { "0", false },
              { "yes", true },  { "no", false },    { "on", true }, { "off", false } };

#define COUNT(a) (sizeof(a) / sizeof *(a))

void config_name(const struct config_row *r, enum config_form form, char out[CONFIG_NAME])
{
    static const char *const prefix[] = { [FORM_FILE] = "", [FORM_ENV] = "WEIR_", [FORM_FLAG] = "--" };

    snprintf(out, CONFIG_NAME, "%s%s", prefix[form], r->name);
    for (char *p = out; *p && form != FORM_FILE; p++)
        if (form == FORM_ENV)
            *p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
        else if (*p == '.' || *p == '_')
            *p = '-';
}

static bool parse_bool(const char *text, bool *ret)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i].text, text) == 0) {
            *ret = words[i].value;
            return true;
        }
    return false;
}

/* Decimal digits; *ret_rest is what follows. */
static bool parse_digits(const char *text, int64_t *ret, const char **ret_rest)
{
    int64_t v = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *text - '0', &v))
            return false;
    *ret = v;
    *ret_rest = text;
    return true;
}

static bool parse_bytes(const char *text, int64_t *ret)
{
    const char *rest;
    int64_t v;

    if (!parse_digits(text, &v, &rest))
        return false;
    for (size_t i = 0; i < COUNT(units); i++)
        if (strcmp(units[i].name, rest) == 0)
            return !__builtin_mul_overflow(v, INT64_C(1) << units[i].shift, ret);
    return false;
}

static bool parse_number(const struct config_row *r, const char *text, int64_t *ret)
{
    const char *rest = "";
    bool ok = r->type == CONF_BYTES      ? parse_bytes(text, ret)
              : r->type == CONF_DURATION ? duration_parse(slice_of(text), ret)
                                         : parse_digits(text, ret, &rest);

    return ok && !*rest && *ret >= r->min && *ret <= r->max;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);

    if (!choices || n == 0) /* whether it may be empty is told by `min` */
        return true;
    if (strchr(text, ' '))
        return false;
    for (const char *p = choices; (p = strstr(p, text)); p += n)
        if ((p == choices || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

bool config_parse(const struct config_row *r, const char *text, struct config *c, struct arena *strings)
{
    char *at = (char *)c + r->offset;
    int64_t n, len = (int64_t)strlen(text);
    const char *copy;
    bool b;

    switch (r->type) {
    case CONF_BOOL:
        if (!parse_bool(text, &b))
            return false;
        memcpy(at, &b, sizeof b);
        return true;
    case CONF_INT:
    case CONF_BYTES:
    case CONF_DURATION:
        if (!parse_number(r, text, &n))
            return false;
        memcpy(at, &n, sizeof n);
        return true;
    case CONF_STRING:
    case CONF_SECRET:
        if (len < r->min || len > r->max || !is_choice(r->choices, text) ||
            !(copy = arena_strndup(strings, text, (size_t)len)))
            return false;
        memcpy(at, &copy, sizeof copy);
        return true;
    }
    return false;
}

static void format_number(enum config_type type, int64_t v, char out[32])
{
    size_t i = 0;

    if (type == CONF_DURATION) {
        duration_format(v, out);
        return;
    }
    if (type == CONF_INT || v == 0)
        i = COUNT(units) - 1;
    while (v & ((INT64_C(1) << units[i].shift) - 1))
        i++;
    snprintf(out, 32, "%" PRId64 "%s", v >> units[i].shift, units[i].name);
}

/* Of a text with several lines, as a PEM key, the first is enough. */
static void format_text(const char *text, char out[CONFIG_TEXT])
{
    int line = (int)strcspn(text, "\r\n"), shown = line < CONFIG_TEXT - 8 ? line : CONFIG_TEXT - 8;

    snprintf(out, CONFIG_TEXT, "%.*s%s", shown, text, text[shown] ? " …" : "");
}

void config_format(const struct config_row *r, const struct config *c, char out[CONFIG_TEXT])
{
    const char *at = (const char *)c + r->offset, *text;
    char number[32];
    int64_t n;
    bool b;

    if (r->type == CONF_BOOL) {
        memcpy(&b, at, sizeof b);
        snprintf(out, CONFIG_TEXT, "%s", b ? "true" : "false");
    } else if (r->type == CONF_STRING || r->type == CONF_SECRET) {
        memcpy(&text, at, sizeof text);
        format_text(r->type == CONF_SECRET && *text ? "***" : text, out);
    } else {
        memcpy(&n, at, sizeof n);
        format_number(r->type, n, number);
        snprintf(out, CONFIG_TEXT, "%s", number);
    }
}

void config_allowed(const struct config_row *r, char out[CONFIG_TEXT])
{
    static const char *const what[] = {
        [CONF_INT] = "an integer", [CONF_BYTES] = "a size", [CONF_DURATION] = "a duration"
    };
    char min[32], max[32];

    if (r->type == CONF_BOOL) {
        snprintf(out, CONFIG_TEXT, "true or false");
    } else if (r->choices) {
        snprintf(out, CONFIG_TEXT, "one of: %s", r->choices);
    } else if (r->type == CONF_STRING || r->type == CONF_SECRET) {
        snprintf(out, CONFIG_TEXT, "%s of at most %" PRId64 " bytes", r->min ? "a text" : "a text, or none,", r->max);
    } else {
        format_number(r->type, r->min, min);
        format_number(r->type, r->max, max);
        snprintf(out, CONFIG_TEXT, "%s from %s to %s", what[r->type], min, max);
    }
}
