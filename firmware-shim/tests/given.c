/* DOMAIN L2: whatever a function is given, null or of a length that nothing has, is a status, and
   the caller's memory stays as it is. Every function is here; storage is in storage.c. */
#include "everything.h"

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
    NULLS(3, gateward_chunk_write(P(0, &all->list), 0, P(1, BYTES(file)), 4096, P(2, unwanted), NULL));
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
                                  LENGTH(delta), P(3, delta_room), sizeof(delta_room), P(4, unwanted),
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
        ABSURDLY(gateward_chunk_write(&all->list, 0, BYTES(file), len, unwanted, NULL));
        ABSURDLY(gateward_delta_room(BYTES(delta), len, &all->size));
        ABSURDLY(gateward_delta_apply(&M.snapshot, &M.manifest, BYTES(delta), len, delta_room, 4096,
                                      unwanted, NULL));
        ABSURDLY(gateward_delta_apply(&M.snapshot, &M.manifest, FIXTURE(delta), delta_room, len,
                                      unwanted, NULL));
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
    NOTHING(gateward_chunk_write(&all->list, 0, BYTES(file), 0, unwanted, NULL));
    NOTHING(gateward_delta_room(BYTES(delta), 0, &all->size));
    NOTHING(gateward_delta_apply(&M.snapshot, &M.manifest, BYTES(delta), 0, delta_room, 4096, unwanted,
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

const struct test given_tests[] = {
    TEST(l2_a_null_pointer_is_a_status_in_keys_and_time),
    TEST(l2_a_null_pointer_is_a_status_in_what_is_in_force),
    TEST(l2_a_null_pointer_is_a_status_in_decisions_and_records),
    TEST(l2_a_length_that_nothing_has_is_a_status),
    TEST(l2_a_length_of_nothing_is_a_status),
    NO_MORE,
};
