/* Between the two halves of the program that measures: one counts checks, the other looks at every
   call once. */
#ifndef GATEWARD_MEASURE_H
#define GATEWARD_MEASURE_H

#include "board.h"
#include "cases.h"
#include "fixtures.h"
#include "gate.h"

#define CASES (sizeof gateward_cases / sizeof *gateward_cases)
#define TOKEN_LEN 66
#define REASON_UNKNOWN 6
#define REASON_REVOKED 19

/* Starts the timer. */
void measure_start(void);

/* The timer, which counts down; what passed since it showed `began`. */
uint32_t measure_ticks(void);
uint32_t measure_since(uint32_t began);

/* Opens `gate`, and says of every call on the way how deep its stack is and how long it takes. */
void measure_calls(struct gate *gate);

static inline size_t length(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;

    return len;
}

static inline gateward_now now_at(uint64_t at)
{
    return (gateward_now){.at = at, .backed = at, .quality = GATEWARD_TIME_SYNCED};
}

static inline void say_line(const char *before, uint64_t number, const char *after)
{
    board_say(before);
    say_number(number);
    board_say(after);
    board_say("\n");
}

static inline void fail(const char *what, const char *of)
{
    board_say(what);
    board_say(": ");
    board_say(of);
    board_say("\n");
    board_exit(1);
}

#endif
