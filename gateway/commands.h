#ifndef WEIR_COMMANDS_H
#define WEIR_COMMANDS_H

#include "gateway/base/config.h"

#define TEXTS_MAX 32 /* as many types, and subjects, as a read takes */

/* What a flag was given, each time it was. */
struct texts {
    const char *v[TEXTS_MAX];
    size_t n;
};

/* What a command was called with: its own flags beside the settings. */
struct call {
    struct config config;
    const char *scope, *ttl, *subject; /* weir token; NULL: not given */
    bool markdown;                     /* weir check-config */
    const char *url, *token, *ca_file; /* weir schema check, weir replay; NULL: not given */
    bool also_register;
    const char *stream, *to_stream, *from, *to, *rate, *limit; /* weir replay */
    struct texts types, subjects;
    bool dry_run;
    const char *operand;               /* the one argument that is no flag, of commands that take one */
};

/* Each returns the exit status and has said what went wrong on standard error. */
int command_serve(struct call *call);
int command_dev(struct call *call);
int command_migrate(struct call *call);
int command_token(struct call *call);
int command_check_config(struct call *call);
int command_schema_check(struct call *call);
int command_replay(struct call *call);
int command_healthcheck(struct call *call); /* 0: a gateway with these settings runs here and is ready */

int complain(const char *sentence); /* to standard error; returns 1 */

#endif
