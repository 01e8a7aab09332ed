#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/commands.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "0.1.0"
#endif
#define USAGE_ERROR 2

/* A command's own flag: all others are settings. Without a name: the one argument that is no flag. */
static const struct flag {
    const char *command, *name;
    size_t offset;  /* where in struct call its text goes, */
    enum { TEXT, SWITCH, TEXTS } kind; /* or that it was given, or one text more */
} flags[] = {
    { "token", "--scope", offsetof(struct call, scope), TEXT },
    { "token", "--ttl", offsetof(struct call, ttl), TEXT },
    { "token", "--subject", offsetof(struct call, subject), TEXT },
    { "check-config", "--markdown", offsetof(struct call, markdown), SWITCH },
    { "schema check", "--url", offsetof(struct call, url), TEXT },
    { "schema check", "--token", offsetof(struct call, token), TEXT },
    { "schema check", "--ca-file", offsetof(struct call, ca_file), TEXT },
    { "schema check", "--register", offsetof(struct call, also_register), SWITCH },
    { "schema check", "", offsetof(struct call, operand), TEXT },
    { "replay", "--url", offsetof(struct call, url), TEXT },
    { "replay", "--token", offsetof(struct call, token), TEXT },
    { "replay", "--ca-file", offsetof(struct call, ca_file), TEXT },
    { "replay", "--stream", offsetof(struct call, stream), TEXT },
    { "replay", "--to-stream", offsetof(struct call, to_stream), TEXT },
    { "replay", "--from", offsetof(struct call, from), TEXT },
    { "replay", "--to", offsetof(struct call, to), TEXT },
    { "replay", "--type", offsetof(struct call, types), TEXTS },
    { "replay", "--subject", offsetof(struct call, subjects), TEXTS },
    { "replay", "--rate", offsetof(struct call, rate), TEXT },
    { "replay", "--limit", offsetof(struct call, limit), TEXT },
    { "replay", "--dry-run", offsetof(struct call, dry_run), SWITCH },
};

static const struct command {
    const char *name; /* one word or two */
    int (*run)(struct call *call);
    const char *arguments, *help;
} commands[] = {
    { "dev", command_dev, "[--port N] [--data-dir D] [--ready-file F]",
      "serve with a private PostgreSQL under ./.weir, for development" },
    { "serve", command_serve, "[--database-url U] [--port N] [--ready-file F]",
      "serve on a PostgreSQL database; pending migrations are applied first" },
    { "migrate", command_migrate, "[--database-url U]", "apply pending migrations and end" },
    { "token", command_token, "--scope 'publish:orders.*' [--ttl 1h] [--subject S] [--data-dir D]",
      "print a token signed with the development key, or with auth.hs256_secret" },
    { "healthcheck", command_healthcheck, "[--address A] [--port N]",
      "ask the gateway on this machine whether it is ready: status 0 if it is" },
    { "schema check", command_schema_check, "--url U [--token T] [--ca-file F] [--register] DIR",
      "compare the schemas of a folder with a registry: status 1 if one of them would break something" },
    { "replay", command_replay,
      "--url U [--token T] [--ca-file F] --stream S --to-stream D [--from TIME|CURSOR] [--to TIME|CURSOR]\n"
      "        [--type P]... [--subject P]... [--rate N] [--limit N] [--dry-run]",
      "copy a range of a stream's events into another stream; what is there already is not copied again" },
    { "check-config", command_check_config, "[--markdown]",
      "print the settings in force (--markdown: the reference page)" },
};

static void usage(FILE *out)
{
    fputs("Weir: event streams over plain HTTP, on PostgreSQL.\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "weir %s %s\n    %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs("weir --version\nweir --help\n", out);
}

static int help(void)
{
    usage(stdout);
    fputs("\nEvery command takes every setting.\n\n", stdout);
    config_help(stdout);
    return 0;
}

static int misuse(const char *what, const char *argument)
{
    fprintf(stderr, "weir: %s %s; weir --help tells more\n", what, argument);
    return USAGE_ERROR;
}

static int keep(const struct flag *flag, struct call *call, const char *value)
{
    void *to = (char *)call + flag->offset;
    struct texts *texts = to;

    if (flag->kind == TEXT)
        *(const char **)to = value;
    else if (texts->n == TEXTS_MAX)
        return misuse("too many times:", flag->name);
    else
        texts->v[texts->n++] = value;
    return 0;
}

static const struct flag *find_flag(const char *command, struct slice name)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (slice_is(name, flags[i].name) && strcmp(flags[i].command, command) == 0)
            return &flags[i];
    return NULL;
}

/* Moves the command's own flags from argv into call; what stays are settings. */
static int take_flags(const char *command, char **argv, int *argc, struct call *call)
{
    const struct flag *operand = find_flag(command, SLICE(""));
    char **out = argv;
    bool setting = false; /* the last argument named a setting, whose value may follow */
    int status;

    for (char **in = argv; *in; in++) {
        struct slice name = { *in, strcspn(*in, "=") };
        const struct flag *flag = name.n ? find_flag(command, name) : NULL;
        char *value = name.p[name.n] ? *in + name.n + 1 : NULL;
        bool is_flag = strncmp(*in, "--", 2) == 0, may_be_value = setting && !is_flag;

        setting = !flag && is_flag && !value;
        if (!flag && !is_flag && !may_be_value && operand) {
            *(const char **)(void *)((char *)call + operand->offset) = *in;
            operand = NULL;
        } else if (!flag) {
            *out++ = *in;
        } else if (flag->kind == SWITCH) {
            if (value)
                return misuse("takes no value:", *in);
            *(bool *)((char *)call + flag->offset) = true;
        } else {
            if (!value && !(value = *++in))
                return misuse("a value is missing after", flag->name);
            if ((status = keep(flag, call, value)))
                return status;
        }
    }
    *out = NULL;
    *argc = (int)(out - argv);
    return 0;
}

static int run_command(const struct command *command, char **argv)
{
    static const char *const levels[] = { "debug", "info", "warn", "error", "off" };
    struct call call = { 0 };
    char err[512];
    int argc, status;

    if ((status = take_flags(command->name, argv, &argc, &call)))
        return status;
    if (!config_load(&call.config, argc, argv, environ, err)) {
        complain(err);
        return USAGE_ERROR;
    }
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(call.config.log_level, levels[i]) == 0)
            log_setup((enum log_level)i, isatty(STDERR_FILENO));
    status = command->run(&call);
    config_free(&call.config);
    return status;
}

/* How many of these words call the command; 0: they call another. */
static size_t words_of(const struct command *command, char **argv)
{
    const char *second = strchr(command->name, ' ');

    if (!second)
        return strcmp(argv[0], command->name) == 0;
    return slice_is((struct slice){ command->name, (size_t)(second - command->name) }, argv[0]) && argv[1] &&
                   strcmp(argv[1], second + 1) == 0
               ? 2
               : 0;
}

int main(int argc, char **argv)
{
    size_t words;

    if (argc < 2) {
        usage(stderr);
        return USAGE_ERROR;
    }
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
    if (strcmp(argv[1], "--version") == 0) {
        puts("weir " WEIR_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if ((words = words_of(&commands[i], argv + 1)))
            return run_command(&commands[i], argv + 1 + words);
    return misuse("there is no command", argv[1]);
}
