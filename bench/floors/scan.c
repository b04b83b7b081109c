/* What looking through a log costs at least: pread and memmem of its newest bytes, a MiB at a time.
 *
 * scan BYTES NEEDLE FILE...: looks through so many bytes of the files, the newest file first; prints the
 * seconds that took, and how often the needle was found.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK (1024 * 1024)

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static long count(const char *block, long size, const char *needle)
{
    long hits = 0;
    const char *end = block + size, *hit;
    while ((hit = memmem(block, end - block, needle, strlen(needle))) != NULL) {
        block = hit + 1;
        hits++;
    }
    return hits;
}

int main(int argc, char **argv)
{
    static char block[BLOCK];
    if (argc < 4)
        return 2;
    long left = atol(argv[1]), hits = 0;
    memset(block, 1, BLOCK);
    double before = now();
    for (int number = 3; number < argc && left > 0; number++) {
        struct stat found;
        int file = open(argv[number], O_RDONLY);
        if (file < 0 || fstat(file, &found) < 0) {
            perror(argv[number]);
            return 1;
        }
        for (long end = found.st_size; end > 0 && left > 0;) {
            long size = end < BLOCK ? end : BLOCK;
            end -= size;
            left -= size;
            if (pread(file, block, size, end) != size)
                return 1;
            hits += count(block, size, argv[2]);
        }
        close(file);
    }
    printf("%.9f %ld\n", now() - before, hits);
    return 0;
}
