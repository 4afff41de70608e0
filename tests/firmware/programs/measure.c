/* What the library costs on this board: instructions and stack, a line each on the console.

     count READ_AND_CHECK CHECK NAME    ticks of 1,000 checks that all have to cost the same
     planted PLANT SPREAD               the same with a mistake planted: the spread has to show it
     call STACK TICKS NAME              bytes of stack below a call, and its time
     left WORDS NAME                    words of a secret that stand there afterwards

   Instructions are counted by the board's own timer, which runs with them (see measure_ticks). */
#include "measure.h"

#define CHECKS 1000

static struct gate gate;
static gateward_ask ask;
static gateward_token token;
static gateward_decision decision;

static gateward_request request_of(const struct gateward_case *one)
{
    return (gateward_request){
        .permissions = one->permissions,
        .operation = one->operation,
        .division = (const uint8_t *)one->division,
        .division_len = one->division ? length(one->division) : 0,
        .mode = GATEWARD_MODE_DIRECT,
    };
}

/* What somebody might add before the check; none of it is in the library. */
enum plant { NONE, UNKNOWN_AT_ONCE, ONE_INSTRUCTION };

static int is_known(const char *text)
{
    int known = 0;

    for (size_t at = 0; at < CASES; at++) {
        const struct gateward_case *one = &gateward_cases[at];
        int same = one->reason != REASON_UNKNOWN;

        for (size_t place = 0; place < 17; place++)
            same &= one->token[place] == text[place];
        known |= same;
    }

    return known;
}

__attribute__((noinline)) static void check(const struct gateward_case *one, enum plant plant,
                                            const gateward_now *now)
{
    const uint8_t *text = (const uint8_t *)one->token;

    if (gateward_token_read(text, TOKEN_LEN, &token) != GATEWARD_OK)
        fail("not read", one->name);
    if (plant == UNKNOWN_AT_ONCE && !is_known(one->token))
        return;
    if (gateward_check(&gate.snapshot, &ask, &token, now, &decision) != GATEWARD_OK)
        fail("not checked", one->name);
    if (plant == ONE_INSTRUCTION && decision.reason == REASON_REVOKED)
        __asm__ volatile("nop");
}

/* Ticks of 1,000 times reading and checking. */
static uint32_t both(const struct gateward_case *one, enum plant plant)
{
    const gateward_now now = now_at(one->now);
    const gateward_request request = request_of(one);
    uint32_t began;

    if (gateward_ask_prepare(&gate.snapshot, &request, &ask) != GATEWARD_OK)
        fail("not prepared", one->name);
    began = measure_ticks();
    for (int n = 0; n < CHECKS; n++)
        check(one, plant, &now);

    return measure_since(began);
}

/* Ticks of 1,000 checks of a token that is read already. */
static uint32_t alone(const struct gateward_case *one)
{
    const gateward_now now = now_at(one->now);
    uint32_t began = measure_ticks();

    for (int n = 0; n < CHECKS; n++)
        if (gateward_check(&gate.snapshot, &ask, &token, &now, &decision) != GATEWARD_OK)
            fail("not checked", one->name);

    return measure_since(began);
}

static void count_instructions(void)
{
    for (size_t at = 0; at < CASES; at++) {
        const struct gateward_case *one = &gateward_cases[at];
        uint32_t whole;

        if (!one->counted)
            continue;
        whole = both(one, NONE);
        if (decision.reason != one->reason)
            fail("not what was to come", one->name);
        board_say("count ");
        say_number(whole);
        board_say(" ");
        say_number(alone(one));
        board_say(" ");
        board_say(one->name);
        board_say("\n");
    }
}

static void plant_mistakes(void)
{
    static const char *const names[] = {"", "unknown-at-once", "one-instruction"};

    for (enum plant plant = UNKNOWN_AT_ONCE; plant <= ONE_INSTRUCTION; plant++) {
        uint32_t least = UINT32_MAX, most = 0;

        for (size_t at = 0; at < CASES; at++) {
            uint32_t ticks;

            if (!gateward_cases[at].counted)
                continue;
            ticks = both(&gateward_cases[at], plant);
            least = ticks < least ? ticks : least;
            most = ticks > most ? ticks : most;
        }
        board_say("planted ");
        board_say(names[plant]);
        say_line(" ", most - least, "");
    }
}

int main(void)
{
    measure_start();
    measure_calls(&gate);
    count_instructions();
    plant_mistakes();
    board_exit(0);
}
