/* stamp FILE ...: appends when main() began, in nanoseconds since the epoch, and the last argument.
 *
 * What a burst starts. Whoever starts it, it measures alike: from the instant that was due to this.
 * Its last argument tells who it was, so that a missing and a doubled start are seen. One write each:
 * lines do not mix.
 */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    char line[256];
    clock_gettime(CLOCK_REALTIME, &now);
    if (argc < 2)
        return 2;

    const char *name = strrchr(argv[argc - 1], '/');
    name = name ? name + 1 : argv[argc - 1];
    size_t name_length = strlen(name);
    char digits[24];
    size_t at = sizeof digits;
    for (long long ns = now.tv_sec * 1000000000LL + now.tv_nsec; ns; ns /= 10)
        digits[--at] = '0' + ns % 10;
    size_t length = sizeof digits - at;
    if (length + name_length + 2 > sizeof line)
        return 2;
    memcpy(line, digits + at, length);
    line[length] = ' ';
    memcpy(line + length + 1, name, name_length);
    line[length + name_length + 1] = '\n';

    int file = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    return file < 0 || write(file, line, length + name_length + 2) < 0;
}
