/* What the tests in C share: a test is a function without arguments, named as a sentence; a check that
   fails says where, and the program ends with 1. */
#ifndef GATEWARD_TESTING_H
#define GATEWARD_TESTING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fixtures.h"
#include "gateward.h"

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(name) {#name, name}
#define NO_MORE {NULL, NULL}

/* The tests of one file, ended by `NO_MORE`. */
extern const struct test audit_tests[], bundle_tests[], delta_tests[], given_tests[], keys_tests[],
    names_tests[], open_tests[], question_tests[], reentrant_tests[], revoked_tests[], storage_tests[],
    time_tests[];

void checked(int holds, const char *what, const char *file, int line);
void compared(uint64_t is, uint64_t expected, const char *what, const char *file, int line);

#define CHECK(condition) checked((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define EQUAL(is, expected) \
    compared((uint64_t)(is), (uint64_t)(expected), #is " is " #expected, __FILE__, __LINE__)
/* A call comes to a status. */
#define GIVES(status, call) compared((call), (status), #call " gives " #status, __FILE__, __LINE__)
#define OK(call) GIVES(GATEWARD_OK, call)
/* What is done leaves every byte of `object` as it is. */
#define LEAVES(object, done)                                 \
    do {                                                     \
        unsigned char before_[sizeof(object)];               \
        memcpy(before_, &(object), sizeof(object));          \
        done;                                                \
        CHECK(memcmp(before_, &(object), sizeof(object)) == 0); \
    } while (0)

/* Each pointer of a call is null in turn, all the others being good. */
#define NULL_IN_TURN(pointers, call)                                \
    for (unsigned turn_ = 0; turn_ < (pointers); turn_++) {         \
        GIVES(GATEWARD_NULL, call);                                 \
    }
#define P(place, pointer) (turn_ == (place) ? NULL : (pointer))

/* Bytes of a fixture: a pointer and a length, as most functions take them. */
#define FIXTURE(name) gateward_fixture_##name, gateward_fixture_##name##_len
#define BYTES(name) gateward_fixture_##name
#define LENGTH(name) gateward_fixture_##name##_len

/* A length that no object has. */
#define ABSURD ((size_t)PTRDIFF_MAX + 1)

/* A copy of `len` bytes that ends where memory ends: reading on is a crash. Freed by `all_freed`. */
unsigned char *at_the_edge(const unsigned char *bytes, size_t len);
/* Memory of the heap, freed by `all_freed`. */
void *memory(size_t len);
void all_freed(void);

#endif
