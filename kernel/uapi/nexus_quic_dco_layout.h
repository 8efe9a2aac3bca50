/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.
 * Change them, then run `make generate`.
 *
 * Include it once, in kernel or user space: it fails to compile where a layout
 * differs from the specification.
 */
#ifndef _NEXUS_QUIC_DCO_LAYOUT_H
#define _NEXUS_QUIC_DCO_LAYOUT_H

#include "nexus_quic_dco.h"

#ifdef __cplusplus
#define NQD_PIN(what) static_assert(what, #what)
#else
#define NQD_PIN(what) _Static_assert(what, #what)
#endif
#define NQD_PIN_SIZE(type, size) NQD_PIN(sizeof(struct type) == (size))
#define NQD_PIN_OFFSET(type, member, offset) \
	NQD_PIN(__builtin_offsetof(struct type, member) == (offset))
#define NQD_PIN_MEMBER(type, member, size) \
	NQD_PIN(sizeof(((struct type *)0)->member) == (size))

NQD_PIN_SIZE(nqd_udp_tuple, 48);
NQD_PIN_OFFSET(nqd_udp_tuple, family, 0);
NQD_PIN_MEMBER(nqd_udp_tuple, family, 2);
NQD_PIN_OFFSET(nqd_udp_tuple, local_port, 2);
NQD_PIN_MEMBER(nqd_udp_tuple, local_port, 2);
NQD_PIN_OFFSET(nqd_udp_tuple, peer_port, 4);
NQD_PIN_MEMBER(nqd_udp_tuple, peer_port, 2);
NQD_PIN_OFFSET(nqd_udp_tuple, pad, 6);
NQD_PIN_MEMBER(nqd_udp_tuple, pad, 2);
NQD_PIN_OFFSET(nqd_udp_tuple, local, 8);
NQD_PIN_MEMBER(nqd_udp_tuple, local, 16);
NQD_PIN_OFFSET(nqd_udp_tuple, peer, 24);
NQD_PIN_MEMBER(nqd_udp_tuple, peer, 16);
NQD_PIN_OFFSET(nqd_udp_tuple, scope_id, 40);
NQD_PIN_MEMBER(nqd_udp_tuple, scope_id, 4);
NQD_PIN_OFFSET(nqd_udp_tuple, pad2, 44);
NQD_PIN_MEMBER(nqd_udp_tuple, pad2, 4);

NQD_PIN_SIZE(nqd_prefix, 24);
NQD_PIN_OFFSET(nqd_prefix, family, 0);
NQD_PIN_MEMBER(nqd_prefix, family, 2);
NQD_PIN_OFFSET(nqd_prefix, prefix_len, 2);
NQD_PIN_MEMBER(nqd_prefix, prefix_len, 1);
NQD_PIN_OFFSET(nqd_prefix, pad, 3);
NQD_PIN_MEMBER(nqd_prefix, pad, 5);
NQD_PIN_OFFSET(nqd_prefix, address, 8);
NQD_PIN_MEMBER(nqd_prefix, address, 16);

NQD_PIN_SIZE(nqd_cid, 32);
NQD_PIN_OFFSET(nqd_cid, sequence, 0);
NQD_PIN_MEMBER(nqd_cid, sequence, 8);
NQD_PIN_OFFSET(nqd_cid, len, 8);
NQD_PIN_MEMBER(nqd_cid, len, 1);
NQD_PIN_OFFSET(nqd_cid, pad, 9);
NQD_PIN_MEMBER(nqd_cid, pad, 3);
NQD_PIN_OFFSET(nqd_cid, id, 12);
NQD_PIN_MEMBER(nqd_cid, id, 20);

NQD_PIN_SIZE(nqd_reset_token, 24);
NQD_PIN_OFFSET(nqd_reset_token, sequence, 0);
NQD_PIN_MEMBER(nqd_reset_token, sequence, 8);
NQD_PIN_OFFSET(nqd_reset_token, token, 8);
NQD_PIN_MEMBER(nqd_reset_token, token, 16);

NQD_PIN_SIZE(nqd_transport_params, 32);
NQD_PIN_OFFSET(nqd_transport_params, max_datagram_frame_size, 0);
NQD_PIN_MEMBER(nqd_transport_params, max_datagram_frame_size, 8);
NQD_PIN_OFFSET(nqd_transport_params, max_idle_timeout_ms, 8);
NQD_PIN_MEMBER(nqd_transport_params, max_idle_timeout_ms, 8);
NQD_PIN_OFFSET(nqd_transport_params, max_udp_payload_size, 16);
NQD_PIN_MEMBER(nqd_transport_params, max_udp_payload_size, 4);
NQD_PIN_OFFSET(nqd_transport_params, max_ack_delay_ms, 20);
NQD_PIN_MEMBER(nqd_transport_params, max_ack_delay_ms, 4);
NQD_PIN_OFFSET(nqd_transport_params, ack_delay_exponent, 24);
NQD_PIN_MEMBER(nqd_transport_params, ack_delay_exponent, 4);
NQD_PIN_OFFSET(nqd_transport_params, active_connection_id_limit, 28);
NQD_PIN_MEMBER(nqd_transport_params, active_connection_id_limit, 4);

NQD_PIN_SIZE(nqd_packet_key, 48);
NQD_PIN_OFFSET(nqd_packet_key, key, 0);
NQD_PIN_MEMBER(nqd_packet_key, key, 32);
NQD_PIN_OFFSET(nqd_packet_key, iv, 32);
NQD_PIN_MEMBER(nqd_packet_key, iv, 12);
NQD_PIN_OFFSET(nqd_packet_key, pad, 44);
NQD_PIN_MEMBER(nqd_packet_key, pad, 4);

NQD_PIN_SIZE(nqd_header_key, 32);
NQD_PIN_OFFSET(nqd_header_key, key, 0);
NQD_PIN_MEMBER(nqd_header_key, key, 32);

NQD_PIN_SIZE(nqd_traffic_secret, 56);
NQD_PIN_OFFSET(nqd_traffic_secret, len, 0);
NQD_PIN_MEMBER(nqd_traffic_secret, len, 4);
NQD_PIN_OFFSET(nqd_traffic_secret, pad, 4);
NQD_PIN_MEMBER(nqd_traffic_secret, pad, 4);
NQD_PIN_OFFSET(nqd_traffic_secret, secret, 8);
NQD_PIN_MEMBER(nqd_traffic_secret, secret, 48);

NQD_PIN_SIZE(nqd_key_state, 40);
NQD_PIN_OFFSET(nqd_key_state, generation, 0);
NQD_PIN_MEMBER(nqd_key_state, generation, 8);
NQD_PIN_OFFSET(nqd_key_state, tx_phase_start, 8);
NQD_PIN_MEMBER(nqd_key_state, tx_phase_start, 8);
NQD_PIN_OFFSET(nqd_key_state, rx_phase_start, 16);
NQD_PIN_MEMBER(nqd_key_state, rx_phase_start, 8);
NQD_PIN_OFFSET(nqd_key_state, tx_sealed, 24);
NQD_PIN_MEMBER(nqd_key_state, tx_sealed, 8);
NQD_PIN_OFFSET(nqd_key_state, rx_failed, 32);
NQD_PIN_MEMBER(nqd_key_state, rx_failed, 8);

NQD_PIN_SIZE(nqd_tx_state, 16);
NQD_PIN_OFFSET(nqd_tx_state, next_pn, 0);
NQD_PIN_MEMBER(nqd_tx_state, next_pn, 8);
NQD_PIN_OFFSET(nqd_tx_state, largest_acked, 8);
NQD_PIN_MEMBER(nqd_tx_state, largest_acked, 8);

NQD_PIN_SIZE(nqd_rx_state, 32);
NQD_PIN_OFFSET(nqd_rx_state, duplicate_floor, 0);
NQD_PIN_MEMBER(nqd_rx_state, duplicate_floor, 8);
NQD_PIN_OFFSET(nqd_rx_state, largest_received, 8);
NQD_PIN_MEMBER(nqd_rx_state, largest_received, 8);
NQD_PIN_OFFSET(nqd_rx_state, largest_age_ns, 16);
NQD_PIN_MEMBER(nqd_rx_state, largest_age_ns, 8);
NQD_PIN_OFFSET(nqd_rx_state, ack_eliciting_pending, 24);
NQD_PIN_MEMBER(nqd_rx_state, ack_eliciting_pending, 4);
NQD_PIN_OFFSET(nqd_rx_state, pad, 28);
NQD_PIN_MEMBER(nqd_rx_state, pad, 4);

NQD_PIN_SIZE(nqd_pn_range, 16);
NQD_PIN_OFFSET(nqd_pn_range, smallest, 0);
NQD_PIN_MEMBER(nqd_pn_range, smallest, 8);
NQD_PIN_OFFSET(nqd_pn_range, largest, 8);
NQD_PIN_MEMBER(nqd_pn_range, largest, 8);

NQD_PIN_SIZE(nqd_ecn_counts, 24);
NQD_PIN_OFFSET(nqd_ecn_counts, ect0, 0);
NQD_PIN_MEMBER(nqd_ecn_counts, ect0, 8);
NQD_PIN_OFFSET(nqd_ecn_counts, ect1, 8);
NQD_PIN_MEMBER(nqd_ecn_counts, ect1, 8);
NQD_PIN_OFFSET(nqd_ecn_counts, ce, 16);
NQD_PIN_MEMBER(nqd_ecn_counts, ce, 8);

NQD_PIN_SIZE(nqd_rtt_state, 32);
NQD_PIN_OFFSET(nqd_rtt_state, latest_ns, 0);
NQD_PIN_MEMBER(nqd_rtt_state, latest_ns, 8);
NQD_PIN_OFFSET(nqd_rtt_state, smoothed_ns, 8);
NQD_PIN_MEMBER(nqd_rtt_state, smoothed_ns, 8);
NQD_PIN_OFFSET(nqd_rtt_state, variation_ns, 16);
NQD_PIN_MEMBER(nqd_rtt_state, variation_ns, 8);
NQD_PIN_OFFSET(nqd_rtt_state, min_ns, 24);
NQD_PIN_MEMBER(nqd_rtt_state, min_ns, 8);

NQD_PIN_SIZE(nqd_cipher_cap, 128);
NQD_PIN_OFFSET(nqd_cipher_cap, suite, 0);
NQD_PIN_MEMBER(nqd_cipher_cap, suite, 4);
NQD_PIN_OFFSET(nqd_cipher_cap, asynchronous, 4);
NQD_PIN_MEMBER(nqd_cipher_cap, asynchronous, 4);
NQD_PIN_OFFSET(nqd_cipher_cap, driver, 8);
NQD_PIN_MEMBER(nqd_cipher_cap, driver, 120);

NQD_PIN_SIZE(nqd_l3_stats, 32);
NQD_PIN_OFFSET(nqd_l3_stats, rx_packets, 0);
NQD_PIN_MEMBER(nqd_l3_stats, rx_packets, 8);
NQD_PIN_OFFSET(nqd_l3_stats, rx_bytes, 8);
NQD_PIN_MEMBER(nqd_l3_stats, rx_bytes, 8);
NQD_PIN_OFFSET(nqd_l3_stats, tx_packets, 16);
NQD_PIN_MEMBER(nqd_l3_stats, tx_packets, 8);
NQD_PIN_OFFSET(nqd_l3_stats, tx_bytes, 24);
NQD_PIN_MEMBER(nqd_l3_stats, tx_bytes, 8);

NQD_PIN_SIZE(nqd_quic_stats, 64);
NQD_PIN_OFFSET(nqd_quic_stats, rx_packets, 0);
NQD_PIN_MEMBER(nqd_quic_stats, rx_packets, 8);
NQD_PIN_OFFSET(nqd_quic_stats, rx_bytes, 8);
NQD_PIN_MEMBER(nqd_quic_stats, rx_bytes, 8);
NQD_PIN_OFFSET(nqd_quic_stats, tx_packets, 16);
NQD_PIN_MEMBER(nqd_quic_stats, tx_packets, 8);
NQD_PIN_OFFSET(nqd_quic_stats, tx_bytes, 24);
NQD_PIN_MEMBER(nqd_quic_stats, tx_bytes, 8);
NQD_PIN_OFFSET(nqd_quic_stats, tx_ack_only_packets, 32);
NQD_PIN_MEMBER(nqd_quic_stats, tx_ack_only_packets, 8);
NQD_PIN_OFFSET(nqd_quic_stats, tx_probe_packets, 40);
NQD_PIN_MEMBER(nqd_quic_stats, tx_probe_packets, 8);
NQD_PIN_OFFSET(nqd_quic_stats, pacing_delays, 48);
NQD_PIN_MEMBER(nqd_quic_stats, pacing_delays, 8);
NQD_PIN_OFFSET(nqd_quic_stats, pacing_delay_ns, 56);
NQD_PIN_MEMBER(nqd_quic_stats, pacing_delay_ns, 8);

NQD_PIN_SIZE(nqd_frame_stats, 64);
NQD_PIN_OFFSET(nqd_frame_stats, rx_datagram, 0);
NQD_PIN_MEMBER(nqd_frame_stats, rx_datagram, 8);
NQD_PIN_OFFSET(nqd_frame_stats, tx_datagram, 8);
NQD_PIN_MEMBER(nqd_frame_stats, tx_datagram, 8);
NQD_PIN_OFFSET(nqd_frame_stats, rx_ack, 16);
NQD_PIN_MEMBER(nqd_frame_stats, rx_ack, 8);
NQD_PIN_OFFSET(nqd_frame_stats, tx_ack, 24);
NQD_PIN_MEMBER(nqd_frame_stats, tx_ack, 8);
NQD_PIN_OFFSET(nqd_frame_stats, rx_other, 32);
NQD_PIN_MEMBER(nqd_frame_stats, rx_other, 8);
NQD_PIN_OFFSET(nqd_frame_stats, tx_other, 40);
NQD_PIN_MEMBER(nqd_frame_stats, tx_other, 8);
NQD_PIN_OFFSET(nqd_frame_stats, lost_datagram, 48);
NQD_PIN_MEMBER(nqd_frame_stats, lost_datagram, 8);
NQD_PIN_OFFSET(nqd_frame_stats, pad, 56);
NQD_PIN_MEMBER(nqd_frame_stats, pad, 8);

NQD_PIN_SIZE(nqd_key_stats, 80);
NQD_PIN_OFFSET(nqd_key_stats, updates_local, 0);
NQD_PIN_MEMBER(nqd_key_stats, updates_local, 8);
NQD_PIN_OFFSET(nqd_key_stats, updates_peer, 8);
NQD_PIN_MEMBER(nqd_key_stats, updates_peer, 8);
NQD_PIN_OFFSET(nqd_key_stats, update_failures, 16);
NQD_PIN_MEMBER(nqd_key_stats, update_failures, 8);
NQD_PIN_OFFSET(nqd_key_stats, seal_failures, 24);
NQD_PIN_MEMBER(nqd_key_stats, seal_failures, 8);
NQD_PIN_OFFSET(nqd_key_stats, open_failures, 32);
NQD_PIN_MEMBER(nqd_key_stats, open_failures, 8);
NQD_PIN_OFFSET(nqd_key_stats, header_failures, 40);
NQD_PIN_MEMBER(nqd_key_stats, header_failures, 8);
NQD_PIN_OFFSET(nqd_key_stats, tx_sealed, 48);
NQD_PIN_MEMBER(nqd_key_stats, tx_sealed, 8);
NQD_PIN_OFFSET(nqd_key_stats, tx_limit, 56);
NQD_PIN_MEMBER(nqd_key_stats, tx_limit, 8);
NQD_PIN_OFFSET(nqd_key_stats, rx_failed, 64);
NQD_PIN_MEMBER(nqd_key_stats, rx_failed, 8);
NQD_PIN_OFFSET(nqd_key_stats, rx_limit, 72);
NQD_PIN_MEMBER(nqd_key_stats, rx_limit, 8);

NQD_PIN_SIZE(nqd_offload_stats, 32);
NQD_PIN_OFFSET(nqd_offload_stats, gso_packets, 0);
NQD_PIN_MEMBER(nqd_offload_stats, gso_packets, 8);
NQD_PIN_OFFSET(nqd_offload_stats, gso_segments, 8);
NQD_PIN_MEMBER(nqd_offload_stats, gso_segments, 8);
NQD_PIN_OFFSET(nqd_offload_stats, gro_packets, 16);
NQD_PIN_MEMBER(nqd_offload_stats, gro_packets, 8);
NQD_PIN_OFFSET(nqd_offload_stats, gro_segments, 24);
NQD_PIN_MEMBER(nqd_offload_stats, gro_segments, 8);

NQD_PIN_SIZE(nqd_recovery_stats, 80);
NQD_PIN_OFFSET(nqd_recovery_stats, congestion_window, 0);
NQD_PIN_MEMBER(nqd_recovery_stats, congestion_window, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, slow_start_threshold, 8);
NQD_PIN_MEMBER(nqd_recovery_stats, slow_start_threshold, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, bytes_in_flight, 16);
NQD_PIN_MEMBER(nqd_recovery_stats, bytes_in_flight, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, pacing_rate, 24);
NQD_PIN_MEMBER(nqd_recovery_stats, pacing_rate, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, packets_lost, 32);
NQD_PIN_MEMBER(nqd_recovery_stats, packets_lost, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, bytes_lost, 40);
NQD_PIN_MEMBER(nqd_recovery_stats, bytes_lost, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, spurious_losses, 48);
NQD_PIN_MEMBER(nqd_recovery_stats, spurious_losses, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, congestion_events, 56);
NQD_PIN_MEMBER(nqd_recovery_stats, congestion_events, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, persistent_congestion, 64);
NQD_PIN_MEMBER(nqd_recovery_stats, persistent_congestion, 8);
NQD_PIN_OFFSET(nqd_recovery_stats, pto_count, 72);
NQD_PIN_MEMBER(nqd_recovery_stats, pto_count, 8);

NQD_PIN_SIZE(nqd_queue_stats, 32);
NQD_PIN_OFFSET(nqd_queue_stats, queue, 0);
NQD_PIN_MEMBER(nqd_queue_stats, queue, 4);
NQD_PIN_OFFSET(nqd_queue_stats, pad, 4);
NQD_PIN_MEMBER(nqd_queue_stats, pad, 4);
NQD_PIN_OFFSET(nqd_queue_stats, tx_packets, 8);
NQD_PIN_MEMBER(nqd_queue_stats, tx_packets, 8);
NQD_PIN_OFFSET(nqd_queue_stats, tx_bytes, 16);
NQD_PIN_MEMBER(nqd_queue_stats, tx_bytes, 8);
NQD_PIN_OFFSET(nqd_queue_stats, tx_dropped, 24);
NQD_PIN_MEMBER(nqd_queue_stats, tx_dropped, 8);

NQD_PIN_SIZE(nqd_drop_count, 16);
NQD_PIN_OFFSET(nqd_drop_count, reason, 0);
NQD_PIN_MEMBER(nqd_drop_count, reason, 4);
NQD_PIN_OFFSET(nqd_drop_count, pad, 4);
NQD_PIN_MEMBER(nqd_drop_count, pad, 4);
NQD_PIN_OFFSET(nqd_drop_count, packets, 8);
NQD_PIN_MEMBER(nqd_drop_count, packets, 8);

#undef NQD_PIN_MEMBER
#undef NQD_PIN_OFFSET
#undef NQD_PIN_SIZE
#undef NQD_PIN

#endif /* _NEXUS_QUIC_DCO_LAYOUT_H */
