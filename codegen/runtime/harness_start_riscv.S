/* harness_start_riscv.S - reset, traps and semihosting of RV32. */
    .section .boot.vectors, "ax"
    .globl _start
_start:
    la sp, _harness_stack_top
    la t0, trap
    csrw mtvec, t0
    la a0, _data_image
    la a1, _data_start
    la a2, _data_end
1:  bgeu a1, a2, 2f
    lw t0, 0(a0)
    sw t0, 0(a1)
    addi a0, a0, 4
    addi a1, a1, 4
    j 1b
2:  la a1, _bss_start
    la a2, _bss_end
3:  bgeu a1, a2, 4f
    sw zero, 0(a1)
    addi a1, a1, 4
    j 3b
4:  call main
5:  j 5b

    .balign 4
trap:
    la sp, _harness_stack_top
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    j harness_fault

/* The three instructions must be uncompressed and lie in one page. */
    .balign 16
    .option push
    .option norvc
    .globl harness_semihost
harness_semihost:
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    ret
    .option pop

    .globl harness_set_guards
harness_set_guards:
    ret

    .section .call, "ax"
    .globl harness_call
harness_call:
    addi sp, sp, -16
    sw ra, 12(sp)
    sw s0, 8(sp)
    mv s0, sp
    mv sp, a2
    mv t0, a0
    mv a0, a1
    jalr t0
    mv sp, s0
    lw s0, 8(sp)
    lw ra, 12(sp)
    addi sp, sp, 16
    ret
