/* Every call on the way to a decision, once: its stack by painting what is below it, and its ticks.

   What is measured lies in another object and is called through a pointer, so it never becomes part
   of the frame that measures. */
#include "measure.h"

#define PAINT 0xc0de5afeu
/* Between what is painted and the frame that paints. */
#define MARGIN 64
#define BYTES_OF(name) gateward_fixture_##name, gateward_fixture_##name##_len

static struct gate *gate;
static gateward_keys next_keys;
static gateward_floor next_floor;
static gateward_ask ask;
static gateward_token token;
static gateward_decision decision;
static gateward_now now;

static gateward_status nothing(void)
{
    return GATEWARD_OK;
}

static gateward_status floor_start(void)
{
    return gateward_floor_start(&gate->floor);
}

static gateward_status keys_anchor(void)
{
    return gateward_keys_anchor(BYTES_OF(keyset1), gateward_fixture_account, &gate->keys);
}

static gateward_status keys_follow(void)
{
    next_keys = gate->keys;
    next_floor = gate->floor;

    return gateward_keys_follow(&next_keys, BYTES_OF(keyset2), &next_floor);
}

static gateward_status bundle_walk(void)
{
    next_keys = gate->keys;
    next_floor = gate->floor;

    return gateward_bundle_walk(BYTES_OF(bundle), &next_keys, &next_floor);
}

static gateward_status manifest_verify(void)
{
    return gateward_manifest_verify(&gate->keys, gateward_fixture_audience, BYTES_OF(manifest),
                                    &gate->manifest);
}

static gateward_status snapshot_open(void)
{
    return gateward_snapshot_open(&gate->manifest, &gate->keys, &gate->floor, &now,
                                  BYTES_OF(file), &gate->snapshot);
}

static gateward_status snapshot_commit(void)
{
    return gateward_snapshot_commit(&gate->snapshot, &gate->floor);
}

static gateward_status revoked_take(void)
{
    size_t room;

    if (gateward_revoked_room(&gate->snapshot, &room) != GATEWARD_OK || room > sizeof gate->bits)
        return GATEWARD_NO_ROOM;

    const gateward_list given = {BYTES_OF(revoked), gate->bits, room, 0, 0, 0};

    return gateward_revoked_take(&gate->snapshot, &gate->keys, &gate->keys,
                                 gateward_fixture_audience, &gate->floor, &given);
}

static gateward_status beacon_take(void)
{
    next_floor = gate->floor;

    return gateward_beacon_take(&gate->keys, gateward_fixture_audience, &next_floor, &now,
                                BYTES_OF(beacon));
}

static gateward_status snapshot_follow(void)
{
    return gateward_snapshot_follow(&gate->snapshot, &gate->keys, &gate->floor);
}

static gateward_request request(void)
{
    const struct gateward_case *one = &gateward_cases[0];

    return (gateward_request){
        .permissions = one->permissions,
        .operation = one->operation,
        .division = (const uint8_t *)one->division,
        .division_len = length(one->division),
        .mode = GATEWARD_MODE_DIRECT,
    };
}

static gateward_status ask_prepare(void)
{
    const gateward_request of = request();

    return gateward_ask_prepare(&gate->snapshot, &of, &ask);
}

static gateward_status token_read(void)
{
    return gateward_token_read((const uint8_t *)gateward_cases[0].token, TOKEN_LEN, &token);
}

static gateward_status check(void)
{
    return gateward_check(&gate->snapshot, &ask, &token, &now, &decision);
}

static gateward_status check_text(void)
{
    const gateward_request of = request();
    const uint8_t *text = (const uint8_t *)gateward_cases[0].token;

    return gateward_check_text(&gate->snapshot, &of, text, TOKEN_LEN, &now, &decision);
}

static uintptr_t here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

/* Paints the free stack, calls, and looks how far the paint is gone. */
static __attribute__((noinline)) void measure(gateward_status (*volatile call)(void),
                                              const char *name)
{
    volatile uint32_t *const lowest = (volatile uint32_t *)board_stack_end;
    volatile uint32_t *const top = (volatile uint32_t *)((here() - MARGIN) & ~(uintptr_t)7);
    volatile uint32_t *at;
    uint32_t began, took;

    for (at = lowest; at < top; at++)
        *at = PAINT;
    began = measure_ticks();
    if (call() != GATEWARD_OK)
        fail("refused", name);
    took = measure_since(began);
    for (at = lowest; at < top && *at == PAINT; at++)
        ;
    if (at == lowest)
        fail("the stack overflows", name);
    board_say("call ");
    say_number(here() - (uintptr_t)at);
    board_say(" ");
    say_number(took);
    board_say(" ");
    board_say(name);
    board_say("\n");
}

void measure_calls(struct gate *of)
{
    static const struct {
        gateward_status (*call)(void);
        const char *name;
    } calls[] = {
        {nothing, "nothing"},
        {floor_start, "floor_start"},
        {keys_anchor, "keys_anchor"},
        {keys_follow, "keys_follow"},
        {bundle_walk, "bundle_walk"},
        {manifest_verify, "manifest_verify"},
        {snapshot_open, "snapshot_open"},
        {snapshot_commit, "snapshot_commit"},
        {beacon_take, "beacon_take"},
        {snapshot_follow, "snapshot_follow"},
        {revoked_take, "revoked_take"},
        {ask_prepare, "ask_prepare"},
        {token_read, "token_read"},
        {check, "check"},
        {check_text, "check_text"},
    };

    gate = of;
    now = now_at(gateward_cases[0].now);
    for (size_t at = 0; at < sizeof calls / sizeof *calls; at++)
        measure(calls[at].call, calls[at].name);
}
