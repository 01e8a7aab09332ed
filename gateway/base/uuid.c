#include "gateway/base/uuid.h"

static const char digits[] = "0123456789abcdef";

static bool hyphen_at(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static void format(const uint8_t id[16], bool hyphens, char *out)
{
    for (int i = 0; i < 16; i++) {
        if (hyphens && hyphen_at(i))
            *out++ = '-';
        *out++ = digits[id[i] >> 4];
        *out++ = digits[id[i] & 15];
    }
    *out = '\0';
}

static int value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse(struct slice s, bool hyphens, uint8_t ret[16])
{
    const char *p = s.p;

    if (s.n != (hyphens ? 36 : 32))
        return false;
    for (int i = 0; i < 16; i++, p += 2) {
        if (hyphens && hyphen_at(i) && *p++ != '-')
            return false;
        if (value(p[0]) < 0 || value(p[1]) < 0)
            return false;
        ret[i] = (uint8_t)(value(p[0]) << 4 | value(p[1]));
    }
    return true;
}

void uuid_format(const uint8_t id[16], char out[UUID_TEXT])
{
    format(id, true, out);
}

bool uuid_parse(struct slice s, uint8_t ret[16])
{
    return parse(s, true, ret);
}

int64_t uuid7_ms(const uint8_t id[16])
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms;
}

void hex16_format(const uint8_t id[16], char out[HEX16_TEXT])
{
    format(id, false, out);
}

bool hex16_parse(struct slice s, uint8_t ret[16])
{
    return parse(s, false, ret);
}
