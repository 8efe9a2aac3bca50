/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests: each walks one table, or makes its own cases, and says of every case that does not hold what is
 * wrong. KUnit runs them where the kernel has it, a module of its own on
 * stock kernels.
 */
#ifndef _NQD_TESTS_TABLES_H
#define _NQD_TESTS_TABLES_H

#include <linux/types.h>

#include "protection.h"

/**
 * struct nqd_test_report - where a test says what is wrong
 * @fail: called with the vector's name and what is wrong with it
 * @context: for @fail
 * @vectors: cases that were tried
 * @failures: sentences so far
 */
struct nqd_test_report {
	void (*fail)(struct nqd_test_report *report, const char *vector, const char *what);
	void *context;
	u32 vectors;
	u32 failures;
};

/**
 * struct nqd_test - a test
 * @name: of the test
 * @run: runs it
 */
struct nqd_test {
	const char *name;
	void (*run)(struct nqd_test_report *report);
};

#define NQD_TESTS 9

void nqd_test_fail(struct nqd_test_report *report, const char *vector, const char *what);
int nqd_test_crypt(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
		   const struct nqd_short_header *header, bool seal);

void nqd_test_async(struct nqd_test_report *report);
void nqd_test_queue(struct nqd_test_report *report);
void nqd_test_routes(struct nqd_test_report *report);
void nqd_test_bad_prefixes(struct nqd_test_report *report);

extern const struct nqd_test nqd_tests[NQD_TESTS];

#endif /* _NQD_TESTS_TABLES_H */
