/* A token, a question, and what comes of it. */
#include "world.h"

#include "cases.h"

#define CASES (sizeof(gateward_cases) / sizeof(gateward_cases[0]))

/* The first version with its revocation list, as the cases have it. */
static struct machine *as_of_the_cases(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));

    return machine;
}

static void every_case_comes_to_its_reason_in_one_step_and_in_three(void) {
    struct machine *machine = as_of_the_cases();

    for (size_t at = 0; at < CASES; at++) {
        const struct gateward_case *one = &gateward_cases[at];
        gateward_request request = request_of(one);
        gateward_now now = synced(one->now);
        size_t len = strlen(one->token);
        const uint8_t *text = at_the_edge((const uint8_t *)one->token, len);
        gateward_token token;
        gateward_ask ask;
        gateward_decision once, thrice;
        OK(gateward_ask_prepare(&machine->snapshot, &request, &ask));
        OK(gateward_check_text(&machine->snapshot, &request, text, len, &now, &once));
        EQUAL(once.reason, one->reason);
        OK(gateward_token_read(text, len, &token));
        OK(gateward_check(&machine->snapshot, &ask, &token, &now, &thrice));
        CHECK(memcmp(&once, &thrice, sizeof(once)) == 0);
    }
}

static void only_what_is_allowed_has_the_verdict_0(void) {
    struct machine *machine = as_of_the_cases();

    for (size_t at = 0; at < CASES; at++) {
        gateward_request request = request_of(&gateward_cases[at]);
        gateward_now now = synced(gateward_cases[at].now);
        gateward_decision decision;
        OK(gateward_check_text(&machine->snapshot, &request,
                               (const uint8_t *)gateward_cases[at].token,
                               strlen(gateward_cases[at].token), &now, &decision));
        CHECK((decision.verdict == GATEWARD_CLASS_ALLOW) == (gateward_cases[at].reason == 0));
        CHECK((decision.failed == 0) == (gateward_cases[at].reason == 0));
        if (decision.verdict == GATEWARD_CLASS_ALLOW) {
            CHECK(decision.principal != GATEWARD_NONE && decision.permission != GATEWARD_NONE);
        }
    }
}

static void nobody_is_named_whose_secret_did_not_match(void) {
    struct machine *machine = as_of_the_cases();
    const char *strangers[] = {"secret first", "secret last", "unknown low", "unknown high",
                               "other kind", "bad checksum"};

    for (size_t at = 0; at < sizeof(strangers) / sizeof(strangers[0]); at++) {
        const char *text = token_of(strangers[at]);
        gateward_request request = request_of(&gateward_cases[0]);
        gateward_decision decision;
        gateward_record record;
        OK(gateward_check_text(&machine->snapshot, &request, (const uint8_t *)text, strlen(text),
                               &machine->now, &decision));
        EQUAL(decision.principal, GATEWARD_NONE);
        EQUAL(decision.verdict, GATEWARD_CLASS_AUTHN);
        OK(gateward_record_start(&machine->snapshot, &decision, &machine->now, &record));
        CHECK(record.principal_id == NULL && record.principal_name.bytes == NULL);
        EQUAL(record.credential, GATEWARD_CREDENTIAL_UNVERIFIED);
    }
}

static void a_text_of_another_length_is_no_token(void) {
    gateward_token token = {{0}};
    uint8_t text[200];
    memset(text, 'A', sizeof(text));
    memcpy(text, token_of("allowed first row"), 66);

    for (size_t len = 0; len < 20; len++) {
        LEAVES(token, GIVES(GATEWARD_TOKEN,
                            gateward_token_read(at_the_edge(text, len), len, &token)));
    }
    LEAVES(token, GIVES(GATEWARD_TOKEN, gateward_token_read(at_the_edge(text, 65), 65, &token)));
    LEAVES(token, GIVES(GATEWARD_TOKEN, gateward_token_read(at_the_edge(text, 67), 67, &token)));
    LEAVES(token, GIVES(GATEWARD_TOKEN, gateward_token_read(at_the_edge(text, 200), 200, &token)));
    OK(gateward_token_read(at_the_edge(text, 66), 66, &token));
}

static void a_token_tells_its_public_part_and_is_wiped(void) {
    gateward_token token, empty = {{0}};
    uint8_t lookup[GATEWARD_LOOKUP_SIZE] = {0};
    const char *text = token_of("allowed first row");
    OK(gateward_token_read((const uint8_t *)text, 66, &token));
    OK(gateward_token_lookup(&token, lookup));
    CHECK(memcmp(lookup, text + 5, sizeof(lookup)) == 0);

    OK(gateward_token_clear(&token));
    CHECK(memcmp(&token, &empty, sizeof(token)) == 0);
    GIVES(GATEWARD_EMPTY, gateward_token_clear(&token));
    LEAVES(lookup, GIVES(GATEWARD_EMPTY, gateward_token_lookup(&token, lookup)));
}

static void a_question_for_another_snapshot_is_refused(void) {
    struct machine *machine = in_force();
    gateward_request request = request_of(&gateward_cases[0]);
    gateward_ask ask;
    gateward_token token;
    gateward_decision decision = {0};
    const char *text = token_of("allowed first row");
    OK(gateward_token_read((const uint8_t *)text, 66, &token));
    OK(gateward_ask_prepare(&machine->snapshot, &request, &ask));
    OK(gateward_check(&machine->snapshot, &ask, &token, &machine->now, &decision));

    OK(verified(machine, FIXTURE(manifest2)));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              FIXTURE(file2), &machine->snapshot));
    LEAVES(decision, GIVES(GATEWARD_OTHER_SNAPSHOT, gateward_check(&machine->snapshot, &ask, &token,
                                                                   &machine->now, &decision)));
    OK(gateward_ask_prepare(&machine->snapshot, &request, &ask));
    OK(gateward_check(&machine->snapshot, &ask, &token, &machine->now, &decision));
}

static void a_request_that_cannot_be_meant_is_refused(void) {
    struct machine *machine = in_force();
    gateward_ask ask = {{0}};
    const gateward_request good = request_of(&gateward_cases[0]);

#define REFUSED(status, field, value)                                                    \
    do {                                                                                 \
        gateward_request bad = good;                                                     \
        bad.field = value;                                                               \
        LEAVES(ask, GIVES(status, gateward_ask_prepare(&machine->snapshot, &bad, &ask))); \
    } while (0)
    REFUSED(GATEWARD_ABSURD, operation, 8);
    REFUSED(GATEWARD_ABSURD, operation, UINT32_MAX);
    REFUSED(GATEWARD_ABSURD, mode, 2);
    REFUSED(GATEWARD_ABSURD, rules, 4);
    REFUSED(GATEWARD_ABSURD, rules, UINT32_MAX);
    REFUSED(GATEWARD_ABSURD, zero, 1);
    REFUSED(GATEWARD_LENGTH, division_len, ABSURD);
    REFUSED(GATEWARD_LENGTH, division_len, SIZE_MAX);
    REFUSED(GATEWARD_NULL, division, NULL);
    REFUSED(GATEWARD_TEXT, division, (const uint8_t *)"division \xff");
#undef REFUSED
}

static void nothing_asked_is_nothing_allowed(void) {
    struct machine *machine = in_force();
    gateward_request request = request_of(&gateward_cases[0]);
    gateward_decision decision;
    request.permissions = 0;

    OK(gateward_check_text(&machine->snapshot, &request,
                           (const uint8_t *)token_of("allowed first row"), 66, &machine->now,
                           &decision));
    CHECK(decision.verdict != GATEWARD_CLASS_ALLOW);
    EQUAL(decision.permission, GATEWARD_NONE);
}

static void no_flipped_bit_of_a_token_lets_anybody_in(void) {
    struct machine *machine = in_force();
    char text[66];
    memcpy(text, token_of("allowed first row"), sizeof(text));

    for (size_t bit = 0; bit < 8 * sizeof(text); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        CHECK(asked(machine, text, sizeof(text)) != 1000);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    EQUAL(asked(machine, text, sizeof(text)), 1000);
}

const struct test question_tests[] = {
    TEST(every_case_comes_to_its_reason_in_one_step_and_in_three),
    TEST(only_what_is_allowed_has_the_verdict_0),
    TEST(nobody_is_named_whose_secret_did_not_match),
    TEST(a_text_of_another_length_is_no_token),
    TEST(a_token_tells_its_public_part_and_is_wiped),
    TEST(a_question_for_another_snapshot_is_refused),
    TEST(a_request_that_cannot_be_meant_is_refused),
    TEST(nothing_asked_is_nothing_allowed),
    TEST(no_flipped_bit_of_a_token_lets_anybody_in),
    NO_MORE,
};
