/* DOMAIN L6: nothing is static, so calls may run at once where neither writes what the other reads. */
#include "world.h"

#include <pthread.h>

#include "cases.h"

#define CASES (sizeof(gateward_cases) / sizeof(gateward_cases[0]))
#define ROUNDS 20

struct caller {
    const gateward_snapshot *snapshot;
    size_t first;
    unsigned wrong;
};

/* Puts every case, from another one on in every thread. */
static void *calls(void *context) {
    struct caller *caller = context;
    for (size_t at = 0; at < CASES * ROUNDS; at++) {
        const struct gateward_case *one = &gateward_cases[(caller->first + at) % CASES];
        gateward_request request = request_of(one);
        gateward_now now = synced(one->now);
        gateward_decision decision = {0};
        uint32_t status =
            gateward_check_text(caller->snapshot, &request, (const uint8_t *)one->token,
                                strlen(one->token), &now, &decision);
        caller->wrong += status != GATEWARD_OK || decision.reason != one->reason;
    }

    return NULL;
}

static void l6_threads_that_check_at_once_get_the_same(void) {
    struct machine *machine = in_force();
    pthread_t threads[4];
    struct caller callers[4];
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));

    for (size_t at = 0; at < 4; at++) {
        callers[at].snapshot = &machine->snapshot;
        callers[at].first = at * CASES / 4;
        callers[at].wrong = 0;
        CHECK(pthread_create(&threads[at], NULL, calls, &callers[at]) == 0);
    }
    for (size_t at = 0; at < 4; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
        EQUAL(callers[at].wrong, 0);
    }
}

/* An interrupt between any two steps, with a snapshot of its own. */
static void l6_steps_of_two_callers_may_alternate(void) {
    struct machine *one = in_force(), *other = in_force();
    OK(taken(other, FIXTURE(revoked), 0, memory(room(other))));
    gateward_request request = request_of(&gateward_cases[0]);
    const char *text = token_of("token revoked");
    gateward_token tokens[2];
    gateward_ask asks[2];
    gateward_decision decisions[2];

    OK(gateward_token_read((const uint8_t *)text, 66, &tokens[0]));
    OK(gateward_token_read((const uint8_t *)text, 66, &tokens[1]));
    OK(gateward_ask_prepare(&one->snapshot, &request, &asks[0]));
    OK(gateward_ask_prepare(&other->snapshot, &request, &asks[1]));
    OK(gateward_check(&one->snapshot, &asks[0], &tokens[0], &one->now, &decisions[0]));
    OK(gateward_token_clear(&tokens[0]));
    OK(gateward_check(&other->snapshot, &asks[1], &tokens[1], &other->now, &decisions[1]));
    EQUAL(decisions[0].reason, 0);
    EQUAL(decisions[1].reason, 19);
}

/* Asks from within the function that a chunk is written with. */
static uint32_t put(void *context, uint32_t offset, const uint8_t *bytes, size_t len) {
    (void)offset, (void)bytes, (void)len;

    return asked(context, token_of("allowed first row"), 66) != 1000;
}

static void l6_the_writer_may_call_back_in(void) {
    struct machine *machine = in_force();
    gateward_hash_list list;
    OK(gateward_hash_list_check(&machine->manifest, FIXTURE(list), &list));

    OK(gateward_chunk_write(&list, 0, BYTES(file), 4096, put, machine));
}

static void objects_may_be_moved_by_copying_them(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));
    struct machine *moved = memory(sizeof(*moved));
    memcpy(moved, machine, sizeof(*moved));
    memset(machine, 0xa5, sizeof(*machine));

    EQUAL(asked(moved, token_of("allowed first row"), 66), 1000);
    EQUAL(asked(moved, token_of("token revoked"), 66), 1019);
}

const struct test reentrant_tests[] = {
    TEST(l6_threads_that_check_at_once_get_the_same),
    TEST(l6_steps_of_two_callers_may_alternate),
    TEST(l6_the_writer_may_call_back_in),
    TEST(objects_may_be_moved_by_copying_them),
    NO_MORE,
};
