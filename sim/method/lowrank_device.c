#include "lowrank_device.h"

#include "thin.h"

static rh_thin segment_of(const rh_code *code, int32_t s)
{
  return rh_thin_of(code->length[s], code->rows[s], code->rank);
}

static void move(rh_tensor *x, int64_t values)
{
  x->data += values;
}

lowrank_sizes rh_lowrank_sizes(const rh_code *code)
{
  lowrank_sizes sizes = {0};
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    sizes.left += rh_thin_left_values(&t);
    sizes.right += t.rank * t.columns;
    sizes.second += rh_thin_right_values(&t);
  }
  return sizes;
}

void rh_lowrank_clear(const rh_backend *backend, int64_t values, int64_t count, rh_tensor x)
{
  if (values > 0) backend->resize(1, 0, values, count, x, x);
}

void rh_lowrank_copy(const rh_backend *backend, int64_t values, int64_t count, rh_tensor x, rh_tensor y)
{
  if (values > 0) backend->resize(1, values, values, count, x, y);
}

void rh_lowrank_left(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor x, rh_tensor q,
                     rh_tensor left)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    if (t.rank > 0) backend->thin_right(&t, count, x, q, left);
    move(&x, code->length[s]);
    move(&q, t.rank * t.columns);
    move(&left, rh_thin_left_values(&t));
  }
}

void rh_lowrank_second(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor x, rh_tensor left,
                       rh_tensor second)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    if (code->length[s] > 0) backend->thin_left(&t, count, x, left, second);
    move(&x, code->length[s]);
    move(&left, rh_thin_left_values(&t));
    move(&second, rh_thin_right_values(&t));
  }
}

void rh_lowrank_expand(const rh_backend *backend, const rh_code *code, int64_t count, double factor, rh_tensor left,
                       rh_tensor second, rh_tensor x)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    if (code->length[s] > 0) backend->thin_expand(&t, count, factor, left, second, x);
    move(&x, code->length[s]);
    move(&left, rh_thin_left_values(&t));
    move(&second, rh_thin_right_values(&t));
  }
}

void rh_lowrank_pick(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor second, rh_tensor q)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    rh_lowrank_copy(backend, t.rank * t.columns, count, second, q);
    move(&second, rh_thin_right_values(&t));
    move(&q, t.rank * t.columns);
  }
}

void rh_lowrank_orthonormalise_left(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor left)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    if (t.rank > 0) backend->thin_orthonormalise(t.rows, t.rank, count, NULL, NULL, left);
    move(&left, rh_thin_left_values(&t));
  }
}

void rh_lowrank_orthonormalise_right(const rh_backend *backend, const rh_code *code, int64_t count,
                                     const rh_rng *stream, int64_t *drawn, rh_tensor q)
{
  for (int32_t s = 0; s < code->count; s++) {
    const rh_thin t = segment_of(code, s);
    if (t.rank > 0) backend->thin_orthonormalise(t.columns, t.rank, count, stream, drawn, q);
    move(&q, t.rank * t.columns);
  }
}
