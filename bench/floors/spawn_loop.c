/* spawn_loop AT_S COUNT PROGRAM [ARGUMENT ...]: the floor of every burst.
 *
 * Waits for the instant, then starts COUNT children with posix_spawn, one after the other, and takes up
 * those that ended in between. An argument "%" becomes the number of the child. Prints for each child when
 * posix_spawn returned, and last when all had ended, in nanoseconds after the instant, one a line.
 * AT_S is seconds since the epoch, with a fraction if need be; 0 is now.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void wait_until(long long at_ns)
{
    struct timespec at = { at_ns / 1000000000LL, at_ns % 1000000000LL };
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL))
        ;
}

static int start(char **argv)
{
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (error)
        fprintf(stderr, "spawn_loop: %s: %s\n", argv[0], strerror(error));
    return error;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int count = atoi(argv[2]), ended = 0;
    char number[16], *told = NULL;
    long long *after_ns = calloc(count, sizeof *after_ns);
    char **child = argv + 3;
    for (int each = 0; child[each]; each++)
        if (!strcmp(child[each], "%"))
            told = child[each] = number;

    long long at_ns = strtod(argv[1], NULL) ? (long long)(strtold(argv[1], NULL) * 1000000000.0L) : now_ns();
    wait_until(at_ns);
    for (int each = 0; each < count; each++) {
        if (told)
            snprintf(number, sizeof number, "%d", each);
        if (start(child))
            return 1;
        after_ns[each] = now_ns() - at_ns;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ended++;
    }
    while (ended < count && waitpid(-1, NULL, 0) > 0)
        ended++;
    long long all_ended_ns = now_ns() - at_ns;

    for (int each = 0; each < count; each++)
        printf("%lld\n", after_ns[each]);
    printf("%lld\n", all_ended_ns);
    return 0;
}
