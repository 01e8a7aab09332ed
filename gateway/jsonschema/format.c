#include "gateway/jsonschema/format.h"

#include <ctype.h>

#include "gateway/base/json_pointer.h"
#include "gateway/jsonschema/pattern.h"

static const struct format formats[] = {
    { "date-time", is_date_time, false },
    { "date", is_date, false },
    { "time", is_time, false },
    { "duration", is_duration, false },
    { "email", is_email, false },
    { "idn-email", is_idn_email, false },
    { "hostname", is_hostname, false },
    { "idn-hostname", is_idn_hostname, false },
    { "ipv4", is_ipv4, false },
    { "ip-address", is_ipv4, false },
    { "ipv6", is_ipv6, false },
    { "uri", is_uri, false },
    { "uri-reference", is_uri_reference, false },
    { "iri", is_iri, false },
    { "iri-reference", is_iri_reference, false },
    { "uri-template", is_uri_template, false },
    { "uuid", is_uuid, false },
    { "json-pointer", is_json_pointer, false },
    { "relative-json-pointer", is_relative_json_pointer, false },
    { "regex", is_regex, true },
};

const struct format *format_find(struct slice name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (slice_is(name, formats[i].name))
            return &formats[i];
    return NULL;
}

bool is_ipv4(struct slice s)
{
    const char *p = s.p, *end = p + s.n;

    for (int part = 0; part < 4; part++) {
        const char *begin = p;
        int v = 0;

        while (p < end && p - begin < 3 && isdigit((unsigned char)*p))
            v = v * 10 + (*p++ - '0');
        if (p == begin || v > 255 || (*begin == '0' && p - begin > 1))
            return false;
        if (part < 3 && (p == end || *p++ != '.'))
            return false;
    }
    return p == end;
}

bool is_ipv6(struct slice s)
{
    const char *p = s.p, *end = p + s.n;
    int groups = 0;
    bool gap = false;

    if (s.n >= 2 && p[0] == ':' && p[1] == ':') {
        gap = true;
        p += 2;
    }
    while (p < end) {
        const char *begin = p;

        while (p < end && isxdigit((unsigned char)*p))
            p++;
        if (p < end && *p == '.')
            return (gap ? groups < 6 : groups == 6) && is_ipv4((struct slice){ begin, (size_t)(end - begin) });
        if (p == begin || p - begin > 4)
            return false;
        groups++;
        if (p == end)
            break;
        if (*p++ != ':' || p == end)
            return false;
        if (*p == ':') {
            if (gap)
                return false;
            gap = true;
            p++;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

bool is_uuid(struct slice s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? s.p[i] != '-' : !isxdigit((unsigned char)s.p[i]))
            return false;
    }
    return true;
}

bool is_json_pointer(struct slice s)
{
    return json_pointer_valid(s);
}

bool is_relative_json_pointer(struct slice s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    if (!n || (s.p[0] == '0' && n > 1))
        return false;
    return slice_eq((struct slice){ s.p + n, s.n - n }, SLICE("#")) || json_pointer_valid((struct slice){ s.p + n, s.n - n });
}

/* The part before the @: a dot-atom or a quoted string. */
static bool is_mailbox(struct slice s, bool idn)
{
    const char *p = s.p, *end = p + s.n;
    bool dot = true;

    if (s.n >= 2 && *p == '"' && end[-1] == '"') {
        for (p++; p < end - 1; p++) {
            if ((unsigned char)*p < 0x20 || *p == '"' || ((unsigned char)*p >= 0x80 && !idn))
                return false;
            if (*p == '\\' && ++p == end - 1)
                return false;
        }
        return true;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '.') {
            if (dot)
                return false;
            dot = true;
            continue;
        }
        if (c >= 0x80 ? !idn : !isalnum(c) && !strchr("!#$%&'*+-/=?^_`{|}~", c))
            return false;
        if (!c)
            return false;
        dot = false;
    }
    return !dot;
}

static bool email(struct slice s, bool idn)
{
    const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
    struct slice domain;

    if (!at || at == s.p || at - s.p > 64 || !is_mailbox((struct slice){ s.p, (size_t)(at - s.p) }, idn))
        return false;
    domain = (struct slice){ at + 1, s.n - (size_t)(at - s.p) - 1 };
    if (domain.n > 2 && *domain.p == '[' && domain.p[domain.n - 1] == ']') {
        struct slice inside = { domain.p + 1, domain.n - 2 };

        if (inside.n > 5 && strncasecmp(inside.p, "IPv6:", 5) == 0)
            return is_ipv6((struct slice){ inside.p + 5, inside.n - 5 });
        return is_ipv4(inside);
    }
    return idn ? is_idn_hostname(domain) : is_hostname(domain);
}

bool is_email(struct slice s)
{
    return email(s, false);
}

bool is_idn_email(struct slice s)
{
    return email(s, true);
}
