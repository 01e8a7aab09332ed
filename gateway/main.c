#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/commands.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "0.1.0"
#endif
#define USAGE_ERROR 2

/* A command's own flag: all others are settings. */
static const struct flag {
    const char *command, *name;
    size_t offset;  /* where in struct call its text goes, */
    bool is_switch; /* or that it was given */
} flags[] = {
    { "token", "--scope", offsetof(struct call, scope), false },
    { "token", "--ttl", offsetof(struct call, ttl), false },
    { "token", "--subject", offsetof(struct call, subject), false },
    { "check-config", "--markdown", offsetof(struct call, markdown), true },
};

static const struct command {
    const char *name;
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
    char **out = argv;

    for (char **in = argv; *in; in++) {
        struct slice name = { *in, strcspn(*in, "=") };
        const struct flag *flag = find_flag(command, name);
        char *value = name.p[name.n] ? *in + name.n + 1 : NULL;

        if (!flag) {
            *out++ = *in;
        } else if (flag->is_switch) {
            if (value)
                return misuse("takes no value:", *in);
            *(bool *)((char *)call + flag->offset) = true;
        } else {
            if (!value && !(value = *++in))
                return misuse("a value is missing after", flag->name);
            *(const char **)(void *)((char *)call + flag->offset) = value;
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

int main(int argc, char **argv)
{
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
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argv + 2);
    return misuse("there is no command", argv[1]);
}
