// SPDX-License-Identifier: BSD-3-Clause
/* Waiting for datagrams, packets and timers; whose turn it is to send. */
#include "engine_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_READY_FDS 64
/* Of an entry in the timer heap. */
#define CHILDREN 4
/* Turns before the sockets are looked at again. */
#define TURNS 64
/*
 * Acknowledgements wait for 1 ms at least (kernel/proto/ack.c); so much earlier they may leave. Not
 * more: an acknowledgement that waits may be that of two packets.
 */
#define ACK_SLACK (NSEC_PER_MSEC / 2)

void nqe_loop_wake(struct nqe_engine *e)
{
	u64 one = 1;

	/* It can only fail where the counter is full, and then the loop wakes anyway. */
	if (write(e->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int nqe_loop_watch(struct nqe_engine *e, int fd, void *what, bool on)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(e->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event) ? -errno : 0;
}

/* Reading from all devices stops and goes on: there is no room for what would be read. */
static void nqe_loop_reading(struct nqe_engine *e, bool on)
{
	u32 i;

	if (e->reading == on)
		return;
	e->reading = on;
	for (i = 0; i < NQE_MAX_DEVICES; i++)
		if (e->device[i].id)
			nqe_loop_watch(e, e->device[i].tun.fd, &e->device[i], on);
}

/* Sessions that have something to do, served in turn. */
void nqe_loop_ready(struct nqe_engine *e, struct nqe_session *s)
{
	if (s->ready || s->dead)
		return;
	s->ready = true;
	s->next_ready = NULL;
	if (e->ready_tail)
		e->ready_tail->next_ready = s;
	else
		e->ready_head = s;
	e->ready_tail = s;
}

static struct nqe_session *nqe_loop_pop_ready(struct nqe_engine *e)
{
	struct nqe_session *s = e->ready_head;

	if (!s)
		return NULL;
	e->ready_head = s->next_ready;
	if (!e->ready_head)
		e->ready_tail = NULL;
	s->ready = false;
	return s;
}

/*
 * A heap of sessions by deadline, four children each, so that few others move; heap_index is the
 * place plus one.
 */
static void nqe_loop_place(struct nqe_engine *e, struct nqe_timer timer, u32 at)
{
	e->heap[at] = timer;
	timer.session->heap_index = at + 1;
}

static void nqe_loop_sift(struct nqe_engine *e, struct nqe_timer timer, u32 at)
{
	u32 first, child, i;

	while (at && timer.deadline < e->heap[(at - 1) / CHILDREN].deadline) {
		nqe_loop_place(e, e->heap[(at - 1) / CHILDREN], at);
		at = (at - 1) / CHILDREN;
	}
	while ((first = CHILDREN * at + 1) < e->heap_len) {
		child = first;
		for (i = first + 1; i < min(first + CHILDREN, e->heap_len); i++)
			if (e->heap[i].deadline < e->heap[child].deadline)
				child = i;
		if (timer.deadline <= e->heap[child].deadline)
			break;
		nqe_loop_place(e, e->heap[child], at);
		at = child;
	}
	nqe_loop_place(e, timer, at);
}

static void nqe_loop_unschedule(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_timer last;
	u32 at = s->heap_index;

	if (!at)
		return;
	s->heap_index = 0;
	last = e->heap[--e->heap_len];
	if (last.session != s)
		nqe_loop_sift(e, last, at - 1);
}

/* Every session with a deadline is in the heap: memory for it is there since nqe_session_add(). */
void nqe_loop_schedule(struct nqe_engine *e, struct nqe_session *s)
{
	u64 deadline = min(nqd_conn_deadline(&s->conn), s->paced_at);

	if (deadline == NQD_TIME_NEVER || s->dead) {
		nqe_loop_unschedule(e, s);
		return;
	}
	if (s->heap_index && e->heap[s->heap_index - 1].deadline == deadline)
		return;
	nqe_loop_sift(e, (struct nqe_timer){ deadline, s },
		      s->heap_index ? s->heap_index - 1 : e->heap_len++);
}

void nqe_loop_forget(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_session **link, *last = NULL;

	nqe_loop_unschedule(e, s);
	if (!s->ready)
		return;
	for (link = &e->ready_head; *link; link = &(*link)->next_ready) {
		if (*link == s) {
			*link = s->next_ready;
			break;
		}
		last = *link;
	}
	if (e->ready_tail == s)
		e->ready_tail = last;
	s->ready = false;
}

/*
 * Once one is due, acknowledgements that would be due a little later leave with it: with many
 * sessions that makes one wake-up, and one call to the kernel, of many.
 */
static void nqe_loop_timers(struct nqe_engine *e)
{
	u64 until = e->now;

	while (e->heap_len && e->heap[0].deadline <= until) {
		struct nqe_session *s = e->heap[0].session;

		if (e->heap[0].deadline > e->now && !nqd_ack_hasten(&s->conn.ack, until))
			break;
		nqe_loop_unschedule(e, s);
		if (nqd_conn_deadline(&s->conn) <= e->now)
			nqd_conn_on_timer(&s->conn, e->now);
		nqe_control_events(e, s);
		nqe_loop_ready(e, s);
		until = e->now + ACK_SLACK;
	}
}

static void nqe_loop_serve(struct nqe_engine *e)
{
	struct nqe_session *s;
	u32 turns = 0;

	while (turns++ < TURNS && (s = nqe_loop_pop_ready(e))) {
		if (e->ready_head)
			nqe_session_prefetch(e->ready_head);
		/* A turn may take as long as a round trip: times have to be those of the packets. */
		e->now = nqe_engine_clock();
		if (nqe_tx_service(e, s))
			nqe_loop_ready(e, s);
		else
			nqe_loop_schedule(e, s);
	}
	nqe_out_flush(e);
}

/*
 * epoll_pwait2() waits with the precision that pacing needs; before Linux 5.11 milliseconds have to
 * do.
 */
static int nqe_loop_wait(struct nqe_engine *e, struct epoll_event *events, u64 timeout)
{
	struct timespec t = {
		.tv_sec = (time_t)(timeout / NSEC_PER_SEC),
		.tv_nsec = (long)(timeout % NSEC_PER_SEC),
	};
	int n = (int)syscall(SYS_epoll_pwait2, e->epoll_fd, events, MAX_READY_FDS, &t, NULL, 0);

	if (n < 0 && errno == ENOSYS)
		n = epoll_wait(e->epoll_fd, events, MAX_READY_FDS,
			       (int)min_t(u64, (timeout + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC,
					  INT_MAX));
	return n < 0 ? (errno == EINTR ? 0 : -errno) : n;
}

static bool nqe_loop_is_device(const struct nqe_engine *e, const void *what)
{
	return what >= (const void *)e->device &&
	       what < (const void *)(e->device + NQE_MAX_DEVICES);
}

static void nqe_loop_dispatch(struct nqe_engine *e, const struct epoll_event *events, int n)
{
	u64 drained;
	int i;

	/* What came in first: its acknowledgements open the window for what goes out. */
	for (i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (!what) {
			if (read(e->wake_fd, &drained, sizeof(drained)) < 0)
				continue;
		} else if (!nqe_loop_is_device(e, what) && ((struct nqe_socket *)what)->id) {
			nqe_rx_socket(e, what);
		}
	}
	for (i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what && nqe_loop_is_device(e, what) && ((struct nqe_device *)what)->id &&
		    e->reading)
			nqe_tx_device(e, what);
	}
}

int nqe_engine_run(struct nqe_engine *e, u64 max_ns)
{
	struct epoll_event events[MAX_READY_FDS];
	u64 end, timeout;
	int n = 0;

	nqe_engine_lock(e);
	end = e->now + max_ns;
	while (!__atomic_exchange_n(&e->stop, false, __ATOMIC_ACQUIRE)) {
		timeout = 0;
		if (!e->ready_head) {
			u64 until = e->heap_len ? min(end, e->heap[0].deadline) : end;

			timeout = until > e->now ? until - e->now : 0;
		}
		nqe_engine_unlock(e);
		n = nqe_loop_wait(e, events, timeout);
		nqe_engine_lock(e);
		if (n < 0)
			break;
		nqe_loop_dispatch(e, events, n);
		nqe_loop_timers(e);
		nqe_loop_serve(e);
		nqe_loop_reading(e, e->queued < (e->reading ? NQE_QUEUED_MAX : NQE_QUEUED_MAX / 2));
		if (e->now >= end)
			break;
	}
	nqe_engine_unlock(e);
	return min(n, 0);
}
