/* Faults on demand: preloaded into a process, it lets calls that write below one folder fail, and
 * can set the clock back. What it does is set by the functions at the end, through ctypes.
 *
 * Descriptors are traced to paths by /proc when they are used, so nothing has to be kept of opens.
 * A write that fails has written half of its bytes, as a disk that fills up or breaks may do. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MODE_OF(flags, last)               \
    mode_t mode = 0;                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list arguments;                 \
        va_start(arguments, last);         \
        mode = va_arg(arguments, mode_t);  \
        va_end(arguments);                 \
    }

/* The function of the C library that one of ours stands before. */
#define REAL(type, name, ...)                                      \
    static type (*real)(__VA_ARGS__);                              \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, name);

static char watched[PATH_MAX]; /* the folder; empty while nothing is watched */
static char failed[PATH_MAX + 64];
static long calls, first_fault, last_fault, clock_call, clock_shift;
static int fault;

static int below(const char *path) {
    size_t length = strlen(watched);
    return length != 0 && path != NULL && strncmp(path, watched, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

/* Counts a call on a path; true if it is to fail, with errno set. */
static int fails(const char *name, const char *path) {
    if (!below(path)) return 0;
    calls++;
    if (calls < first_fault || calls > last_fault) return 0;
    if (failed[0] == '\0') snprintf(failed, sizeof failed, "%s %s", name, path + strlen(watched));
    errno = fault;
    return 1;
}

static int fails_at(const char *name, int descriptor) {
    char link[64], path[PATH_MAX];
    int before = errno;
    if (watched[0] == '\0') return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = '\0';
    return fails(name, path);
}

/* Files */

int open(const char *path, int flags, ...) {
    REAL(int, "open", const char *, int, ...)
    MODE_OF(flags, flags)
    if (flags & O_CREAT && fails("open", path)) return -1;
    return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...)
    MODE_OF(flags, flags)
    if (flags & O_CREAT && fails("open", path)) return -1;
    return real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    REAL(int, "openat", int, const char *, int, ...)
    MODE_OF(flags, flags)
    if (flags & O_CREAT && fails("open", path)) return -1;
    return real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL(int, "openat64", int, const char *, int, ...)
    MODE_OF(flags, flags)
    if (flags & O_CREAT && fails("open", path)) return -1;
    return real(folder, path, flags, mode);
}

ssize_t write(int descriptor, const void *content, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t)
    int broken = fails_at("write", descriptor);
    ssize_t written = real(descriptor, content, broken ? size / 2 : size);
    if (broken) errno = fault;
    return broken ? -1 : written;
}

ssize_t pwrite(int descriptor, const void *content, size_t size, off_t place) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)
    int broken = fails_at("pwrite", descriptor);
    ssize_t written = real(descriptor, content, broken ? size / 2 : size, place);
    if (broken) errno = fault;
    return broken ? -1 : written;
}

ssize_t pwrite64(int descriptor, const void *content, size_t size, off64_t place) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
    int broken = fails_at("pwrite", descriptor);
    ssize_t written = real(descriptor, content, broken ? size / 2 : size, place);
    if (broken) errno = fault;
    return broken ? -1 : written;
}

/* Nothing here loses power: waiting for the disk would only take time. */
int fsync(int descriptor) { return fails_at("fsync", descriptor) ? -1 : 0; }

int fdatasync(int descriptor) { return fails_at("fdatasync", descriptor) ? -1 : 0; }

int ftruncate(int descriptor, off_t size) {
    REAL(int, "ftruncate", int, off_t)
    return fails_at("ftruncate", descriptor) ? -1 : real(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t)
    return fails_at("ftruncate", descriptor) ? -1 : real(descriptor, size);
}

int posix_fallocate64(int descriptor, off64_t place, off64_t size) {
    REAL(int, "posix_fallocate64", int, off64_t, off64_t)
    return fails_at("posix_fallocate", descriptor) ? fault : real(descriptor, place, size);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *)
    return fails("rename", to) ? -1 : real(from, to);
}

int renameat(int here, const char *from, int there, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *)
    return fails("rename", to) ? -1 : real(here, from, there, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *)
    return fails("unlink", path) ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int)
    return fails("unlink", path) ? -1 : real(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t)
    return fails("mkdir", path) ? -1 : real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t)
    return fails("mkdir", path) ? -1 : real(folder, path, mode);
}

/* The clock */

static long shift(void) { return clock_call != 0 && calls >= clock_call ? clock_shift : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *)
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    REAL(int, "gettimeofday", struct timeval *, void *)
    int result = real(now, zone);
    if (result == 0) now->tv_sec += shift();
    return result;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now != NULL) *now = exact.tv_sec;
    return exact.tv_sec;
}

/* What a test sets and asks */

void shim_watch(const char *folder, long first, long last, int error) {
    snprintf(watched, sizeof watched, "%s", folder);
    failed[0] = '\0';
    calls = 0;
    first_fault = first;
    last_fault = last;
    fault = error;
}

void shim_unwatch(void) { watched[0] = '\0'; }

void shim_shift_clock(long call, long seconds) {
    clock_call = call;
    clock_shift = seconds;
}

long shim_calls(void) { return calls; }

const char *shim_failed(void) { return failed; }
