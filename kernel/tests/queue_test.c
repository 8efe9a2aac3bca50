// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of a session: order, bounds, and CoDel: it drops where packets wait for too long, a burst or a
 * short queue it lets be.
 */
#include <linux/delay.h>
#include <linux/skbuff.h>

#include "queue.h"
#include "tests/tables.h"

#define NQD_TEST_LEN 1000

static struct sk_buff *nqd_test_skb(u32 number)
{
	struct sk_buff *skb = alloc_skb(NQD_TEST_LEN, GFP_KERNEL);

	if (skb) {
		skb_put(skb, NQD_TEST_LEN);
		skb->mark = number;
	}
	return skb;
}

static bool nqd_test_push(struct nqd_queue *q, u32 number)
{
	struct sk_buff *skb = nqd_test_skb(number);
	bool room;

	if (!skb)
		return false;
	local_bh_disable();
	room = nqd_queue_push(q, skb);
	local_bh_enable();
	if (!room)
		kfree_skb(skb);
	return room;
}

/* Takes one; the number it was given, or -1; counts what CoDel dropped. */
static int nqd_test_pop(struct nqd_queue *q, u32 *dropped)
{
	struct sk_buff_head list;
	struct sk_buff *skb;
	int number = -1;

	__skb_queue_head_init(&list);
	local_bh_disable();
	skb = nqd_queue_pop(q, NQD_TEST_LEN, &list);
	local_bh_enable();
	*dropped += skb_queue_len(&list);
	__skb_queue_purge(&list);
	if (skb) {
		number = (int)skb->mark;
		kfree_skb(skb);
	}
	return number;
}

static const char *nqd_test_queue_order(struct nqd_queue *q, atomic_long_t *shared)
{
	u32 dropped = 0;
	int i;

	for (i = 0; i < 100; i++)
		if (!nqd_test_push(q, i))
			return "is full too early";
	if (q->bytes != 100 * NQD_TEST_LEN || atomic_long_read(shared) != q->memory)
		return "miscounts what is in it";
	for (i = 0; i < 100; i++)
		if (nqd_test_pop(q, &dropped) != i)
			return "is out of order";
	if (nqd_test_pop(q, &dropped) != -1 || dropped || q->bytes || q->memory || atomic_long_read(shared))
		return "is not empty";
	return NULL;
}

static const char *nqd_test_queue_bounds(struct nqd_queue *q, atomic_long_t *shared)
{
	struct sk_buff_head list;
	u32 count = 0;

	while (count < 100000 && nqd_test_push(q, count))
		count++;
	if (q->memory > NQD_QUEUE_MEMORY_MAX || q->memory + 4 * NQD_TEST_LEN < NQD_QUEUE_MEMORY_MAX)
		return "does not end at its limit";
	__skb_queue_head_init(&list);
	local_bh_disable();
	nqd_queue_take_all(q, &list);
	local_bh_enable();
	if (skb_queue_len(&list) != count || q->memory || atomic_long_read(shared) || !nqd_queue_empty(q))
		return "is not emptied";
	__skb_queue_purge(&list);
	atomic_long_set(shared, NQD_DEVICE_QUEUED_MAX);
	if (nqd_test_push(q, 0))
		return "goes beyond the device's limit";
	atomic_long_set(shared, 0);
	return NULL;
}

/* 12 packets an interval of 20 ms, never fewer than 12 waiting: from 100 ms on it must drop. */
static const char *nqd_test_queue_codel(struct nqd_queue *q, atomic_long_t *shared)
{
	u32 dropped = 0, early = 0, round, i;

	for (i = 0; i < 24; i++)
		nqd_test_push(q, i);
	for (round = 0; round < 16; round++) {
		msleep(20);
		for (i = 0; i < 12; i++)
			nqd_test_push(q, i);
		for (i = 0; i < 12; i++)
			nqd_test_pop(q, &dropped);
		if (round == 2)
			early = dropped;
	}
	if (early)
		return "drops before packets have waited for an interval";
	if (!dropped)
		return "never drops although packets wait for too long";
	while (nqd_test_pop(q, &dropped) >= 0)
		;
	dropped = 0;
	/* Two at a time at most: a queue that empties is a good queue, whatever the delay. */
	for (round = 0; round < 8; round++) {
		nqd_test_push(q, 0);
		msleep(20);
		nqd_test_pop(q, &dropped);
	}
	return dropped ? "drops the only packet" : NULL;
}

/**
 * nqd_test_queue() - order, bounds and delay
 * @report: where failures go
 */
void nqd_test_queue(struct nqd_test_report *report)
{
	static const struct {
		const char *name;
		const char *(*run)(struct nqd_queue *q, atomic_long_t *shared);
	} tests[] = {
		{ "order", nqd_test_queue_order },
		{ "bounds", nqd_test_queue_bounds },
		{ "codel", nqd_test_queue_codel },
	};
	struct sk_buff_head rest;
	atomic_long_t shared;
	struct nqd_queue q;
	const char *wrong;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		report->vectors++;
		atomic_long_set(&shared, 0);
		nqd_queue_init(&q, &shared);
		wrong = tests[i].run(&q, &shared);
		if (wrong)
			nqd_test_fail(report, tests[i].name, wrong);
		__skb_queue_head_init(&rest);
		local_bh_disable();
		nqd_queue_take_all(&q, &rest);
		local_bh_enable();
		__skb_queue_purge(&rest);
	}
}
