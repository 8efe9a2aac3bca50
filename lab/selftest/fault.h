/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NEXUS_LAB_FAULT_H
#define NEXUS_LAB_FAULT_H

#include <linux/types.h>

/**
 * lab_fault_is() - whether the module was loaded with a fault
 * @name: the fault, as given by the parameter
 */
bool lab_fault_is(const char *name);

#endif
