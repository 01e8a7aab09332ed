#include "tests/unit/token_edits.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/token.h"
#include "tests/unit/tokens.h"

static char *join(char *token, const char *before, const char *after)
{
    char *out;

    if (asprintf(&out, "%s%s%s", before, token, after) < 0)
        abort();
    free(token);
    return out;
}

static char *sig_of(char *token)
{
    return strrchr(token, '.') + 1;
}

#define EDIT(name, body)                                                                                               \
    char *name(char *t)                                                                                                \
    {                                                                                                                  \
        body;                                                                                                          \
        return t;                                                                                                      \
    }
EDIT(without_signature, *sig_of(t) = '\0')
EDIT(without_last_part, sig_of(t)[-1] = '\0')
EDIT(signature_cut_by_one, t[strlen(t) - 1] = '\0')
EDIT(signature_cut_by_four, t[strlen(t) - 4] = '\0'; t[strlen(t) - 1] = 'A')
EDIT(signature_first_bit, *sig_of(t) = *sig_of(t) == 'A' ? 'B' : 'A')
EDIT(padded, t = join(t, "", "="))
EDIT(padded_twice, t = join(t, "", "=="))
EDIT(trailing_newline, t = join(t, "", "\n"))
EDIT(trailing_junk, t = join(t, "", "!!"))
EDIT(trailing_digits, t = join(t, "", "AAAA"))
EDIT(trailing_dot, t = join(t, "", "."))
EDIT(fourth_part, t = join(t, "", ".AAAA"))
EDIT(fifth_part, t = join(t, "", ".AAAA.AAAA"))
EDIT(leading_space, t = join(t, " ", ""))
EDIT(leading_dot, t = join(t, ".", ""))
EDIT(leading_bearer, t = join(t, "Bearer ", ""))
EDIT(space_at_dot, *strchr(t, '.') = ' ')
EDIT(comma_at_dot, *strchr(t, '.') = ',')
EDIT(claims_emptied, char *dot = strchr(t, '.'); memmove(dot + 1, sig_of(t) - 1, strlen(sig_of(t) - 1) + 1))
EDIT(header_emptied, char *dot = strchr(t, '.'); memmove(t, dot, strlen(dot) + 1))
EDIT(only_dots, strcpy(t, ".."))
EDIT(no_dot, strcpy(t, "abcd"))
EDIT(parts_swapped, char *d = strchr(t, '.'); char *o = NULL;
     if (asprintf(&o, "%.*s.%.*s.%s", (int)(sig_of(t) - d - 2), d + 1, (int)(d - t), t, sig_of(t)) < 0) abort(); free(t); t = o)
EDIT(signature_zeroed, memset(sig_of(t), 'A', strlen(sig_of(t))))
EDIT(signature_doubled, char *s = strdup(sig_of(t)); t = join(t, "", s); free(s))
EDIT(too_long, char *pad = calloc(1, TOKEN_MAX + 1); memset(pad, 'A', TOKEN_MAX); t = join(t, "", pad); free(pad))

/* 32 bytes leave two bits of their last digit unused: another digit would be another text of the same bytes. */
EDIT(spare_bits_set, t[strlen(t) - 1]++)
EDIT(standard_alphabet, for (char *c = t; *c; c++) *c = *c == '-' ? '+' : *c == '_' ? '/' : *c; t = join(t, "", "+/+/"))

char *claims_replaced(char *t)
{
    char *other = token_sign(BY_HS, "{\"alg\":\"HS256\",\"kid\":\"hs\"}",
                              "{\"exp\":1800003600,\"scope\":\"admin:*\"}"), *out;
    char *dot = strchr(t, '.'), *end = strrchr(other, '.');

    if (asprintf(&out, "%.*s%.*s%s", (int)(dot - t), t, (int)(end - strchr(other, '.')), strchr(other, '.'),
                 sig_of(t) - 1) < 0)
        abort();
    free(other);
    free(t);
    return out;
}

char *header_replaced(char *t)
{
    char *other = token_sign(BY_HS, "{\"alg\":\"HS256\"}", "{\"exp\":1800003600}"), *out;

    if (asprintf(&out, "%.*s%s", (int)(strchr(other, '.') - other), other, strchr(t, '.')) < 0)
        abort();
    free(other);
    free(t);
    return out;
}

static char *reseal(char *t, const unsigned char *sig, size_t n)
{
    unsigned char b64[256];
    int len = EVP_EncodeBlock(b64, sig, (int)n);

    while (b64[len - 1] == '=')
        len--;
    b64[len] = '\0';
    for (unsigned char *c = b64; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    *sig_of(t) = '\0';
    return join(t, "", (const char *)b64);
}

/* Of ES256 and EdDSA. */
static void signature_bytes(const char *t, unsigned char out[96])
{
    char b64[129];
    size_t n = strlen(strrchr(t, '.') + 1);

    snprintf(b64, sizeof b64, "%s==", strrchr(t, '.') + 1);
    for (char *c = b64; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    b64[(n + 3) / 4 * 4] = '\0';
    EVP_DecodeBlock(out, (unsigned char *)b64, (int)strlen(b64));
    if (n * 3 / 4 != 64)
        abort();
}

char *halves_swapped(char *t)
{
    unsigned char sig[96], swapped[64];

    signature_bytes(t, sig);
    memcpy(swapped, sig + 32, 32);
    memcpy(swapped + 32, sig, 32);
    return reseal(t, swapped, 64);
}

char *as_der(char *t)
{
    unsigned char sig[96], der[80], *end = der;
    ECDSA_SIG *pair = ECDSA_SIG_new();

    signature_bytes(t, sig);
    ECDSA_SIG_set0(pair, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
    int n = i2d_ECDSA_SIG(pair, &end);

    ECDSA_SIG_free(pair);
    return reseal(t, der, (size_t)n);
}

/* (r, n - s) verifies as well: RFC 7518 allows both. */
char *other_s(char *t)
{
    unsigned char sig[96];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);

    signature_bytes(t, sig);
    BIGNUM *s = BN_bin2bn(sig + 32, 32, NULL);

    BN_sub(s, EC_GROUP_get0_order(group), s);
    BN_bn2binpad(s, sig + 32, 32);
    BN_free(s);
    EC_GROUP_free(group);
    return reseal(t, sig, 64);
}

/* s + the group's order is the same number modulo it: RFC 8032 demands the smaller. */
char *larger_s(char *t)
{
    static const unsigned char order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2,
                                             0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
    unsigned char sig[96];
    unsigned carry = 0;

    signature_bytes(t, sig);
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    return reseal(t, sig, 64);
}
