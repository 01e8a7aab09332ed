#include "gateway/engine/outbound_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/base/json.h"

#define KEY_MIN 24
#define KEY_MAX 64

bool outbound_key_parse(struct slice text, struct arena *a, struct slice *ret)
{
    static const char prefix[] = "whsec_";
    const size_t n = sizeof prefix - 1;

    if (text.n <= n || memcmp(text.p, prefix, n) || !base64_decode(a, (struct slice){ text.p + n, text.n - n }, ret))
        return false;
    if (ret->n >= KEY_MIN && ret->n <= KEY_MAX)
        return true;
    OPENSSL_cleanse((char *)ret->p, ret->n);
    return false;
}

void outbound_sign(struct buf *out, const struct slice *keys, size_t key_n, struct slice id, int64_t unix_s, struct slice body)
{
    struct buf text = { 0 };
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_n;

    buf_slice(&text, id);
    buf_printf(&text, ".%lld.", (long long)unix_s);
    buf_slice(&text, body);
    out->failed |= text.failed;
    for (size_t i = 0; i < key_n && !out->failed; i++) {
        if (!HMAC(EVP_sha256(), keys[i].p, (int)keys[i].n, (const unsigned char *)text.p, text.n, mac, &mac_n)) {
            out->failed = true;
            break;
        }
        buf_str(out, i ? " v1," : "v1,");
        buf_base64(out, (struct slice){ (const char *)mac, mac_n });
    }
    buf_free(&text);
}

void outbound_id(struct buf *out, struct slice id)
{
    for (size_t i = 0; i < id.n; i++) {
        unsigned char c = (unsigned char)id.p[i];

        if (c <= 0x20 || c >= 0x7f || c == '%')
            buf_printf(out, "%%%02X", c);
        else
            buf_char(out, (char)c);
    }
}
