#include "compressor.h"

#include <math.h>
#include <string.h>

const rh_compressor *const rh_compressors[] = {
    &rh_compressor_none,    &rh_compressor_qsgd,      &rh_compressor_fp16,     &rh_compressor_bf16,
    &rh_compressor_int8,    &rh_compressor_int,       &rh_compressor_terngrad, &rh_compressor_sign,
    &rh_compressor_ef_sign, &rh_compressor_cosine,    &rh_compressor_lowrank,  &rh_compressor_topk,
    &rh_compressor_randomk, &rh_compressor_threshold, &rh_compressor_dgc,      NULL};

const rh_compressor *rh_compressor_find(const char *name)
{
  for (size_t i = 0; rh_compressors[i]; i++)
    if (strcmp(rh_compressors[i]->name, name) == 0) return rh_compressors[i];
  return NULL;
}

rh_flop rh_compressor_flop(const rh_compressor *compressor, const void *options, const rh_layout *layout)
{
  if (compressor->flop) return compressor->flop(options, layout);
  const double d = (double)layout->values;
  return (rh_flop){.encode = {d * compressor->encode_flop}, .decode = d * compressor->decode_flop};
}

const rh_option rh_feedback_rows[] = {
    {.name = "error_feedback",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(rh_feedback_options, kind),
     .fallback = "none",
     .choices = "none classic step-ahead",
     .help = "what was lost is added to the next vector (classic), or gradients are taken where it would lead "
             "(step-ahead)"},
    {.name = "average_every",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(rh_feedback_options, average_every),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "of step-ahead: rounds between averages of the errors over all workers; 0: never"},
};
const size_t rh_feedback_row_count = RH_COUNT(rh_feedback_rows);

rh_status rh_feedback_check(const rh_feedback_options *feedback, const rh_compressor *compressor, const void *options,
                            const rh_layout *layout)
{
  if (feedback->kind == RH_FEEDBACK_NONE) return RH_OK;
  if (compressor->corrects_momentum)
    return rh_error(RH_EUNSUPPORTED, "compress.error_feedback: '%s' keeps what it does not send by itself; use none",
                    compressor->name);
  rh_claims claims = compressor->claims(options, layout);
  if (claims.contraction > 0 || claims.projection || claims.bounded || (claims.unbiased && claims.variance < 1))
    return RH_OK;
  if (claims.unbiased && isfinite(claims.variance))
    return rh_error(
        RH_EUNSUPPORTED,
        "compress.error_feedback: '%s' with these options has a variance of up to %.3g |x|^2; fed back, errors "
        "grow unless it is below 1. Use error_feedback: none (it is unbiased), more bits or smaller buckets",
        compressor->name, claims.variance);
  return rh_error(
      RH_EUNSUPPORTED,
      "compress.error_feedback: '%s' neither contracts its input nor bounds the error, so fed-back errors may "
      "grow without end; use error_feedback: none",
      compressor->name);
}

bool rh_compressor_code(const rh_compressor *compressor, const void *options, const rh_layout *layout, int64_t step,
                        rh_code *code)
{
  if (!compressor->code) return false;
  *code = (rh_code){.count = layout->count, .length = layout->length, .values = layout->values, .factor = 1};
  compressor->code(options, layout, code);
  if (compressor->code_at) compressor->code_at(options, step, code);
  return true;
}
