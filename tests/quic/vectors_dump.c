// SPDX-License-Identifier: BSD-3-Clause
/* Prints every table of the generated header, a vector a line, for comparison with the JSON. */
#include <stdio.h>

#include "vectors_generated.h"

#define EACH(item, table) \
	for (item = table; item < (table) + NQV_COUNT(table); item++)

static void bytes(struct nqv_bytes b)
{
	u32 i;

	putchar(' ');
	for (i = 0; i < b.len; i++)
		printf("%02x", b.data[i]);
	putchar('.');
}

static void number(u64 value)
{
	printf(" %llu", (unsigned long long)value);
}

static void ranges(const struct nqv_range *range, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		number(range[i].smallest);
		number(range[i].largest);
	}
	putchar(';');
}

static void head(const char *kind, const char *name, u32 error)
{
	printf("%s %s %u", kind, name, error);
}

static void short_header(const char *kind, const struct nqv_short_header *v)
{
	head(kind, v->name, v->error);
	number(v->suite);
	bytes(v->secret);
	bytes(v->key);
	bytes(v->iv);
	bytes(v->hp);
	bytes(v->dcid);
	number(v->pn);
	number(v->pn_len);
	number(v->largest_pn);
	number(v->key_phase);
	number(v->spin);
	bytes(v->payload);
	bytes(v->packet);
	number(v->floor);
	ranges(v->received, v->received_count);
	putchar('\n');
}

static void packet_number(const char *operation, const struct nqv_packet_number *v)
{
	head("packet_number", v->name, v->error);
	printf(" %s", operation);
	number(v->pn);
	number(v->largest);
	number(v->pn_len);
	number(v->truncated);
	putchar('\n');
}

static void key_update(const struct nqv_key_update *v)
{
	u32 i;

	head("key_update", v->name, v->error);
	number(v->suite);
	bytes(v->hp);
	for (i = 0; i < v->generation_count; i++) {
		bytes(v->generations[i].secret);
		bytes(v->generations[i].key);
		bytes(v->generations[i].iv);
	}
	putchar('\n');
}

static void datagram_frame(const struct nqv_datagram_frame *v)
{
	u32 i;

	head("datagram_frame", v->name, v->error);
	bytes(v->payload);
	number(v->max_datagram_frame_size);
	number(v->other_frames);
	for (i = 0; i < v->datagram_count; i++) {
		number(v->datagrams[i].type);
		number(v->datagrams[i].offset);
		number(v->datagrams[i].len);
	}
	putchar('\n');
}

static void ack(const struct nqv_ack *v)
{
	u32 i;

	head("ack_ranges", v->name, v->error);
	number(v->max_ranges);
	number(v->floor);
	for (i = 0; i < v->received_count; i++) {
		number(v->received[i]);
		number(v->ecn[i]);
		number(v->verdicts[i]);
	}
	number(v->floor_after);
	ranges(v->ranges, v->range_count);
	number(v->ack_delay);
	number(v->has_ecn);
	number(v->ect0);
	number(v->ect1);
	number(v->ce);
	bytes(v->frame);
	putchar('\n');
}

static void frame(const struct nqv_frame *v)
{
	u32 i;

	head("frames", v->name, v->error);
	bytes(v->frame);
	number(v->canonical);
	number(v->ack_eliciting);
	for (i = 0; i < NQV_COUNT(v->numbers); i++)
		number(v->numbers[i]);
	for (i = 0; i < NQV_COUNT(v->strings); i++)
		bytes(v->strings[i]);
	ranges(v->ranges, v->range_count);
	putchar('\n');
}

int main(void)
{
	const struct nqv_packet_number *pn;
	const struct nqv_datagram_frame *d;
	const struct nqv_short_header *s;
	const struct nqv_key_update *k;
	const struct nqv_varint *v;
	const struct nqv_frame *f;
	const struct nqv_ack *a;

	EACH(v, nqv_varints) {
		head("varint", v->name, v->error);
		number(v->value);
		bytes(v->encoded);
		number(v->canonical);
		putchar('\n');
	}
	EACH(pn, nqv_packet_number_encodings)
		packet_number("encode", pn);
	EACH(pn, nqv_packet_number_decodings)
		packet_number("decode", pn);
	EACH(k, nqv_key_updates)
		key_update(k);
	EACH(s, nqv_short_headers)
		short_header("short_header", s);
	EACH(s, nqv_short_headers_invalid)
		short_header("short_header_invalid", s);
	EACH(d, nqv_datagram_frames)
		datagram_frame(d);
	EACH(a, nqv_acks)
		ack(a);
	EACH(f, nqv_frames)
		frame(f);
	return 0;
}
