/* A Cortex-M4F from its reset to `main`, with a console through semihosting: the debugger, here QEMU,
   does what is asked for at `bkpt 0xab`. */
#include "../board.h"

#include <stddef.h>

#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xe000ed88)

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
extern unsigned char stack_top[];
int main(void);

void ask_host(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void fault(void)
{
    board_say("fault\n");
    board_exit(2);
}

__attribute__((used)) void reset(void)
{
    /* The library is built for the floating-point registers, and the compiler may use them. */
    COPROCESSOR_ACCESS |= 0xfu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
    for (size_t at = 0; data_start + at < data_end; at++)
        data_start[at] = data_load[at];
    for (uint32_t *at = bss_start; at < bss_end; at++)
        *at = 0;
    main();
    board_exit(0);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top, reset, fault, fault, fault, fault, fault,
};
