// SPDX-License-Identifier: BSD-3-Clause
#include <kunit/test.h>

#include "sum.h"

static void lab_sum_adds(struct kunit *test)
{
	u32 sum = 0;

	KUNIT_EXPECT_EQ(test, lab_sum(40, 2, &sum), 0);
	KUNIT_EXPECT_EQ(test, sum, 42u);
	KUNIT_EXPECT_EQ(test, lab_sum(U32_MAX, 0, &sum), 0);
	KUNIT_EXPECT_EQ(test, sum, U32_MAX);
}

static void lab_sum_refuses_overflow(struct kunit *test)
{
	u32 sum = 7;

	KUNIT_EXPECT_EQ(test, lab_sum(U32_MAX, 1, &sum), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, sum, 7u);
}

static struct kunit_case lab_sum_cases[] = {
	KUNIT_CASE(lab_sum_adds),
	KUNIT_CASE(lab_sum_refuses_overflow),
	{}
};

static struct kunit_suite lab_sum_suite = {
	.name = "nexus_lab_example",
	.test_cases = lab_sum_cases,
};

kunit_test_suite(lab_sum_suite);
