/* A disk that takes so many bytes in a second, for the process that preloads this.
 *
 * All calls that write to a regular file wait until such a disk would be done with what
 * all threads have written so far. The rate is in the environment variable
 * BENCHMARK_DISK_BYTES_PER_S.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double idle_at; /* when the disk is done with all it was given */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static ssize_t written(int fd, ssize_t size)
{
    const char *rate = getenv("BENCHMARK_DISK_BYTES_PER_S");
    struct stat about;
    if (size <= 0 || rate == NULL || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return size;
    pthread_mutex_lock(&lock);
    double start = now();
    idle_at = (idle_at > start ? idle_at : start) + size / atof(rate);
    double wait = idle_at - start;
    pthread_mutex_unlock(&lock);
    struct timespec t = {(time_t)wait, (long)((wait - (time_t)wait) * 1e9)};
    nanosleep(&t, NULL);
    return size;
}

#define SLOW(name, parameters, ...)                                                    \
    ssize_t name parameters                                                            \
    {                                                                                  \
        static ssize_t (*real) parameters;                                             \
        if (real == NULL)                                                              \
            real = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);                     \
        return written(fd, real(__VA_ARGS__));                                         \
    }

typedef const struct iovec *parts;

SLOW(write, (int fd, const void *data, size_t size), fd, data, size)
SLOW(pwrite, (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
SLOW(pwrite64, (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
SLOW(writev, (int fd, parts data, int n), fd, data, n)
SLOW(pwritev, (int fd, parts data, int n, off_t at), fd, data, n, at)
SLOW(pwritev64, (int fd, parts data, int n, off_t at), fd, data, n, at)
SLOW(pwritev2, (int fd, parts data, int n, off_t at, int flags), fd, data, n, at, flags)
SLOW(pwritev64v2, (int fd, parts data, int n, off_t at, int flags), fd, data, n, at, flags)

/* Not by way of the calls above: the C library has its own way to the system. */
size_t fwrite(const void *data, size_t size, size_t n, FILE *file)
{
    static size_t (*real)(const void *, size_t, size_t, FILE *);
    if (real == NULL)
        real = (size_t(*)(const void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT, "fwrite");
    size_t done = real(data, size, n, file);
    written(fileno(file), (ssize_t)(done * size));
    return done;
}
