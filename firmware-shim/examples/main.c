/* Opens a snapshot from flash, decides about a token for every outcome there is, and says how often
   each came out. Ends with 1 where one decision is not the one that was to come. */
#include "board.h"
#include "cases.h"
#include "fixtures.h"
#include "gate.h"

#define CASES (sizeof gateward_cases / sizeof *gateward_cases)
#define REASONS 64
#define BYTES_OF(name) {gateward_fixture_##name, gateward_fixture_##name##_len}

static struct gate gate;
static unsigned counts[REASONS];

static size_t length(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;

    return len;
}

static int open_gate(void)
{
    const struct gate_files files = {
        .account = gateward_fixture_account,
        .audience = gateward_fixture_audience,
        .keys = BYTES_OF(keyset1),
        .manifest = BYTES_OF(manifest),
        .snapshot = BYTES_OF(file),
    };
    const struct bytes revoked = BYTES_OF(revoked);
    uint64_t at = gateward_cases[0].now;
    const gateward_now now = {.at = at, .backed = at, .quality = GATEWARD_TIME_SYNCED};
    gateward_status status = gate_open(&gate, &files, &now);

    if (status == GATEWARD_OK)
        status = gate_revoke(&gate, files.audience, revoked);
    if (status != GATEWARD_OK) {
        board_say("not opened: ");
        board_say(gateward_strerror(status));
        board_say("\n");
    }

    return status == GATEWARD_OK;
}

/* Returns whether it is the decision that was to come. */
static int decide(const struct gateward_case *one)
{
    const gateward_request request = {
        .permissions = one->permissions,
        .operation = one->operation,
        .division = (const uint8_t *)one->division,
        .division_len = one->division ? length(one->division) : 0,
        .mode = GATEWARD_MODE_DIRECT,
    };
    const gateward_now now = {.at = one->now, .backed = one->now, .quality = GATEWARD_TIME_SYNCED};
    const struct bytes token = {(const uint8_t *)one->token, length(one->token)};
    gateward_decision decision;

    if (gate_decide(&gate, &request, token, &now, &decision) != GATEWARD_OK ||
        decision.reason != one->reason || decision.reason >= REASONS) {
        board_say("not what was to come: ");
        board_say(one->name);
        board_say("\n");
        return 0;
    }
    counts[decision.reason]++;

    return 1;
}

static void say_counts(void)
{
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        gateward_text name;

        if (!counts[reason] || gateward_reason_name(reason, &name) != GATEWARD_OK)
            continue;
        say_number(counts[reason]);
        board_say(" ");
        for (size_t at = 0; at < name.len; at++)
            board_say((const char[]){(char)name.bytes[at], 0});
        board_say("\n");
    }
}

int main(void)
{
    int good = gateward_abi_version() == GATEWARD_ABI_VERSION && open_gate();

    for (size_t at = 0; good && at < CASES; at++)
        good = decide(&gateward_cases[at]);
    if (good)
        say_counts();
    board_exit(!good);
}
