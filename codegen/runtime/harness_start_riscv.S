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

/* The environment call at the end of harness_call's user half ends the call; everything else is a fault. */
    .balign 4
trap:
    csrr t0, mcause
    li t1, 8
    bne t0, t1, 6f
    csrr sp, mscratch
    lw s0, 8(sp)
    lw ra, 12(sp)
    addi sp, sp, 16
    ret
6:  la sp, _harness_stack_top
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

/* 16 entries: pmpaddr and the byte that goes to pmpcfg. They bind user mode alone. */
    .macro guard_group config, n0, n1, n2, n3, offset
    lw t0, \offset(a0)
    csrw \n0, t0
    lw t0, \offset+8(a0)
    csrw \n1, t0
    lw t0, \offset+16(a0)
    csrw \n2, t0
    lw t0, \offset+24(a0)
    csrw \n3, t0
    lbu t0, \offset+4(a0)
    lbu t1, \offset+12(a0)
    slli t1, t1, 8
    or t0, t0, t1
    lbu t1, \offset+20(a0)
    slli t1, t1, 16
    or t0, t0, t1
    lbu t1, \offset+28(a0)
    slli t1, t1, 24
    or t0, t0, t1
    csrw \config, t0
    .endm
    .globl harness_set_guards
harness_set_guards:
    guard_group pmpcfg0, pmpaddr0, pmpaddr1, pmpaddr2, pmpaddr3, 0
    guard_group pmpcfg1, pmpaddr4, pmpaddr5, pmpaddr6, pmpaddr7, 32
    guard_group pmpcfg2, pmpaddr8, pmpaddr9, pmpaddr10, pmpaddr11, 64
    guard_group pmpcfg3, pmpaddr12, pmpaddr13, pmpaddr14, pmpaddr15, 96
    ret

/* The network runs in user mode; its caller returns by way of the trap. */
    .section .call, "ax"
    .globl harness_call
harness_call:
    addi sp, sp, -16
    sw ra, 12(sp)
    sw s0, 8(sp)
    csrw mscratch, sp
    mv sp, a2
    mv t2, a0
    mv a0, a1
    la t0, user
    csrw mepc, t0
    li t0, 0x1800
    csrc mstatus, t0
    mret
    .balign 4
user:
    jalr t2
    ecall
