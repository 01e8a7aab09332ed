#ifndef WEIR_HTTP_DIRECT_H
#define WEIR_HTTP_DIRECT_H

#include <stdbool.h>

/* A stream whose connection is suspended is written to directly: resuming it for every event would cost more than the event, and
 * libmicrohttpd walks all that is suspended at each resume. What is written are whole chunks (RFC 9112, 7.1), so libmicrohttpd goes
 * on where it stopped when the stream ends. Loop thread only. */
struct request_internal;

/* The reader has just found nothing more to send, so libmicrohttpd holds nothing of the stream: may it be written directly? */
bool direct_possible(const struct request_internal *in);

/* Lets the reader write what it has. true: all is said for now and the connection stays suspended. false: resume it; libmicrohttpd
 * then asks the reader again, or, with in->ended or in->broken, ends the stream. */
bool direct_pump(struct request_internal *in);

#endif
