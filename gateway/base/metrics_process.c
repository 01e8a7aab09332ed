#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics_table.h"

enum figure { CPU_SECONDS, RESIDENT, VIRTUAL, THREADS, START, OPEN_FDS, MAX_FDS, FIGURES };

static const struct metric_row rows[FIGURES] = {
    [CPU_SECONDS] = { "process_cpu_seconds_total", COUNTER, "User and system CPU time.", NULL },
    [RESIDENT] = { "process_resident_memory_bytes", GAUGE, "Resident memory.", NULL },
    [VIRTUAL] = { "process_virtual_memory_bytes", GAUGE, "Virtual memory.", NULL },
    [THREADS] = { "process_threads", GAUGE, "Threads.", NULL },
    [START] = { "process_start_time_seconds", GAUGE, "Start of the process, Unix time.", NULL },
    [OPEN_FDS] = { "process_open_fds", GAUGE, "Open file descriptors.", NULL },
    [MAX_FDS] = { "process_max_fds", GAUGE, "Most file descriptors that may be open.", NULL },
};

static pthread_once_t boot_once = PTHREAD_ONCE_INIT;
static double boot_time; /* taken once: a start time that moves with the clock would look like a restart */

static void find_boot_time(void)
{
    struct timespec up;

    clock_gettime(CLOCK_BOOTTIME, &up);
    boot_time = (double)clock_unix_us() / 1e6 - (double)up.tv_sec - (double)up.tv_nsec / 1e9;
}

static bool read_stat(double v[FIGURES])
{
    const double hz = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
    unsigned long user, system, bytes;
    unsigned long long start;
    long threads, pages;
    char text[1024];
    const char *after_name;
    FILE *f = fopen("/proc/self/stat", "re");
    size_t n;

    if (!f)
        return false;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    /* proc(5): the name, field 2, may hold anything; fields 14, 15, 20, 22, 23 and 24 follow */
    if (!(after_name = strrchr(text, ')')) ||
        sscanf(after_name, ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu %*s %*s %*s %*s %ld %*s %llu %lu %ld",
               &user, &system, &threads, &start, &bytes, &pages) != 6)
        return false;
    pthread_once(&boot_once, find_boot_time);
    v[CPU_SECONDS] = ((double)user + (double)system) / hz;
    v[THREADS] = (double)threads;
    v[START] = boot_time + (double)start / hz;
    v[VIRTUAL] = (double)bytes;
    v[RESIDENT] = (double)pages * page;
    return true;
}

static bool count_fds(double v[FIGURES])
{
    struct rlimit limit;
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    if (!d)
        return false;
    while (readdir(d))
        n++;
    closedir(d);
    v[OPEN_FDS] = n - 3; /* ".", ".." and the directory itself */
    v[MAX_FDS] = getrlimit(RLIMIT_NOFILE, &limit) ? 0 : (double)limit.rlim_cur;
    return true;
}

void metrics_process(struct buf *out)
{
    double v[FIGURES];

    if (!read_stat(v) || !count_fds(v))
        return;
    for (int i = 0; i < FIGURES; i++) {
        metric_head(out, &rows[i]);
        buf_printf(out, "%s %.15g\n", rows[i].name, v[i]);
    }
}
