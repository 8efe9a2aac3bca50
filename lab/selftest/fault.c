// SPDX-License-Identifier: BSD-3-Clause
/*
 * Misbehaves on purpose, in the way that the parameter names: the lab must notice each of them.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>

#include "fault.h"

static char *fault = "none";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "none, leak, oops, order, deadlock, freed, bounds, atomic, warning, device, pinned or kunit");

static DEFINE_MUTEX(lab_first);
static DEFINE_MUTEX(lab_second);
static DEFINE_SPINLOCK(lab_lock);

bool lab_fault_is(const char *name)
{
	return !strcmp(fault, name);
}

/* Not inlined: the init section is gone, names and all, when the leak is reported. */
static noinline void lab_leak(void)
{
	int i;

	/* Several: a stale copy of one pointer may stay in a register or on a stack. */
	for (i = 0; i < 8; i++) {
		void *memory = kmalloc(200, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(memory);
	}
}

/* Both orders, one after the other: nothing blocks, yet two tasks could. */
static void lab_order(void)
{
	mutex_lock(&lab_first);
	mutex_lock(&lab_second);
	mutex_unlock(&lab_second);
	mutex_unlock(&lab_first);

	mutex_lock(&lab_second);
	mutex_lock(&lab_first);
	mutex_unlock(&lab_first);
	mutex_unlock(&lab_second);
}

static void lab_deadlock(void)
{
	mutex_lock(&lab_first);
	mutex_lock(&lab_first);
}

static void lab_freed(void)
{
	char *memory = kmalloc(64, GFP_KERNEL);

	if (!memory)
		return;
	kfree(memory);
	OPTIMIZER_HIDE_VAR(memory); /* the compiler would see it, too */
	WRITE_ONCE(*memory, 1);
}

static void lab_bounds(void)
{
	char *memory = kmalloc(16, GFP_KERNEL);
	int index = 16;

	if (!memory)
		return;
	OPTIMIZER_HIDE_VAR(index);
	WRITE_ONCE(memory[index], 1);
	kfree(memory);
}

static void lab_atomic(void)
{
	spin_lock(&lab_lock);
	msleep(20);
	spin_unlock(&lab_lock);
}

static void lab_oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
}

/* The caller's namespace cannot go away: its loopback device has a user for ever. */
static void lab_device(void)
{
	dev_hold(current->nsproxy->net_ns->loopback_dev);
}

static int __init lab_fault_init(void)
{
	if (lab_fault_is("leak"))
		lab_leak();
	else if (lab_fault_is("oops"))
		lab_oops();
	else if (lab_fault_is("order"))
		lab_order();
	else if (lab_fault_is("deadlock"))
		lab_deadlock();
	else if (lab_fault_is("freed"))
		lab_freed();
	else if (lab_fault_is("bounds"))
		lab_bounds();
	else if (lab_fault_is("atomic"))
		lab_atomic();
	else if (lab_fault_is("warning"))
		WARN(1, "a warning on purpose");
	else if (lab_fault_is("device"))
		lab_device();
	else if (lab_fault_is("pinned"))
		__module_get(THIS_MODULE);
	return 0;
}

static void __exit lab_fault_exit(void)
{
}

module_init(lab_fault_init);
module_exit(lab_fault_exit);
MODULE_DESCRIPTION("The kernel lab's self-test: faults on purpose");
MODULE_LICENSE("Dual BSD/GPL");
