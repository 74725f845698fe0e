/* Runs a fuzz target over every file of the directories named, and over every prefix of each: the same
 * program as the fuzzer's, without the fuzzer.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include <dirent.h>

#define FILE_SIZE_MAX (1 << 20)
#define PREFIX_SIZE_MAX 2048 /* of larger files not every prefix is run */

static size_t file_read(const char *path, uint8_t *memory)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    size_t size = fread(memory, 1, FILE_SIZE_MAX, file);
    fclose(file);
    return size;
}

static void file_run(const char *path)
{
    static uint8_t memory[FILE_SIZE_MAX];
    size_t size = file_read(path, memory);

    for (size_t prefix = size <= PREFIX_SIZE_MAX ? 0 : size; prefix <= size; prefix++) {
        dx_bytes copy = fuzz_copy(dx_bytes_at(memory, prefix));
        (void)LLVMFuzzerTestOneInput(copy.at, copy.size);
        fuzz_free(copy);
    }
}

static unsigned directory_run(const char *directory)
{
    DIR *handle = opendir(directory);
    unsigned count = 0;

    FUZZ_CHECK(handle != NULL);
    for (struct dirent *entry; (entry = readdir(handle));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        file_run(path);
        printf("ok %u - %s\n", ++count, entry->d_name);
    }
    closedir(handle);
    return count;
}

/* Usage: corpus_NAME DIRECTORY */
int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    FUZZ_CHECK(argc == 2);
    unsigned count = directory_run(argv[1]);
    printf("1..%u\n", count);
    return count == 0; /* a corpus that is not there is a failure */
}
