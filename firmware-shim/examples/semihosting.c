/* A console and an end by semihosting, the same on every processor but for how the debugger is asked. */
#include "board.h"

enum { WRITE0 = 0x04, EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

void board_say(const char *text)
{
    ask_host(WRITE0, text);
}

_Noreturn void board_exit(int code)
{
    const uintptr_t reason[] = {APPLICATION_EXIT, (uintptr_t)code};

    for (;;)
        ask_host(EXIT_EXTENDED, reason);
}
