/* DOMAIN L2: storage that is misaligned, unfilled or of another type is a status, and the caller's
   memory stays as it is. */
#include "everything.h"

/* `at` comes to this status wherever it is read, or filled. */
#define READS(call) LEAVES(*all, GIVES(status, call))
#define FILLS(call)             \
    if (with_filled) {          \
        READS(call);            \
    }

static void what_is_said_is(struct all *all, uint32_t status, void *at, unsigned with_filled) {
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
    READS(gateward_chunk_write(at, 0, BYTES(file), 4096, unwanted, NULL));
    READS(gateward_delta_apply(at, &M.manifest, FIXTURE(delta), delta_room, 4096, unwanted, NULL));
    READS(gateward_delta_apply(&M.snapshot, at, FIXTURE(delta), delta_room, 4096, unwanted, NULL));
}

static void what_is_in_force_is(struct all *all, uint32_t status, void *at, unsigned with_filled) {
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
}

static void what_is_decided_with_is(struct all *all, uint32_t status, void *at, unsigned with_filled) {
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
}
#undef READS
#undef FILLS

/* Every storage that a function reads or fills is `at` in turn, and the rest is good. */
static void storages_are(struct all *all, uint32_t status, void *at, unsigned with_filled) {
    what_is_said_is(all, status, at, with_filled);
    what_is_in_force_is(all, status, at, with_filled);
    what_is_decided_with_is(all, status, at, with_filled);
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
    GIVES(GATEWARD_EMPTY, gateward_chunk_write((void *)spare, 0, BYTES(file), 4096, unwanted, NULL));
    memcpy(spare, &M.keys, sizeof(M.keys));
    GIVES(GATEWARD_EMPTY, gateward_token_lookup((void *)spare, all->lookup));
    GIVES(GATEWARD_EMPTY, gateward_snapshot_commit((void *)spare, &M.floor));
    memset(spare, 0, sizeof(spare));
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

const struct test storage_tests[] = {
    TEST(l2_storage_that_is_not_aligned_is_a_status),
    TEST(l2_storage_that_nobody_filled_is_a_status),
    TEST(l2_storage_of_another_type_is_a_status),
    TEST(l2_plain_structs_may_stand_anywhere),
    NO_MORE,
};
