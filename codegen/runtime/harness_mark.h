/* harness_mark.h - included before every source of the network: where a node begins, for the profile. The mark is an
 * address in a section that is not loaded; it costs no instruction. */
#ifndef HARNESS_MARK_H_
#define HARNESS_MARK_H_
#if defined(__riscv) || defined(__arm__)
#define O2M_MARK(node) __asm__ volatile("1:\n.pushsection .o2m_marks,\"\",%progbits\n.word 1b, " #node "\n.popsection")
#else
#define O2M_MARK(node) ((void)0)
#endif
#endif
