/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How a row of a program of ours is declared: as anybody's, with our kernel.h. */
#ifndef ITERFS_ROW_H
#define ITERFS_ROW_H

#include "kernel.h"
#include "iterfs/row.h"

#endif
