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

/* A bundle of nothing but the key set that follows. */
static gateward_status bundle_walk(void)
{
    static uint8_t bundle[4096] = "GWDBNDL1\1";
    const size_t len = gateward_fixture_keyset2_len, before = 16, after = 16;

    if (before + len + after > sizeof bundle)
        return GATEWARD_NO_ROOM;
    for (size_t at = 0; at < 4; at++)
        bundle[12 + at] = (uint8_t)(len >> 8 * at);
    for (size_t at = 0; at < len; at++)
        bundle[before + at] = gateward_fixture_keyset2[at];
    next_keys = gate->keys;
    next_floor = gate->floor;

    return gateward_bundle_walk(bundle, before + len + after, &next_keys, &next_floor);
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

static uint8_t chain_key[GATEWARD_HEAD_SIZE];
/* What no call may leave below it: the secret of the token, the first key of the chain. */
static uint8_t secret[32];

static gateward_status chain_next(void)
{
    uint8_t head[GATEWARD_HEAD_SIZE] = {0}, tag[GATEWARD_TAG_SIZE] = {0};

    for (size_t at = 0; at < sizeof chain_key; at++)
        secret[at] = chain_key[at] = (uint8_t)(0x61 + at);

    return gateward_chain_next(head, chain_key, gateward_fixture_manifest, 128, tag);
}

/* What a call looks like that forgets to wipe. */
static gateward_status planted(void)
{
    /* The secret lies deeper than the frames of whoever looks for it. */
    volatile uint8_t copy[256];

    for (size_t at = 0; at < sizeof secret; at++)
        copy[at] = secret[at];

    return copy[0] == secret[0] ? GATEWARD_OK : GATEWARD_ABSURD;
}

static unsigned sextet(char c)
{
    return c >= 'a'   ? (unsigned)(c - 'a') + 26
           : c == '_' ? 63
           : c >= 'A' ? (unsigned)(c - 'A')
           : c >= '0' ? (unsigned)(c - '0') + 52
                      : 62;
}

/* The secret is what stands behind the second dot, in the alphabet of RFC 4648 section 5. */
static void read_secret(const char *text)
{
    for (size_t at = 0; at < sizeof secret; at++) {
        const char *group = text + 18 + at / 3 * 4 + at % 3;

        secret[at] = (uint8_t)(sextet(group[0]) << (2 + 2 * (at % 3)) |
                               sextet(group[1]) >> (4 - 2 * (at % 3)));
    }
}

/* How often four bytes of the secret stand between these, as they are or turned around. Called first, for
   whatever is called later is written over it. */
static unsigned left(const volatile uint8_t *from, const volatile uint8_t *to)
{
    unsigned found = 0;

    for (; from + 4 <= to; from++)
        for (size_t at = 0; at < sizeof secret; at += 4) {
            const uint8_t *word = secret + at;

            found += from[0] == word[0] && from[1] == word[1] && from[2] == word[2] &&
                     from[3] == word[3];
            found += from[0] == word[3] && from[1] == word[2] && from[2] == word[1] &&
                     from[3] == word[0];
        }

    return found;
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
    unsigned words;

    for (at = lowest; at < top; at++)
        *at = PAINT;
    began = measure_ticks();
    if (call() != GATEWARD_OK)
        fail("refused", name);
    took = measure_since(began);
    words = left((const volatile uint8_t *)lowest, (const volatile uint8_t *)top);
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
    board_say("left ");
    say_number(words);
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
        {planted, "planted"},
        {chain_next, "chain_next"},
    };

    gate = of;
    now = now_at(gateward_cases[0].now);
    read_secret(gateward_cases[0].token);
    for (size_t at = 0; at < sizeof calls / sizeof *calls; at++)
        measure(calls[at].call, calls[at].name);
}
