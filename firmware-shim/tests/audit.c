/* The record of a decision, and the chain. */
#include "world.h"

static gateward_text text_of(const char *text) {
    gateward_text of = {(const uint8_t *)text, strlen(text)};

    return of;
}

static uint8_t numbered[5][32];

/* The record of core/docs/format.md, section 8. */
static gateward_record example(void) {
    gateward_record record;
    memset(&record, 0, sizeof(record));
    memset(numbered[0], 0x33, 16);
    memset(numbered[1], 0x22, 16);
    uint32_t user = 33;
    memcpy(numbered[2], &user, 4);
    record.seq = 1;
    record.boot = 1;
    record.mono_ms = 4200;
    record.created_at_ms = UINT64_C(1790000000123);
    record.quality = GATEWARD_TIME_SYNCED;
    record.outcome = GATEWARD_OUTCOME_ALLOW;
    record.authentication = 1;
    record.principal_id = numbered[0];
    record.principal_name = text_of("ana.ruiz");
    record.credential = GATEWARD_CREDENTIAL_VERIFIED;
    record.token_kind = 1;
    record.token_id = UINT64_C(0x0123456789abcdef);
    record.operation = GATEWARD_OPERATION_WRITE;
    record.permission = GATEWARD_NONE;
    record.division_id = numbered[1];
    record.resource = text_of("device/123");
    record.method = 4;
    record.source_kind = 1;
    record.source = numbered[2];
    record.snapshot_version = 7;
    record.count = 1;
    record.route = GATEWARD_NONE;

    return record;
}

static const uint8_t EXAMPLE[] = {
    0x73, 0x01, 0x01, 0x01, 0xe8, 0x20, 0x7b, 0x6c, 0x50, 0xc4, 0xa0, 0x01, 0x01, 0x00, 0x27, 0x07,
    0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33,
    0x08, 0x61, 0x6e, 0x61, 0x2e, 0x72, 0x75, 0x69, 0x7a, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23,
    0x01, 0x07, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
    0x22, 0x22, 0x0a, 0x64, 0x65, 0x76, 0x69, 0x63, 0x65, 0x2f, 0x31, 0x32, 0x33, 0x21};

static void a_record_has_the_bytes_of_the_format(void) {
    gateward_record record = example();
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0;
    record.permission = 7;
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));

    EQUAL(len, sizeof(EXAMPLE));
    CHECK(memcmp(bytes, EXAMPLE, sizeof(EXAMPLE)) == 0);
}

static void the_chain_goes_on_as_the_format_says(void) {
    static const uint8_t HEAD[] = {0xa3, 0xa0, 0x0e, 0x52, 0xe5, 0x75, 0x1f, 0x84,
                                   0x77, 0x87, 0x29, 0x90, 0x2c, 0x99, 0xd7, 0xff,
                                   0x65, 0x47, 0x9e, 0x2f, 0xa7, 0x06, 0x0a, 0xfa,
                                   0x46, 0x58, 0xdb, 0xc2, 0x39, 0x99, 0x3b, 0xa3};
    static const uint8_t TAG[] = {0x22, 0x59, 0x1d, 0x65, 0x1b, 0x4d, 0x14, 0x25,
                                  0x7f, 0x3a, 0x5c, 0xd5, 0xd2, 0x64, 0xaf, 0xdf};
    static const uint8_t NEXT[] = {0x1f, 0xae, 0x7a, 0xc5, 0x5f, 0xab, 0x14, 0x40,
                                   0x23, 0x92, 0xc0, 0x0d, 0x46, 0x60, 0x47, 0x7c,
                                   0xc7, 0x92, 0x84, 0x96, 0xd3, 0x9f, 0x0e, 0x1f,
                                   0x77, 0xf4, 0x2d, 0x07, 0x30, 0x83, 0x04, 0xa5};
    uint8_t head[GATEWARD_HEAD_SIZE] = {0}, key[GATEWARD_HEAD_SIZE], tag[GATEWARD_TAG_SIZE];
    memset(key, 9, sizeof(key));
    OK(gateward_chain_next(head, key, EXAMPLE, sizeof(EXAMPLE), tag));

    CHECK(memcmp(head, HEAD, sizeof(head)) == 0);
    CHECK(memcmp(tag, TAG, sizeof(tag)) == 0);
    CHECK(memcmp(key, NEXT, sizeof(key)) == 0);
}

static void a_record_takes_exactly_the_room_that_it_needs(void) {
    gateward_record record = example();
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0, no_len = 0;
    record.permission = 7;

    for (size_t room = 0; room < sizeof(EXAMPLE); room++) {
        LEAVES(no_len, LEAVES(bytes, GIVES(GATEWARD_NO_ROOM, gateward_record_encode(
                                                                 &record, bytes, room, &no_len))));
    }
    OK(gateward_record_encode(&record, bytes, sizeof(EXAMPLE), &len));
    EQUAL(len, sizeof(EXAMPLE));
}

/* Whether `needle` stands in the bytes of the record. */
static int says(const gateward_record *record, const char *needle) {
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0, needle_len = strlen(needle);
    OK(gateward_record_encode(record, bytes, sizeof(bytes), &len));
    for (size_t at = 0; at + needle_len <= len; at++) {
        if (memcmp(bytes + at, needle, needle_len) == 0) {
            return 1;
        }
    }

    return 0;
}

static void what_looks_like_a_token_is_masked_in_every_text(void) {
    const char *token = token_of("allowed first row");
    char path[100] = "/iot/";
    strcat(path, token);
    gateward_record record = example();

    CHECK(!says(&record, "AQAAAAAAAAAB"));
    record.path = text_of(path);
    CHECK(says(&record, "/iot/"));
    CHECK(!says(&record, token + 18));
    record = example();
    record.resource = text_of(token);
    CHECK(!says(&record, token + 18));
    record = example();
    record.request_id = text_of(token);
    CHECK(!says(&record, token + 18));
}

static void a_text_that_is_too_long_is_cut_or_refused(void) {
    static char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    gateward_record record = example();
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0;
    record.resource = record.path = record.request_id = text_of(text);
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));

#define REFUSED(status, field, value)                                                            \
    do {                                                                                         \
        gateward_record bad = example();                                                         \
        bad.field = value;                                                                       \
        LEAVES(bytes, LEAVES(len, GIVES(status, gateward_record_encode(&bad, bytes, sizeof(bytes), \
                                                                       &len))));                 \
    } while (0)
    REFUSED(GATEWARD_ABSURD, action, text_of(text));
    REFUSED(GATEWARD_ABSURD, principal_name, text_of(text));
    REFUSED(GATEWARD_LENGTH, resource.len, ABSURD);
    REFUSED(GATEWARD_NULL, path.len, 1);
    REFUSED(GATEWARD_TEXT, action, text_of("\xc3"));
    REFUSED(GATEWARD_TEXT, path, text_of("/\xff"));
}

static void a_record_that_cannot_be_meant_is_refused(void) {
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0;

    REFUSED(GATEWARD_ABSURD, quality, 4);
    REFUSED(GATEWARD_ABSURD, outcome, 4);
    REFUSED(GATEWARD_ABSURD, outcome, GATEWARD_OUTCOME_DENY);
    REFUSED(GATEWARD_ABSURD, reason, 6);
    REFUSED(GATEWARD_ABSURD, reason, 34);
    REFUSED(GATEWARD_ABSURD, reason, UINT32_MAX);
    REFUSED(GATEWARD_ABSURD, authentication, 5);
    REFUSED(GATEWARD_ABSURD, credential, 3);
    REFUSED(GATEWARD_ABSURD, token_kind, 256);
    REFUSED(GATEWARD_ABSURD, operation, 8);
    REFUSED(GATEWARD_ABSURD, permission, 64);
    REFUSED(GATEWARD_ABSURD, method, 10);
    REFUSED(GATEWARD_ABSURD, method, 32);
    REFUSED(GATEWARD_ABSURD, stale, 2);
    REFUSED(GATEWARD_ABSURD, count, 0);
    REFUSED(GATEWARD_ABSURD, has_span, 2);
    REFUSED(GATEWARD_ABSURD, route, 65536);
    REFUSED(GATEWARD_ABSURD, source_kind, 2);
    REFUSED(GATEWARD_NULL, source, NULL);
    REFUSED(GATEWARD_ABSURD, zero, 1);
    REFUSED(GATEWARD_ABSURD, principal_id, NULL);
    REFUSED(GATEWARD_NULL, principal_name.bytes, NULL);
}
#undef REFUSED

static void an_event_and_every_field_can_be_written(void) {
    gateward_record record = example();
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0;
    record.outcome = GATEWARD_OUTCOME_EVENT;
    record.reason = 2;
    record.snapshot_root = numbered[3];
    record.snapshot_epoch = 1;
    record.span_last = UINT64_MAX;
    record.has_span = 1;
    record.dropped_before = UINT32_MAX;
    record.count = UINT32_MAX;
    record.route = 65535;
    record.permission = 63;
    record.stale = 1;
    record.method = 31;
    record.action = text_of("snapshot/accept");
    record.path = text_of("/a");
    record.request_id = text_of("r-1");
    record.source_kind = 6;
    record.source = numbered[4];
    record.seq = record.created_at_ms = record.mono_ms = record.snapshot_version = UINT64_MAX;
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));
    record.source_kind = 4;
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));
    record.outcome = GATEWARD_OUTCOME_PASSTHROUGH;
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));
}

static void a_record_starts_with_what_was_decided(void) {
    struct machine *machine = in_force();
    gateward_request request = {.permissions = 0x8000,
                                .division = (const uint8_t *)"division 2",
                                .division_len = 10,
                                .operation = GATEWARD_OPERATION_ISSUE_CA};
    gateward_decision decision;
    gateward_record record, no_record;
    uint8_t bytes[GATEWARD_RECORD_SIZE];
    size_t len = 0;
    memset(&no_record, 0, sizeof(no_record));
    OK(gateward_check_text(&machine->snapshot, &request,
                           (const uint8_t *)token_of("allowed first row"), 66, &machine->now,
                           &decision));
    OK(gateward_record_start(&machine->snapshot, &decision, &machine->now, &record));

    EQUAL(record.outcome, GATEWARD_OUTCOME_ALLOW);
    EQUAL(record.credential, GATEWARD_CREDENTIAL_VERIFIED);
    EQUAL(record.token_id, 1);
    EQUAL(record.token_kind, 1);
    EQUAL(record.permission, 15);
    EQUAL(record.snapshot_version, 1);
    EQUAL(record.created_at_ms, NOW * 1000);
    EQUAL(record.count, 1);
    EQUAL(record.stale, 0);
    EQUAL(record.principal_name.len, strlen("allowed first row"));
    CHECK(memcmp(record.principal_name.bytes, "allowed first row", record.principal_name.len) == 0);
    record.seq = record.boot = 1;
    OK(gateward_record_encode(&record, bytes, sizeof(bytes), &len));

    decision.principal = 100000;
    LEAVES(no_record, GIVES(GATEWARD_UNKNOWN, gateward_record_start(&machine->snapshot, &decision,
                                                                    &machine->now, &no_record)));
    machine->now = synced(T0 + DAY);
    decision.principal = GATEWARD_NONE;
    OK(gateward_record_start(&machine->snapshot, &decision, &machine->now, &record));
    EQUAL(record.stale, 1);
}

const struct test audit_tests[] = {
    TEST(a_record_has_the_bytes_of_the_format),
    TEST(the_chain_goes_on_as_the_format_says),
    TEST(a_record_takes_exactly_the_room_that_it_needs),
    TEST(what_looks_like_a_token_is_masked_in_every_text),
    TEST(a_text_that_is_too_long_is_cut_or_refused),
    TEST(a_record_that_cannot_be_meant_is_refused),
    TEST(an_event_and_every_field_can_be_written),
    TEST(a_record_starts_with_what_was_decided),
    NO_MORE,
};
