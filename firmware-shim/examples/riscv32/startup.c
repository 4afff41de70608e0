/* A hart of QEMU's `virt` from its reset to `main`, with a console through semihosting: the debugger,
   here QEMU, does what is asked for at an `ebreak` between two shifts that do nothing. */
#include "../board.h"

extern uint32_t bss_start[], bss_end[];
int main(void);

/* The three instructions have to lie within one page, and uncompressed. */
__attribute__((noinline, aligned(16))) void ask_host(int operation, const void *argument)
{
    register int a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;

    __asm__ volatile(".option push\n .option norvc\n .balign 16\n"
                     "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
}

__attribute__((used, aligned(4), interrupt)) static void fault(void)
{
    board_say("fault\n");
    board_exit(2);
}

__attribute__((used)) static void start(void)
{
    for (uint32_t *at = bss_start; at < bss_end; at++)
        *at = 0;
    main();
    board_exit(0);
}

__attribute__((naked, section(".reset"), used)) void reset(void)
{
    __asm__ volatile(".option push\n .option norelax\n la gp, global_pointer\n .option pop\n"
                     "la sp, stack_top\n la t0, fault\n csrw mtvec, t0\n j start");
}
