/* The pieces of the ref backend; backend.h says what each operation does. */
#ifndef RH_BACKEND_REF_H
#define RH_BACKEND_REF_H

#include "backend.h"

/* backend_ref_norm.c */
void rh_ref_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y);
void rh_ref_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx);

/* backend_ref_split.c */
void rh_ref_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result);

#endif
