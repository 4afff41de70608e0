/* The pairs as they are, in flash. */
    .section .rodata.pairs, "a"
    .global pairs, pairs_end
pairs:
    .incbin "pairs.bin"
pairs_end:
    .byte 0

    .section .note.GNU-stack, "", %progbits
