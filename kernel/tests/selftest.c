// SPDX-License-Identifier: GPL-2.0
/*
 * nexus_quic_dco_selftest.ko: the tests of tables.c. Where the kernel has KUnit they are a suite; else
 * loading the module runs them, and fails where one fails. Loaded for the tests only.
 */
#include <linux/module.h>

#include "crypto_job.h"
#include "tests/tables.h"

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/test.h>

static void nqd_selftest_fail(struct nqd_test_report *report, const char *vector, const char *what)
{
	struct kunit *test = report->context;

	KUNIT_FAIL(test, "%s %s", vector, what);
}

static void nqd_selftest_next(const struct nqd_test *test, char *name)
{
	strscpy(name, test->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(nqd_selftest, nqd_tests, nqd_selftest_next);

static void nqd_selftest_case(struct kunit *test)
{
	const struct nqd_test *wanted = test->param_value;
	struct nqd_test_report report = { .fail = nqd_selftest_fail, .context = test };

	wanted->run(&report);
	KUNIT_EXPECT_GT(test, report.vectors, 0);
	kunit_info(test, "%s: %u vectors", wanted->name, report.vectors);
}

static struct kunit_case nqd_selftest_cases[] = {
	KUNIT_CASE_PARAM(nqd_selftest_case, nqd_selftest_gen_params),
	{}
};

static int nqd_selftest_suite_init(struct kunit_suite *suite)
{
	return nqd_crypto_job_init();
}

static void nqd_selftest_suite_exit(struct kunit_suite *suite)
{
	nqd_crypto_job_exit();
}

static struct kunit_suite nqd_selftest_suite = {
	.name = "nexus_quic_dco",
	.suite_init = nqd_selftest_suite_init,
	.suite_exit = nqd_selftest_suite_exit,
	.test_cases = nqd_selftest_cases,
};

kunit_test_suite(nqd_selftest_suite);
#else
static void nqd_selftest_fail(struct nqd_test_report *report, const char *vector, const char *what)
{
	pr_err("%s: %s %s\n", (const char *)report->context, vector, what);
}

static int __init nqd_selftest_init(void)
{
	u32 i, failures = 0;
	int err = nqd_crypto_job_init();

	if (err)
		return err;
	for (i = 0; i < NQD_TESTS; i++) {
		struct nqd_test_report report = {
			.fail = nqd_selftest_fail,
			.context = (void *)nqd_tests[i].name,
		};

		nqd_tests[i].run(&report);
		pr_info("%s: %u vectors, %u failures\n", nqd_tests[i].name, report.vectors, report.failures);
		failures += report.failures || !report.vectors;
	}
	nqd_crypto_job_exit();
	return failures ? -EBADMSG : 0;
}

static void __exit nqd_selftest_exit(void)
{
}

module_init(nqd_selftest_init);
module_exit(nqd_selftest_exit);
#endif

MODULE_DESCRIPTION("Tests of nexus_quic_dco");
MODULE_LICENSE("GPL");
