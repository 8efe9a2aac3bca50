// SPDX-License-Identifier: GPL-2.0
/* A timer is prepared together with its function. */
#include <linux/hrtimer.h>

void nqd_probe(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer));
void nqd_probe(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
}
