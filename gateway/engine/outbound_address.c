#include "gateway/engine/outbound_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What is not public: the first `bits` of an address are these. */
static const struct {
    uint8_t at[4], bits;
} not_v4[] = {
    { { 0 }, 8 },               /* this network */
    { { 10 }, 8 },              /* private */
    { { 100, 64 }, 10 },        /* shared by carriers (CGNAT) */
    { { 127 }, 8 },             /* loopback */
    { { 168, 63, 129, 16 }, 32 }, /* metadata of Azure */
    { { 169, 254 }, 16 },       /* link-local, metadata of other clouds */
    { { 172, 16 }, 12 },        /* private */
    { { 192, 0, 0 }, 24 },      /* protocol assignments */
    { { 192, 0, 2 }, 24 },      /* documentation */
    { { 192, 88, 99 }, 24 },    /* relays of 6to4 */
    { { 192, 168 }, 16 },       /* private */
    { { 198, 18 }, 15 },        /* benchmarks */
    { { 198, 51, 100 }, 24 },   /* documentation */
    { { 203, 0, 113 }, 24 },    /* documentation */
    { { 224 }, 4 },             /* multicast */
    { { 240 }, 4 },             /* reserved, broadcast */
};

/* Inside 2000::/3, outside of which nothing is public. */
static const struct {
    uint8_t at[4], bits;
} not_v6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocol assignments, Teredo, ORCHID */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4: IPv4 of any kind inside */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation */
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };                             /* ::ffff:0:0/96 */
static const uint8_t nat64[12] = { [1] = 0x64, [2] = 0xff, [3] = 0x9b };                    /* 64:ff9b::/96 */

static bool begins(const uint8_t *at, const uint8_t prefix[4], unsigned bits)
{
    uint32_t x, y;

    memcpy(&x, at, sizeof x);
    memcpy(&y, prefix, sizeof y);
    return (ntohl(x) ^ ntohl(y)) >> (32 - bits) == 0;
}

static bool public_v4(const uint8_t at[4])
{
    bool found = false;

    for (size_t i = 0; i < sizeof not_v4 / sizeof *not_v4; i++)
        found |= begins(at, not_v4[i].at, not_v4[i].bits);
    return !found;
}

static bool public_v6(const uint8_t at[16])
{
    bool found = at[0] >> 5 != 1;

    if (!memcmp(at, mapped, sizeof mapped) || !memcmp(at, nat64, sizeof nat64))
        return public_v4(at + 12);
    for (size_t i = 0; i < sizeof not_v6 / sizeof *not_v6; i++)
        found |= begins(at, not_v6[i].at, not_v6[i].bits);
    return !found;
}

bool outbound_address_public(const struct sockaddr *at)
{
    uint8_t v4[4], v6[16];

    if (at->sa_family == AF_INET) {
        memcpy(v4, &((const struct sockaddr_in *)at)->sin_addr, sizeof v4);
        return public_v4(v4);
    }
    if (at->sa_family != AF_INET6)
        return false;
    memcpy(v6, &((const struct sockaddr_in6 *)at)->sin6_addr, sizeof v6);
    return public_v6(v6);
}

bool outbound_text_public(const char *text)
{
    uint8_t at[16];

    if (inet_pton(AF_INET, text, at) == 1)
        return public_v4(at);
    return inet_pton(AF_INET6, text, at) == 1 && public_v6(at);
}
