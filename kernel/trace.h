/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the data path: what is received, sent and dropped, and why. No payloads, no keys, no
 * connection IDs.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nexus_quic_dco

#if !defined(_NQD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NQD_TRACE_H

#include <linux/tracepoint.h>

#include "uapi/nexus_quic_dco.h"

TRACE_EVENT(drop,
	    TP_PROTO(int ifindex, u64 session, int direction, enum nqd_drop_reason reason, u32 len),
	    TP_ARGS(ifindex, session, direction, reason, len),
	    TP_STRUCT__entry(__field(int, ifindex)
			     __field(int, direction)
			     __field(u64, session)
			     __field(u32, reason)
			     __field(u32, len)),
	    TP_fast_assign(__entry->ifindex = ifindex;
			   __entry->direction = direction;
			   __entry->session = session;
			   __entry->reason = reason;
			   __entry->len = len;),
	    TP_printk("ifindex=%d session=%llu %s reason=%u len=%u", __entry->ifindex, __entry->session,
		      __entry->direction ? "tx" : "rx", __entry->reason, __entry->len)
);

DECLARE_EVENT_CLASS(nqd_packet,
		    TP_PROTO(int ifindex, u64 session, u64 pn, u64 generation, u32 len, u8 ecn),
		    TP_ARGS(ifindex, session, pn, generation, len, ecn),
		    TP_STRUCT__entry(__field(int, ifindex)
				     __field(u32, len)
				     __field(u64, session)
				     __field(u64, pn)
				     __field(u64, generation)
				     __field(u8, ecn)),
		    TP_fast_assign(__entry->ifindex = ifindex;
				   __entry->len = len;
				   __entry->session = session;
				   __entry->pn = pn;
				   __entry->generation = generation;
				   __entry->ecn = ecn;),
		    TP_printk("ifindex=%d session=%llu pn=%llu generation=%llu len=%u ecn=%u",
			      __entry->ifindex, __entry->session, __entry->pn, __entry->generation,
			      __entry->len, __entry->ecn)
);

DEFINE_EVENT(nqd_packet, rx_packet,
	     TP_PROTO(int ifindex, u64 session, u64 pn, u64 generation, u32 len, u8 ecn),
	     TP_ARGS(ifindex, session, pn, generation, len, ecn)
);

DEFINE_EVENT(nqd_packet, tx_packet,
	     TP_PROTO(int ifindex, u64 session, u64 pn, u64 generation, u32 len, u8 ecn),
	     TP_ARGS(ifindex, session, pn, generation, len, ecn)
);

#endif /* _NQD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
