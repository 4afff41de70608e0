/* Runs all tests, or those whose names contain an argument; prints how many there were. */
#define _DEFAULT_SOURCE

#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *running = "";
static unsigned long checks, failures;

void checked(int holds, const char *what, const char *file, int line) {
    checks++;
    if (!holds) {
        failures++;
        fprintf(stderr, "%s:%d: %s: not so: %s\n", file, line, running, what);
    }
}

void compared(uint64_t is, uint64_t expected, const char *what, const char *file, int line) {
    checks++;
    if (is != expected) {
        failures++;
        fprintf(stderr, "%s:%d: %s: not so: %s, it is %llu\n", file, line, running, what,
                (unsigned long long)is);
    }
}

/* What the running test holds. */
static struct {
    void *at;
    size_t mapped;
} held[4096];
static size_t helds;

static void hold(void *at, size_t mapped) {
    if (at == NULL || at == MAP_FAILED || helds == sizeof(held) / sizeof(held[0])) {
        fprintf(stderr, "%s: no memory\n", running);
        exit(2);
    }
    held[helds].at = at;
    held[helds++].mapped = mapped;
}

void *memory(size_t len) {
    void *at = calloc(1, len > 0 ? len : 1);
    hold(at, 0);

    return at;
}

unsigned char *at_the_edge(const unsigned char *bytes, size_t len) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (len + page - 1) / page * page;
    unsigned char *pages =
        mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hold(pages, whole + page);
    mprotect(pages + whole, page, PROT_NONE);
    unsigned char *at = pages + whole - len;
    if (len > 0) {
        memcpy(at, bytes, len);
    }

    return at;
}

void all_freed(void) {
    while (helds > 0) {
        helds--;
        if (held[helds].mapped > 0) {
            munmap(held[helds].at, held[helds].mapped);
        } else {
            free(held[helds].at);
        }
    }
}

static unsigned run(const struct test *tests, const char *only) {
    unsigned count = 0;
    for (; tests->name != NULL; tests++) {
        if (only == NULL || strstr(tests->name, only) != NULL) {
            running = tests->name;
            tests->run();
            all_freed();
            count++;
        }
    }

    return count;
}

int main(int count, char **arguments) {
    const struct test *all[] = {keys_tests,    time_tests,     open_tests,  delta_tests,
                                revoked_tests, question_tests, audit_tests, names_tests,
                                bundle_tests,  given_tests,    storage_tests, reentrant_tests};
    const char *only = count > 1 ? arguments[1] : NULL;
    unsigned tests = 0;
    for (size_t file = 0; file < sizeof(all) / sizeof(all[0]); file++) {
        tests += run(all[file], only);
    }
    printf("%u tests in C, %lu checks, %lu failed\n", tests, checks, failures);

    return failures > 0 || tests == 0;
}
