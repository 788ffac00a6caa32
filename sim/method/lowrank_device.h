/* Messages of `lowrank` of rows on a device, by the backend's operations on thin factors: train/compress's formulas,
 * bit for bit but for numbers that are drawn (backend.h). Left factors of all segments lie behind each other; right
 * ones, too; a second phase's contribution has the segments in their order, right factors and values as they are. */
#ifndef RH_LOWRANK_DEVICE_H
#define RH_LOWRANK_DEVICE_H

#include "world.h"

/* Values of left factors, of right ones, and of a second phase's contribution. */
typedef struct lowrank_sizes {
  int64_t left, right, second;
} lowrank_sizes;

lowrank_sizes rh_lowrank_sizes(const rh_code *code);
/* x [values] = 0, of `count` rows; y = x */
void rh_lowrank_clear(const rh_backend *backend, int64_t values, int64_t count, rh_tensor x);
void rh_lowrank_copy(const rh_backend *backend, int64_t values, int64_t count, rh_tensor x, rh_tensor y);
/* left = M q; `count` vectors x, as of all that follow; q may be shared (stride 0) */
void rh_lowrank_left(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor x, rh_tensor q,
                     rh_tensor left);
/* second = M^T left, and the rest as it is */
void rh_lowrank_second(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor x, rh_tensor left,
                       rh_tensor second);
void rh_lowrank_expand(const rh_backend *backend, const rh_code *code, int64_t count, double factor, rh_tensor left,
                       rh_tensor second, rh_tensor x);
/* q = right factors among a second phase's contributions */
void rh_lowrank_pick(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor second, rh_tensor q);
/* Columns of all left factors, where dependent ones become zero; of all right ones, where they are drawn. drawn [count]
 * of the device, 0 at first. */
void rh_lowrank_orthonormalise_left(const rh_backend *backend, const rh_code *code, int64_t count, rh_tensor left);
void rh_lowrank_orthonormalise_right(const rh_backend *backend, const rh_code *code, int64_t count,
                                     const rh_rng *stream, int64_t *drawn, rh_tensor q);

#endif
