/* What tests see of `sgp`. */
#ifndef RH_METHOD_SGP_H
#define RH_METHOD_SGP_H

/* [N] the push-sum weights w_i, from the method's state. */
const float *rh_sgp_weights(const void *state);

#endif
