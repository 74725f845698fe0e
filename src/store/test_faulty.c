/* A medium that fails, or loses power.
 * SPDX-License-Identifier: MIT */
#include "store/test_faulty.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, MEDIA_MAX = 16 };

/* Something done to a file since it was synced. at NULL: it was cut to `offset` bytes. */
typedef struct deed {
    struct deed *next;
    size_t offset, size;
    unsigned char *at;
} deed;

/* A file as the medium has it. */
typedef struct medium {
    char path[512];
    int opened;
    unsigned char *image; /* synced */
    size_t size, capacity;
    deed *first, **end;
} medium;

typedef struct faulty_file {
    sqlite3_file base;
    medium *on; /* NULL: not of interest */
    _Alignas(8) unsigned char below[];
} faulty_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static medium media[MEDIA_MAX];
static struct {
    faulty_kind kind;
    long nth, count;
    int code, error;
    bool has_failed;
} plan;
static long counts[FAULTY_KINDS];

static sqlite3_file *below_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((faulty_file *)(void *)file)->below;
}

static sqlite3_vfs *system_vfs(void)
{
    return sqlite3_vfs_find("unix");
}

/* ---- the plan ---- */

/* SQLITE_OK: go on. Under the lock. */
static int is_planned(faulty_kind kind)
{
    counts[kind]++;
    if (plan.count <= 0 || plan.kind != kind || --plan.nth > 0)
        return SQLITE_OK;
    plan.count--;
    plan.has_failed = true;
    errno = plan.error;
    return plan.code;
}

void faulty_arm(faulty_kind kind, long nth, long count, int code, int error)
{
    pthread_mutex_lock(&lock);
    plan.kind = kind, plan.nth = nth, plan.count = count;
    plan.code = code, plan.error = error;
    plan.has_failed = false;
    pthread_mutex_unlock(&lock);
}

bool faulty_heal(void)
{
    pthread_mutex_lock(&lock);
    plan.count = 0;
    bool has_failed = plan.has_failed;
    pthread_mutex_unlock(&lock);
    return has_failed;
}

bool faulty_has_failed(void)
{
    pthread_mutex_lock(&lock);
    bool has_failed = plan.has_failed;
    pthread_mutex_unlock(&lock);
    return has_failed;
}

long faulty_count(faulty_kind kind)
{
    pthread_mutex_lock(&lock);
    long count = counts[kind];
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- the medium ---- */

static void forget_deeds(medium *m)
{
    for (deed *d = m->first, *next; d; d = next) {
        next = d->next;
        free(d->at);
        free(d);
    }
    m->first = NULL, m->end = &m->first;
}

static void image_resize(unsigned char **image, size_t *size, size_t *capacity, size_t to)
{
    if (to > *capacity) {
        *capacity = to * 2;
        *image = realloc(*image, *capacity);
        dx_assert(*image != NULL);
    }
    if (to > *size)
        memset(*image + *size, 0, to - *size);
    *size = to;
}

static void image_write(medium *m, size_t offset, const unsigned char *from, size_t size)
{
    if (offset + size > m->size)
        image_resize(&m->image, &m->size, &m->capacity, offset + size);
    memcpy(m->image + offset, from, size);
}

static void add_deed(medium *m, size_t offset, const void *from, size_t size)
{
    deed *d = calloc(1, sizeof *d);

    dx_assert(d != NULL);
    d->offset = offset, d->size = size;
    if (from) {
        d->at = malloc(size);
        dx_assert(d->at != NULL);
        memcpy(d->at, from, size);
    }
    *m->end = d, m->end = &d->next;
}

static void sync_deeds(medium *m)
{
    for (const deed *d = m->first; d; d = d->next)
        if (d->at)
            image_write(m, d->offset, d->at, d->size);
        else if (d->offset < m->size)
            m->size = d->offset;
    forget_deeds(m);
}

static medium *medium_open(const char *path)
{
    medium *m = NULL;

    for (size_t i = 0; i < MEDIA_MAX; i++)
        if (media[i].opened && strcmp(media[i].path, path) == 0)
            m = &media[i];
    for (size_t i = 0; i < MEDIA_MAX && m == NULL; i++)
        if (media[i].opened == 0)
            m = &media[i];
    dx_assert(m != NULL);
    if (m->opened++ > 0)
        return m;
    snprintf(m->path, sizeof m->path, "%s", path);
    m->end = &m->first;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size > 0) {
        image_resize(&m->image, &m->size, &m->capacity, (size_t)size);
        dx_assert(pread(fd, m->image, (size_t)size, 0) == size);
    }
    if (fd >= 0)
        close(fd);
    return m;
}

static void medium_close(medium *m)
{
    if (--m->opened > 0)
        return;
    forget_deeds(m);
    free(m->image);
    *m = (medium){0};
}

/* ---- files ---- */

static int faulty_close(sqlite3_file *file)
{
    faulty_file *f = (faulty_file *)(void *)file;
    sqlite3_file *below = below_of(file);

    pthread_mutex_lock(&lock);
    if (f->on)
        medium_close(f->on);
    pthread_mutex_unlock(&lock);
    return below->pMethods->xClose(below);
}

static int faulty_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
    sqlite3_file *below = below_of(file);

    pthread_mutex_lock(&lock);
    int code = is_planned(FAULTY_READ);
    pthread_mutex_unlock(&lock);
    return code ? code : below->pMethods->xRead(below, to, size, offset);
}

static int faulty_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    faulty_file *f = (faulty_file *)(void *)file;
    sqlite3_file *below = below_of(file);

    pthread_mutex_lock(&lock);
    int code = is_planned(FAULTY_WRITE);
    if (code == SQLITE_OK)
        code = below->pMethods->xWrite(below, from, size, offset);
    if (code == SQLITE_OK && f->on)
        add_deed(f->on, (size_t)offset, from, (size_t)size);
    pthread_mutex_unlock(&lock);
    return code;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    faulty_file *f = (faulty_file *)(void *)file;
    sqlite3_file *below = below_of(file);

    pthread_mutex_lock(&lock);
    int code = is_planned(FAULTY_TRUNCATE);
    if (code == SQLITE_OK)
        code = below->pMethods->xTruncate(below, size);
    if (code == SQLITE_OK && f->on)
        add_deed(f->on, (size_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return code;
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    faulty_file *f = (faulty_file *)(void *)file;

    pthread_mutex_lock(&lock);
    int code = is_planned(FAULTY_SYNC);
    if (f->on && code == SQLITE_OK)
        sync_deeds(f->on);
    else if (f->on)
        forget_deeds(f->on);
    pthread_mutex_unlock(&lock);
    return code;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xFileSize(below, ret);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xLock(below, level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xUnlock(below, level);
}

static int faulty_reserved(sqlite3_file *file, int *ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xCheckReservedLock(below, ret);
}

static int faulty_control(sqlite3_file *file, int operation, void *argument)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xFileControl(below, operation, argument);
}

static int faulty_sector(sqlite3_file *file)
{
    return SECTOR;
}

static int faulty_device(sqlite3_file *file)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as the system's; what the images keep to */
}

static int faulty_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmMap(below, page, size, extend, ret);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmLock(below, offset, count, flags);
}

static void faulty_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    below->pMethods->xShmBarrier(below);
}

static int faulty_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmUnmap(below, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_reserved,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_device,
    .xShmMap = faulty_shm_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_shm_barrier,
    .xShmUnmap = faulty_shm_unmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
    faulty_file *f = (faulty_file *)(void *)file;
    sqlite3_file *below = below_of(file);

    file->pMethods = NULL;
    f->on = NULL;
    int code = system_vfs()->xOpen(system_vfs(), path, below, flags, ret);
    if (below->pMethods)
        file->pMethods = &methods;
    if (code == SQLITE_OK && path && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) {
        pthread_mutex_lock(&lock);
        f->on = medium_open(path);
        pthread_mutex_unlock(&lock);
    }
    return code;
}

const char *faulty_vfs(void)
{
    static sqlite3_vfs vfs;

    if (vfs.zName == NULL) {
        vfs = *system_vfs(); /* its other calls know nothing of files' methods */
        vfs.szOsFile += (int)sizeof(faulty_file);
        vfs.pNext = NULL;
        vfs.zName = "faulty";
        vfs.xOpen = faulty_open;
        dx_assert(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
    }
    return vfs.zName;
}

/* ---- power ---- */

/* Each sector of what was written since the last sync is there or is not. */
static void apply_some(medium *copy, const deed *d, unsigned *random)
{
    if (d->at == NULL) {
        if (rand_r(random) % 2 && d->offset < copy->size)
            copy->size = d->offset;
        return;
    }
    for (size_t at = 0; at < d->size;) {
        size_t size = SECTOR - (d->offset + at) % SECTOR;
        size = size < d->size - at ? size : d->size - at;
        if (rand_r(random) % 2)
            image_write(copy, d->offset + at, d->at + at, size);
        at += size;
    }
}

static void write_image(const medium *m, const char *directory, unsigned *random)
{
    medium copy = {0};
    char path[1024];

    image_resize(&copy.image, &copy.size, &copy.capacity, m->size);
    if (m->size)
        memcpy(copy.image, m->image, m->size);
    int kind = rand_r(random) % 4; /* a quarter of them: nothing of it */
    for (const deed *d = m->first; d && kind; d = d->next)
        apply_some(&copy, d, random);
    snprintf(path, sizeof path, "%s%s", directory, strrchr(m->path, '/'));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dx_assert(fd >= 0);
    dx_assert(write(fd, copy.image, copy.size) == (ssize_t)copy.size);
    close(fd);
    free(copy.image);
}

void faulty_cut(const char *directory, unsigned seed)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < MEDIA_MAX; i++)
        if (media[i].opened)
            write_image(&media[i], directory, &seed);
    pthread_mutex_unlock(&lock);
}
