/* A disk that fails, for the files of an SQLite database: LD_PRELOADed before libc's calls.
 *
 * The file that DISKFAULT names says what fails, one word: `sync` (fdatasync and fsync fail with EIO; what was written
 * stays in the file), `write` (pwrite fails with EIO), `full` (pwrite: ENOSPC), `readonly` (pwrite: EROFS); a number
 * after it fails so many calls and then works again. An empty or missing file: nothing fails. Only files whose names
 * end with -wal or .sqlite3 are touched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long failed; /* calls that failed, since the wish was made */
static char last[64];

static int ours(int fd)
{
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, name, sizeof name - 1);
    if (size < 8) return 0;
    name[size] = 0;
    return !strcmp(name + size - 4, "-wal") || !strcmp(name + size - 8, ".sqlite3");
}

static int wished(const char *what)
{
    const char *path = getenv("DISKFAULT");
    char wish[64] = "", word[32] = "";
    long count = -1;
    int saved = errno;
    if (!path) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t size = read(fd, wish, sizeof wish - 1);
        wish[size > 0 ? size : 0] = 0;
        close(fd);
    }
    errno = saved;
    if (strcmp(wish, last)) {
        strcpy(last, wish);
        failed = 0;
    }
    if (sscanf(wish, "%31s %ld", word, &count) < 1 || strcmp(word, what)) return 0;
    if (count >= 0 && failed >= count) return 0;
    failed++;
    return 1;
}

static int sync_fails(int fd)
{
    if (!ours(fd) || !wished("sync")) return 0;
    errno = EIO;
    return 1;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return sync_fails(fd) ? -1 : real(fd);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return sync_fails(fd) ? -1 : real(fd);
}

static int write_fails(int fd)
{
    if (!ours(fd)) return 0;
    if (wished("write")) errno = EIO;
    else if (wished("full")) errno = ENOSPC;
    else if (wished("readonly")) errno = EROFS;
    else return 0;
    return 1;
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return write_fails(fd) ? -1 : real(fd, from, size, at);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
    return pwrite64(fd, from, size, at);
}
