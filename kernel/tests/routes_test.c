// SPDX-License-Identifier: GPL-2.0
/*
 * The trie of prefixes against a list that is searched from end to end: thousands of random changes and
 * look-ups, the same ones in every run.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/socket.h>

#include "routes.h"
#include "tests/tables.h"

#define NQD_TEST_PREFIXES 200
#define NQD_TEST_CHANGES 4000
#define NQD_TEST_LOOKUPS 8

/* A prefix that may be in the set; what it leads to is its own address in memory. */
struct nqd_test_prefix {
	struct nqd_prefix prefix;
	void *value;
};

/* Few different bits, so that prefixes nest, fork and meet. */
static void nqd_test_address(struct rnd_state *rnd, u16 family, u8 *address)
{
	unsigned int i, len = family == AF_INET ? 4 : 16;

	memset(address, 0, 16);
	for (i = 0; i < len; i++)
		address[i] = prandom_u32_state(rnd) & (i % 2 ? 0x81 : 0x03);
}

static void nqd_test_prefix(struct rnd_state *rnd, struct nqd_prefix *prefix)
{
	unsigned int at;

	memset(prefix, 0, sizeof(*prefix));
	prefix->family = prandom_u32_state(rnd) & 1 ? AF_INET : AF_INET6;
	prefix->prefix_len = prandom_u32_state(rnd) % (prefix->family == AF_INET ? 33 : 129);
	nqd_test_address(rnd, prefix->family, prefix->address);
	for (at = prefix->prefix_len; at < 128; at++)
		prefix->address[at / 8] &= ~(0x80 >> at % 8);
}

static bool nqd_test_matches(const struct nqd_prefix *prefix, u16 family, const u8 *address)
{
	unsigned int at;

	if (prefix->family != family)
		return false;
	for (at = 0; at < prefix->prefix_len; at++)
		if ((prefix->address[at / 8] ^ address[at / 8]) & 0x80 >> at % 8)
			return false;
	return true;
}

static void *nqd_test_search(const struct nqd_test_prefix *list, u16 family, const u8 *address)
{
	const struct nqd_test_prefix *best = NULL;
	unsigned int i;

	for (i = 0; i < NQD_TEST_PREFIXES; i++)
		if (list[i].value && nqd_test_matches(&list[i].prefix, family, address) &&
		    (!best || list[i].prefix.prefix_len > best->prefix.prefix_len))
			best = &list[i];
	return best ? best->value : NULL;
}

static struct nqd_test_prefix *nqd_test_same(struct nqd_test_prefix *list, const struct nqd_prefix *prefix)
{
	unsigned int i;

	for (i = 0; i < NQD_TEST_PREFIXES; i++)
		if (list[i].value && !memcmp(&list[i].prefix, prefix, sizeof(*prefix)))
			return &list[i];
	return NULL;
}

/* One random change, to both; what is wrong with it. */
static const char *nqd_test_change(struct rnd_state *rnd, struct nqd_routes *routes,
				   struct nqd_test_prefix *list)
{
	struct nqd_test_prefix *slot = &list[prandom_u32_state(rnd) % NQD_TEST_PREFIXES];
	const char *why = NULL;
	struct nqd_test_prefix *same;
	struct nqd_prefix prefix;
	void *former;

	if (slot->value) {
		if (nqd_routes_remove(routes, &slot->prefix) != slot->value)
			return "removes another value";
		slot->value = NULL;
		return nqd_routes_exact(routes, &slot->prefix) ? "is there after it was removed" : NULL;
	}
	nqd_test_prefix(rnd, &prefix);
	if (nqd_routes_check(&prefix, &why))
		return why;
	same = nqd_test_same(list, &prefix);
	if (nqd_routes_set(routes, &prefix, slot, &former))
		return "no memory";
	if (former != (same ? same->value : NULL))
		return "had another value";
	if (same)
		same->value = NULL;
	slot->prefix = prefix;
	slot->value = slot;
	return nqd_routes_exact(routes, &prefix) == slot ? NULL : "is not there after it was added";
}

static const char *nqd_test_lookups(struct rnd_state *rnd, const struct nqd_routes *routes,
				    const struct nqd_test_prefix *list)
{
	unsigned int i;
	u8 address[16];
	void *found;

	for (i = 0; i < NQD_TEST_LOOKUPS; i++) {
		u16 family = i & 1 ? AF_INET : AF_INET6;

		nqd_test_address(rnd, family, address);
		rcu_read_lock();
		found = nqd_routes_lookup(routes, family, address);
		rcu_read_unlock();
		if (found != nqd_test_search(list, family, address))
			return "an address leads elsewhere";
	}
	return NULL;
}

/**
 * nqd_test_routes() - random changes and look-ups
 * @report: where it says what is wrong
 */
void nqd_test_routes(struct nqd_test_report *report)
{
	struct nqd_test_prefix *list = kcalloc(NQD_TEST_PREFIXES, sizeof(*list), GFP_KERNEL);
	const char *wrong = list ? NULL : "no memory";
	struct nqd_routes routes;
	struct rnd_state rnd;
	unsigned int i, there = 0;

	prandom_seed_state(&rnd, 9000);
	nqd_routes_init(&routes);
	for (i = 0; i < NQD_TEST_CHANGES && !wrong; i++) {
		wrong = nqd_test_change(&rnd, &routes, list);
		if (!wrong)
			wrong = nqd_test_lookups(&rnd, &routes, list);
		report->vectors++;
	}
	for (i = 0; i < NQD_TEST_PREFIXES && !wrong; i++)
		there += !!list[i].value;
	if (!wrong && (!there || there != routes.count))
		wrong = "counts its prefixes wrong";
	nqd_routes_clear(&routes);
	if (!wrong && (routes.count || rcu_access_pointer(routes.root[0]) ||
		       rcu_access_pointer(routes.root[1])))
		wrong = "is not empty after it was cleared";
	if (wrong) {
		report->failures++;
		report->fail(report, "routes", wrong);
	}
	kfree(list);
}

/**
 * nqd_test_bad_prefixes() - prefixes that the ABI does not allow
 * @report: where it says what is wrong
 */
void nqd_test_bad_prefixes(struct nqd_test_report *report)
{
	static const struct nqd_prefix bad[] = {
		{ .family = 0 },
		{ .family = AF_UNIX },
		{ .family = AF_INET, .prefix_len = 33 },
		{ .family = AF_INET6, .prefix_len = 129 },
		{ .family = AF_INET, .prefix_len = 8, .address = { 10, 1 } },
		{ .family = AF_INET, .prefix_len = 32, .address = { 10, 0, 0, 1, 1 } },
		{ .family = AF_INET6, .prefix_len = 63, .address = { [7] = 1 } },
		{ .family = AF_INET, .prefix_len = 8, .pad = { 1 }, .address = { 10 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *why = NULL;

		report->vectors++;
		if (nqd_routes_check(&bad[i], &why) == -EINVAL && why)
			continue;
		report->failures++;
		report->fail(report, "prefix", "is accepted");
	}
}
