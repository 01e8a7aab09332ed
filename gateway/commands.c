#include "gateway/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"
#include "gateway/base/clock.h"
#include "gateway/dev/secret.h"
#include "gateway/engine/outbound_file.h"
#include "gateway/http/auth.h"

int complain(const char *sentence)
{
    fprintf(stderr, "weir: %s\n", sentence);
    return 1;
}

int command_check_config(struct call *call)
{
    struct outbound_file *file;
    char err[512];

    if (call->markdown) {
        config_markdown(stdout);
        return 0;
    }
    config_print(&call->config, stdout);
    fflush(stdout);
    if (!(file = outbound_file_load(call->config.outbound_file, err)))
        return complain(err);
    outbound_file_free(file);
    return 0;
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

int command_migrate(struct call *call)
{
    const struct config *c = &call->config;
    const struct db_config db = { c->database_url, "weir migrate", c->database_connect_timeout_us,
                                  c->database_statement_timeout_us, false };
    struct fault f = { 0 };

    if (!c->database_url[0])
        return complain("there is no database to migrate: set WEIR_DATABASE_URL or give --database-url");
    if (migrate_up(&db, say, &f))
        return complain(f.detail);
    say("The database is up to date.");
    return 0;
}

int command_token(struct call *call)
{
    const char *ttl = call->ttl ? call->ttl : "1h", *subject = call->subject ? call->subject : "weir token";
    char *secret = NULL, *token, err[512];
    int64_t ttl_us;

    if (!call->scope || !call->scope[0]) {
        complain("say what the token may do, for example --scope 'publish:orders.* subscribe:orders.*'");
        return 2;
    }
    if (!duration_parse(slice_of(ttl), &ttl_us) || ttl_us <= 0) {
        complain("--ttl is a time such as 30m, 1h or 7d");
        return 2;
    }
    secret = call->config.auth_hs256_secret[0] ? strdup(call->config.auth_hs256_secret)
                                               : dev_secret_load(call->config.data_dir, err);
    if (!secret)
        return complain(err);
    token = auth_mint_hs256(slice_of(secret), call->scope, subject, clock_unix_us(), ttl_us);
    free(secret);
    if (!token)
        return complain("the token could not be made");
    puts(token);
    free(token);
    return 0;
}
