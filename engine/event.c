// SPDX-License-Identifier: BSD-3-Clause
/*
 * What user space is told. State events are flags of a session, so that any number of them takes no
 * memory; payloads are queued, a bounded number until they are acknowledged.
 */
#include "engine_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void nqe_event_signal(int fd)
{
	u64 one = 1;

	/* A full counter means that it is readable anyway. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void nqe_event_eventful(struct nqe_engine *e, struct nqe_session *s)
{
	nqe_event_signal(e->event_fd);
	if (s->eventful)
		return;
	s->eventful = true;
	s->next_eventful = NULL;
	if (e->eventful_tail)
		e->eventful_tail->next_eventful = s;
	else
		e->eventful_head = s;
	e->eventful_tail = s;
}

static u8 *nqe_event_copy(const u8 *data, u32 len)
{
	u8 *copy = malloc(len ? len : 1);

	if (copy)
		memcpy(copy, data, len);
	return copy;
}

static bool nqe_event_note(struct nqe_engine *e, struct nqe_session *s,
			   const struct nqe_event *event, const u8 *data, u32 len)
{
	struct nqe_note *note = calloc(1, sizeof(*note));

	if (!note)
		return false;
	note->event = *event;
	if (len) {
		note->event.data = nqe_event_copy(data, len);
		if (!note->event.data) {
			free(note);
			return false;
		}
		note->event.len = len;
	}
	note->event.sequence = ++s->sequence;
	if (s->notes.tail)
		s->notes.tail->next = note;
	else
		s->notes.head = note;
	s->notes.tail = note;
	nqe_event_eventful(e, s);
	return true;
}

static bool nqe_event_take(struct nqe_notes *notes, struct nqe_event *event)
{
	struct nqe_note *note = notes->head;

	if (!note)
		return false;
	notes->head = note->next;
	if (!notes->head)
		notes->tail = NULL;
	*event = note->event;
	free(note);
	return true;
}

void nqe_event_release(struct nqe_event *event)
{
	free(event->data);
	event->data = NULL;
	event->len = 0;
}

/* Payload events that still have room. */
u32 nqe_event_room(const struct nqe_session *s)
{
	u64 waiting = s->sequence - s->acknowledged;

	return waiting < NQD_EVENT_QUEUE_LEN ? (u32)(NQD_EVENT_QUEUE_LEN - waiting) : 0;
}

bool nqe_event_payload(struct nqe_engine *e, struct nqe_session *s, u32 type, const u8 *data,
		       u32 len)
{
	struct nqe_event event = { .type = type };

	return nqe_event_room(s) && nqe_event_note(e, s, &event, data, len);
}

/* Not bounded by the room: there are only so many frames to be acknowledged. */
void nqe_event_acked(struct nqe_engine *e, struct nqe_session *s, u64 id)
{
	struct nqe_event event = { .type = NQE_EVENT_FRAMES_ACKED, .value = { id } };

	nqe_event_note(e, s, &event, NULL, 0);
}

/*
 * A final loss is told as an acknowledgement is. Another one is left out where there is no room: the
 * next one has its count.
 */
void nqe_event_lost(struct nqe_engine *e, struct nqe_session *s,
		    const struct nqd_control_loss *loss)
{
	struct nqe_event event = {
		.type = NQE_EVENT_FRAMES_LOST,
		.value = { s->control_ids[loss->id], loss->pn, loss->losses, loss->final },
	};

	if (loss->final || nqe_event_room(s))
		nqe_event_note(e, s, &event, NULL, 0);
}

void nqe_event_state(struct nqe_engine *e, struct nqe_session *s, u32 flags)
{
	static const u32 noisy[NQE_NOISY_EVENTS] = {
		NQD_CONN_EVENT_CONGESTION,
		NQE_EVENT_FLAG_TUPLE,
		NQE_EVENT_FLAG_EPOCH,
		NQE_EVENT_FLAG_REPLAY,
	};
	u32 i;

	for (i = 0; i < NQE_NOISY_EVENTS; i++) {
		if (!(flags & noisy[i]))
			continue;
		if (e->now < s->noisy_at[i])
			flags &= ~noisy[i];
		else
			s->noisy_at[i] = e->now + NQE_NOISY_INTERVAL;
	}
	if (!(flags & ~s->event_flags))
		return;
	s->event_flags |= flags;
	nqe_event_eventful(e, s);
}

void nqe_event_other(struct nqe_socket *socket, const struct nqe_udp_message *m, const u8 *data,
		     u32 len)
{
	struct nqe_other *other = &socket->other;
	u8 *copy = NULL;

	if (other->count < NQE_OTHER_MAX)
		copy = nqe_event_copy(data, len);
	if (!copy) {
		socket->stats.other_dropped++;
		return;
	}
	other->datagram[(other->first + other->count++) % NQE_OTHER_MAX] = (struct nqe_datagram){
		.remote = m->remote,
		.local = m->local,
		.ecn = m->ecn,
		.len = len,
		.data = copy,
	};
	socket->stats.other++;
	nqe_event_signal(socket->event_fd);
}

static bool nqe_event_take_other(struct nqe_socket *socket, struct nqe_datagram *datagram)
{
	struct nqe_other *other = &socket->other;

	if (!other->count)
		return false;
	*datagram = other->datagram[other->first];
	other->first = (other->first + 1) % NQE_OTHER_MAX;
	other->count--;
	return true;
}

void nqe_event_clear_other(struct nqe_socket *socket)
{
	struct nqe_datagram datagram;

	while (nqe_event_take_other(socket, &datagram))
		nqe_datagram_release(&datagram);
}

u32 nqe_socket_receive(struct nqe_engine *e, u32 socket, struct nqe_datagram *datagrams, u32 max)
{
	nqe_engine_guard(e);
	struct nqe_socket *k = nqe_engine_socket(e, socket);
	u32 count = 0;

	memset(datagrams, 0, max * sizeof(*datagrams));
	while (k && count < max && nqe_event_take_other(k, &datagrams[count]))
		count++;
	return count;
}

void nqe_datagram_release(struct nqe_datagram *datagram)
{
	free(datagram->data);
	datagram->data = NULL;
	datagram->len = 0;
}

void nqe_event_forget(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_session **link, *last = NULL;
	struct nqe_event event;

	while (nqe_event_take(&s->notes, &event))
		nqe_event_release(&event);
	if (!s->eventful)
		return;
	for (link = &e->eventful_head; *link; link = &(*link)->next_eventful) {
		if (*link == s) {
			*link = s->next_eventful;
			break;
		}
		last = *link;
	}
	if (e->eventful_tail == s)
		e->eventful_tail = last;
	s->eventful = false;
}

static void nqe_event_fill_state(struct nqe_session *s, struct nqe_event *event)
{
	*event = (struct nqe_event){ .type = NQE_EVENT_STATE, .flags = s->event_flags };
	s->event_flags = 0;
	if (!s->active)
		return;
	event->value[0] = s->conn.keys.rx_generation;
	event->value[1] = s->conn.keys.tx_generation;
	event->value[2] = nqe_tx_inner_mtu(s);
	event->value[3] = event->flags & NQD_CONN_EVENT_PEER_CLOSED ? s->conn.peer_close.code
								    : s->conn.state.error_code;
}

static bool nqe_event_from_session(struct nqe_engine *e, struct nqe_session *s,
				   struct nqe_event *event)
{
	/* Payloads first: the last state event ends the session. */
	bool taken = nqe_event_take(&s->notes, event);

	if (!taken && s->event_flags) {
		nqe_event_fill_state(s, event);
		taken = true;
	}
	event->session = s->id;
	event->object_generation = s->config.object_generation;
	if (taken && event->type == NQE_EVENT_STATE && (event->flags & NQD_CONN_EVENT_DRAINED))
		nqe_control_free_session(e, s);
	return taken;
}

bool nqe_engine_next_event(struct nqe_engine *e, struct nqe_event *event)
{
	nqe_engine_guard(e);
	bool taken = false;

	memset(event, 0, sizeof(*event));
	while (e->eventful_head && !taken) {
		struct nqe_session *s = e->eventful_head;

		taken = nqe_event_from_session(e, s, event);
		/* Sessions take turns; one that has nothing left leaves the list. */
		if (e->eventful_head == s) {
			e->eventful_head = s->next_eventful;
			if (!e->eventful_head)
				e->eventful_tail = NULL;
			s->eventful = false;
			if (taken && (s->notes.head || s->event_flags))
				nqe_event_eventful(e, s);
		}
	}
	return taken;
}

int nqe_session_acknowledge(struct nqe_engine *e, u32 session, u64 sequence)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	if (sequence > s->sequence)
		return -EINVAL;
	s->acknowledged = max(s->acknowledged, sequence);
	return 0;
}
