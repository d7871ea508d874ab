/* A disk that keeps a diary, and fails when told to: loaded before libc (LD_PRELOAD), it stands between the program and
 * its files. Leaves out what a restart makes anew: the -shm files of SQLite and locks.
 *
 * SHIM_FOLDER   only files in this folder count
 * SHIM_JOURNAL  where the diary goes: one record for each change and each sync, in their order
 * SHIM_FAIL     while this file exists, the next fdatasync or fsync of a path that contains one of its lines fails with EIO;
 *               the line is removed by it, and the file with its last line
 *
 * A record: kind (1 byte), length of the path (4), offset (8), length of the data (8), path, data; numbers as this machine
 * has them. Kinds: C create, W write, T truncate (offset = new size), M make folder, R rename (data = new path),
 * U unlink, S synced (offset = length of the diary when it began). Whoever reads the diary may add kinds of his own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_FILES = 65536 };

static char *paths[MOST_FILES]; /* of those descriptors that count */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static const char *folder, *fail;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);

static void find(void *place, const char *name) { *(void **)place = dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    find(&real_write, "write");
    find(&real_pwrite, "pwrite");
    find(&real_open, "open");
    find(&real_openat, "openat");
    find(&real_close, "close");
    find(&real_fsync, "fsync");
    find(&real_fdatasync, "fdatasync");
    find(&real_ftruncate, "ftruncate");
    find(&real_rename, "rename");
    find(&real_unlink, "unlink");
    find(&real_mkdir, "mkdir");
    folder = getenv("SHIM_FOLDER");
    fail = getenv("SHIM_FAIL");
    const char *path = getenv("SHIM_JOURNAL");
    if (path)
        journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ends_with(const char *text, const char *end) {
    size_t all = strlen(text), last = strlen(end);
    return all >= last && strcmp(text + all - last, end) == 0;
}

static int counts(const char *path) {
    return folder && path && strncmp(path, folder, strlen(folder)) == 0 && !ends_with(path, "-shm") &&
           !ends_with(path, ".lock");
}

static const char *path_of(int fd) { return fd >= 0 && fd < MOST_FILES ? paths[fd] : NULL; }

/* One write, so that a kill leaves whole records. The lock is held. */
static void note(char kind, const char *path, uint64_t offset, const void *data, uint64_t length) {
    if (journal < 0)
        return;
    uint32_t name = (uint32_t)strlen(path);
    char head[21];
    head[0] = kind;
    memcpy(head + 1, &name, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 8);
    struct iovec parts[3] = {{head, sizeof head}, {(void *)path, name}, {(void *)data, length}};
    ssize_t done = writev(journal, parts, 3);
    if (done != (ssize_t)(sizeof head + name + length))
        abort();
}

static uint64_t length_of_journal(void) {
    struct stat known;
    return journal >= 0 && fstat(journal, &known) == 0 ? (uint64_t)known.st_size : 0;
}

static int opened(int fd, const char *path, int is_new, int flags) {
    if (fd < 0 || fd >= MOST_FILES || !counts(path))
        return fd;
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = strdup(path);
    if (is_new)
        note('C', path, 0, "", 0);
    else if (flags & O_TRUNC)
        note('T', path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_in(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

static int open_any(int at, const char *path, int flags, mode_t mode) {
    int is_new = counts(path) && (flags & O_CREAT) && access(path, F_OK) != 0;
    return opened(real_openat(at, path, flags, mode), path, is_new, flags);
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_in(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return open_any(AT_FDCWD, path, flags, mode);                                                                  \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int at, const char *path, int flags, ...) {                                                               \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_in(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return open_any(at, path, flags, mode);                                                                        \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (path_of(fd)) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

/* The diary is written first: from then on the bytes may be on the disk. */
static ssize_t written_at(int fd, const void *data, size_t length, off_t offset) {
    const char *path = path_of(fd);
    if (!path)
        return real_pwrite(fd, data, length, offset);
    pthread_mutex_lock(&lock);
    note('W', path, (uint64_t)offset, data, length);
    ssize_t done = real_pwrite(fd, data, length, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return written_at(fd, data, length, offset); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return written_at(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
    const char *path = path_of(fd);
    if (!path)
        return real_write(fd, data, length);
    pthread_mutex_lock(&lock);
    note('W', path, (uint64_t)lseek(fd, 0, SEEK_CUR), data, length);
    ssize_t done = real_write(fd, data, length);
    pthread_mutex_unlock(&lock);
    return done;
}

static int truncated(int fd, off_t size) {
    const char *path = path_of(fd);
    if (!path)
        return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    note('T', path, (uint64_t)size, "", 0);
    int done = real_ftruncate(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off_t size) { return truncated(fd, size); }

static int must_fail(const char *path) {
    if (!fail || access(fail, F_OK) != 0)
        return 0;
    char text[256] = {0};
    int fd = real_open(fail, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        real_close(fd);
    if (length <= 0)
        return 0;
    char rest[256] = {0};
    int is_met = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (!is_met && strstr(path, line)) {
            is_met = 1;
        } else {
            strcat(rest, line);
            strcat(rest, "\n");
        }
    }
    if (!is_met)
        return 0;
    if (!rest[0])
        return real_unlink(fail) == 0;
    fd = real_open(fail, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd >= 0) {
        if (real_write(fd, rest, strlen(rest)) < 0)
            abort();
        real_close(fd);
    }
    return 1;
}

static int synced(int fd, int (*real)(int)) {
    const char *path = path_of(fd);
    if (!path)
        return real(fd);
    if (must_fail(path)) {
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    uint64_t covered = length_of_journal();
    char *name = strdup(path);
    pthread_mutex_unlock(&lock);
    int done = real(fd);
    int why = errno;
    pthread_mutex_lock(&lock);
    if (done == 0)
        note('S', name, covered, "", 0);
    pthread_mutex_unlock(&lock);
    free(name);
    errno = why;
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int done = real_rename(from, to);
    int why = errno;
    if (done == 0 && counts(from))
        note('R', from, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int done = real_unlink(path);
    int why = errno;
    if (done == 0 && counts(path))
        note('U', path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}

int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    int done = real_mkdir(path, mode);
    int why = errno;
    if (done == 0 && counts(path))
        note('M', path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}
