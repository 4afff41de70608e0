/* How late it is: said by the caller (DOMAIN L5), or followed from what was signed. */
#include "world.h"

static const gateward_shown NO_CLOCK = {0, 0, 0};

static void l5_no_time_is_no_time(void) {
    struct machine *machine = in_force();
    machine->now.at = 0;

    LEAVES(*machine, EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_NO_TIME));
    LEAVES(*machine, GIVES(GATEWARD_NO_TIME,
                           gateward_manifest_admit(&machine->manifest, &machine->keys,
                                                   &machine->floor, &machine->now)));
    LEAVES(*machine, GIVES(GATEWARD_NO_TIME,
                           gateward_snapshot_open(&machine->manifest, &machine->keys,
                                                  &machine->floor, &machine->now, FIXTURE(file),
                                                  &machine->snapshot)));
    LEAVES(*machine, GIVES(GATEWARD_NO_TIME,
                           gateward_snapshot_refresh(&machine->snapshot, &machine->manifest,
                                                     &machine->keys, &machine->floor,
                                                     &machine->now)));
    LEAVES(*machine, GIVES(GATEWARD_NO_TIME, gateward_beacon_take(&machine->keys, BYTES(audience),
                                                                  &machine->floor, &machine->now,
                                                                  FIXTURE(beacon))));
}

static void l5_a_time_before_what_was_signed_is_lifted(void) {
    struct machine *machine = in_force();
    gateward_decision decision = {0};
    gateward_record record;
    machine->now = synced(1);

    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
    decision.principal = GATEWARD_NONE;
    decision.verdict = GATEWARD_CLASS_AUTHN;
    OK(gateward_record_start(&machine->snapshot, &decision, &machine->now, &record));
    EQUAL(record.created_at_ms, T0 * 1000);
}

static void a_time_that_cannot_be_meant_is_refused(void) {
    struct machine *machine = in_force();

    machine->now.quality = GATEWARD_TIME_UNKNOWN + 1;
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_ABSURD);
    machine->now.quality = UINT32_MAX;
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_ABSURD);
    machine->now = synced(NOW);
    machine->now.zero = 1;
    EQUAL(asked(machine, token_of("allowed first row"), 66), GATEWARD_ABSURD);
    machine->now = synced(UINT64_MAX);
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1029);
}

static void a_clock_starts_with_the_time_of_the_build(void) {
    struct machine *machine = enrolled();
    gateward_clock clock = {{0}};
    gateward_now now = {0};

    LEAVES(now, GIVES(GATEWARD_EMPTY, gateward_clock_now(&clock, 0, &NO_CLOCK, &now)));
    OK(gateward_clock_start(T0 - DAY, &machine->floor, 500, &clock));
    OK(gateward_clock_now(&clock, 500, &NO_CLOCK, &now));
    EQUAL(now.at, T0 - DAY);
    EQUAL(now.quality, GATEWARD_TIME_UNKNOWN);
}

static void a_clock_is_believed_where_it_is_ahead_of_what_was_signed(void) {
    struct machine *machine = in_force();
    gateward_clock clock;
    gateward_now now = {0};
    gateward_shown shown = {NOW, 1, 0};
    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));

    OK(gateward_clock_now(&clock, 10000, &NO_CLOCK, &now));
    EQUAL(now.at, T0 + 10);
    EQUAL(now.quality, GATEWARD_TIME_FLOOR);
    OK(gateward_clock_now(&clock, 0, &shown, &now));
    EQUAL(now.at, NOW);
    EQUAL(now.quality, GATEWARD_TIME_SYNCED);
    shown.synchronised = 0;
    OK(gateward_clock_now(&clock, 0, &shown, &now));
    EQUAL(now.quality, GATEWARD_TIME_HOLDOVER);
    shown.clock = T0 - 1;
    OK(gateward_clock_now(&clock, 0, &shown, &now));
    EQUAL(now.at, T0);
    shown.synchronised = 2;
    LEAVES(now, GIVES(GATEWARD_ABSURD, gateward_clock_now(&clock, 0, &shown, &now)));
    shown.synchronised = 0;
    shown.zero = 1;
    LEAVES(now, GIVES(GATEWARD_ABSURD, gateward_clock_now(&clock, 0, &shown, &now)));
    LEAVES(machine->floor,
           GIVES(GATEWARD_ABSURD, gateward_clock_keep(&clock, 0, &shown, 0, &machine->floor)));
}

static void time_that_passed_is_kept_over_a_restart(void) {
    struct machine *machine = in_force();
    gateward_clock clock;
    gateward_now now = {0};
    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));
    OK(gateward_clock_keep(&clock, 7200 * 1000, &NO_CLOCK, T0 + 7 * DAY, &machine->floor));

    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));
    OK(gateward_clock_now(&clock, 0, &NO_CLOCK, &now));
    EQUAL(now.at, T0 + 7200);
}

static void a_clock_that_jumped_ahead_does_not_stick_beyond_the_snapshot(void) {
    struct machine *machine = in_force();
    gateward_clock clock;
    gateward_now now = {0};
    gateward_shown shown = {T0 + 3650 * DAY, 1, 0};
    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));
    OK(gateward_clock_keep(&clock, 0, &shown, T0 + 7 * DAY, &machine->floor));

    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));
    OK(gateward_clock_now(&clock, 0, &NO_CLOCK, &now));
    EQUAL(now.at, T0 + 7 * DAY);
}

#define TAKE(name)                                                                         \
    gateward_beacon_take(&machine->keys, BYTES(audience), &machine->floor, &machine->now, \
                         FIXTURE(name))

static void a_beacon_says_what_time_it_is(void) {
    struct machine *machine = in_force();
    gateward_clock clock;
    gateward_now now = {0};
    OK(TAKE(beacon));

    OK(gateward_clock_start(T0 - DAY, &machine->floor, 0, &clock));
    OK(gateward_clock_now(&clock, 0, &NO_CLOCK, &now));
    EQUAL(now.at, T0 + 600);
}

static void a_beacon_of_nobodys_is_refused(void) {
    struct machine *machine = in_force();

    LEAVES(*machine, GIVES(GATEWARD_REFUSED_UNSIGNED, TAKE(beacon_flipped)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_UNSIGNED, TAKE(beacon_stranger)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_ACCOUNT, TAKE(beacon_other_account)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_MALFORMED, TAKE(beacon_truncated)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_TYPE, TAKE(manifest)));
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_OTHER_AUDIENCE,
                           gateward_beacon_take(&machine->keys, BYTES(other_audience),
                                                &machine->floor, &machine->now, FIXTURE(beacon))));
    /* A clock behind what was signed is no clock; where nothing was, it counts. */
    machine->now = synced(T0 - DAY);
    OK(TAKE(beacon));
    machine = enrolled();
    machine->now = synced(T0 - DAY);
    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ISSUED_AHEAD, TAKE(beacon)));
}

static void an_older_beacon_is_refused(void) {
    struct machine *machine = in_force();
    OK(TAKE(beacon2));

    LEAVES(*machine, GIVES(GATEWARD_REFUSED_ROLLBACK, TAKE(beacon)));
}

static void a_beacon_that_knows_of_something_newer_makes_the_snapshot_stale(void) {
    struct machine *machine = in_force();
    OK(taken(machine, FIXTURE(revoked), 0, memory(room(machine))));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
    OK(TAKE(beacon));
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);

    OK(TAKE(beacon2));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1000);
    OK(gateward_snapshot_follow(&machine->snapshot, &machine->keys, &machine->floor));
    EQUAL(asked(machine, token_of("allowed first row"), 66), 1027);
    /* What needs no fresh snapshot goes on. */
    gateward_decision decision;
    const char *system = token_of("allowed system user that changes a device");
    gateward_request device = {.operation = GATEWARD_OPERATION_WRITE,
                               .division = (const uint8_t *)"division 2",
                               .division_len = 10};
    OK(gateward_permission_find(&machine->snapshot, (const uint8_t *)"manage_device", 13,
                                &device.permissions));
    OK(gateward_check_text(&machine->snapshot, &device, (const uint8_t *)system, strlen(system),
                           &machine->now, &decision));
    EQUAL(decision.verdict, GATEWARD_CLASS_ALLOW);
}
#undef TAKE

const struct test time_tests[] = {
    TEST(l5_no_time_is_no_time),
    TEST(l5_a_time_before_what_was_signed_is_lifted),
    TEST(a_time_that_cannot_be_meant_is_refused),
    TEST(a_clock_starts_with_the_time_of_the_build),
    TEST(a_clock_is_believed_where_it_is_ahead_of_what_was_signed),
    TEST(time_that_passed_is_kept_over_a_restart),
    TEST(a_clock_that_jumped_ahead_does_not_stick_beyond_the_snapshot),
    TEST(a_beacon_says_what_time_it_is),
    TEST(a_beacon_of_nobodys_is_refused),
    TEST(an_older_beacon_is_refused),
    TEST(a_beacon_that_knows_of_something_newer_makes_the_snapshot_stale),
    NO_MORE,
};
