/* What durable lines cost at least: write + fdatasync of the same bytes, so many lines at a time.
 *
 * append INPUT OUTPUT LINES: reads INPUT, then appends it to OUTPUT; prints the seconds that took.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static char *batch_end(char *from, char *end, int lines)
{
    while (lines-- > 0 && from < end)
        from = (char *)memchr(from, '\n', end - from) + 1;
    return from;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    struct stat found;
    int input = open(argv[1], O_RDONLY);
    if (input < 0 || fstat(input, &found) < 0)
        die(argv[1]);
    char *bytes = malloc(found.st_size);
    if (bytes == NULL || read(input, bytes, found.st_size) != found.st_size)
        die("read");
    int output = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (output < 0)
        die(argv[2]);
    char *end = bytes + found.st_size;
    double before = now();
    for (char *at = bytes, *next; at < end; at = next) {
        next = batch_end(at, end, atoi(argv[3]));
        if (write(output, at, next - at) != next - at || fdatasync(output) < 0)
            die("write");
    }
    printf("%.9f\n", now() - before);
    return 0;
}
