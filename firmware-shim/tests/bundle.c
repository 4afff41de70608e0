/* One file with everything. */
#include "world.h"

static void a_bundle_brings_a_machine_from_its_anchor_to_a_decision(void) {
    struct machine *machine = enrolled();
    gateward_bundle bundle;
    unsigned char *bytes = at_the_edge(FIXTURE(bundle));
    OK(gateward_bundle_read(bytes, LENGTH(bundle), &bundle));
    OK(gateward_bundle_walk(bytes, LENGTH(bundle), &machine->keys, &machine->floor));

    OK(verified(machine, bundle.manifest.bytes, bundle.manifest.len));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              bundle.file.bytes, bundle.file.len, &machine->snapshot));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
    OK(taken(machine, bundle.revoked.bytes, bundle.revoked.len, 0, memory(room(machine))));
    EQUAL(bundle.list.len, LENGTH(list));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
    EQUAL(asked(machine, token_of("token revoked"), 66), 1019);
}

static void a_bundle_that_is_cut_or_has_more_is_none(void) {
    gateward_bundle bundle;
    struct machine *machine = enrolled();
    unsigned char *bytes = memory(LENGTH(bundle) + 1);
    memset(&bundle, 0, sizeof(bundle));
    memcpy(bytes, FIXTURE(bundle));

    for (size_t len = 0; len < LENGTH(bundle); len += 1 + len / 40) {
        LEAVES(bundle,
               GIVES(GATEWARD_REFUSED_BUNDLE, gateward_bundle_read(bytes, len, &bundle)));
        LEAVES(*machine, GIVES(GATEWARD_REFUSED_BUNDLE,
                               gateward_bundle_walk(bytes, len, &machine->keys, &machine->floor)));
    }
    LEAVES(bundle, GIVES(GATEWARD_REFUSED_BUNDLE,
                         gateward_bundle_read(bytes, LENGTH(bundle) + 1, &bundle)));
    /* A part that says 4 GiB. */
    memset(bytes + 12, 0xff, 4);
    LEAVES(bundle,
           GIVES(GATEWARD_REFUSED_BUNDLE, gateward_bundle_read(bytes, LENGTH(bundle), &bundle)));
}

static void where_a_key_set_of_a_bundle_does_not_follow_those_before_it_stay_taken(void) {
    struct machine *machine = enrolled();
    unsigned char *bytes = memory(16 + LENGTH(keyset2) + 16 + LENGTH(keyset2_new_only) + 32);
    size_t len = 12;
    uint32_t part = LENGTH(keyset2);
    memcpy(bytes, "GWDBNDL1\2\0\0\0", 12);
    memcpy(bytes + len, &part, 4);
    memcpy(bytes + len + 4, FIXTURE(keyset2));
    len += 4 + LENGTH(keyset2);
    /* The second is one of a later epoch that nobody signed: its last byte is another. */
    part = LENGTH(keyset1);
    memcpy(bytes + len, &part, 4);
    memcpy(bytes + len + 4, FIXTURE(keyset1));
    bytes[len + 4] ^= 0x40;
    len += 4 + LENGTH(keyset1) + 16;

    CHECK(gateward_bundle_walk(bytes, len, &machine->keys, &machine->floor) != GATEWARD_OK);
    uint32_t epoch = 0;
    OK(gateward_keys_epoch(&machine->keys, &epoch));
    EQUAL(epoch, 2);
    /* Without it the rest is held already. */
    bytes[8] = 1;
    len = 12 + 4 + LENGTH(keyset2);
    memset(bytes + len, 0, 16);
    LEAVES(*machine, OK(gateward_bundle_walk(bytes, len + 16, &machine->keys, &machine->floor)));
}

const struct test bundle_tests[] = {
    TEST(a_bundle_brings_a_machine_from_its_anchor_to_a_decision),
    TEST(a_bundle_that_is_cut_or_has_more_is_none),
    TEST(where_a_key_set_of_a_bundle_does_not_follow_those_before_it_stay_taken),
    NO_MORE,
};
