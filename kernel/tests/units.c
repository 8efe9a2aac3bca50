// SPDX-License-Identifier: GPL-2.0
/*
 * The units under test, compiled into the test's module.
 */
#include "../crypto_job.c"
#include "../proto/pn.c"
#include "../protection.c"
#include "../queue.c"
#include "../routes.c"
#include "../suite.c"
