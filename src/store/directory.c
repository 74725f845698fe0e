/* A store's directory: made, and taken for one process.
 * SPDX-License-Identifier: MIT */
#include "store/directory.h"

#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static dx_err say_errno(const char *what, const char *path, char *why)
{
    int code = errno;
    dx_why(why, "%s %s: %s", what, path, strerror(code));
    return dx_err_from_errno(code);
}

/* A directory that was made is there after a power loss only when its parent was synced. */
static void sync_parent(const char *path)
{
    char parent[PATH_MAX];
    int fd;

    snprintf(parent, sizeof parent, "%s/..", path);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

dx_err dx_directory_take(const char *directory, int *lock_fd, char *why)
{
    char path[PATH_MAX];

    if (mkdir(directory, 0700) == 0)
        sync_parent(directory);
    else if (errno != EEXIST)
        return say_errno("cannot make", directory, why);
    if (snprintf(path, sizeof path, "%s/lock", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return say_errno("cannot use", directory, why);
    }
    *lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock_fd < 0)
        return say_errno("cannot open", path, why);
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
        return DX_OK;
    if (errno != EWOULDBLOCK)
        return say_errno("cannot lock", path, why);
    dx_why(why, "%s: another server has this directory", directory);
    return DX_ERR_IN_USE;
}

void dx_directory_make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
}
