// SPDX-License-Identifier: GPL-2.0
/*
 * What user space sets of a session.
 */
#include <linux/if_ether.h>
#include <linux/slab.h>

#include "device.h"
#include "session_config.h"
#include "uapi/nexus_quic_dco.h"

/* The protocol core takes no timeout above a day; none that is longer ever comes. */
#define NQD_CONFIG_TIMEOUT_MAX_MS (24 * 3600 * MSEC_PER_SEC)

static int nqd_config_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
			     const char *why)
{
	extack->_msg = why;
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

static bool nqd_config_all_zero(const void *bytes, size_t len)
{
	return !memchr_inv(bytes, 0, len);
}

/* Connection IDs of one list, all of them: a list replaces the former one as a whole. */
static int nqd_config_cids(struct nqd_cid *cids, u32 *count, u32 max, u16 type, const struct nlattr *nest,
			   struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	int rem;
	u32 i;

	*count = 0;
	nla_for_each_nested(attr, nest, rem) {
		struct nqd_cid *cid = &cids[*count];

		if (nla_type(attr) != type)
			continue;
		if (*count == max)
			return nqd_config_refuse(extack, attr, -ERANGE, "more than 8 connection IDs");
		memcpy(cid, nla_data(attr), sizeof(*cid));
		if (cid->len > NQD_CID_MAX_LEN || cid->sequence > NQD_PN_MAX)
			return nqd_config_refuse(extack, attr, -ERANGE,
						 "a connection ID or its sequence number is out of range");
		if (!nqd_config_all_zero(cid->pad, sizeof(cid->pad)) ||
		    !nqd_config_all_zero(cid->id + cid->len, sizeof(cid->id) - cid->len))
			return nqd_config_refuse(extack, attr, -EINVAL,
						 "the padding of a connection ID is not zero");
		for (i = 0; i < *count; i++) {
			if (cids[i].len != cid->len)
				return nqd_config_refuse(extack, attr, -EINVAL,
							 "connection IDs differ in length");
			if (!memcmp(cids[i].id, cid->id, sizeof(cid->id)) ||
			    cids[i].sequence == cid->sequence)
				return nqd_config_refuse(extack, attr, -EINVAL,
							 "a connection ID or its sequence number is given twice");
		}
		(*count)++;
	}
	return 0;
}

static int nqd_config_sources(struct nqd_session_config *config, const struct nlattr *nest,
			      struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	const char *why;
	u32 count = 0;
	int rem, err;

	nla_for_each_nested(attr, nest, rem)
		count += nla_type(attr) == NQD_A_SESSION_ALLOWED_SOURCE;
	if (count > NQD_ALLOWED_SOURCES_MAX)
		return nqd_config_refuse(extack, nest, -ERANGE, "more than 256 of session.allowed-source");
	config->source = kcalloc(max_t(u32, count, 1), sizeof(*config->source), GFP_KERNEL);
	if (!config->source)
		return nqd_config_refuse(extack, NULL, -ENOMEM, "no memory for session.allowed-source");
	config->sources = 0;
	nla_for_each_nested(attr, nest, rem) {
		if (nla_type(attr) != NQD_A_SESSION_ALLOWED_SOURCE)
			continue;
		memcpy(&config->source[config->sources], nla_data(attr), sizeof(*config->source));
		err = nqd_routes_check(&config->source[config->sources], &why);
		if (err)
			return nqd_config_refuse(extack, attr, err, why);
		config->sources++;
	}
	return 0;
}

static int nqd_config_params(struct nqd_transport_params *params, const struct nlattr *attr,
			     struct netlink_ext_ack *extack)
{
	memcpy(params, nla_data(attr), sizeof(*params));
	/* RFC 9000 section 18.2. */
	if (params->max_udp_payload_size < NQD_UDP_PAYLOAD_MIN ||
	    params->max_udp_payload_size > NQD_DATAGRAM_MAX_LEN ||
	    params->max_ack_delay_ms > NQD_MAX_ACK_DELAY_MAX_MS ||
	    params->ack_delay_exponent > NQD_ACK_DELAY_EXPONENT_MAX ||
	    params->active_connection_id_limit < 2 ||
	    params->max_datagram_frame_size > NQD_PN_MAX || params->max_idle_timeout_ms > NQD_PN_MAX)
		return nqd_config_refuse(extack, attr, -ERANGE, "a transport parameter is out of range");
	/* RFC 9221 section 3. */
	if (!params->max_datagram_frame_size)
		return nqd_config_refuse(extack, attr, -EINVAL, "DATAGRAM frames were not negotiated");
	return 0;
}

/* The attributes that are lists or structs; what is not given stays. */
static int nqd_config_parse_structs(struct nqd_session_config *config, struct nlattr **tb,
				    const struct nlattr *nest,
				    struct netlink_ext_ack *extack)
{
	int err = 0;

	if (tb[NQD_A_SESSION_LOCAL_CID])
		err = nqd_config_cids(config->local_cid, &config->local_cids, NQD_LOCAL_CIDS_MAX,
				      NQD_A_SESSION_LOCAL_CID, nest, extack);
	if (!err && tb[NQD_A_SESSION_PEER_CID])
		err = nqd_config_cids(config->peer_cid, &config->peer_cids, NQD_PEER_CIDS_MAX,
				      NQD_A_SESSION_PEER_CID, nest, extack);
	if (!err && tb[NQD_A_SESSION_ALLOWED_SOURCE])
		err = nqd_config_sources(config, nest, extack);
	if (!err && tb[NQD_A_SESSION_PARAMS_LOCAL])
		err = nqd_config_params(&config->local_params, tb[NQD_A_SESSION_PARAMS_LOCAL], extack);
	if (!err && tb[NQD_A_SESSION_PARAMS_PEER])
		err = nqd_config_params(&config->peer_params, tb[NQD_A_SESSION_PARAMS_PEER], extack);
	return err;
}

/* Attributes that are one number of the same size: one more than where it goes, 0 for all others. */
static const u16 nqd_config_numbers[NQD_A_SESSION_MAX + 1] = {
	[NQD_A_SESSION_GENERATION] = offsetof(struct nqd_session_config, generation) + 1,
	[NQD_A_SESSION_ROLE] = offsetof(struct nqd_session_config, role) + 1,
	[NQD_A_SESSION_IDLE_TIMEOUT_MS] = offsetof(struct nqd_session_config, idle_timeout_ms) + 1,
	[NQD_A_SESSION_KEEPALIVE_MS] = offsetof(struct nqd_session_config, keepalive_ms) + 1,
	[NQD_A_SESSION_DATAGRAM_SIZE] = offsetof(struct nqd_session_config, datagram_size) + 1,
	[NQD_A_SESSION_MTU] = offsetof(struct nqd_session_config, mtu) + 1,
	[NQD_A_SESSION_FLAGS] = offsetof(struct nqd_session_config, flags) + 1,
	[NQD_A_SESSION_CONGESTION] = offsetof(struct nqd_session_config, congestion) + 1,
	[NQD_A_SESSION_LAB_RATE] = offsetof(struct nqd_session_config, lab_rate) + 1,
	[NQD_A_SESSION_NETWORK_ID] = offsetof(struct nqd_session_config, network_id) + 1,
	[NQD_A_SESSION_ROUTE_EPOCH] = offsetof(struct nqd_session_config, route_epoch) + 1,
	[NQD_A_SESSION_CONFIDENTIALITY_LIMIT] =
		offsetof(struct nqd_session_config, confidentiality_limit) + 1,
	[NQD_A_SESSION_INTEGRITY_LIMIT] = offsetof(struct nqd_session_config, integrity_limit) + 1,
	[NQD_A_SESSION_FWMARK] = offsetof(struct nqd_session_config, fwmark) + 1,
	[NQD_A_SESSION_DSCP_POLICY] = offsetof(struct nqd_session_config, dscp_policy) + 1,
	[NQD_A_SESSION_DSCP] = offsetof(struct nqd_session_config, dscp) + 1,
	[NQD_A_SESSION_ECN_POLICY] = offsetof(struct nqd_session_config, ecn_policy) + 1,
};

/**
 * nqd_session_config_parse() - take what a request sets; what it does not name stays
 * @config: where it goes; @source is replaced where given, the former one is not freed
 * @tb: session attributes of the request
 * @nest: all of them
 * @extack: where a refusal says why
 *
 * Context: may sleep.
 *
 * Return: 0 or a negative error; @source may be new even then.
 */
int nqd_session_config_parse(struct nqd_session_config *config, struct nlattr **tb, const struct nlattr *nest,
			     struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = 0; i <= NQD_A_SESSION_MAX; i++)
		if (nqd_config_numbers[i] && tb[i])
			memcpy((u8 *)config + nqd_config_numbers[i] - 1, nla_data(tb[i]), nla_len(tb[i]));
	if (tb[NQD_A_SESSION_IDLE_TIMEOUT_MS])
		config->has_idle_timeout = true;
	for (i = NQD_A_SESSION_FWMARK; i <= NQD_A_SESSION_ECN_POLICY; i++)
		if (tb[i])
			config->outer_set |= BIT_ULL(i);
	return nqd_config_parse_structs(config, tb, nest, extack);
}

static int nqd_config_check_congestion(const struct nqd_session_config *config, struct nlattr **tb,
				       struct netlink_ext_ack *extack)
{
	bool lab = config->congestion == NQD_CONGESTION_FIXED_RATE_TEST;

	if (lab && !(config->flags & NQD_SESSION_FLAG_LAB_MODE))
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_CONGESTION], -EINVAL,
					 "session.congestion fixed-rate-test needs the flag lab-mode");
	if (lab && !config->lab_rate)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_CONGESTION], -EINVAL,
					 "session.congestion fixed-rate-test needs session.lab-rate");
	if (!lab && tb[NQD_A_SESSION_LAB_RATE])
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_LAB_RATE], -EINVAL,
					 "session.lab-rate goes with fixed-rate-test only");
	return 0;
}

static int nqd_config_check_limits(const struct nqd_session_config *config, const struct nqd_suite *suite,
				   struct nlattr **tb, struct netlink_ext_ack *extack)
{
	u64 seal = suite->chacha20 ? NQD_CHACHA20_CONFIDENTIALITY_LIMIT : NQD_GCM_CONFIDENTIALITY_LIMIT;
	u64 open = suite->chacha20 ? NQD_CHACHA20_INTEGRITY_LIMIT : NQD_GCM_INTEGRITY_LIMIT;

	if (config->confidentiality_limit > seal)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_CONFIDENTIALITY_LIMIT], -ERANGE,
					 "session.confidentiality-limit is above that of the cipher suite");
	if (config->integrity_limit > open)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_INTEGRITY_LIMIT], -ERANGE,
					 "session.integrity-limit is above that of the cipher suite");
	return 0;
}

/**
 * nqd_session_config_check() - is a configuration whole and free of contradictions?
 * @config: configuration
 * @suite: negotiated cipher suite
 * @tb: session attributes of the request, for the extended acknowledgement
 * @extack: where a refusal says why
 *
 * Return: 0 or a negative error.
 */
int nqd_session_config_check(const struct nqd_session_config *config, const struct nqd_suite *suite,
			     struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int err;

	if (!config->local_cids || !config->peer_cids)
		return nqd_config_refuse(extack, NULL, -EINVAL,
					 "a session needs a connection ID of each end");
	if (config->flags & NQD_SESSION_FLAG_MIGRATION)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_FLAGS], -EOPNOTSUPP,
					 "session.flags: migration is not offered");
	if (config->datagram_size > config->peer_params.max_udp_payload_size)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_DATAGRAM_SIZE], -EINVAL,
					 "session.datagram-size is above the peer's max_udp_payload_size");
	if (config->idle_timeout_ms > NQD_CONFIG_TIMEOUT_MAX_MS)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_IDLE_TIMEOUT_MS], -EINVAL,
					 "session.idle-timeout-ms is above a day");
	if (config->keepalive_ms > NQD_CONFIG_TIMEOUT_MAX_MS)
		return nqd_config_refuse(extack, tb[NQD_A_SESSION_KEEPALIVE_MS], -EINVAL,
					 "session.keepalive-ms is above a day");
	err = nqd_config_check_congestion(config, tb, extack);
	if (!err)
		err = nqd_config_check_limits(config, suite, tb, extack);
	return err;
}

static int nqd_config_address4(const struct nqd_udp_tuple *tuple, union nqd_address *local,
			       union nqd_address *remote, const char **why)
{
	__be32 address;

	if (!nqd_config_all_zero(tuple->local + 4, 12) || !nqd_config_all_zero(tuple->peer + 4, 12) ||
	    tuple->scope_id) {
		*why = "an IPv4 address of a UDP tuple has more than four bytes";
		return -EINVAL;
	}
	memcpy(&address, tuple->peer, sizeof(address));
	if (ipv4_is_zeronet(address) || ipv4_is_multicast(address) || ipv4_is_lbcast(address)) {
		*why = "the peer's address is no unicast address";
		return -EINVAL;
	}
	remote->v4.sin_family = AF_INET;
	remote->v4.sin_addr.s_addr = address;
	remote->v4.sin_port = tuple->peer_port;
	memcpy(&address, tuple->local, sizeof(address));
	if (!address)
		return 0;
	local->v4.sin_family = AF_INET;
	local->v4.sin_addr.s_addr = address;
	local->v4.sin_port = tuple->local_port;
	return 0;
}

static int nqd_config_address6(const struct nqd_udp_tuple *tuple, union nqd_address *local,
			       union nqd_address *remote, const char **why)
{
	struct in6_addr address;
	bool link_local;

	memcpy(&address, tuple->peer, sizeof(address));
	link_local = ipv6_addr_type(&address) & IPV6_ADDR_LINKLOCAL;
	if (ipv6_addr_any(&address) || ipv6_addr_is_multicast(&address) || ipv6_addr_v4mapped(&address)) {
		*why = "the peer's address is no unicast IPv6 address";
		return -EINVAL;
	}
	if (link_local != !!tuple->scope_id) {
		*why = "a scope goes with link-local addresses, and only with them";
		return -EINVAL;
	}
	remote->v6.sin6_family = AF_INET6;
	remote->v6.sin6_addr = address;
	remote->v6.sin6_port = tuple->peer_port;
	remote->v6.sin6_scope_id = tuple->scope_id;
	memcpy(&address, tuple->local, sizeof(address));
	if (ipv6_addr_any(&address))
		return 0;
	local->v6.sin6_family = AF_INET6;
	local->v6.sin6_addr = address;
	local->v6.sin6_port = tuple->local_port;
	local->v6.sin6_scope_id = tuple->scope_id;
	return 0;
}

/**
 * nqd_session_config_address() - both ends of a UDP flow
 * @tuple: as the ABI has it
 * @local: set to this end; its family is 0 where routing chooses the address
 * @remote: set to the peer
 * @why: set to the reason of a refusal
 *
 * Return: 0 or -EINVAL.
 */
int nqd_session_config_address(const struct nqd_udp_tuple *tuple, union nqd_address *local,
			       union nqd_address *remote, const char **why)
{
	memset(local, 0, sizeof(*local));
	memset(remote, 0, sizeof(*remote));
	if (tuple->pad || tuple->pad2) {
		*why = "the padding of a UDP tuple is not zero";
		return -EINVAL;
	}
	if (!tuple->peer_port || !tuple->local_port) {
		*why = "a port of a UDP tuple is zero";
		return -EINVAL;
	}
	switch (tuple->family) {
	case AF_INET:
		return nqd_config_address4(tuple, local, remote, why);
	case AF_INET6:
		return nqd_config_address6(tuple, local, remote, why);
	default:
		*why = "a UDP tuple is of no family that there is";
		return -EINVAL;
	}
}

/**
 * nqd_session_config_tuple() - both ends of a UDP flow, of an attribute
 * @attr: session.udp-tuple
 * @local: set to this end; its family is 0 where routing chooses the address
 * @remote: set to the peer
 * @extack: where a refusal says why
 *
 * Return: 0 or -EINVAL.
 */
int nqd_session_config_tuple(const struct nlattr *attr, union nqd_address *local, union nqd_address *remote,
			     struct netlink_ext_ack *extack)
{
	struct nqd_udp_tuple tuple;
	const char *why;

	memcpy(&tuple, nla_data(attr), sizeof(tuple));
	if (!nqd_session_config_address(&tuple, local, remote, &why))
		return 0;
	return nqd_config_refuse(extack, attr, -EINVAL, why);
}

/**
 * nqd_session_config_sources() - the set of prefixes that the peer may send from
 * @config: configuration
 *
 * Context: may sleep.
 *
 * Return: the set, to be freed by nqd_routes_clear() and kfree(), or NULL without memory.
 */
struct nqd_routes *nqd_session_config_sources(const struct nqd_session_config *config)
{
	struct nqd_routes *sources = kzalloc(sizeof(*sources), GFP_KERNEL);
	void *former;
	u32 i;

	if (!sources)
		return NULL;
	nqd_routes_init(sources);
	for (i = 0; i < config->sources; i++) {
		/* Any value says that the prefix is there. */
		if (nqd_routes_set(sources, &config->source[i], sources, &former)) {
			nqd_routes_clear(sources);
			kfree(sources);
			return NULL;
		}
	}
	return sources;
}

/**
 * nqd_session_config_outer() - what outer packets carry: the session's own value, or its device's
 * @s: session
 *
 * Context: nqd_net.lock is held.
 */
void nqd_session_config_outer(struct nqd_session *s)
{
	const struct nqd_device_config *device = &s->device->config;
	const struct nqd_session_config *own = &s->config;

	WRITE_ONCE(s->fwmark, own->outer_set & BIT_ULL(NQD_A_SESSION_FWMARK) ? own->fwmark : device->fwmark);
	WRITE_ONCE(s->dscp_policy, own->outer_set & BIT_ULL(NQD_A_SESSION_DSCP_POLICY) ? own->dscp_policy :
										       device->dscp_policy);
	WRITE_ONCE(s->dscp, own->outer_set & BIT_ULL(NQD_A_SESSION_DSCP) ? own->dscp : device->dscp);
	WRITE_ONCE(s->ecn_policy, own->outer_set & BIT_ULL(NQD_A_SESSION_ECN_POLICY) ? own->ecn_policy :
										     device->ecn_policy);
}

/**
 * nqd_session_config_idle() - effective idle timeout (RFC 9000 section 10.1)
 * @config: configuration
 *
 * Return: ns, 0: none.
 */
u64 nqd_session_config_idle(const struct nqd_session_config *config)
{
	u64 ours = config->local_params.max_idle_timeout_ms, peers = config->peer_params.max_idle_timeout_ms;
	u64 ms;

	if (config->has_idle_timeout)
		ms = config->idle_timeout_ms;
	else if (!ours || !peers)
		ms = max(ours, peers);
	else
		ms = min(ours, peers);
	return min_t(u64, ms, NQD_CONFIG_TIMEOUT_MAX_MS) * NSEC_PER_MSEC;
}

/**
 * nqd_session_config_ceiling() - largest datagram size to search for
 * @s: session with its peer's address
 * @config: configuration
 *
 * Return: bytes of UDP payload; the configured size where no search is wanted.
 */
u32 nqd_session_config_ceiling(const struct nqd_session *s, const struct nqd_session_config *config)
{
	/* What Ethernet carries: an IP header without options and a UDP header less. */
	u32 most = ETH_DATA_LEN - 8 - (s->remote.family == AF_INET ? 20 : 40);

	if (!(config->flags & NQD_SESSION_FLAG_PMTU_SEARCH))
		return config->datagram_size;
	return max(config->datagram_size, min(config->peer_params.max_udp_payload_size, most));
}
