// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about keys.
 */
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"

static int nqd_netlink_keys_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
				   const char *why)
{
	extack->_msg = why;
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

static bool nqd_netlink_keys_are_active(const struct nqd_session *s)
{
	return s->running && s->conn.state.state == NQD_SESSION_STATE_ACTIVE;
}

/* Both keys, or none. */
static int nqd_netlink_keys_make(struct nqd_key **rx, struct nqd_key **tx, const struct nqd_suite *suite,
				 struct nlattr **keys, struct netlink_ext_ack *extack)
{
	u64 generation = nla_get_u64(keys[NQD_A_KEYS_GENERATION]);
	struct nqd_packet_key raw;
	const char *why;
	int err = 0;

	memcpy(&raw, nla_data(keys[NQD_A_KEYS_RX_KEY]), sizeof(raw));
	*rx = nqd_key_alloc(suite, &raw, generation, &why);
	if (IS_ERR(*rx)) {
		err = PTR_ERR(*rx);
	} else {
		memcpy(&raw, nla_data(keys[NQD_A_KEYS_TX_KEY]), sizeof(raw));
		*tx = nqd_key_alloc(suite, &raw, generation, &why);
		if (IS_ERR(*tx)) {
			err = PTR_ERR(*tx);
			nqd_key_free(*rx);
		}
	}
	memzero_explicit(&raw, sizeof(raw));
	return err ? nqd_netlink_keys_refuse(extack, NULL, err, why) : 0;
}

/*
 * Where the keys go: the generation after the current one, in each direction that lacks it. While a key
 * update of ours is unanswered, TX is one ahead of RX.
 */
static int nqd_netlink_keys_wanted(const struct nqd_session *s, u64 generation, const struct nlattr *attr,
				   struct netlink_ext_ack *extack)
{
	const struct nqd_keys *k = &s->conn.keys;

	if (generation <= k->rx_generation)
		return nqd_netlink_keys_refuse(extack, attr, -ESTALE,
					       "keys.generation is not above the current one");
	if (generation > k->tx_generation + 1)
		return nqd_netlink_keys_refuse(extack, attr, -EINVAL,
					       "keys.generation is not the one after the current one");
	if ((generation == k->rx_generation + 1 && !k->rx_next) ||
	    (generation == k->tx_generation + 1 && !k->tx_next))
		return 0;
	return nqd_netlink_keys_refuse(extack, attr, -EEXIST, "keys.generation is installed already");
}

static int nqd_netlink_keys_set(struct nqd_session *s, struct nlattr **keys, struct genl_info *info)
{
	u64 generation = nla_get_u64(keys[NQD_A_KEYS_GENERATION]);
	struct nqd_key *rx, *tx;
	int err;

	err = nqd_netlink_keys_make(&rx, &tx, s->suite, keys, info->extack);
	if (err)
		return err;
	spin_lock_bh(&s->lock);
	if (!nqd_netlink_keys_are_active(s))
		err = nqd_netlink_keys_refuse(info->extack, NULL, -EBUSY, "the session is not ACTIVE");
	else
		err = nqd_netlink_keys_wanted(s, generation, keys[NQD_A_KEYS_GENERATION], info->extack);
	if (!err) {
		const struct nqd_keys *k = &s->conn.keys;

		if (generation == k->rx_generation + 1 && !k->rx_next) {
			nqd_keyring_install(&s->rx_keys, rx);
			rx = NULL;
			nqd_conn_next_keys_installed(&s->conn, nqd_now(), NQD_KEYS_RX, generation);
		}
		if (generation == k->tx_generation + 1 && !k->tx_next) {
			nqd_keyring_install(&s->tx_keys, tx);
			tx = NULL;
			nqd_conn_next_keys_installed(&s->conn, nqd_now(), NQD_KEYS_TX, generation);
		}
		nqd_session_events(s);
		nqd_timer_update(s);
	}
	spin_unlock_bh(&s->lock);
	nqd_key_free(rx);
	nqd_key_free(tx);
	if (!err)
		nqd_tx_kick(s);
	return err;
}

static int nqd_netlink_set_keys(struct nlattr **tb, struct nlattr **keys, struct genl_info *info)
{
	u64 generation = nla_get_u64(tb[NQD_A_SESSION_GENERATION]);
	struct netlink_ext_ack *extack = info->extack;
	struct nqd_session *s;
	int err;

	s = nqd_netlink_named_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = nqd_netlink_above(generation, s->config.generation, tb[NQD_A_SESSION_GENERATION],
				"session.generation is not above the current one", extack);
	if (err)
		return err;
	if (!s->running)
		return nqd_netlink_keys_refuse(extack, tb[NQD_A_SESSION_ID], -EBUSY,
					       "the session is not ACTIVE");
	if (s->secrets)
		return nqd_netlink_keys_refuse(extack, tb[NQD_A_SESSION_ID], -EINVAL,
					       "the session has traffic secrets, its keys come of them");
	err = nqd_netlink_keys_set(s, keys, info);
	if (err)
		return err;
	s->config.generation = generation;
	WRITE_ONCE(s->generation, generation);
	nqd_netlink_net(info)->changes++;
	return 0;
}

/**
 * nqd_nl_set_keys_doit() - NQD_CMD_SET_KEYS
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_set_keys_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1], *keys[NQD_A_KEYS_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	unsigned int i;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_nest(keys, NQD_A_KEYS, info);
	if (!err && (!keys[NQD_A_KEYS_TX_KEY] || !keys[NQD_A_KEYS_RX_KEY]))
		err = nqd_netlink_keys_refuse(info->extack, info->attrs[NQD_A_KEYS], -EINVAL,
					      "keys.tx-key and keys.rx-key are needed");
	for (i = 0; !err && i <= NQD_A_KEYS_MAX; i++)
		if (keys[i] && i != NQD_A_KEYS_GENERATION && i != NQD_A_KEYS_TX_KEY && i != NQD_A_KEYS_RX_KEY)
			err = nqd_netlink_keys_refuse(info->extack, keys[i], -EINVAL,
						      "SET_KEYS takes keys.generation, keys.tx-key and keys.rx-key");
	if (!err) {
		mutex_lock(&nn->lock);
		err = nqd_netlink_set_keys(tb, keys, info);
		mutex_unlock(&nn->lock);
	}
	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	return err;
}

static int nqd_netlink_key_update(struct nqd_session *s, struct genl_info *info)
{
	u64 now = nqd_now();
	int err;

	spin_lock_bh(&s->lock);
	err = nqd_netlink_keys_are_active(s) ? nqd_conn_update_keys_now(&s->conn, now) : -EBUSY;
	if (!err) {
		nqd_session_events(s);
		nqd_timer_update(s);
	}
	spin_unlock_bh(&s->lock);
	switch (err) {
	case 0:
		nqd_tx_kick(s);
		return 0;
	case -EBUSY:
		return nqd_netlink_keys_refuse(info->extack, NULL, err, "the session is not ACTIVE");
	case -ENOKEY:
		return nqd_netlink_keys_refuse(info->extack, NULL, err, "the next keys are not installed");
	default:
		return nqd_netlink_keys_refuse(info->extack, NULL, -EAGAIN,
					       "the current keys are too new to be changed: see RFC 9001 section 6.1");
	}
}

/**
 * nqd_nl_key_update_doit() - NQD_CMD_KEY_UPDATE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_key_update_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1];
	struct nqd_session *s;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (err)
		return err;
	s = nqd_netlink_lock_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = nqd_netlink_key_update(s, info);
	nqd_netlink_end(info);
	return err;
}
