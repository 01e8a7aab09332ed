#include "gateway/http/tls.h"

#include <gnutls/abstract.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/clients.h"
#include "gateway/http/tls_peer.h"
#include "gateway/http/tls_state.h"

/* TLS 1.2 without forward secrecy or with CBC is not offered. Among what is, the client chooses: a group of ours that it has sent no
 * share for would cost a round trip. */
static const char only_13[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
static const char from_12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-AES-128-CBC:-AES-256-CBC";

struct tls {
    const struct config *config;
    gnutls_certificate_request_t ask;
    struct MHD_OptionItem options[3];
    atomic_uint turn;              /* counts the states; a peer that has another one looks again */
    pthread_mutex_t lock;          /* guards state */
    struct tls_state *state;
};

/* In force until tls_accept has given the session its credentials: without them no handshake succeeds. */
static int no_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
                          unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_n, gnutls_privkey_t *key, unsigned *flags)
{
    (void)session, (void)info, (void)certs, (void)n, (void)ocsp, (void)ocsp_n, (void)key, (void)flags;
    return -1;
}

bool tls_new(const struct config *c, struct tls **ret, char err[512])
{
    struct tls *t;
    const char *priorities = strcmp(c->tls_min_version, "1.2") == 0 ? from_12 : only_13;

    *ret = NULL;
    if (!*c->tls_certificate)
        return true;
    if (!(t = calloc(1, sizeof *t))) {
        snprintf(err, 512, "Memory is out.");
        return false;
    }
    t->config = c;
    t->ask = strcmp(c->tls_client_auth, "off") == 0 ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST; /* tls_state.c insists */
    t->options[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities };
    memcpy(&t->options[1].ptr_value, &(gnutls_certificate_retrieve_function3 *){ no_certificate }, sizeof(void *));
    t->options[1].option = MHD_OPTION_HTTPS_CERT_CALLBACK2;
    t->options[2] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    atomic_init(&t->turn, 0);
    pthread_mutex_init(&t->lock, NULL);
    if ((t->state = tls_state_load(c, err))) {
        *ret = t;
        return true;
    }
    tls_free(t);
    return false;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    tls_state_unref(t->state);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

bool tls_reload(struct tls *t, char err[512])
{
    struct tls_state *next = tls_state_load(t->config, err), *old;

    if (!next)
        return false;
    pthread_mutex_lock(&t->lock);
    old = t->state;
    t->state = next;
    atomic_fetch_add(&t->turn, 1);
    pthread_mutex_unlock(&t->lock);
    tls_state_unref(old);
    return true;
}

struct MHD_OptionItem *tls_options(struct tls *t)
{
    return t->options;
}

/* Takes the state in force: its credentials are the session's from now on. */
static void take_state(struct tls_peer *peer)
{
    struct tls *t = peer->tls;
    struct tls_state *old = peer->state;

    pthread_mutex_lock(&t->lock);
    peer->state = tls_state_ref(t->state);
    peer->turn = atomic_load(&t->turn);
    pthread_mutex_unlock(&t->lock);
    gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, peer->state->credentials);
    tls_state_unref(old);
}

/* The client's Finished is the last message of a TLS 1.3 handshake. What came until now was no part of a request. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *message)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(gnutls_session_get_ptr(session), MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info ? info->socket_context : NULL;

    (void)type, (void)when, (void)message;
    if (!incoming || !client || !client->tls)
        return 0;
    client->tls->established = true;
    client_idle(client, clock_mono_us());
    return 0;
}

struct tls_peer *tls_accept(struct tls *t, struct MHD_Connection *connection, struct handshakes *running)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct tls_peer *peer = info ? calloc(1, sizeof *peer) : NULL;

    if (!peer)
        return NULL;
    peer->tls = t;
    peer->session = info->tls_session;
    peer->connection = connection;
    take_state(peer);
    gnutls_certificate_server_set_request(peer->session, t->ask);
    gnutls_handshake_set_hook_function(peer->session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
    handshake_run(running, peer);
    return peer;
}

void tls_peer_free(struct tls_peer *peer)
{
    if (!peer)
        return;
    handshake_leave(peer);
    if (!peer->established)
        metric_add(M_TLS_HANDSHAKES_FAILED, 1);
    principal_unref(peer->who);
    tls_state_unref(peer->state);
    free(peer);
}

bool tls_peer_established(const struct tls_peer *peer)
{
    return peer->established;
}

bool tls_peer_farewell(struct tls_peer *peer, const char *answer, size_t n)
{
    bool sent;

    if (!peer->established)
        return false;
    sent = n && gnutls_record_send(peer->session, answer, n) == (ssize_t)n;
    gnutls_bye(peer->session, GNUTLS_SHUT_WR);
    return sent;
}

/* The end of the chain as it was sent: that of the certificate in it which expires first. */
static int64_t chain_expires_us(const gnutls_datum_t *chain, unsigned n)
{
    int64_t first = INT64_MAX;

    for (unsigned i = 0; i < n; i++) {
        int64_t us = clientcert_expires_us((struct slice){ (const char *)chain[i].data, chain[i].size });
        first = us < first ? us : first;
    }
    return first;
}

static void look_at_certificate(struct tls_peer *peer)
{
    unsigned n = 0;
    const gnutls_datum_t *chain;

    if (peer->looked)
        take_state(peer);
    principal_unref(peer->who);
    peer->who = NULL;
    chain = gnutls_certificate_get_peers(peer->session, &n);
    peer->has_certificate = chain && n;
    peer->accepted = !peer->looked || tls_verify_client(peer->session); /* the handshake verified it with the same state */
    if (peer->has_certificate && peer->accepted) {
        peer->expires_us = chain_expires_us(chain, n);
        peer->who = clientcerts_find(peer->state->clients, (struct slice){ (const char *)chain[0].data, chain[0].size },
                                     peer->expires_us);
    }
    peer->looked = true;
}

enum err tls_peer_identify(struct tls_peer *peer, int64_t now_unix_us, struct principal **ret, struct fault *f)
{
    *ret = NULL;
    if (peer->tls->ask == GNUTLS_CERT_IGNORE)
        return OK;
    if (!peer->looked || peer->turn != atomic_load(&peer->tls->turn))
        look_at_certificate(peer);
    if (!peer->has_certificate)
        return OK;
    if (!peer->accepted)
        return fault(f, ERR_UNAUTHENTICATED, "The client certificate is not accepted any more; connect again with another one.");
    if (now_unix_us >= peer->expires_us)
        return fault(f, ERR_UNAUTHENTICATED, "The client certificate has expired; connect again with a new one.");
    if (peer->who)
        *ret = principal_ref(peer->who);
    return OK;
}

bool tls_peer_stands(struct tls_peer *peer, const struct principal *who)
{
    bool by_certificate;

    if (!peer->looked || !peer->has_certificate)
        return true;
    by_certificate = peer->who && slice_eq(principal_issuer(who), principal_issuer(peer->who)) &&
                     slice_eq(principal_subject(who), principal_subject(peer->who));
    if (peer->turn != atomic_load(&peer->tls->turn))
        look_at_certificate(peer);
    return peer->accepted && (!by_certificate || peer->who);
}

bool tls_peer_has_certificate(const struct tls_peer *peer)
{
    return peer->has_certificate;
}
