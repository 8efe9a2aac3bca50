// SPDX-License-Identifier: BSD-3-Clause
#include <kunit/test.h>

#include "fault.h"

static void lab_fault_fails(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, lab_fault_is("kunit"));
}

static struct kunit_case lab_fault_cases[] = {
	KUNIT_CASE(lab_fault_fails),
	{}
};

static struct kunit_suite lab_fault_suite = {
	.name = "nexus_lab_fault",
	.test_cases = lab_fault_cases,
};

kunit_test_suite(lab_fault_suite);
