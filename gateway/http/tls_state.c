#include "gateway/http/tls_state.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

struct file {
    const char *setting, *path;
    gnutls_datum_t text;
};

static bool load(struct file *f, char err[512])
{
    int rc;

    errno = 0;
    if ((rc = gnutls_load_file(f->path, &f->text)) == 0)
        return true;
    return err_tell(err, "%s: cannot read %.300s: %s", f->setting, f->path, errno ? strerror(errno) : gnutls_strerror(rc));
}

static void unload(struct file *f)
{
    if (f->text.data)
        gnutls_memset(f->text.data, 0, f->text.size);
    gnutls_free(f->text.data);
}

/* The server's own certificate serves on when it has expired: clients refuse it, but who watches the log can mend it without an
 * outage of those who do not look. */
static void look_at_times(const struct file *f, gnutls_x509_crt_t leaf)
{
    time_t now = (time_t)(clock_unix_us() / US_PER_S), end = gnutls_x509_crt_get_expiration_time(leaf);

    metric_set(M_TLS_EXPIRES, end);
    if (end <= now)
        log_warn("the certificate has expired: clients will refuse it", L_STR("file", f->path));
    else if (gnutls_x509_crt_get_activation_time(leaf) > now)
        log_warn("the certificate is not valid yet: clients will refuse it", L_STR("file", f->path));
}

static bool check_certificate(const struct file *f, char err[512])
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int rc = gnutls_x509_crt_list_import2(&chain, &n, &f->text, GNUTLS_X509_FMT_PEM, 0);

    if (rc < 0 || n == 0)
        return err_tell(err, "%s: %.300s holds no certificate in PEM form, or a broken one: %s", f->setting, f->path,
                      gnutls_strerror(rc));
    look_at_times(f, chain[0]);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return true;
}

static bool check_key(const struct file *f, char err[512])
{
    gnutls_privkey_t key;
    int rc;

    if (memmem(f->text.data, f->text.size, "ENCRYPTED", 9))
        return err_tell(err, "%s: the key in %.300s is encrypted; Weir has nobody to ask for its password", f->setting, f->path);
    if ((rc = gnutls_privkey_init(&key)) == 0) {
        rc = gnutls_privkey_import_x509_raw(key, &f->text, GNUTLS_X509_FMT_PEM, NULL, 0);
        gnutls_privkey_deinit(key);
    }
    if (rc == 0)
        return true;
    return err_tell(err, "%s: %.300s holds no private key in PEM form, or a broken one: %s", f->setting, f->path,
                  gnutls_strerror(rc));
}

static bool add_pair(struct tls_state *s, struct file *certificate, struct file *key, char err[512])
{
    int rc;

    if (!load(certificate, err) || !load(key, err) || !check_certificate(certificate, err) || !check_key(key, err))
        return false;
    rc = gnutls_certificate_set_x509_key_mem2(s->credentials, &certificate->text, &key->text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc >= 0)
        return true;
    if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return err_tell(err, "tls.key: %.180s is not the key of the first certificate in %.180s", key->path, certificate->path);
    return err_tell(err, "tls.certificate: %.180s with %.180s cannot be used: %s", certificate->path, key->path,
                  gnutls_strerror(rc));
}

bool tls_verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
    unsigned status = 0;
    int rc = gnutls_certificate_verify_peers(session, &purpose, 1, &status);

    if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND)
        return true;
    if (rc == 0 && status == 0)
        return true;
    metric_add(M_TLS_CLIENTS_REFUSED, 1);
    return false;
}

/* libmicrohttpd closes a failed handshake without a word: the alert tells the client why. */
static int refuse_client(gnutls_session_t session, gnutls_alert_description_t why)
{
    gnutls_alert_send(session, GNUTLS_AL_FATAL, why);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static int verify_optional(gnutls_session_t session)
{
    return tls_verify_client(session) ? 0 : refuse_client(session, GNUTLS_A_BAD_CERTIFICATE);
}

static int verify_required(gnutls_session_t session)
{
    unsigned n = 0;

    if (gnutls_certificate_get_peers(session, &n) && n)
        return verify_optional(session);
    metric_add(M_TLS_CLIENTS_REFUSED, 1);
    return refuse_client(session, GNUTLS_A_CERTIFICATE_REQUIRED);
}

static bool add_authorities(struct tls_state *s, const struct config *c, struct file *ca, char err[512])
{
    int n;

    if (!load(ca, err))
        return false;
    n = gnutls_certificate_set_x509_trust_mem(s->credentials, &ca->text, GNUTLS_X509_FMT_PEM);
    if (n <= 0)
        return err_tell(err, "%s: %.300s holds no certificate in PEM form, or a broken one: %s", ca->setting, ca->path,
                      gnutls_strerror(n));
    gnutls_certificate_set_verify_function(s->credentials,
                                           strcmp(c->tls_client_auth, "required") == 0 ? verify_required : verify_optional);
    return (s->clients = clientcerts_load(c->auth_keys_file, err)) != NULL;
}

struct tls_state *tls_state_load(const struct config *c, char err[512])
{
    struct file certificate = { "tls.certificate", c->tls_certificate, { 0 } }, key = { "tls.key", c->tls_key, { 0 } };
    struct file ca = { "tls.client_ca", c->tls_client_ca, { 0 } };
    struct tls_state *s = calloc(1, sizeof *s);
    bool good = false;

    if (!s || gnutls_certificate_allocate_credentials(&s->credentials)) {
        err_tell(err, "Memory is out.");
    } else {
        atomic_init(&s->refs, 1);
        good = add_pair(s, &certificate, &key, err) && (!*c->tls_client_ca || add_authorities(s, c, &ca, err));
    }
    unload(&certificate);
    unload(&key);
    unload(&ca);
    if (good)
        return s;
    tls_state_unref(s);
    return NULL;
}

struct tls_state *tls_state_ref(struct tls_state *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tls_state_unref(struct tls_state *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (s->credentials)
        gnutls_certificate_free_credentials(s->credentials);
    clientcerts_free(s->clients);
    free(s);
}
