/* From signed bytes to a snapshot in force. */
#include "world.h"

static uint32_t opened(struct machine *machine, const unsigned char *file, size_t len) {
    return gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor,
                                  &machine->now, file, len, &machine->snapshot);
}

static uint32_t admitted(const struct machine *machine) {
    gateward_floor floor = machine->floor;

    return gateward_manifest_admit(&machine->manifest, &machine->keys, &floor,
                                   &machine->now);
}

static void a_manifest_says_which_file_and_until_when(void) {
    struct machine *machine = in_force();
    gateward_manifest_fields said, of_snapshot;
    OK(gateward_manifest_info(&machine->manifest, &said));
    OK(gateward_snapshot_info(&machine->snapshot, &of_snapshot));

    CHECK(memcmp(&said, &of_snapshot, sizeof(said)) == 0);
    EQUAL(said.version, 1);
    EQUAL(said.issued_at, T0);
    EQUAL(said.stale_at, T0 + DAY);
    EQUAL(said.expires_at, T0 + 7 * DAY);
    EQUAL(said.revoked, 0);
    EQUAL(said.epoch, 1);
    EQUAL(said.file_len, LENGTH(file));
    EQUAL(said.chunk_len, 4096);
    EQUAL(said.chunks, (LENGTH(file) + 4095) / 4096);
}

static void a_manifest_of_nobodys_is_refused(void) {
    struct machine *machine = enrolled();

    LEAVES(*machine, GIVES(GATEWARD_REFUSED_UNSIGNED, verified(machine, FIXTURE(manifest_flipped))));
    LEAVES(*machine,
           GIVES(GATEWARD_REFUSED_UNSIGNED, verified(machine, FIXTURE(manifest_stranger))));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_ACCOUNT,
                           verified(machine, FIXTURE(manifest_other_account))));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_AUDIENCE,
                           verified(machine, FIXTURE(manifest_other_audience))));
    LEAVES(*machine,
           GIVES(GATEWARD_REFUSED_MALFORMED, verified(machine, FIXTURE(manifest_truncated))));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_TYPE, verified(machine, FIXTURE(revoked))));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_NEWER_KEYS, verified(machine, FIXTURE(manifest3))));
}

static void no_flipped_bit_of_a_manifest_is_believed(void) {
    struct machine *machine = enrolled();
    unsigned char *bytes = at_the_edge(FIXTURE(manifest));

    for (size_t bit = 0; bit < 8 * (size_t)LENGTH(manifest); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(verified(machine, bytes, LENGTH(manifest)) != GATEWARD_OK);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(verified(machine, bytes, LENGTH(manifest)));
}

static void no_flipped_bit_of_a_file_is_opened(void) {
    struct machine *machine = enrolled();
    unsigned char *bytes = at_the_edge(FIXTURE(file));
    OK(verified(machine, FIXTURE(manifest)));

    for (size_t bit = 0; bit < 8 * (size_t)LENGTH(file); bit += 997) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        LEAVES(machine->snapshot,
               GIVES(GATEWARD_SNAPSHOT_ROOT, opened(machine, bytes, LENGTH(file))));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(opened(machine, bytes, LENGTH(file)));
}

static void a_file_that_is_cut_or_too_long_is_not_opened(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest)));

    LEAVES(*machine, GIVES(GATEWARD_SNAPSHOT_LENGTH, opened(machine, BYTES(file), 0)));
    LEAVES(*machine,
           GIVES(GATEWARD_SNAPSHOT_LENGTH, opened(machine, BYTES(file), LENGTH(file) - 1)));
    LEAVES(*machine, GIVES(GATEWARD_SNAPSHOT_LENGTH, opened(machine, FIXTURE(file2))));
}

static void an_expired_manifest_is_not_admitted(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest_expired)));

    GIVES(GATEWARD_REFUSED_EXPIRED, admitted(machine));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_EXPIRED, opened(machine, FIXTURE(file))));
}

static void a_manifest_of_later_than_the_clock_is_not_admitted(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest)));
    machine->now = synced(T0 - 601);

    GIVES(GATEWARD_REFUSED_ISSUED_AHEAD, admitted(machine));
    machine->now.quality = GATEWARD_TIME_FLOOR;
    GIVES(GATEWARD_REFUSED_UNCONFIRMED, admitted(machine));
    machine->now.backed = T0 - 600;
    OK(admitted(machine));
}

static void an_older_snapshot_is_refused_after_a_newer_one(void) {
    struct machine *machine = in_force();
    gateward_manifest first = machine->manifest;
    OK(verified(machine, FIXTURE(manifest2)));
    OK(opened(machine, FIXTURE(file2)));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));

    machine->manifest = first;
    GIVES(GATEWARD_REFUSED_ROLLBACK, admitted(machine));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, opened(machine, FIXTURE(file))));
}

static void the_floor_refuses_a_rollback_after_a_restart_too(void) {
    struct machine *machine = in_force();
    OK(verified(machine, FIXTURE(manifest2)));
    OK(opened(machine, FIXTURE(file2)));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
    struct machine *fresh = enrolled();
    fresh->floor = machine->floor;

    OK(verified(fresh, FIXTURE(manifest)));
    GIVES(GATEWARD_REFUSED_ROLLBACK, admitted(fresh));
    restarted(fresh, FIXTURE(manifest2), FIXTURE(file2));
    EQUAL(asked(fresh, token_of("allowed first row"), 66), 1000);
}

static void an_older_snapshot_that_is_still_open_does_not_lower_the_floor(void) {
    struct machine *machine = in_force();
    gateward_snapshot first = machine->snapshot;
    OK(verified(machine, FIXTURE(manifest2)));
    OK(opened(machine, FIXTURE(file2)));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));

    LEAVES(machine->floor,
           GIVES(GATEWARD_REFUSED_ROLLBACK, gateward_snapshot_commit(&first, &machine->floor)));
}

static void what_is_in_force_may_be_committed_again_and_changes_nothing(void) {
    struct machine *machine = in_force();
    gateward_clock clock;
    gateward_shown no_clock = {0, 0, 0};
    OK(gateward_clock_start(T0, &machine->floor, 0, &clock));
    OK(gateward_clock_keep(&clock, 60000, &no_clock, T0 + DAY, &machine->floor));

    LEAVES(machine->floor, OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor)));
}

static void two_snapshots_under_one_number_are_a_fork(void) {
    struct machine *machine = in_force();
    OK(verified(machine, FIXTURE(manifest_fork)));

    GIVES(GATEWARD_REFUSED_FORK, admitted(machine));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_FORK, opened(machine, FIXTURE(file2))));
    /* Opened before the floor knew of the other, it is not committed either. */
    struct machine *early = enrolled();
    OK(verified(early, FIXTURE(manifest_fork)));
    OK(opened(early, FIXTURE(file2)));
    LEAVES(machine->floor, GIVES(GATEWARD_REFUSED_FORK,
                                 gateward_snapshot_commit(&early->snapshot, &machine->floor)));
}

static void a_later_manifest_keeps_the_snapshot_valid_for_longer(void) {
    struct machine *machine = in_force();
    gateward_manifest first = machine->manifest;
    machine->now = synced(T0 + DAY);
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1027);

    OK(verified(machine, FIXTURE(manifest_later)));
    OK(gateward_snapshot_refresh(&machine->snapshot, &machine->manifest, &machine->keys,
                                 &machine->floor, &machine->now));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);

    /* The one before is older, and refused. */
    machine->manifest = first;
    GIVES(GATEWARD_REFUSED_ROLLBACK, admitted(machine));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK,
                           gateward_snapshot_refresh(&machine->snapshot, &machine->manifest,
                                                     &machine->keys, &machine->floor,
                                                     &machine->now)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, opened(machine, FIXTURE(file))));
}

static void a_snapshot_is_not_refreshed_with_the_manifest_of_another(void) {
    struct machine *machine = in_force();
    OK(verified(machine, FIXTURE(manifest2)));

    LEAVES(*machine, GIVES(GATEWARD_SNAPSHOT_ROOT,
                           gateward_snapshot_refresh(&machine->snapshot, &machine->manifest,
                                                     &machine->keys, &machine->floor,
                                                     &machine->now)));
}

static void an_expired_snapshot_denies_everything(void) {
    struct machine *machine = in_force();

    machine->now = synced(T0 + 7 * DAY - 1);
    EQUAL(asked(machine, token_of("unknown low"), 66), 1006);
    machine->now = synced(T0 + 7 * DAY);
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1029);
    EQUAL(asked(machine, token_of("unknown low"), 66), 1029);
}

const struct test open_tests[] = {
    TEST(a_manifest_says_which_file_and_until_when),
    TEST(a_manifest_of_nobodys_is_refused),
    TEST(no_flipped_bit_of_a_manifest_is_believed),
    TEST(no_flipped_bit_of_a_file_is_opened),
    TEST(a_file_that_is_cut_or_too_long_is_not_opened),
    TEST(an_expired_manifest_is_not_admitted),
    TEST(a_manifest_of_later_than_the_clock_is_not_admitted),
    TEST(an_older_snapshot_is_refused_after_a_newer_one),
    TEST(the_floor_refuses_a_rollback_after_a_restart_too),
    TEST(an_older_snapshot_that_is_still_open_does_not_lower_the_floor),
    TEST(what_is_in_force_may_be_committed_again_and_changes_nothing),
    TEST(two_snapshots_under_one_number_are_a_fork),
    TEST(a_later_manifest_keeps_the_snapshot_valid_for_longer),
    TEST(a_snapshot_is_not_refreshed_with_the_manifest_of_another),
    TEST(an_expired_snapshot_denies_everything),
    NO_MORE,
};
