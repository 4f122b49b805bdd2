/* Vector table and reset of the C guests: data is copied to RAM, then newlib's own start-up code for semihosting takes over. It clears
   .bss, asks for the heap and the command line, calls main and exits with its result. */

#include <stdint.h>

extern uint32_t data_start[], data_end[], data_contents[], stack_top[];
extern void _start(void);

void reset(void)
{
#if defined(__ARM_FP) && __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: full access to the FPU */
    __asm volatile("dsb\n isb");
#endif
    for (uint32_t *to = data_start, *from = data_contents; to < data_end;) {
        *to++ = *from++;
    }
    _start();
}

/* A fault ends the run by itself: the handler does not return. */
static void fault(void)
{
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault,
};
