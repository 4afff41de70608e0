/* Which keys are trusted, and the floor that rises with them. */
#include "world.h"

static void the_audience_is_that_of_the_account_and_the_group(void) {
    uint8_t audience[GATEWARD_ID_SIZE] = {0};
    const uint8_t group[] = "plant-7";

    OK(gateward_audience(BYTES(account), group, 7, audience));
    CHECK(memcmp(audience, BYTES(audience), sizeof(audience)) == 0);
    OK(gateward_audience(BYTES(account), group, 6, audience));
    CHECK(memcmp(audience, BYTES(audience), sizeof(audience)) != 0);
    LEAVES(audience, GIVES(GATEWARD_ABSURD, gateward_audience(BYTES(account), group, 0, audience)));
    LEAVES(audience, GIVES(GATEWARD_TEXT, gateward_audience(BYTES(account), (const uint8_t *)"\xff",
                                                            1, audience)));
}

static void a_key_set_is_anchored_for_its_account_only(void) {
    gateward_keys keys = {{0}};
    uint32_t epoch = 0;

    LEAVES(keys, GIVES(GATEWARD_REFUSED_OTHER_ACCOUNT,
                       gateward_keys_anchor(FIXTURE(keyset1), BYTES(audience), &keys)));
    LEAVES(keys, GIVES(GATEWARD_REFUSED_OTHER_TYPE,
                       gateward_keys_anchor(FIXTURE(manifest), BYTES(account), &keys)));
    LEAVES(keys, GIVES(GATEWARD_EMPTY, gateward_keys_epoch(&keys, &epoch)));
    OK(gateward_keys_anchor(FIXTURE(keyset1), BYTES(account), &keys));
    OK(gateward_keys_epoch(&keys, &epoch));
    EQUAL(epoch, 1);
}

static void no_flipped_bit_of_a_key_set_is_believed(void) {
    gateward_keys keys = {{0}};
    unsigned char *bytes = at_the_edge(FIXTURE(keyset1));

    for (size_t bit = 0; bit < 8 * (size_t)LENGTH(keyset1); bit += 3) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        LEAVES(keys, CHECK(gateward_keys_anchor(bytes, LENGTH(keyset1), BYTES(account), &keys) !=
                           GATEWARD_OK));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(gateward_keys_anchor(bytes, LENGTH(keyset1), BYTES(account), &keys));
}

static void no_key_set_that_is_cut_is_believed(void) {
    gateward_keys keys = {{0}};

    for (size_t len = 0; len < LENGTH(keyset1); len++) {
        unsigned char *bytes = at_the_edge(BYTES(keyset1), len);
        CHECK(gateward_keys_anchor(bytes, len, BYTES(account), &keys) != GATEWARD_OK);
    }
}

static void the_next_epoch_follows_where_enough_of_the_old_root_keys_signed(void) {
    struct machine *machine = enrolled();
    uint32_t epoch = 0;

#define FOLLOW(name) gateward_keys_follow(&machine->keys, FIXTURE(name), &machine->floor)
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_UNSIGNED, FOLLOW(keyset2_new_only)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_UNSIGNED, FOLLOW(keyset2_stranger)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_ACCOUNT, FOLLOW(keyset2_other_account)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_MALFORMED, FOLLOW(keyset2_truncated)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OLD_KEYS, FOLLOW(keyset1)));
    OK(FOLLOW(keyset2));
    OK(gateward_keys_epoch(&machine->keys, &epoch));
    EQUAL(epoch, 2);
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OLD_KEYS, FOLLOW(keyset2)));
}

static void a_floor_that_rose_by_a_key_set_knows_it_after_a_restart(void) {
    struct machine *machine = enrolled();
    gateward_keys first = machine->keys;
    OK(FOLLOW(keyset2));

    /* The machine finds its first key set again, and the floor. */
    machine->keys = first;
    OK(verified(machine, FIXTURE(manifest)));
    GIVES(GATEWARD_REFUSED_NEWER_KEYS, gateward_manifest_admit(&machine->manifest, &machine->keys,
                                                               &machine->floor, &machine->now));
}

static void what_the_old_epoch_signed_is_not_put_in_force_any_more(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest)));
    OK(FOLLOW(keyset2));

    GIVES(GATEWARD_REFUSED_OLD_KEYS, gateward_manifest_admit(&machine->manifest, &machine->keys,
                                                             &machine->floor, &machine->now));
    GIVES(GATEWARD_REFUSED_OLD_KEYS, verified(machine, FIXTURE(manifest2)));
    OK(verified(machine, FIXTURE(manifest3)));
    OK(gateward_manifest_admit(&machine->manifest, &machine->keys, &machine->floor, &machine->now));
}

static void what_is_in_force_stays_so_when_the_next_epoch_comes(void) {
    struct machine *machine = in_force();
    gateward_keys first = machine->keys;
    OK(FOLLOW(keyset2));
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);

    /* After a restart too: the manifest is verified with its own key set, the newest is held. */
    OK(gateward_manifest_verify(&first, BYTES(audience), FIXTURE(manifest), &machine->manifest));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              FIXTURE(file), &machine->snapshot));
    LEAVES(machine->floor, OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor)));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
}

static void a_compromised_key_voids_the_snapshot_in_force(void) {
    struct machine *machine = in_force();
    gateward_keys first = machine->keys;
    OK(FOLLOW(keyset2_compromised));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_VOID);
    LEAVES(machine->floor,
           GIVES(GATEWARD_VOID, gateward_snapshot_commit(&machine->snapshot, &machine->floor)));

    /* Opening it again is no way around that. */
    OK(gateward_manifest_verify(&first, BYTES(audience), FIXTURE(manifest), &machine->manifest));
    GIVES(GATEWARD_VOID, gateward_manifest_admit(&machine->manifest, &machine->keys,
                                                 &machine->floor, &machine->now));
    LEAVES(machine->snapshot,
           GIVES(GATEWARD_VOID,
                 gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor,
                                        &machine->now, FIXTURE(file), &machine->snapshot)));
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_VOID);
}

static void the_key_set_alone_is_enough_to_void_it_and_an_older_one_says_nothing(void) {
    struct machine *machine = in_force();
    gateward_keys first = machine->keys;
    gateward_floor before = machine->floor;
    gateward_snapshot by_keys = machine->snapshot;
    OK(FOLLOW(keyset2_compromised));

    OK(gateward_snapshot_follow(&by_keys, &machine->keys, &before));
    LEAVES(*machine,
           GIVES(GATEWARD_REFUSED_NEWER_KEYS,
                 gateward_snapshot_follow(&machine->snapshot, &first, &machine->floor)));
    machine->snapshot = by_keys;
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_VOID);
}

static void a_damaged_floor_is_refused_and_not_taken_for_a_new_one(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest)));
    for (size_t at = 0; at < sizeof(machine->floor.bytes); at += 5) {
        machine->floor.bytes[at] ^= 4;
        LEAVES(*machine, GIVES(GATEWARD_REFUSED_DAMAGED, FOLLOW(keyset2)));
        LEAVES(*machine,
               GIVES(GATEWARD_REFUSED_DAMAGED,
                     gateward_manifest_admit(&machine->manifest, &machine->keys, &machine->floor,
                                             &machine->now)));
        machine->floor.bytes[at] ^= 4;
    }
}
#undef FOLLOW

const struct test keys_tests[] = {
    TEST(the_audience_is_that_of_the_account_and_the_group),
    TEST(a_key_set_is_anchored_for_its_account_only),
    TEST(no_flipped_bit_of_a_key_set_is_believed),
    TEST(no_key_set_that_is_cut_is_believed),
    TEST(the_next_epoch_follows_where_enough_of_the_old_root_keys_signed),
    TEST(a_floor_that_rose_by_a_key_set_knows_it_after_a_restart),
    TEST(what_the_old_epoch_signed_is_not_put_in_force_any_more),
    TEST(what_is_in_force_stays_so_when_the_next_epoch_comes),
    TEST(a_compromised_key_voids_the_snapshot_in_force),
    TEST(the_key_set_alone_is_enough_to_void_it_and_an_older_one_says_nothing),
    TEST(a_damaged_floor_is_refused_and_not_taken_for_a_new_one),
    NO_MORE,
};
