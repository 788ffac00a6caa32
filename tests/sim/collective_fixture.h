/* Executes the steps of a collective on small integers, without any clock. */
#ifndef RH_COLLECTIVE_FIXTURE_H
#define RH_COLLECTIVE_FIXTURE_H

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "collectives.h"

/* A message under way. */
typedef struct message {
  int32_t block, more_blocks;
  int64_t bytes;
  int64_t *values; /* NULL: there is none */
} message;

typedef struct counts {
  int64_t messages, bytes;
  int64_t misfits;      /* messages that are neither as long as their blocks nor a whole vector */
  int32_t most_at_once; /* sends or receives of one position in one step */
} counts;

/* The i-th value of rank p before the collective: different everywhere. */
static inline int64_t value(int32_t p, int64_t i)
{
  return (int64_t)(p + 1) * 1000003 + i * 7919 % 10007;
}

static inline int64_t sum_of(int64_t a, int64_t b)
{
  return a + b;
}

static inline int64_t greatest_of(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static inline int64_t union_of(int64_t a, int64_t b)
{
  return a | b;
}

/* What is executed: x[N][length], block b of a rank at b * block_length. */
typedef struct execution {
  const rh_collective *c;
  int64_t *x, length, block_length;
  int64_t (*combine)(int64_t a, int64_t b);
  message *sent; /* [N][N] from, to */
  counts counts;
} execution;

/* Where the i-th block of a message begins; after the last block comes the first. */
static inline int64_t *block_at(const execution *e, int32_t p, int32_t block, int32_t i)
{
  const int64_t blocks = e->block_length > 0 ? e->length / e->block_length : INT32_MAX;
  return e->x + p * e->length + (block + i) % blocks * e->block_length;
}

/* Reads what p sends in step k. */
static inline void send_step(execution *e, int32_t p, int64_t k)
{
  const rh_collective *c = e->c;
  const size_t block_size = (size_t)e->block_length * sizeof(int64_t);
  rh_step s;
  c->kind->step(c, p, k, &s);
  if (s.send_count > e->counts.most_at_once) e->counts.most_at_once = s.send_count;
  if (s.receive_count > e->counts.most_at_once) e->counts.most_at_once = s.receive_count;
  for (int32_t i = 0; i < s.send_count; i++) {
    const int32_t to = s.send_to[i];
    assert_in_range(to, 0, c->size - 1);
    assert_int_not_equal(to, p);
    message *m = &e->sent[p * c->size + to];
    assert_null(m->values); /* one message at a time between two ranks */
    *m = (message){.block = s.send_block < 0 ? to : s.send_block, .more_blocks = s.more_blocks, .bytes = s.send_bytes};
    m->values = malloc((size_t)(m->more_blocks + 1) * block_size + 1);
    for (int32_t b = 0; b <= m->more_blocks; b++)
      memcpy(m->values + b * e->block_length, block_at(e, p, m->block, b), block_size);
    e->counts.messages++;
    e->counts.bytes += m->bytes;
    const int64_t of_blocks = (m->more_blocks + 1) * e->block_length * c->element_bytes;
    if (m->bytes != of_blocks && (m->bytes != c->bytes || (m->more_blocks + 1) * e->block_length != e->length))
      e->counts.misfits++;
  }
}

/* Gives p what it expects in step k; returns how many messages that were. */
static inline int32_t receive_step(execution *e, int32_t p, int64_t k)
{
  const rh_collective *c = e->c;
  rh_step s;
  c->kind->step(c, p, k, &s);
  RH_ASSERT(!s.reduce || e->combine);
  for (int32_t i = 0; i < s.receive_count; i++) {
    const int32_t from = s.receive_from[i], block = s.receive_block < 0 ? from : s.receive_block;
    message *m = &e->sent[from * c->size + p];
    if (!m->values) { /* the sender means another rank */
      fail_msg("step %lld: position %d hears from %d, which sends it nothing", (long long)k, p, from);
      return 0;
    }
    if (c->kind == &rh_alltoall_pairwise)
      assert_int_equal(block, c->size + from); /* beside what is still to be sent */
    else
      assert_int_equal(m->block, block);
    for (int32_t b = 0; b <= m->more_blocks; b++) {
      int64_t *into = block_at(e, p, block, b);
      for (int64_t j = 0; j < e->block_length; j++) {
        const int64_t came = m->values[b * e->block_length + j];
        into[j] = s.reduce ? e->combine(into[j], came) : came;
      }
    }
    free(m->values);
    m->values = NULL;
  }
  return s.receive_count;
}

/* Executes all steps: `reduce` combines, else what comes replaces. All sends of a step read before any receive writes,
 * as all transfers of a step start together. */
static inline counts execute(const rh_collective *collective, int64_t *x, int64_t length, int64_t block_length,
                             int64_t (*combine)(int64_t a, int64_t b))
{
  rh_collective c = *collective;
  void *plan = c.kind->new_plan != NULL ? c.kind->new_plan(&c) : NULL;
  if (plan != NULL) c.plan = plan;
  execution e = {.c = &c, .x = x, .length = length, .block_length = block_length, .combine = combine};
  e.sent = calloc((size_t)c.size * (size_t)c.size, sizeof *e.sent);
  const int64_t steps = c.size > 1 ? c.kind->steps(&c) : 0;
  for (int64_t k = 0; k < steps; k++) {
    const int64_t before = e.counts.messages;
    int64_t received = 0;
    for (int32_t p = 0; p < c.size; p++)
      send_step(&e, p, k);
    for (int32_t p = 0; p < c.size; p++)
      received += receive_step(&e, p, k);
    assert_int_equal(received, e.counts.messages - before); /* nobody sends to one who does not listen */
  }
  free(e.sent);
  free(plan);
  return e.counts;
}

#endif
