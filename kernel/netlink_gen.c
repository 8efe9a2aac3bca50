// SPDX-License-Identifier: GPL-2.0
/*
 * Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.
 * Change them, then run `make generate`.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "netlink_gen.h"

static struct netlink_range_validation nqd_device_mtu_range = {
	.min = 576U,
	.max = 65535U,
};

static struct netlink_range_validation nqd_session_socket_fd_range = {
	.min = 0U,
	.max = 2147483647U,
};

static struct netlink_range_validation nqd_session_datagram_size_range = {
	.min = 1200U,
	.max = 65527U,
};

static struct netlink_range_validation nqd_session_mtu_range = {
	.min = 576U,
	.max = 65535U,
};

const struct nla_policy nqd_device_nl_policy[NQD_A_DEVICE_MAX + 1] = {
	[NQD_A_DEVICE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_DEVICE_IFINDEX] = { .type = NLA_U32 },
	[NQD_A_DEVICE_IFNAME] = { .type = NLA_NUL_STRING, .len = 15 },
	[NQD_A_DEVICE_GENERATION] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_DEVICE_NETWORK_ID] = { .type = NLA_U64 },
	[NQD_A_DEVICE_ROUTE_EPOCH] = { .type = NLA_U64 },
	[NQD_A_DEVICE_MTU] = NLA_POLICY_FULL_RANGE(NLA_U32, &nqd_device_mtu_range),
	[NQD_A_DEVICE_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x1),
	[NQD_A_DEVICE_FWMARK] = { .type = NLA_U32 },
	[NQD_A_DEVICE_DSCP_POLICY] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_DEVICE_DSCP] = NLA_POLICY_RANGE(NLA_U32, 0, 63),
	[NQD_A_DEVICE_ECN_POLICY] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_DEVICE_QUEUES] = NLA_POLICY_RANGE(NLA_U32, 1, 256),
	[NQD_A_DEVICE_OWNER_PORT] = { .type = NLA_U32 },
	[NQD_A_DEVICE_SESSION_COUNT] = { .type = NLA_U32 },
	[NQD_A_DEVICE_IN_NETNS] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
};

const struct nla_policy nqd_session_nl_policy[NQD_A_SESSION_MAX + 1] = {
	[NQD_A_SESSION_DEVICE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_SESSION_ID] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_SESSION_GENERATION] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_SESSION_ROLE] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_SESSION_QUIC_VERSION] = NLA_POLICY_RANGE(NLA_U32, 1, 1),
	[NQD_A_SESSION_STATE] = NLA_POLICY_RANGE(NLA_U32, 0, 3),
	[NQD_A_SESSION_SOCKET_FD] = NLA_POLICY_FULL_RANGE(NLA_U32, &nqd_session_socket_fd_range),
	[NQD_A_SESSION_UDP_TUPLE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_udp_tuple)),
	[NQD_A_SESSION_LOCAL_CID] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_cid)),
	[NQD_A_SESSION_PEER_CID] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_cid)),
	[NQD_A_SESSION_RESET_TOKEN] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_reset_token)),
	[NQD_A_SESSION_CIPHER_SUITE] = NLA_POLICY_RANGE(NLA_U32, 4865, 4867),
	[NQD_A_SESSION_PARAMS_LOCAL] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_transport_params)),
	[NQD_A_SESSION_PARAMS_PEER] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_transport_params)),
	[NQD_A_SESSION_IDLE_TIMEOUT_MS] = { .type = NLA_U32 },
	[NQD_A_SESSION_KEEPALIVE_MS] = { .type = NLA_U32 },
	[NQD_A_SESSION_DATAGRAM_SIZE] = NLA_POLICY_FULL_RANGE(NLA_U32, &nqd_session_datagram_size_range),
	[NQD_A_SESSION_MTU] = NLA_POLICY_FULL_RANGE(NLA_U32, &nqd_session_mtu_range),
	[NQD_A_SESSION_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0xf),
	[NQD_A_SESSION_CONGESTION] = NLA_POLICY_RANGE(NLA_U32, 0, 2),
	[NQD_A_SESSION_LAB_RATE] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_SESSION_NETWORK_ID] = { .type = NLA_U64 },
	[NQD_A_SESSION_ALLOWED_SOURCE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_prefix)),
	[NQD_A_SESSION_ROUTE_EPOCH] = { .type = NLA_U64 },
	[NQD_A_SESSION_CONFIDENTIALITY_LIMIT] = NLA_POLICY_MIN(NLA_U64, 2),
	[NQD_A_SESSION_INTEGRITY_LIMIT] = NLA_POLICY_MIN(NLA_U64, 2),
	[NQD_A_SESSION_FWMARK] = { .type = NLA_U32 },
	[NQD_A_SESSION_DSCP_POLICY] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_SESSION_DSCP] = NLA_POLICY_RANGE(NLA_U32, 0, 63),
	[NQD_A_SESSION_ECN_POLICY] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_SESSION_KEY_GENERATION] = { .type = NLA_U64 },
};

const struct nla_policy nqd_state_nl_policy[NQD_A_STATE_MAX + 1] = {
	[NQD_A_STATE_TX] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_tx_state)),
	[NQD_A_STATE_RX] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_rx_state)),
	[NQD_A_STATE_RECEIVED_RANGE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_pn_range)),
	[NQD_A_STATE_ECN_RECEIVED] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_ecn_counts)),
	[NQD_A_STATE_ECN_ACKED] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_ecn_counts)),
	[NQD_A_STATE_ECN_SENT] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_ecn_counts)),
	[NQD_A_STATE_ECN_STATE] = NLA_POLICY_RANGE(NLA_U32, 0, 3),
	[NQD_A_STATE_RTT] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_rtt_state)),
};

const struct nla_policy nqd_keys_nl_policy[NQD_A_KEYS_MAX + 1] = {
	[NQD_A_KEYS_STATE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_key_state)),
	[NQD_A_KEYS_GENERATION] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_KEYS_TX_HEADER_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_header_key)),
	[NQD_A_KEYS_RX_HEADER_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_header_key)),
	[NQD_A_KEYS_TX_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_packet_key)),
	[NQD_A_KEYS_RX_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_packet_key)),
	[NQD_A_KEYS_NEXT_TX_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_packet_key)),
	[NQD_A_KEYS_NEXT_RX_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_packet_key)),
	[NQD_A_KEYS_PREVIOUS_RX_KEY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_packet_key)),
	[NQD_A_KEYS_TX_SECRET] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_traffic_secret)),
	[NQD_A_KEYS_RX_SECRET] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_traffic_secret)),
	[NQD_A_KEYS_PREVIOUS_RX_SECRET] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_traffic_secret)),
};

const struct nla_policy nqd_held_nl_policy[NQD_A_HELD_MAX + 1] = {
	[NQD_A_HELD_UDP_TUPLE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_udp_tuple)),
	[NQD_A_HELD_ECN] = NLA_POLICY_RANGE(NLA_U32, 0, 3),
	[NQD_A_HELD_PAYLOAD] = { .type = NLA_BINARY, .len = 65000 },
};

const struct nla_policy nqd_route_nl_policy[NQD_A_ROUTE_MAX + 1] = {
	[NQD_A_ROUTE_DEVICE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_ROUTE_PREFIX] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_prefix)),
	[NQD_A_ROUTE_SESSION_ID] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_ROUTE_GENERATION] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_ROUTE_EPOCH] = { .type = NLA_U64 },
};

const struct nla_policy nqd_close_nl_policy[NQD_A_CLOSE_MAX + 1] = {
	[NQD_A_CLOSE_MODE] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_CLOSE_ERROR_CODE] = { .type = NLA_U64 },
	[NQD_A_CLOSE_APPLICATION] = NLA_POLICY_RANGE(NLA_U32, 0, 1),
	[NQD_A_CLOSE_FRAME_TYPE] = { .type = NLA_U64 },
	[NQD_A_CLOSE_REASON] = { .type = NLA_BINARY, .len = 256 },
};

const struct nla_policy nqd_frames_nl_policy[NQD_A_FRAMES_MAX + 1] = {
	[NQD_A_FRAMES_TOKEN] = { .type = NLA_U64 },
	[NQD_A_FRAMES_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x1),
	[NQD_A_FRAMES_CONTEXT_ID] = { .type = NLA_U64 },
	[NQD_A_FRAMES_PAYLOAD] = { .type = NLA_BINARY, .len = 65527 },
	[NQD_A_FRAMES_PACKET_NUMBER] = { .type = NLA_U64 },
	[NQD_A_FRAMES_LOSSES] = { .type = NLA_U32 },
};

const struct nla_policy nqd_event_nl_policy[NQD_A_EVENT_MAX + 1] = {
	[NQD_A_EVENT_ID] = NLA_POLICY_MIN(NLA_U64, 1),
	[NQD_A_EVENT_TIME_NS] = { .type = NLA_U64 },
	[NQD_A_EVENT_DOWN_REASON] = NLA_POLICY_RANGE(NLA_U32, 0, 11),
	[NQD_A_EVENT_DATAGRAM_SIZE] = { .type = NLA_U32 },
	[NQD_A_EVENT_MTU] = { .type = NLA_U32 },
	[NQD_A_EVENT_UDP_TUPLE] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_udp_tuple)),
	[NQD_A_EVENT_EXPECTED_EPOCH] = { .type = NLA_U64 },
	[NQD_A_EVENT_FOUND_EPOCH] = { .type = NLA_U64 },
	[NQD_A_EVENT_KEY_UPDATE_CAUSE] = NLA_POLICY_RANGE(NLA_U32, 0, 4),
	[NQD_A_EVENT_KEY_GENERATION] = { .type = NLA_U64 },
	[NQD_A_EVENT_CONGESTION_PHASE] = NLA_POLICY_RANGE(NLA_U32, 0, 4),
	[NQD_A_EVENT_RECOVERY] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_recovery_stats)),
	[NQD_A_EVENT_DROP] = NLA_POLICY_EXACT_LEN(sizeof(struct nqd_drop_count)),
	[NQD_A_EVENT_ERRNO] = { .type = NLA_S32 },
	[NQD_A_EVENT_MESSAGE] = { .type = NLA_NUL_STRING, .len = 255 },
};

const struct nla_policy nqd_debug_nl_policy[NQD_A_DEBUG_MAX + 1] = {
	[NQD_A_DEBUG_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0xf),
};

static const struct nla_policy nqd_cmd_get_caps_nl_policy[NQD_A_REQUIRED + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
};

static const struct nla_policy nqd_cmd_create_device_nl_policy[NQD_A_DEVICE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
};

static const struct nla_policy nqd_cmd_update_device_nl_policy[NQD_A_DEVICE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
};

static const struct nla_policy nqd_cmd_delete_device_nl_policy[NQD_A_DEVICE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
};

static const struct nla_policy nqd_cmd_get_device_nl_policy[NQD_A_DEVICE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
};

static const struct nla_policy nqd_cmd_adopt_device_nl_policy[NQD_A_DEVICE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
};

static const struct nla_policy nqd_cmd_add_session_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_activate_session_nl_policy[NQD_A_HELD + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_STATE] = NLA_POLICY_NESTED(nqd_state_nl_policy),
	[NQD_A_KEYS] = NLA_POLICY_NESTED(nqd_keys_nl_policy),
	[NQD_A_HELD] = NLA_POLICY_NESTED(nqd_held_nl_policy),
};

static const struct nla_policy nqd_cmd_update_session_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_delete_session_nl_policy[NQD_A_CLOSE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_CLOSE] = NLA_POLICY_NESTED(nqd_close_nl_policy),
};

static const struct nla_policy nqd_cmd_get_session_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_set_keys_nl_policy[NQD_A_KEYS + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_KEYS] = NLA_POLICY_NESTED(nqd_keys_nl_policy),
};

static const struct nla_policy nqd_cmd_key_update_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_add_route_nl_policy[NQD_A_ROUTE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_ROUTE] = NLA_POLICY_NESTED(nqd_route_nl_policy),
};

static const struct nla_policy nqd_cmd_delete_route_nl_policy[NQD_A_ROUTE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_ROUTE] = NLA_POLICY_NESTED(nqd_route_nl_policy),
};

static const struct nla_policy nqd_cmd_get_route_nl_policy[NQD_A_ROUTE + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
	[NQD_A_ROUTE] = NLA_POLICY_NESTED(nqd_route_nl_policy),
};

static const struct nla_policy nqd_cmd_send_frames_nl_policy[NQD_A_FRAMES + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_FRAMES] = NLA_POLICY_NESTED(nqd_frames_nl_policy),
};

static const struct nla_policy nqd_cmd_send_datagram_nl_policy[NQD_A_FRAMES + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_FRAMES] = NLA_POLICY_NESTED(nqd_frames_nl_policy),
};

static const struct nla_policy nqd_cmd_event_ack_nl_policy[NQD_A_EVENT + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
	[NQD_A_EVENT] = NLA_POLICY_NESTED(nqd_event_nl_policy),
};

static const struct nla_policy nqd_cmd_get_stats_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_flush_stats_nl_policy[NQD_A_SESSION + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
	[NQD_A_SESSION] = NLA_POLICY_NESTED(nqd_session_nl_policy),
};

static const struct nla_policy nqd_cmd_set_debug_nl_policy[NQD_A_DEBUG + 1] = {
	[NQD_A_ABI_VERSION] = NLA_POLICY_MIN(NLA_U32, 1),
	[NQD_A_REQUIRED] = { .type = NLA_BINARY, .len = 256 },
	[NQD_A_DEVICE] = NLA_POLICY_NESTED(nqd_device_nl_policy),
	[NQD_A_DEBUG] = NLA_POLICY_NESTED(nqd_debug_nl_policy),
};

static const u32 nqd_cmd_get_caps_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_create_device_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_DEVICE),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_NETWORK_ID),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_GENERATION),
};

static const u32 nqd_cmd_update_device_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_DEVICE),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_GENERATION),
};

static const u32 nqd_cmd_delete_device_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_DEVICE),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_GENERATION),
};

static const u32 nqd_cmd_get_device_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_adopt_device_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_DEVICE),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_GENERATION),
};

static const u32 nqd_cmd_add_session_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_GENERATION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ROLE),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_QUIC_VERSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_SOCKET_FD),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_UDP_TUPLE),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_LOCAL_CID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_PEER_CID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_CIPHER_SUITE),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_PARAMS_LOCAL),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_PARAMS_PEER),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DATAGRAM_SIZE),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_NETWORK_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ROUTE_EPOCH),
};

static const u32 nqd_cmd_activate_session_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_GENERATION),
	NQD_NL_PLACE(0, NQD_A_STATE),
	NQD_NL_PLACE(NQD_A_STATE, NQD_A_STATE_TX),
	NQD_NL_PLACE(NQD_A_STATE, NQD_A_STATE_RX),
	NQD_NL_PLACE(NQD_A_STATE, NQD_A_STATE_RTT),
	NQD_NL_PLACE(0, NQD_A_KEYS),
	NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_STATE),
	NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_TX_HEADER_KEY),
	NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_RX_HEADER_KEY),
};

static const u32 nqd_cmd_update_session_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_GENERATION),
};

static const u32 nqd_cmd_delete_session_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_GENERATION),
};

static const u32 nqd_cmd_get_session_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_set_keys_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_GENERATION),
	NQD_NL_PLACE(0, NQD_A_KEYS),
	NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_GENERATION),
};

static const u32 nqd_cmd_key_update_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
};

static const u32 nqd_cmd_add_route_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_ROUTE),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_PREFIX),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_SESSION_ID),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_GENERATION),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_EPOCH),
};

static const u32 nqd_cmd_delete_route_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_ROUTE),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_PREFIX),
	NQD_NL_PLACE(NQD_A_ROUTE, NQD_A_ROUTE_GENERATION),
};

static const u32 nqd_cmd_get_route_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_send_frames_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(0, NQD_A_FRAMES),
	NQD_NL_PLACE(NQD_A_FRAMES, NQD_A_FRAMES_PAYLOAD),
};

static const u32 nqd_cmd_send_datagram_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(0, NQD_A_FRAMES),
	NQD_NL_PLACE(NQD_A_FRAMES, NQD_A_FRAMES_CONTEXT_ID),
	NQD_NL_PLACE(NQD_A_FRAMES, NQD_A_FRAMES_PAYLOAD),
};

static const u32 nqd_cmd_event_ack_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_SESSION),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID),
	NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_ID),
	NQD_NL_PLACE(0, NQD_A_EVENT),
	NQD_NL_PLACE(NQD_A_EVENT, NQD_A_EVENT_ID),
};

static const u32 nqd_cmd_get_stats_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_flush_stats_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
};

static const u32 nqd_cmd_set_debug_mandatory[] = {
	NQD_NL_PLACE(0, NQD_A_ABI_VERSION),
	NQD_NL_PLACE(0, NQD_A_DEVICE),
	NQD_NL_PLACE(NQD_A_DEVICE, NQD_A_DEVICE_ID),
	NQD_NL_PLACE(0, NQD_A_DEBUG),
	NQD_NL_PLACE(NQD_A_DEBUG, NQD_A_DEBUG_FLAGS),
};

static const struct {
	const u32 *places;
	unsigned int count;
} nqd_nl_mandatory[] = {
	[NQD_CMD_GET_CAPS] = { nqd_cmd_get_caps_mandatory, ARRAY_SIZE(nqd_cmd_get_caps_mandatory) },
	[NQD_CMD_CREATE_DEVICE] = { nqd_cmd_create_device_mandatory, ARRAY_SIZE(nqd_cmd_create_device_mandatory) },
	[NQD_CMD_UPDATE_DEVICE] = { nqd_cmd_update_device_mandatory, ARRAY_SIZE(nqd_cmd_update_device_mandatory) },
	[NQD_CMD_DELETE_DEVICE] = { nqd_cmd_delete_device_mandatory, ARRAY_SIZE(nqd_cmd_delete_device_mandatory) },
	[NQD_CMD_GET_DEVICE] = { nqd_cmd_get_device_mandatory, ARRAY_SIZE(nqd_cmd_get_device_mandatory) },
	[NQD_CMD_ADOPT_DEVICE] = { nqd_cmd_adopt_device_mandatory, ARRAY_SIZE(nqd_cmd_adopt_device_mandatory) },
	[NQD_CMD_ADD_SESSION] = { nqd_cmd_add_session_mandatory, ARRAY_SIZE(nqd_cmd_add_session_mandatory) },
	[NQD_CMD_ACTIVATE_SESSION] = { nqd_cmd_activate_session_mandatory, ARRAY_SIZE(nqd_cmd_activate_session_mandatory) },
	[NQD_CMD_UPDATE_SESSION] = { nqd_cmd_update_session_mandatory, ARRAY_SIZE(nqd_cmd_update_session_mandatory) },
	[NQD_CMD_DELETE_SESSION] = { nqd_cmd_delete_session_mandatory, ARRAY_SIZE(nqd_cmd_delete_session_mandatory) },
	[NQD_CMD_GET_SESSION] = { nqd_cmd_get_session_mandatory, ARRAY_SIZE(nqd_cmd_get_session_mandatory) },
	[NQD_CMD_SET_KEYS] = { nqd_cmd_set_keys_mandatory, ARRAY_SIZE(nqd_cmd_set_keys_mandatory) },
	[NQD_CMD_KEY_UPDATE] = { nqd_cmd_key_update_mandatory, ARRAY_SIZE(nqd_cmd_key_update_mandatory) },
	[NQD_CMD_ADD_ROUTE] = { nqd_cmd_add_route_mandatory, ARRAY_SIZE(nqd_cmd_add_route_mandatory) },
	[NQD_CMD_DELETE_ROUTE] = { nqd_cmd_delete_route_mandatory, ARRAY_SIZE(nqd_cmd_delete_route_mandatory) },
	[NQD_CMD_GET_ROUTE] = { nqd_cmd_get_route_mandatory, ARRAY_SIZE(nqd_cmd_get_route_mandatory) },
	[NQD_CMD_SEND_FRAMES] = { nqd_cmd_send_frames_mandatory, ARRAY_SIZE(nqd_cmd_send_frames_mandatory) },
	[NQD_CMD_SEND_DATAGRAM] = { nqd_cmd_send_datagram_mandatory, ARRAY_SIZE(nqd_cmd_send_datagram_mandatory) },
	[NQD_CMD_EVENT_ACK] = { nqd_cmd_event_ack_mandatory, ARRAY_SIZE(nqd_cmd_event_ack_mandatory) },
	[NQD_CMD_GET_STATS] = { nqd_cmd_get_stats_mandatory, ARRAY_SIZE(nqd_cmd_get_stats_mandatory) },
	[NQD_CMD_FLUSH_STATS] = { nqd_cmd_flush_stats_mandatory, ARRAY_SIZE(nqd_cmd_flush_stats_mandatory) },
	[NQD_CMD_SET_DEBUG] = { nqd_cmd_set_debug_mandatory, ARRAY_SIZE(nqd_cmd_set_debug_mandatory) },
};

const struct genl_ops nqd_nl_ops[22] = {
	{
		.cmd = NQD_CMD_GET_CAPS,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_get_caps_doit,
		.policy = nqd_cmd_get_caps_nl_policy,
		.maxattr = NQD_A_REQUIRED,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_CREATE_DEVICE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_create_device_doit,
		.policy = nqd_cmd_create_device_nl_policy,
		.maxattr = NQD_A_DEVICE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_UPDATE_DEVICE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_update_device_doit,
		.policy = nqd_cmd_update_device_nl_policy,
		.maxattr = NQD_A_DEVICE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_DELETE_DEVICE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_delete_device_doit,
		.policy = nqd_cmd_delete_device_nl_policy,
		.maxattr = NQD_A_DEVICE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_GET_DEVICE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_get_device_doit,
		.start = nqd_nl_dump_start,
		.dumpit = nqd_nl_get_device_dumpit,
		.policy = nqd_cmd_get_device_nl_policy,
		.maxattr = NQD_A_DEVICE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_ADOPT_DEVICE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_adopt_device_doit,
		.policy = nqd_cmd_adopt_device_nl_policy,
		.maxattr = NQD_A_DEVICE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_ADD_SESSION,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_add_session_doit,
		.policy = nqd_cmd_add_session_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_ACTIVATE_SESSION,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_activate_session_doit,
		.policy = nqd_cmd_activate_session_nl_policy,
		.maxattr = NQD_A_HELD,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_UPDATE_SESSION,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_update_session_doit,
		.policy = nqd_cmd_update_session_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_DELETE_SESSION,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_delete_session_doit,
		.policy = nqd_cmd_delete_session_nl_policy,
		.maxattr = NQD_A_CLOSE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_GET_SESSION,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_get_session_doit,
		.start = nqd_nl_dump_start,
		.dumpit = nqd_nl_get_session_dumpit,
		.policy = nqd_cmd_get_session_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_SET_KEYS,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_set_keys_doit,
		.policy = nqd_cmd_set_keys_nl_policy,
		.maxattr = NQD_A_KEYS,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_KEY_UPDATE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_key_update_doit,
		.policy = nqd_cmd_key_update_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_ADD_ROUTE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_add_route_doit,
		.policy = nqd_cmd_add_route_nl_policy,
		.maxattr = NQD_A_ROUTE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_DELETE_ROUTE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_delete_route_doit,
		.policy = nqd_cmd_delete_route_nl_policy,
		.maxattr = NQD_A_ROUTE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_GET_ROUTE,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_get_route_doit,
		.start = nqd_nl_dump_start,
		.dumpit = nqd_nl_get_route_dumpit,
		.policy = nqd_cmd_get_route_nl_policy,
		.maxattr = NQD_A_ROUTE,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_SEND_FRAMES,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_send_frames_doit,
		.policy = nqd_cmd_send_frames_nl_policy,
		.maxattr = NQD_A_FRAMES,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_SEND_DATAGRAM,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_send_datagram_doit,
		.policy = nqd_cmd_send_datagram_nl_policy,
		.maxattr = NQD_A_FRAMES,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_EVENT_ACK,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_event_ack_doit,
		.policy = nqd_cmd_event_ack_nl_policy,
		.maxattr = NQD_A_EVENT,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_GET_STATS,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_get_stats_doit,
		.start = nqd_nl_dump_start,
		.dumpit = nqd_nl_get_stats_dumpit,
		.policy = nqd_cmd_get_stats_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_FLUSH_STATS,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_flush_stats_doit,
		.policy = nqd_cmd_flush_stats_nl_policy,
		.maxattr = NQD_A_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = NQD_CMD_SET_DEBUG,
		.validate = GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
		.doit = nqd_nl_set_debug_doit,
		.policy = nqd_cmd_set_debug_nl_policy,
		.maxattr = NQD_A_DEBUG,
		.flags = GENL_UNS_ADMIN_PERM,
	},
};

const struct genl_multicast_group nqd_nl_mcgrps[1] = {
	[NQD_NLGRP_STATE] = { .name = NQD_MCGRP_STATE, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

/**
 * nqd_nl_is_secret - whether an attribute carries key material
 * @nest: top-level attribute that it is nested in, 0 for a top-level one
 * @type: its number
 */
bool nqd_nl_is_secret(u16 nest, u16 type)
{
	switch (NQD_NL_PLACE(nest, type)) {
	case NQD_NL_PLACE(NQD_A_SESSION, NQD_A_SESSION_RESET_TOKEN):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_TX_HEADER_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_RX_HEADER_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_TX_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_RX_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_NEXT_TX_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_NEXT_RX_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_PREVIOUS_RX_KEY):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_TX_SECRET):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_RX_SECRET):
	case NQD_NL_PLACE(NQD_A_KEYS, NQD_A_KEYS_PREVIOUS_RX_SECRET):
		return true;
	default:
		return false;
	}
}

static const struct genl_ops *nqd_nl_op(u8 cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nqd_nl_ops); i++)
		if (nqd_nl_ops[i].cmd == cmd)
			return &nqd_nl_ops[i];
	return NULL;
}

static const struct nlattr *nqd_nl_find(const struct nlmsghdr *nlh, u16 nest, u16 type)
{
	const struct nlattr *found;

	if (!nest)
		return nlmsg_find_attr(nlh, GENL_HDRLEN, type);
	found = nlmsg_find_attr(nlh, GENL_HDRLEN, nest);
	return found ? nla_find_nested(found, type) : NULL;
}

/* Whether the policy of a command knows an attribute, at the top level or in a nest. */
static bool nqd_nl_known(const struct nla_policy *policy, unsigned int max, u16 nest, u16 type)
{
	if (nest) {
		if (nest > max || policy[nest].type != NLA_NESTED)
			return false;
		max = policy[nest].len;
		policy = policy[nest].nested_policy;
	}
	return type && type <= max && policy[type].type != NLA_UNSPEC;
}

static int nqd_nl_check_version(const struct nlmsghdr *nlh, u8 cmd, struct netlink_ext_ack *extack)
{
	const struct nlattr *version = nqd_nl_find(nlh, 0, NQD_A_ABI_VERSION);

	/* GET_CAPS is how a caller learns the range. Its presence is checked with the mandatory ones. */
	if (cmd == NQD_CMD_GET_CAPS || !version)
		return 0;
	if (nla_get_u32(version) != NQD_ABI_VERSION) {
		NL_SET_ERR_MSG_ATTR(extack, version, "abi-version is not spoken here, see GET_CAPS");
		return -EPROTONOSUPPORT;
	}
	return 0;
}

static int nqd_nl_check_required(const struct nlmsghdr *nlh, const struct genl_ops *op,
				 struct netlink_ext_ack *extack)
{
	const struct nlattr *required = nqd_nl_find(nlh, 0, NQD_A_REQUIRED);
	int at, len;
	u32 place;

	if (!required)
		return 0;
	len = nla_len(required);
	if (len % sizeof(place)) {
		NL_SET_ERR_MSG_ATTR(extack, required, "required is not a list of u32");
		return -EINVAL;
	}
	for (at = 0; at < len; at += sizeof(place)) {
		memcpy(&place, (const char *)nla_data(required) + at, sizeof(place));
		if (!nqd_nl_known(op->policy, op->maxattr, place >> 16, place & 0xffff)) {
			NL_SET_ERR_MSG_ATTR(extack, required, "a required attribute is not known here");
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static int nqd_nl_check_mandatory(const struct nlmsghdr *nlh, u8 cmd,
				  struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = 0; i < nqd_nl_mandatory[cmd].count; i++) {
		u32 place = nqd_nl_mandatory[cmd].places[i];
		u16 nest = place >> 16;

		if (nqd_nl_find(nlh, nest, place & 0xffff))
			continue;
		NL_SET_ERR_MSG(extack, "a mandatory attribute is missing");
		NL_SET_ERR_ATTR_MISS(extack, nest ? nqd_nl_find(nlh, 0, nest) : NULL,
				     place & 0xffff);
		return -EINVAL;
	}
	return 0;
}

/**
 * nqd_nl_check - the ABI's rules that hold for every request
 * @nlh: the request
 * @extack: where a refusal says why
 *
 * To be called first thing in every doit and dumpit. Checks values, version, NQD_A_REQUIRED and
 * mandatory attributes, in this order. The minimum length of a payload whose maximum is above 32767 and
 * the padding of structs are left to the handler.
 *
 * Return: 0, -EINVAL, -ERANGE, -EPROTONOSUPPORT or -EOPNOTSUPP.
 */
int nqd_nl_check(const struct nlmsghdr *nlh, struct netlink_ext_ack *extack)
{
	u8 cmd = ((const struct genlmsghdr *)nlmsg_data(nlh))->cmd;
	const struct genl_ops *op = nqd_nl_op(cmd);
	int err;

	if (!op) {
		NL_SET_ERR_MSG(extack, "unknown command");
		return -EOPNOTSUPP;
	}
	err = __nla_validate(nlmsg_attrdata(nlh, GENL_HDRLEN), nlmsg_attrlen(nlh, GENL_HDRLEN),
			     op->maxattr, op->policy, NQD_NL_VALIDATE, extack);
	if (err)
		return err;
	err = nqd_nl_check_version(nlh, cmd, extack);
	if (err)
		return err;
	err = nqd_nl_check_required(nlh, op, extack);
	if (err)
		return err;
	return nqd_nl_check_mandatory(nlh, cmd, extack);
}

/**
 * nqd_nl_wipe - wipe key material from a request
 * @nlh: the request, not read again afterwards
 *
 * To be called before a command that may carry secrets returns, whatever its result. A message that is
 * cut short inside an attribute is wiped up to its end.
 */
void nqd_nl_wipe(struct nlmsghdr *nlh)
{
	struct nlattr *outer, *inner;
	int rem, inner_rem;

	nlmsg_for_each_attr(outer, nlh, GENL_HDRLEN, rem)
		nla_for_each_nested(inner, outer, inner_rem)
			if (nqd_nl_is_secret(nla_type(outer), nla_type(inner)))
				memzero_explicit(nla_data(inner), nla_len(inner));
}
