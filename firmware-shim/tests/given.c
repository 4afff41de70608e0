/* DOMAIN L2: whatever a function is given, null, misaligned, unfilled, of another type or of a length
   that nothing has, is a status, and the caller's memory stays as it is. Every function is here. */
#include "world.h"

/* A machine with something good of every kind, so that one thing at a time can be bad. */
struct all {
    struct machine machine;
    gateward_hash_list list;
    gateward_token token;
    gateward_ask ask;
    gateward_clock clock;
    gateward_request request;
    gateward_decision decision;
    gateward_record record;
    gateward_manifest_fields fields;
    gateward_bundle bundle;
    gateward_text name;
    gateward_shown shown;
    uint64_t set;
    size_t size;
    uint32_t epoch;
    uint8_t id[GATEWARD_ID_SIZE], head[GATEWARD_HEAD_SIZE], key[GATEWARD_HEAD_SIZE];
    uint8_t tag[GATEWARD_TAG_SIZE], lookup[GATEWARD_LOOKUP_SIZE];
    uint8_t buffer[GATEWARD_RECORD_SIZE];
};

static unsigned char bits[512], delta_room[4096];
static const uint8_t *const NAME = (const uint8_t *)"manage_device";
static const uint8_t *token_text;

static uint32_t put(void *context, uint32_t offset, const uint8_t *bytes, size_t len) {
    (void)context, (void)offset, (void)bytes, (void)len;
    CHECK(!"nothing is written here");

    return 0;
}

static struct all *everything(void) {
    struct all *all = memory(sizeof(*all));
    struct machine *machine = in_force();
    all->machine = *machine;
    token_text = (const uint8_t *)token_of("allowed first row");
    all->request.permissions = 0x8000;
    all->request.operation = GATEWARD_OPERATION_ISSUE_CA;
    all->shown.clock = NOW;
    OK(gateward_hash_list_check(&machine->manifest, FIXTURE(list), &all->list));
    OK(gateward_token_read(token_text, 66, &all->token));
    OK(gateward_ask_prepare(&machine->snapshot, &all->request, &all->ask));
    OK(gateward_clock_start(T0, &machine->floor, 0, &all->clock));
    OK(gateward_check(&machine->snapshot, &all->ask, &all->token, &machine->now, &all->decision));
    OK(gateward_record_start(&machine->snapshot, &all->decision, &machine->now, &all->record));
    CHECK(room(machine) <= sizeof(bits));

    return all;
}

#define M all->machine
#define NULLS(pointers, call) LEAVES(*all, NULL_IN_TURN(pointers, call))

static void l2_a_null_pointer_is_a_status_in_keys_and_time(void) {
    struct all *all = everything();
    size_t group = 7;

    NULLS(3, gateward_audience(P(0, BYTES(account)), P(1, NAME), group, P(2, all->id)));
    NULLS(1, gateward_floor_start(P(0, &M.floor)));
    NULLS(3, gateward_keys_anchor(P(0, BYTES(keyset1)), LENGTH(keyset1), P(1, BYTES(account)),
                                  P(2, &M.keys)));
    NULLS(3, gateward_keys_follow(P(0, &M.keys), P(1, BYTES(keyset2)), LENGTH(keyset2),
                                  P(2, &M.floor)));
    NULLS(2, gateward_keys_epoch(P(0, &M.keys), P(1, &all->epoch)));
    NULLS(2, gateward_clock_start(T0, P(0, &M.floor), 0, P(1, &all->clock)));
    NULLS(3, gateward_clock_now(P(0, &all->clock), 0, P(1, &all->shown), P(2, &M.now)));
    NULLS(3, gateward_clock_keep(P(0, &all->clock), 0, P(1, &all->shown), NOW, P(2, &M.floor)));
    NULLS(5, gateward_beacon_take(P(0, &M.keys), P(1, BYTES(audience)), P(2, &M.floor),
                                  P(3, &M.now), P(4, BYTES(beacon)), LENGTH(beacon)));
}

static void l2_a_null_pointer_is_a_status_in_what_is_in_force(void) {
    struct all *all = everything();
    size_t len = room(&M);

    NULLS(4, gateward_manifest_verify(P(0, &M.keys), P(1, BYTES(audience)), P(2, BYTES(manifest)),
                                      LENGTH(manifest), P(3, &M.manifest)));
    NULLS(4, gateward_manifest_admit(P(0, &M.manifest), P(1, &M.keys), P(2, &M.floor),
                                     P(3, &M.now)));
    NULLS(2, gateward_manifest_info(P(0, &M.manifest), P(1, &all->fields)));
    NULLS(3, gateward_hash_list_check(P(0, &M.manifest), P(1, BYTES(list)), LENGTH(list),
                                      P(2, &all->list)));
    NULLS(3, gateward_chunk_write(P(0, &all->list), 0, P(1, BYTES(file)), 4096, P(2, put), NULL));
    NULLS(6, gateward_snapshot_open(P(0, &M.manifest), P(1, &M.keys), P(2, &M.floor), P(3, &M.now),
                                    P(4, BYTES(file)), LENGTH(file), P(5, &M.snapshot)));
    NULLS(2, gateward_snapshot_commit(P(0, &M.snapshot), P(1, &M.floor)));
    NULLS(5, gateward_snapshot_refresh(P(0, &M.snapshot), P(1, &M.manifest), P(2, &M.keys),
                                       P(3, &M.floor), P(4, &M.now)));
    NULLS(3, gateward_snapshot_follow(P(0, &M.snapshot), P(1, &M.keys), P(2, &M.floor)));
    NULLS(2, gateward_snapshot_info(P(0, &M.snapshot), P(1, &all->fields)));
    NULLS(2, gateward_revoked_room(P(0, &M.snapshot), P(1, &all->size)));
    NULLS(6, gateward_revoked_take(P(0, &M.snapshot), P(1, &M.keys), P(2, BYTES(audience)),
                                   P(3, &M.floor), P(4, BYTES(revoked)), LENGTH(revoked), 0,
                                   P(5, bits), len));
    NULLS(2, gateward_delta_room(P(0, BYTES(delta)), LENGTH(delta), P(1, &all->size)));
    NULLS(5, gateward_delta_apply(P(0, &M.snapshot), P(1, &M.manifest), P(2, BYTES(delta)),
                                  LENGTH(delta), P(3, delta_room), sizeof(delta_room), P(4, put),
                                  NULL));
    NULLS(2, gateward_bundle_read(P(0, BYTES(bundle)), LENGTH(bundle), P(1, &all->bundle)));
    NULLS(3, gateward_bundle_walk(P(0, BYTES(bundle)), LENGTH(bundle), P(1, &M.keys),
                                  P(2, &M.floor)));
}

static void l2_a_null_pointer_is_a_status_in_decisions_and_records(void) {
    struct all *all = everything();
    size_t len = 66;

    NULLS(2, gateward_token_read(P(0, token_text), len, P(1, &all->token)));
    NULLS(1, gateward_token_clear(P(0, &all->token)));
    NULLS(2, gateward_token_lookup(P(0, &all->token), P(1, all->lookup)));
    NULLS(3, gateward_ask_prepare(P(0, &M.snapshot), P(1, &all->request), P(2, &all->ask)));
    NULLS(5, gateward_check(P(0, &M.snapshot), P(1, &all->ask), P(2, &all->token), P(3, &M.now),
                            P(4, &all->decision)));
    NULLS(5, gateward_check_text(P(0, &M.snapshot), P(1, &all->request), P(2, token_text), len,
                                 P(3, &M.now), P(4, &all->decision)));
    NULLS(1, gateward_reason_name(0, P(0, &all->name)));
    NULLS(3, gateward_principal_name(P(0, &M.snapshot), 0, P(1, &all->name), P(2, all->id)));
    NULLS(3, gateward_division_name(P(0, &M.snapshot), 0, P(1, &all->name), P(2, all->id)));
    NULLS(2, gateward_permission_name(P(0, &M.snapshot), 0, P(1, &all->name)));
    NULLS(3, gateward_permission_find(P(0, &M.snapshot), P(1, NAME), 13, P(2, &all->set)));
    NULLS(4, gateward_record_start(P(0, &M.snapshot), P(1, &all->decision), P(2, &M.now),
                                   P(3, &all->record)));
    NULLS(3, gateward_record_encode(P(0, &all->record), P(1, all->buffer), sizeof(all->buffer),
                                    P(2, &all->size)));
    NULLS(4, gateward_chain_next(P(0, all->head), P(1, all->key), P(2, BYTES(file)), 80,
                                 P(3, all->tag)));
    CHECK(gateward_strerror(GATEWARD_NULL) != NULL);
    CHECK(gateward_abi_version() > 0);
}

/* Every storage that a function reads or fills is `at` in turn, and the rest is good. */
static void storages_are(struct all *all, uint32_t status, void *at, unsigned with_filled) {
#define READS(call) LEAVES(*all, GIVES(status, call))
#define FILLS(call)             \
    if (with_filled) {          \
        READS(call);            \
    }
    FILLS(gateward_keys_anchor(FIXTURE(keyset1), BYTES(account), at));
    READS(gateward_keys_follow(at, FIXTURE(keyset2), &M.floor));
    READS(gateward_keys_epoch(at, &all->epoch));
    READS(gateward_manifest_verify(at, BYTES(audience), FIXTURE(manifest), &M.manifest));
    FILLS(gateward_manifest_verify(&M.keys, BYTES(audience), FIXTURE(manifest), at));
    READS(gateward_manifest_admit(at, &M.keys, &M.floor, &M.now));
    READS(gateward_manifest_admit(&M.manifest, at, &M.floor, &M.now));
    READS(gateward_manifest_info(at, &all->fields));
    READS(gateward_hash_list_check(at, FIXTURE(list), &all->list));
    FILLS(gateward_hash_list_check(&M.manifest, FIXTURE(list), at));
    READS(gateward_chunk_write(at, 0, BYTES(file), 4096, put, NULL));
    READS(gateward_delta_apply(at, &M.manifest, FIXTURE(delta), delta_room, 4096, put, NULL));
    READS(gateward_delta_apply(&M.snapshot, at, FIXTURE(delta), delta_room, 4096, put, NULL));
    READS(gateward_snapshot_open(at, &M.keys, &M.floor, &M.now, FIXTURE(file), &M.snapshot));
    READS(gateward_snapshot_open(&M.manifest, at, &M.floor, &M.now, FIXTURE(file), &M.snapshot));
    FILLS(gateward_snapshot_open(&M.manifest, &M.keys, &M.floor, &M.now, FIXTURE(file), at));
    READS(gateward_snapshot_commit(at, &M.floor));
    READS(gateward_snapshot_refresh(at, &M.manifest, &M.keys, &M.floor, &M.now));
    READS(gateward_snapshot_refresh(&M.snapshot, at, &M.keys, &M.floor, &M.now));
    READS(gateward_snapshot_refresh(&M.snapshot, &M.manifest, at, &M.floor, &M.now));
    READS(gateward_snapshot_follow(at, &M.keys, &M.floor));
    READS(gateward_snapshot_follow(&M.snapshot, at, &M.floor));
    READS(gateward_snapshot_info(at, &all->fields));
    READS(gateward_revoked_room(at, &all->size));
    READS(gateward_revoked_take(at, &M.keys, BYTES(audience), &M.floor, FIXTURE(revoked), 0, bits,
                                room(&M)));
    READS(gateward_revoked_take(&M.snapshot, at, BYTES(audience), &M.floor, FIXTURE(revoked), 0,
                                bits, room(&M)));
    FILLS(gateward_clock_start(T0, &M.floor, 0, at));
    READS(gateward_clock_now(at, 0, &all->shown, &M.now));
    READS(gateward_clock_keep(at, 0, &all->shown, NOW, &M.floor));
    READS(gateward_beacon_take(at, BYTES(audience), &M.floor, &M.now, FIXTURE(beacon)));
    FILLS(gateward_token_read(token_text, 66, at));
    READS(gateward_token_clear(at));
    READS(gateward_token_lookup(at, all->lookup));
    READS(gateward_ask_prepare(at, &all->request, &all->ask));
    FILLS(gateward_ask_prepare(&M.snapshot, &all->request, at));
    READS(gateward_check(at, &all->ask, &all->token, &M.now, &all->decision));
    READS(gateward_check(&M.snapshot, at, &all->token, &M.now, &all->decision));
    READS(gateward_check(&M.snapshot, &all->ask, at, &M.now, &all->decision));
    READS(gateward_check_text(at, &all->request, token_text, 66, &M.now, &all->decision));
    READS(gateward_principal_name(at, 0, &all->name, all->id));
    READS(gateward_division_name(at, 0, &all->name, all->id));
    READS(gateward_permission_name(at, 0, &all->name));
    READS(gateward_permission_find(at, NAME, 13, &all->set));
    READS(gateward_record_start(at, &all->decision, &M.now, &all->record));
    READS(gateward_bundle_walk(FIXTURE(bundle), at, &M.floor));
#undef READS
#undef FILLS
}

/* As large as the largest storage, and 8 bytes more. */
static uint64_t spare[GATEWARD_KEYS_WORDS + 1];

static void l2_storage_that_is_not_aligned_is_a_status(void) {
    for (size_t off = 1; off < 8; off++) {
        storages_are(everything(), GATEWARD_MISALIGNED, (unsigned char *)spare + off, 1);
    }
    for (size_t at = 0; at < sizeof(spare) / sizeof(spare[0]); at++) {
        EQUAL(spare[at], 0);
    }
}

static void l2_storage_that_nobody_filled_is_a_status(void) {
    memset(spare, 0, sizeof(spare));
    storages_are(everything(), GATEWARD_EMPTY, spare, 0);
    memset(spare, 0xff, sizeof(spare));
    storages_are(everything(), GATEWARD_EMPTY, spare, 0);
    memset(spare, 0, sizeof(spare));
    memcpy(spare, "GWD-none", 8);
    storages_are(everything(), GATEWARD_EMPTY, spare, 0);
    memset(spare, 0, sizeof(spare));
}

static void l2_storage_of_another_type_is_a_status(void) {
    /* A floor begins with no mark; a token is none of the larger ones. */
    struct all *all = everything();
    memcpy(spare, &M.floor, sizeof(M.floor));
    storages_are(all, GATEWARD_EMPTY, spare, 0);
    memcpy(spare, &all->token, sizeof(all->token));
    GIVES(GATEWARD_EMPTY, gateward_keys_epoch((void *)spare, &all->epoch));
    GIVES(GATEWARD_EMPTY, gateward_manifest_info((void *)spare, &all->fields));
    GIVES(GATEWARD_EMPTY, gateward_snapshot_info((void *)spare, &all->fields));
    GIVES(GATEWARD_EMPTY, gateward_check(&M.snapshot, (void *)spare, &all->token, &M.now,
                                         &all->decision));
    GIVES(GATEWARD_EMPTY, gateward_clock_now((void *)spare, 0, &all->shown, &M.now));
    GIVES(GATEWARD_EMPTY, gateward_chunk_write((void *)spare, 0, BYTES(file), 4096, put, NULL));
    memcpy(spare, &M.keys, sizeof(M.keys));
    GIVES(GATEWARD_EMPTY, gateward_token_lookup((void *)spare, all->lookup));
    GIVES(GATEWARD_EMPTY, gateward_snapshot_commit((void *)spare, &M.floor));
    memset(spare, 0, sizeof(spare));
}

static void l2_a_length_that_nothing_has_is_a_status(void) {
    static const size_t LENGTHS[] = {ABSURD, ABSURD + 1, SIZE_MAX - 1, SIZE_MAX};
    struct all *all = everything();

#define ABSURDLY(call) LEAVES(*all, GIVES(GATEWARD_LENGTH, call))
    for (size_t at = 0; at < sizeof(LENGTHS) / sizeof(LENGTHS[0]); at++) {
        const size_t len = LENGTHS[at];
        ABSURDLY(gateward_audience(BYTES(account), NAME, len, all->id));
        ABSURDLY(gateward_keys_anchor(BYTES(keyset1), len, BYTES(account), &M.keys));
        ABSURDLY(gateward_keys_follow(&M.keys, BYTES(keyset2), len, &M.floor));
        ABSURDLY(gateward_manifest_verify(&M.keys, BYTES(audience), BYTES(manifest), len,
                                          &M.manifest));
        ABSURDLY(gateward_hash_list_check(&M.manifest, BYTES(list), len, &all->list));
        ABSURDLY(gateward_chunk_write(&all->list, 0, BYTES(file), len, put, NULL));
        ABSURDLY(gateward_delta_room(BYTES(delta), len, &all->size));
        ABSURDLY(gateward_delta_apply(&M.snapshot, &M.manifest, BYTES(delta), len, delta_room, 4096,
                                      put, NULL));
        ABSURDLY(gateward_delta_apply(&M.snapshot, &M.manifest, FIXTURE(delta), delta_room, len,
                                      put, NULL));
        ABSURDLY(gateward_snapshot_open(&M.manifest, &M.keys, &M.floor, &M.now, BYTES(file), len,
                                        &M.snapshot));
        ABSURDLY(gateward_revoked_take(&M.snapshot, &M.keys, BYTES(audience), &M.floor,
                                       BYTES(revoked), len, 0, bits, room(&M)));
        ABSURDLY(gateward_revoked_take(&M.snapshot, &M.keys, BYTES(audience), &M.floor,
                                       FIXTURE(revoked), 0, bits, len));
        ABSURDLY(gateward_beacon_take(&M.keys, BYTES(audience), &M.floor, &M.now, BYTES(beacon),
                                      len));
        ABSURDLY(gateward_token_read(token_text, len, &all->token));
        ABSURDLY(gateward_check_text(&M.snapshot, &all->request, token_text, len, &M.now,
                                     &all->decision));
        ABSURDLY(gateward_permission_find(&M.snapshot, NAME, len, &all->set));
        ABSURDLY(gateward_record_encode(&all->record, all->buffer, len, &all->size));
        ABSURDLY(gateward_chain_next(all->head, all->key, BYTES(file), len, all->tag));
        ABSURDLY(gateward_bundle_read(BYTES(bundle), len, &all->bundle));
        ABSURDLY(gateward_bundle_walk(BYTES(bundle), len, &M.keys, &M.floor));
    }
#undef ABSURDLY
}

static void l2_a_length_of_nothing_is_a_status(void) {
    struct all *all = everything();

#define NOTHING(call) LEAVES(*all, CHECK((call) != GATEWARD_OK))
    NOTHING(gateward_keys_anchor(BYTES(keyset1), 0, BYTES(account), &M.keys));
    NOTHING(gateward_keys_follow(&M.keys, BYTES(keyset2), 0, &M.floor));
    NOTHING(gateward_manifest_verify(&M.keys, BYTES(audience), BYTES(manifest), 0, &M.manifest));
    NOTHING(gateward_hash_list_check(&M.manifest, BYTES(list), 0, &all->list));
    NOTHING(gateward_chunk_write(&all->list, 0, BYTES(file), 0, put, NULL));
    NOTHING(gateward_delta_room(BYTES(delta), 0, &all->size));
    NOTHING(gateward_delta_apply(&M.snapshot, &M.manifest, BYTES(delta), 0, delta_room, 4096, put,
                                 NULL));
    NOTHING(gateward_snapshot_open(&M.manifest, &M.keys, &M.floor, &M.now, BYTES(file), 0,
                                   &M.snapshot));
    NOTHING(gateward_revoked_take(&M.snapshot, &M.keys, BYTES(audience), &M.floor, BYTES(revoked),
                                  0, 0, bits, room(&M)));
    NOTHING(gateward_beacon_take(&M.keys, BYTES(audience), &M.floor, &M.now, BYTES(beacon), 0));
    NOTHING(gateward_token_read(token_text, 0, &all->token));
    NOTHING(gateward_check_text(&M.snapshot, &all->request, token_text, 0, &M.now, &all->decision));
    NOTHING(gateward_permission_find(&M.snapshot, NAME, 0, &all->set));
    NOTHING(gateward_record_encode(&all->record, all->buffer, 0, &all->size));
    NOTHING(gateward_bundle_read(BYTES(bundle), 0, &all->bundle));
    NOTHING(gateward_bundle_walk(BYTES(bundle), 0, &M.keys, &M.floor));
#undef NOTHING
}

static void l2_plain_structs_may_stand_anywhere(void) {
    struct all *all = everything();
    unsigned char odd[sizeof(gateward_record) + 1];
    unsigned char *at = odd + 1;

    memcpy(at, &M.now, sizeof(M.now));
    OK(gateward_check(&M.snapshot, &all->ask, &all->token, (void *)at, &all->decision));
    OK(gateward_check(&M.snapshot, &all->ask, &all->token, &M.now, (void *)at));
    CHECK(memcmp(at, &all->decision, sizeof(all->decision)) == 0);
    OK(gateward_manifest_info(&M.manifest, (void *)at));
    OK(gateward_keys_epoch(&M.keys, (void *)at));
    memcpy(at, &all->record, sizeof(all->record));
    OK(gateward_record_encode((void *)at, all->buffer, sizeof(all->buffer), &all->size));
}

const struct test given_tests[] = {
    TEST(l2_a_null_pointer_is_a_status_in_keys_and_time),
    TEST(l2_a_null_pointer_is_a_status_in_what_is_in_force),
    TEST(l2_a_null_pointer_is_a_status_in_decisions_and_records),
    TEST(l2_storage_that_is_not_aligned_is_a_status),
    TEST(l2_storage_that_nobody_filled_is_a_status),
    TEST(l2_storage_of_another_type_is_a_status),
    TEST(l2_a_length_that_nothing_has_is_a_status),
    TEST(l2_a_length_of_nothing_is_a_status),
    TEST(l2_plain_structs_may_stand_anywhere),
    NO_MORE,
};
