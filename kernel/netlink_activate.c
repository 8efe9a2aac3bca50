// SPDX-License-Identifier: GPL-2.0
/*
 * NQD_CMD_ACTIVATE_SESSION.
 */
#include <linux/slab.h>

#include "activate.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "secrets.h"
#include "session_config.h"

/* Room in front of a drained datagram, as in one that a driver has received. */
#define NQD_ACTIVATE_HEADROOM (NET_SKB_PAD + 64)

static int nqd_netlink_activate_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
				       const char *why)
{
	extack->_msg = why;
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

static void nqd_netlink_activate_copy(void *to, size_t size, const struct nlattr *attr)
{
	if (attr)
		memcpy(to, nla_data(attr), size);
}

static int nqd_netlink_activate_state(struct nqd_activation *a, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_STATE_MAX + 1];
	const struct nlattr *attr;
	int rem, err;

	err = nqd_netlink_nest(tb, NQD_A_STATE, info);
	if (err)
		return err;
	nqd_netlink_activate_copy(&a->tx, sizeof(a->tx), tb[NQD_A_STATE_TX]);
	nqd_netlink_activate_copy(&a->rx, sizeof(a->rx), tb[NQD_A_STATE_RX]);
	nqd_netlink_activate_copy(&a->rtt, sizeof(a->rtt), tb[NQD_A_STATE_RTT]);
	nqd_netlink_activate_copy(&a->ecn_received, sizeof(a->ecn_received), tb[NQD_A_STATE_ECN_RECEIVED]);
	nqd_netlink_activate_copy(&a->ecn_acked, sizeof(a->ecn_acked), tb[NQD_A_STATE_ECN_ACKED]);
	nqd_netlink_activate_copy(&a->ecn_sent, sizeof(a->ecn_sent), tb[NQD_A_STATE_ECN_SENT]);
	nla_for_each_nested(attr, info->attrs[NQD_A_STATE], rem) {
		if (nla_type(attr) != NQD_A_STATE_RECEIVED_RANGE)
			continue;
		if (a->ranges == NQD_RECEIVED_RANGES_MAX)
			return nqd_netlink_activate_refuse(info->extack, attr, -ERANGE,
							   "more than 32 of state.received-range");
		memcpy(&a->range[a->ranges++], nla_data(attr), sizeof(a->range[0]));
	}
	return 0;
}

/* Which key attribute goes where (v1). */
static const u16 nqd_netlink_activate_keys[] = {
	[NQD_ACTIVATION_RX_PREVIOUS] = NQD_A_KEYS_PREVIOUS_RX_KEY,
	[NQD_ACTIVATION_RX] = NQD_A_KEYS_RX_KEY,
	[NQD_ACTIVATION_RX_NEXT] = NQD_A_KEYS_NEXT_RX_KEY,
	[NQD_ACTIVATION_TX] = NQD_A_KEYS_TX_KEY,
	[NQD_ACTIVATION_TX_NEXT] = NQD_A_KEYS_NEXT_TX_KEY,
};

static const s8 nqd_netlink_activate_offset[] = {
	[NQD_ACTIVATION_RX_PREVIOUS] = -1,
	[NQD_ACTIVATION_RX] = 0,
	[NQD_ACTIVATION_RX_NEXT] = 1,
	[NQD_ACTIVATION_TX] = 0,
	[NQD_ACTIVATION_TX_NEXT] = 1,
};

/* Which of the two ways to install keys it is: exactly one, and that whole. */
static int nqd_netlink_activate_check_keys(const struct nqd_activation *a, struct nlattr **tb,
					   struct netlink_ext_ack *extack)
{
	bool keys = tb[NQD_A_KEYS_TX_KEY] || tb[NQD_A_KEYS_RX_KEY] || tb[NQD_A_KEYS_NEXT_TX_KEY] ||
		    tb[NQD_A_KEYS_NEXT_RX_KEY] || tb[NQD_A_KEYS_PREVIOUS_RX_KEY];
	bool secrets = tb[NQD_A_KEYS_TX_SECRET] || tb[NQD_A_KEYS_RX_SECRET] ||
		       tb[NQD_A_KEYS_PREVIOUS_RX_SECRET];

	if (keys && secrets)
		return nqd_netlink_activate_refuse(extack, NULL, -EINVAL,
						   "keys and traffic secrets together");
	if (tb[NQD_A_KEYS_GENERATION])
		return nqd_netlink_activate_refuse(extack, tb[NQD_A_KEYS_GENERATION], -EINVAL,
						   "keys.generation is for SET_KEYS, here keys.state says it");
	if (secrets && (!tb[NQD_A_KEYS_TX_SECRET] || !tb[NQD_A_KEYS_RX_SECRET]))
		return nqd_netlink_activate_refuse(extack, NULL, -EINVAL,
						   "keys.tx-secret and keys.rx-secret are needed both");
	if (!secrets && (!tb[NQD_A_KEYS_TX_KEY] || !tb[NQD_A_KEYS_RX_KEY]))
		return nqd_netlink_activate_refuse(extack, NULL, -EINVAL,
						   "keys.tx-key and keys.rx-key are needed, or traffic secrets");
	if (!secrets && (!tb[NQD_A_KEYS_NEXT_TX_KEY] || !tb[NQD_A_KEYS_NEXT_RX_KEY]))
		return nqd_netlink_activate_refuse(extack, NULL, -EINVAL,
						   "keys.next-tx-key and keys.next-rx-key are needed from the start");
	if ((tb[NQD_A_KEYS_PREVIOUS_RX_KEY] || tb[NQD_A_KEYS_PREVIOUS_RX_SECRET]) && !a->keys.generation)
		return nqd_netlink_activate_refuse(extack, NULL, -EINVAL,
						   "generation 0 has no previous keys");
	return 0;
}

/* A key that was made, or the error of making it. */
static int nqd_netlink_activate_take(struct nqd_activation *a, unsigned int place, struct nqd_key *key)
{
	if (IS_ERR(key))
		return PTR_ERR(key);
	a->key[place] = key;
	return 0;
}

static int nqd_netlink_activate_v1(struct nqd_activation *a, const struct nqd_suite *suite,
				   struct nlattr **tb,
				   const char **why)
{
	struct nqd_packet_key raw;
	u64 generation;
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(nqd_netlink_activate_keys) && !err; i++) {
		const struct nlattr *attr = tb[nqd_netlink_activate_keys[i]];

		if (!attr)
			continue;
		memcpy(&raw, nla_data(attr), sizeof(raw));
		generation = a->keys.generation + nqd_netlink_activate_offset[i];
		err = nqd_netlink_activate_take(a, i, nqd_key_alloc(suite, &raw, generation, why));
	}
	memzero_explicit(&raw, sizeof(raw));
	return err;
}

static int nqd_netlink_activate_v2(struct nqd_activation *a, const struct nqd_suite *suite,
				   struct nlattr **tb,
				   const char **why)
{
	struct nqd_traffic_secret rx, tx;
	struct nqd_secrets *secrets;
	int err = 0;

	memcpy(&rx, nla_data(tb[NQD_A_KEYS_RX_SECRET]), sizeof(rx));
	memcpy(&tx, nla_data(tb[NQD_A_KEYS_TX_SECRET]), sizeof(tx));
	secrets = nqd_secrets_alloc(suite, &rx, &tx, a->keys.generation, why);
	if (!IS_ERR(secrets) && tb[NQD_A_KEYS_PREVIOUS_RX_SECRET]) {
		memcpy(&rx, nla_data(tb[NQD_A_KEYS_PREVIOUS_RX_SECRET]), sizeof(rx));
		err = nqd_netlink_activate_take(a, NQD_ACTIVATION_RX_PREVIOUS,
						nqd_secrets_previous(secrets, &rx, why));
	}
	memzero_explicit(&rx, sizeof(rx));
	memzero_explicit(&tx, sizeof(tx));
	if (IS_ERR(secrets))
		return PTR_ERR(secrets);
	a->secrets = secrets;
	if (!err)
		err = nqd_netlink_activate_take(a, NQD_ACTIVATION_RX,
						nqd_secrets_key(secrets, NQD_KEYS_RX, why));
	if (!err)
		err = nqd_netlink_activate_take(a, NQD_ACTIVATION_RX_NEXT,
						nqd_secrets_next(secrets, NQD_KEYS_RX, why));
	if (!err)
		err = nqd_netlink_activate_take(a, NQD_ACTIVATION_TX,
						nqd_secrets_key(secrets, NQD_KEYS_TX, why));
	if (!err)
		err = nqd_netlink_activate_take(a, NQD_ACTIVATION_TX_NEXT,
						nqd_secrets_next(secrets, NQD_KEYS_TX, why));
	return err;
}

static int nqd_netlink_activate_ciphers(struct nqd_activation *a, const struct nqd_suite *suite,
					struct nlattr **tb,
					struct netlink_ext_ack *extack)
{
	struct nqd_header_key raw;
	const char *why;
	int err;

	memcpy(&raw, nla_data(tb[NQD_A_KEYS_RX_HEADER_KEY]), sizeof(raw));
	err = nqd_header_cipher_init(&a->rx_hp, suite, &raw, &why);
	if (!err) {
		memcpy(&raw, nla_data(tb[NQD_A_KEYS_TX_HEADER_KEY]), sizeof(raw));
		err = nqd_header_cipher_init(&a->tx_hp, suite, &raw, &why);
	}
	memzero_explicit(&raw, sizeof(raw));
	if (!err)
		err = tb[NQD_A_KEYS_RX_SECRET] ? nqd_netlink_activate_v2(a, suite, tb, &why) :
						 nqd_netlink_activate_v1(a, suite, tb, &why);
	return err ? nqd_netlink_activate_refuse(extack, NULL, err, why) : 0;
}

static int nqd_netlink_activate_datagram(struct nqd_activation *a, const struct nlattr *held,
					 struct netlink_ext_ack *extack)
{
	const struct nlattr *payload = NULL, *tuple = NULL, *ecn = NULL, *attr;
	union nqd_address local;
	struct sk_buff *skb;
	int rem, err;

	nla_for_each_nested(attr, held, rem) {
		if (nla_type(attr) == NQD_A_HELD_PAYLOAD)
			payload = attr;
		else if (nla_type(attr) == NQD_A_HELD_UDP_TUPLE)
			tuple = attr;
		else if (nla_type(attr) == NQD_A_HELD_ECN)
			ecn = attr;
	}
	if (!payload || !tuple)
		return nqd_netlink_activate_refuse(extack, held, -EINVAL,
						   "held.payload and held.udp-tuple are needed");
	if (skb_queue_len(&a->drained) == NQD_HOLD_QUEUE_LEN)
		return nqd_netlink_activate_refuse(extack, held, -ERANGE, "more than 64 of held");
	skb = alloc_skb(NQD_ACTIVATE_HEADROOM + nla_len(payload), GFP_KERNEL);
	if (!skb)
		return nqd_netlink_activate_refuse(extack, NULL, -ENOMEM, "no memory for a held datagram");
	skb_reserve(skb, NQD_ACTIVATE_HEADROOM);
	skb_put_data(skb, nla_data(payload), nla_len(payload));
	NQD_RX_CB(skb)->ecn = ecn ? nla_get_u32(ecn) : 0;
	__skb_queue_tail(&a->drained, skb);
	err = nqd_session_config_tuple(tuple, &local, &NQD_RX_CB(skb)->remote, extack);
	return err;
}

static int nqd_netlink_activate_drained(struct nqd_activation *a, struct genl_info *info)
{
	const struct nlattr *attr;
	int rem, err;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != NQD_A_HELD)
			continue;
		err = nqd_netlink_activate_datagram(a, attr, info->extack);
		if (err)
			return err;
	}
	return 0;
}

/* All that the session is not needed for. */
static int nqd_netlink_activate_parse(struct nqd_activation *a, struct nlattr **keys, struct genl_info *info)
{
	const char *why;
	int err;

	err = nqd_netlink_activate_state(a, info);
	if (!err)
		err = nqd_netlink_nest(keys, NQD_A_KEYS, info);
	if (err)
		return err;
	nqd_netlink_activate_copy(&a->keys, sizeof(a->keys), keys[NQD_A_KEYS_STATE]);
	if (nqd_activation_check(a, &why))
		return nqd_netlink_activate_refuse(info->extack, info->attrs[NQD_A_STATE], -EINVAL, why);
	err = nqd_netlink_activate_check_keys(a, keys, info->extack);
	return err ? err : nqd_netlink_activate_drained(a, info);
}

static int nqd_netlink_activate(struct nqd_activation *a, struct nlattr **tb, struct nlattr **keys,
				struct genl_info *info)
{
	u64 generation = nla_get_u64(tb[NQD_A_SESSION_GENERATION]);
	struct nqd_net *nn = nqd_netlink_net(info);
	struct netlink_ext_ack *extack = info->extack;
	struct nqd_session *s;
	const char *why;
	int err;

	lockdep_assert_held(&nn->lock);
	s = nqd_netlink_named_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = nqd_netlink_above(generation, s->config.generation, tb[NQD_A_SESSION_GENERATION],
				"session.generation is not above the current one", extack);
	if (err)
		return err;
	if (s->running)
		return nqd_netlink_activate_refuse(extack, tb[NQD_A_SESSION_ID], -EBUSY,
						   "the session is not in HOLD");
	err = nqd_netlink_activate_ciphers(a, s->suite, keys, extack);
	if (err)
		return err;
	err = nqd_activate(s, a, generation, &why);
	if (err)
		return nqd_netlink_activate_refuse(extack, NULL, err, why);
	nn->changes++;
	nqd_activate_replay(s, &a->drained);
	return 0;
}

/* Only what names the session may be there beside its generation. */
static int nqd_netlink_activate_only_named(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = NQD_A_SESSION_GENERATION + 1; i <= NQD_A_SESSION_MAX; i++)
		if (tb[i])
			return nqd_netlink_activate_refuse(extack, tb[i], -EINVAL,
							   "ACTIVATE_SESSION changes nothing else of a session");
	return 0;
}

/**
 * nqd_nl_activate_session_doit() - NQD_CMD_ACTIVATE_SESSION
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error, and the session is in HOLD as before.
 */
int nqd_nl_activate_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1], *keys[NQD_A_KEYS_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_activation *a = NULL;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_activate_only_named(tb, info->extack);
	if (!err)
		err = nqd_activation_alloc(&a);
	if (err == -ENOMEM)
		nqd_netlink_activate_refuse(info->extack, NULL, err, "no memory for the activation");
	if (a) {
		err = nqd_netlink_activate_parse(a, keys, info);
		if (!err) {
			mutex_lock(&nn->lock);
			err = nqd_netlink_activate(a, tb, keys, info);
			mutex_unlock(&nn->lock);
		}
		nqd_activation_free(a);
	}
	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	return err;
}
