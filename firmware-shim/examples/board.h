/* What a program here needs of a board: a console and an end. Each folder beside this one is a board. */
#ifndef GATEWARD_EXAMPLE_BOARD_H
#define GATEWARD_EXAMPLE_BOARD_H

#include <stdint.h>

/* Writes a text, ended by a zero byte, to the console. */
void board_say(const char *text);

/* Ends the program; 0 says that all went well. */
_Noreturn void board_exit(int code);

/* Asks the debugger to do something: how, is the processor's. */
void ask_host(int operation, const void *argument);

/* The lowest address that the stack may reach. */
extern unsigned char board_stack_end[];

/* Writes a number in decimal digits to the console. */
static inline void say_number(uint64_t number)
{
    char digits[21];
    int at = sizeof digits - 1;

    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    board_say(digits + at);
}

#endif
