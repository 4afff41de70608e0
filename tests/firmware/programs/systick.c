/* The timer of a Cortex-M: 24 bits that count down with the clock of the core. In QEMU with
   `-icount shift=0` an instruction takes a nanosecond, and a tick of 25 MHz is 40 of them. */
#include "measure.h"

#define CONTROL (*(volatile uint32_t *)0xe000e010)
#define RELOAD (*(volatile uint32_t *)0xe000e014)
#define CURRENT (*(volatile uint32_t *)0xe000e018)
#define BITS 0xffffffu

void measure_start(void)
{
    RELOAD = BITS;
    CURRENT = 0;
    CONTROL = 1 << 2 | 1;
}

uint32_t measure_ticks(void)
{
    return CURRENT;
}

uint32_t measure_since(uint32_t began)
{
    return (began - CURRENT) & BITS;
}
