/* What is revoked since a snapshot, and that it stays so. */
#include "world.h"

#include "cases.h"

static uint32_t reason_of(const struct machine *machine, const char *name) {
    return asked(machine, token_of(name), strlen(token_of(name)));
}

static uint32_t later_reason(const struct machine *machine) {
    return asked(machine, (const char *)BYTES(token_later), LENGTH(token_later));
}

static void who_is_on_the_list_is_let_in_no_more(void) {
    struct machine *machine = in_force();
    EQUAL(reason_of(machine, "token revoked"), 1000);
    EQUAL(reason_of(machine, "owner revoked"), 1000);
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));

    EQUAL(reason_of(machine, "token revoked"), 1019);
    EQUAL(reason_of(machine, "owner revoked"), 1019);
    EQUAL(reason_of(machine, "allowed first row"), 1000);
    EQUAL(later_reason(machine), 1000);
}

static void a_list_of_nobodys_is_refused_and_no_bit_is_set(void) {
    struct machine *machine = in_force();
    struct {
        unsigned char bits[512];
    } held = {{0}};
    size_t len = room(machine);
    CHECK(len <= sizeof(held));

#define REFUSED(status, name) \
    LEAVES(held, LEAVES(*machine, GIVES(status, taken(machine, FIXTURE(name), 0, held.bits))))
    memset(held.bits, 0x55, sizeof(held));
    REFUSED(GATEWARD_REFUSED_UNSIGNED, revoked_flipped);
    REFUSED(GATEWARD_REFUSED_UNSIGNED, revoked_stranger);
    REFUSED(GATEWARD_REFUSED_OTHER_ACCOUNT, revoked_other_account);
    REFUSED(GATEWARD_REFUSED_MALFORMED, revoked_truncated);
    REFUSED(GATEWARD_REFUSED_OTHER_TYPE, beacon);
    LEAVES(held, LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_AUDIENCE,
                                        taken_with(
                                            &machine->snapshot, &machine->keys, &machine->keys,
                                            BYTES(other_audience), &machine->floor,
                                            FIXTURE(revoked), 0, held.bits, len))));
#undef REFUSED
    EQUAL(reason_of(machine, "token revoked"), 1000);
}

static void no_flipped_bit_of_a_list_is_believed(void) {
    struct machine *machine = in_force();
    unsigned char *bytes = at_the_edge(FIXTURE(revoked));
    unsigned char *bits = memory(room(machine));

    for (size_t bit = 0; bit < 8 * (size_t)LENGTH(revoked); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(taken(machine, bytes, LENGTH(revoked), 0, bits) != GATEWARD_OK);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(taken(machine, bytes, LENGTH(revoked), 0, bits));
}

static void bits_have_the_length_that_the_snapshot_needs(void) {
    struct machine *machine = in_force();
    size_t len = room(machine);
    unsigned char *bits = memory(len + 1);

#define TAKE(length)                                                                          \
    taken_with(&machine->snapshot, &machine->keys, &machine->keys, BYTES(audience),           \
               &machine->floor, FIXTURE(revoked), 0, bits, length)
    LEAVES(*machine, GIVES(GATEWARD_LENGTH, TAKE(0)));
    LEAVES(*machine, GIVES(GATEWARD_LENGTH, TAKE(len - 1)));
    LEAVES(*machine, GIVES(GATEWARD_LENGTH, TAKE(len + 1)));
    LEAVES(*machine, GIVES(GATEWARD_LENGTH, TAKE(ABSURD)));
    OK(TAKE(len));
#undef TAKE
    EQUAL(bits[len], 0);
}

static void an_older_list_is_refused_and_the_newest_may_come_again(void) {
    struct machine *machine = in_force();
    unsigned char *bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    EQUAL(later_reason(machine), 1019);

    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, taken(machine, FIXTURE(revoked), 0, bits)));
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    EQUAL(later_reason(machine), 1019);
}

static void after_a_restart_nothing_is_decided_until_the_list_is_here_again(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked2), 0, memory(room(machine))));
    restarted(machine, FIXTURE(manifest), FIXTURE(file));

    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_LIST_OWED);
    EQUAL(reason_of(machine, "unknown low"), GATEWARD_LIST_OWED);
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK,
                           taken(machine, FIXTURE(revoked), 0, memory(room(machine)))));
    OK(taken(machine, FIXTURE(revoked2), 0, memory(room(machine))));
    EQUAL(reason_of(machine, "allowed first row"), 1000);
    EQUAL(reason_of(machine, "token revoked"), 1019);
    EQUAL(later_reason(machine), 1019);
}

static void a_compacted_list_adds_to_the_bits_that_are_here(void) {
    struct machine *machine = in_force();
    unsigned char *bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    /* It leaves out the token that the second snapshot does not have any more. */
    OK(taken(machine, FIXTURE(revoked3), 0, memory(room(machine))));

    EQUAL(reason_of(machine, "token revoked"), 1019);
    EQUAL(later_reason(machine), 1019);
}

static void a_compacted_list_does_not_come_before_its_snapshot_after_a_restart(void) {
    struct machine *machine = in_force();
    unsigned char *bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    gateward_floor held = machine->floor;

    /* It is taken, and what it leaves out lets nobody in: not then, not later, not by another try. */
    for (uint64_t kept = 0; kept <= 3; kept++) {
        if (kept == 2)
            continue;
        machine->floor = held;
        restarted(machine, FIXTURE(manifest), FIXTURE(file));
        EQUAL(reason_of(machine, "allowed first row"), GATEWARD_LIST_OWED);
        OK(taken(machine, FIXTURE(revoked3), kept, memory(room(machine))));
        EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);
        OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
        OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
        OK(taken(machine, FIXTURE(revoked3), 0, memory(room(machine))));
        EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);
        restarted(machine, FIXTURE(manifest), FIXTURE(file));
        OK(taken(machine, FIXTURE(revoked3), 2, bits));
        EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);
    }
    /* Nor do bits of another epoch. */
    machine->floor = held;
    restarted(machine, FIXTURE(manifest), FIXTURE(file));
    gateward_list given = {FIXTURE(revoked3), bits, room(machine), 2, 2, 0};
    OK(gateward_revoked_take(&machine->snapshot, &machine->keys, &machine->keys, BYTES(audience),
                             &machine->floor, &given));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);

    /* Whoever kept the bits says so, and nothing is forgotten. */
    machine->floor = held;
    restarted(machine, FIXTURE(manifest), FIXTURE(file));
    bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    restarted(machine, FIXTURE(manifest), FIXTURE(file));
    OK(taken(machine, FIXTURE(revoked3), 2, bits));
    EQUAL(reason_of(machine, "allowed first row"), 1027);
    EQUAL(reason_of(machine, "token revoked"), 1019);
    EQUAL(later_reason(machine), 1019);
}

/* Taken, what the list leaves out lets nobody in, even where somebody says that its bits are all. */
static void bits_of_a_list_that_was_not_whole_are_not_whole_after_a_restart(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked2), 0, memory(room(machine))));
    restarted(machine, FIXTURE(manifest), FIXTURE(file));
    unsigned char *bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked3), 0, bits));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);

    restarted(machine, FIXTURE(manifest), FIXTURE(file));
    OK(taken(machine, FIXTURE(revoked3), 3, bits));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_NEEDS_NEWER);
    /* Nor does an older one take its place. */
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, taken(machine, FIXTURE(revoked2), 0, bits)));
}

/* One snapshot key is called stolen, and it is not the one that signed the manifest. */
static void a_list_of_a_thief_voids_what_it_is_used_with(void) {
    struct machine *machine = in_force(), *without = in_force();
    unsigned char *bits = memory(room(machine));
    gateward_keys first = machine->keys;
    OK(taken(machine, FIXTURE(revoked_by_other), 0, bits));
    EQUAL(reason_of(machine, "allowed first row"), 1000);
    gateward_floor held = machine->floor;
    OK(gateward_keys_follow(&machine->keys, FIXTURE(keyset2_other_compromised), &machine->floor));

    /* Before anybody has followed, no other list may take its place. */
    LEAVES(*machine, GIVES(GATEWARD_VOID, taken(machine, FIXTURE(revoked_next), 0,
                                                memory(room(machine)))));
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_VOID);

    /* The list does not come back, neither by itself nor by an older key set. */
    without->floor = held;
    restarted(without, FIXTURE(manifest), FIXTURE(file));
    without->floor = machine->floor;
    without->keys = machine->keys;
    LEAVES(*without, GIVES(GATEWARD_VOID,
                           taken_with(&without->snapshot, &first, &without->keys, BYTES(audience),
                                      &without->floor, FIXTURE(revoked_by_other), 0, bits,
                                      room(without))));
    LEAVES(*without, GIVES(GATEWARD_REFUSED_NEWER_KEYS,
                           taken_with(&without->snapshot, &first, &first, BYTES(audience),
                                      &without->floor, FIXTURE(revoked_by_other), 0, bits,
                                      room(without))));
    /* Nor do its bits: what the next list leaves out is not in them for sure. */
    OK(taken(without, FIXTURE(revoked_next), 1, bits));
    EQUAL(reason_of(without, "allowed first row"), GATEWARD_NEEDS_NEWER);
}

static void an_older_floor_brings_no_older_list_back(void) {
    struct machine *machine = in_force();
    unsigned char *bits = memory(room(machine));
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));
    gateward_floor older = machine->floor;
    OK(taken(machine, FIXTURE(revoked2), 0, bits));
    machine->floor = older;

    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, taken(machine, FIXTURE(revoked), 0, bits)));
    EQUAL(later_reason(machine), 1019);
}

static void a_list_and_its_bits_lie_apart(void) {
    struct machine *machine = in_force();
    unsigned char *both = memory(LENGTH(revoked) + room(machine));
    memcpy(both, FIXTURE(revoked));

    LEAVES(*machine, GIVES(GATEWARD_ABSURD, taken(machine, both, LENGTH(revoked), 0, both + 8)));
}

static void kept_bits_are_not_replaced_by_older_ones(void) {
    struct machine *machine = in_force(), *other = in_force();
    unsigned char *old = memory(room(machine)), *kept = memory(room(machine));
    OK(taken(other, FIXTURE(revoked2), 0, kept));
    /* The first row is revoked in those that were kept, and nowhere else. */
    kept[0] |= 1;
    /* The same snapshot a second time, with the first list; the floor has heard of the second. */
    OK(taken(machine, FIXTURE(revoked), 0, old));
    machine->floor = other->floor;
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_LIST_OWED);

    OK(taken(machine, FIXTURE(revoked3), 2, kept));
    EQUAL(reason_of(machine, "allowed first row"), 1019);
    EQUAL(reason_of(machine, "token revoked"), 1019);
    EQUAL(later_reason(machine), 1019);
}

static void a_compacted_list_is_whole_with_its_snapshot(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked2), 0, memory(room(machine))));
    OK(verified(machine, FIXTURE(manifest2)));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              FIXTURE(file2), &machine->snapshot));
    EQUAL(reason_of(machine, "allowed first row"), GATEWARD_LIST_OWED);

    OK(taken(machine, FIXTURE(revoked3), 0, memory(room(machine))));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
    EQUAL(reason_of(machine, "allowed first row"), 1000);
    EQUAL(reason_of(machine, "token revoked"), 1006);
    EQUAL(later_reason(machine), 1019);
}

static void bits_that_overlap_the_ones_in_use_are_refused(void) {
    struct machine *machine = in_force();
    size_t len = room(machine);
    struct {
        unsigned char bits[512];
    } held = {{0}};
    CHECK(len + 1 <= sizeof(held));
    OK(taken(machine, FIXTURE(revoked2), 0, held.bits));

    LEAVES(held,
           LEAVES(*machine, GIVES(GATEWARD_ABSURD, taken(machine, FIXTURE(revoked3), 0, held.bits + 1))));
    OK(taken(machine, FIXTURE(revoked3), 0, held.bits));
    EQUAL(later_reason(machine), 1019);
}

static void a_list_that_is_spoken_of_and_not_here_makes_the_snapshot_stale(void) {
    struct machine *machine = in_force();
    OK(gateward_beacon_take(&machine->keys, BYTES(audience), &machine->floor, &machine->now,
                            FIXTURE(beacon)));
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(reason_of(machine, "allowed first row"), 1027);

    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));
    EQUAL(reason_of(machine, "allowed first row"), 1000);
}

const struct test revoked_tests[] = {
    TEST(who_is_on_the_list_is_let_in_no_more),
    TEST(a_list_of_nobodys_is_refused_and_no_bit_is_set),
    TEST(no_flipped_bit_of_a_list_is_believed),
    TEST(bits_have_the_length_that_the_snapshot_needs),
    TEST(an_older_list_is_refused_and_the_newest_may_come_again),
    TEST(after_a_restart_nothing_is_decided_until_the_list_is_here_again),
    TEST(a_compacted_list_adds_to_the_bits_that_are_here),
    TEST(a_compacted_list_does_not_come_before_its_snapshot_after_a_restart),
    TEST(bits_of_a_list_that_was_not_whole_are_not_whole_after_a_restart),
    TEST(a_list_of_a_thief_voids_what_it_is_used_with),
    TEST(an_older_floor_brings_no_older_list_back),
    TEST(a_list_and_its_bits_lie_apart),
    TEST(kept_bits_are_not_replaced_by_older_ones),
    TEST(a_compacted_list_is_whole_with_its_snapshot),
    TEST(bits_that_overlap_the_ones_in_use_are_refused),
    TEST(a_list_that_is_spoken_of_and_not_here_makes_the_snapshot_stale),
    NO_MORE,
};
