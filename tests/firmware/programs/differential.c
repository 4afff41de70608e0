/* Decides about the pairs of a file in flash, and says verdict and reason of each; what the file is
   made of stands in `tests/firmware/src/image.rs`. Nothing in it is aligned, so numbers are read byte
   by byte. */
#include "board.h"
#include "gate.h"

#define NOT_SAID 0xffffffffu
/* The reason that stands for a text that cannot be a token. */
#define MALFORMED_TOKEN 4

extern const uint8_t pairs[], pairs_end[];

static struct gate gate;
static const uint8_t *at = pairs;

static uint64_t number(unsigned len)
{
    uint64_t value = 0;

    if ((size_t)(pairs_end - at) < len)
        board_exit(3);
    for (unsigned n = 0; n < len; n++)
        value |= (uint64_t)at[n] << (8 * n);
    at += len;

    return value;
}

static struct bytes taken(size_t len)
{
    const struct bytes bytes = {at, len};

    if ((size_t)(pairs_end - at) < len)
        board_exit(3);
    at += len;

    return bytes;
}

static struct bytes counted(void)
{
    return taken((size_t)number(4));
}

static void say_pair(uint32_t verdict, uint32_t reason)
{
    say_number(verdict);
    board_say(" ");
    say_number(reason);
    board_say("\n");
}

static void stop(const char *at_what, gateward_status status)
{
    board_say(at_what);
    board_say(gateward_strerror(status));
    board_say("\n");
    board_exit(1);
}

static void decide(void)
{
    gateward_request request = {.permissions = number(8)};
    gateward_now now = {.at = number(8), .quality = GATEWARD_TIME_SYNCED};
    gateward_decision decision;
    gateward_status status;
    uint32_t division_len, token_len;
    struct bytes token;

    now.backed = now.at;
    request.operation = (uint32_t)number(4);
    request.mode = (uint32_t)number(4);
    request.rules = (uint32_t)number(4);
    division_len = (uint32_t)number(4);
    token_len = (uint32_t)number(4);
    if (division_len != NOT_SAID) {
        request.division = taken(division_len).at;
        request.division_len = division_len;
    }
    token = taken(token_len);
    status = gate_decide(&gate, &request, token, &now, &decision);
    if (status == GATEWARD_TOKEN)
        say_pair(GATEWARD_CLASS_AUTHN, MALFORMED_TOKEN);
    else if (status == GATEWARD_OK)
        say_pair(decision.verdict, decision.reason);
    else
        stop("not decided: ", status);
}

static void snapshot(struct gate_files *files)
{
    const uint64_t opened_at = number(8);
    const gateward_now now = {
        .at = opened_at, .backed = opened_at, .quality = GATEWARD_TIME_SYNCED};
    gateward_status status;

    files->keys = counted();
    files->manifest = counted();
    files->snapshot = counted();
    status = gate_open(&gate, files, &now);
    for (uint32_t lists = (uint32_t)number(4); lists && status == GATEWARD_OK; lists--)
        status = gate_revoke(&gate, files->audience, counted());
    if (status != GATEWARD_OK)
        stop("not opened: ", status);
    for (uint32_t left = (uint32_t)number(4); left; left--)
        decide();
}

int main(void)
{
    static const char magic[] = "GWDPAIR1";
    const struct bytes begins = taken(8);
    struct gate_files files = {0};
    uint32_t snapshots;

    for (size_t n = 0; n < begins.len; n++)
        if (begins.at[n] != (uint8_t)magic[n])
            board_exit(3);
    files.account = taken(16).at;
    files.audience = taken(16).at;
    snapshots = (uint32_t)number(4);
    /* How many pairs there are in all: whoever compares counts them. */
    number(4);
    while (snapshots--)
        snapshot(&files);
    board_exit(at == pairs_end ? 0 : 3);
}
