#include "gateway/base/config_value.h"

static const char intro[] =
    "A setting comes from its default, the configuration file, the environment or the command line; later wins.\n"
    "The setting http.port is\n"
    "  - `http.port = 8080` in the file that --config or WEIR_CONFIG names: one `name = value` a line; a line that\n"
    "    begins with # is a comment,\n"
    "  - WEIR_HTTP_PORT=8080 in the environment; an empty variable counts as absent,\n"
    "  - --http-port 8080 or --http-port=8080 on the command line.\n"
    "--port is short for --http-port, --address for --http-address. A name that does not exist is refused.\n"
    "Durations: 500ms 30s 5m 12h 7d. Sizes: 65536 64KiB 16MiB 1GiB. Booleans: true false yes no on off 1 0.\n";

static const struct group {
    const char *prefix, *title;
} groups[] = {
    { "database.", "PostgreSQL" },         { "http.", "HTTP" },
    { "tls.", "TLS" },
    { "worker.", "Worker threads" },       { "publish.", "Publishing: limits of a request" },
    { "commit.", "Group commit" },         { "tail.", "Newest events in memory" },
    { "read.", "Reading" },                { "subjects.", "Subjects" },
    { "streams.", "Streams" },             { "retention.", "Retention" },
    { "groups.", "Consumer groups" },      { "projections.", "Projections" },
    { "sagas.", "Sagas" },
    { "dlq.", "Dead letters" },            { "jobs.", "Jobs on dead letters" },
    { "registry.", "Schema registry" },    { "audit.", "Audit log" },
    { "auth.", "Authorization" },
    { "tickets.", "Tickets for browsers" },
    { "quota.", "Quotas" },                { "metrics.", "Metrics" },
    { "outbound.", "Outbound calls" },     { "log.", "Log" },
    { "", "Files and programs" },
};

/* The empty prefix is the group of the names without a dot. */
static bool in_group(const struct config_row *r, const struct group *g)
{
    return *g->prefix ? strncmp(r->name, g->prefix, strlen(g->prefix)) == 0 : !strchr(r->name, '.');
}

void config_print(const struct config *c, FILE *out)
{
    char value[CONFIG_TEXT], from[512];

    for (size_t i = 0; i < config_row_count; i++) {
        config_format(&config_rows[i], c, value);
        config_source(c, i, from);
        if (strcmp(from, "default"))
            fprintf(out, "# %s\n", from);
        fprintf(out, "%s =%s%s\n", config_rows[i].name, *value ? " " : "", value);
    }
}

void config_help(FILE *out)
{
    char allowed[CONFIG_TEXT];

    fprintf(out, "%s", intro);
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *r = &config_rows[i];

        config_allowed(r, allowed);
        fprintf(out, "\n%s =%s%s\n    %s\n    Takes %s.\n", r->name, *r->dflt ? " " : "", r->dflt, r->help, allowed);
    }
}

static void markdown_group(const struct group *g, FILE *out)
{
    char allowed[CONFIG_TEXT], env[CONFIG_NAME];

    fprintf(out, "\n## %s\n\n| setting | environment | default | takes | |\n|---|---|---|---|---|\n", g->title);
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *r = &config_rows[i];
        const char *tick = *r->dflt ? "`" : "";

        if (!in_group(r, g))
            continue;
        config_allowed(r, allowed);
        config_name(r, FORM_ENV, env);
        fprintf(out, "| `%s` | `%s` | %s%s%s | %s | %s |\n", r->name, env, tick, r->dflt, tick, allowed, r->help);
    }
}

void config_markdown(FILE *out)
{
    fprintf(out,
            "# Configuration\n\n"
            "This page is generated from `gateway/base/config_table.c` by `weir check-config --markdown`.\n\n"
            "```\n%s```\n\n"
            "`weir check-config` prints every setting with its value and where it is from, and refuses what\n"
            "`weir serve` would refuse. Variables that Kubernetes makes of a service named `weir`\n"
            "(`WEIR_SERVICE_HOST`, …) are ignored, and so are those of the examples' clients (`WEIR_URL`,\n"
            "`WEIR_TOKEN`, `WEIR_STREAM`, `WEIR_GROUP`, `WEIR_WAIT`).\n",
            intro);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        markdown_group(&groups[i], out);
}
