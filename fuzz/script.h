/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fuzz input read as a script: operations and their arguments, until the bytes run out.
 *
 * Every argument has a fixed width whatever its value, so that a mutation of one operation leaves
 * those after it alone. Behind the end all is zero.
 */
#ifndef _FUZZ_SCRIPT_H
#define _FUZZ_SCRIPT_H

#include "base.h"

#include <stdio.h>
#include <stdlib.h>

/* What must hold, whatever the input; libFuzzer keeps the input that breaks it. */
#define CHECK(cond)                                                                     \
	do {                                                                            \
		if (!(cond)) {                                                          \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/* Scripts end here: after 146 years. Times of the core are bounded by the clock, which starts at 0. */
#define SCRIPT_TIME_MAX (1ULL << 62)

/**
 * struct script - where to read
 * @p: next byte
 * @left: bytes left
 */
struct script {
	const u8 *p;
	size_t left;
};

static inline bool script_more(const struct script *s)
{
	return s->left > 0;
}

static inline u8 script_u8(struct script *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->p++;
}

static inline u16 script_u16(struct script *s)
{
	u16 high = script_u8(s);

	return (u16)(high << 8 | script_u8(s));
}

static inline u32 script_u32(struct script *s)
{
	u32 high = script_u16(s);

	return high << 16 | script_u16(s);
}

/* Eight bits of mantissa and a shift: numbers of every magnitude in two bytes. */
static inline u64 script_scaled(struct script *s, unsigned int max_shift)
{
	u64 mantissa = script_u8(s);

	return mantissa << (script_u8(s) % (max_shift + 1));
}

/* A packet number: of any magnitude, or one of the last there are. */
static inline u64 script_pn(struct script *s)
{
	u64 near_end = script_u8(s);

	if (near_end & 1)
		return NQD_PN_MAX - (near_end >> 1) - script_scaled(s, 8);
	return script_scaled(s, 53);
}

static inline bool script_bit(struct script *s)
{
	return script_u8(s) & 1;
}

/* Up to @len bytes; *@got says how many there were. */
static inline const u8 *script_bytes(struct script *s, size_t len, size_t *got)
{
	const u8 *p = s->p;

	*got = len < s->left ? len : s->left;
	s->p += *got;
	s->left -= *got;
	return p;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif
