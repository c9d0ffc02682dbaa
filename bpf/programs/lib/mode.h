/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The forms of a program. The loader sets these constants before it loads one, so the
 * verifier drops the code of the other forms, and that code costs nothing.
 */
#ifndef ITERFS_MODE_H
#define ITERFS_MODE_H

#include "kernel/types.h"

/* The loader finds it by its section (bpf/src/load/mode.rs). */
const volatile struct {
	/* Whether the program prints its rows (text.h). */
	u32 text;
	/* Whether it answers a question (question.h). */
	u32 asks;
} mode SEC(".rodata.mode") = {};

#define text_mode mode.text
#define asking mode.asks

#endif
