// SPDX-License-Identifier: GPL-2.0
/*
 * The units under test, compiled into the test's module.
 */
#include "../proto/pn.c"
#include "../protection.c"
#include "../routes.c"
#include "../suite.c"
