/* The time of day of the processes that this is preloaded into: the machine's, and so many seconds on or back as the file
 * FAKETIME_TIMESTAMP_FILE says, such as +0 or -120.5; looked at ten times a second. Time that is counted (CLOCK_MONOTONIC)
 * and waits by it stay the machine's. A wait until a time of day would be kept by the machine's too, and end too early or too
 * late: PostgreSQL and the Python of this image (3.11) have none.
 *
 * It stands in for libfaketime, from which it takes that file's name and words: 0.9.10, which Debian 12 ships, shifts waits by
 * CLOCK_MONOTONIC too, so that Python's sleep fails with "Invalid argument", and what would be seen of Patroni is that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

static const char *path;

/* Once: who changes the environment later moves it. */
__attribute__((constructor)) static void find_file(void) {
  const char *named = getenv("FAKETIME_TIMESTAMP_FILE");
  if (named != NULL) path = strdup(named);
}

static int machine(clockid_t clock, struct timespec *now) {
  static int (*_Atomic ask)(clockid_t, struct timespec *);
  if (ask == NULL) ask = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return ask(clock, now);
}

/* The number in a file, in nanoseconds; what it was before where there is none. Nothing that a signal handler may not call. */
static long long read_ns(long long before) {
  char text[32];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return before;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length < 2 || (text[0] != '+' && text[0] != '-')) return before;
  long long ns = 0, worth = 1000000000;
  int part = 0;
  for (ssize_t at = 1; at < length && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9')); at++) {
    if (text[at] == '.') part = 1;
    else if (part) ns += (text[at] - '0') * (worth /= 10);
    else ns = ns * 10 + (text[at] - '0') * 1000000000LL;
  }
  return text[0] == '-' ? -ns : ns;
}

static long long ahead_ns(void) {
  static _Atomic long long ahead, looked;
  struct timespec now;
  machine(CLOCK_MONOTONIC, &now);
  long long ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
  if (looked == 0 || ms - looked >= LOOK_MS) {
    int error = errno;
    looked = ms;
    if (path != NULL) ahead = read_ns(ahead);
    errno = error;
  }
  return ahead;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = machine(clock, now);
  if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
  long long ns = now->tv_sec * 1000000000LL + now->tv_nsec + ahead_ns();
  now->tv_sec = ns / 1000000000;
  now->tv_nsec = ns % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  if (now != NULL) *now = exact.tv_sec;
  return exact.tv_sec;
}
