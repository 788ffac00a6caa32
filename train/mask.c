/* Making a mask and using it. Keys of 32 bits rank the weights: |x|'s bits, whose order is that of |x|, or numbers
 * drawn; the k-th largest is found in two counts of 16 bits each. */
#include "mask.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

enum { DIGITS = 1 << 16 };

/* A weight in the parameter vector. */
typedef struct span {
  int64_t from, count, columns;
} span;

struct rh_mask {
  const rh_model *model; /* borrowed */
  int64_t kept;
  int32_t *index;  /* [kept] places of the values inside, ascending; room for P; owned */
  uint32_t *key;   /* [P] scratch; owned */
  bool *inside;    /* [P] scratch; owned */
  int64_t *counts; /* [DIGITS] scratch; owned */
};

static void keep_all(rh_mask *mask)
{
  mask->kept = mask->model->parameters;
  for (int64_t p = 0; p < mask->kept; p++)
    mask->index[p] = (int32_t)p;
}

rh_status rh_mask_new(const rh_model *model, rh_mask **out)
{
  const size_t values = (size_t)model->parameters;
  rh_mask *mask = calloc(1, sizeof *mask);
  *out = NULL;
  if (!mask) return rh_error(RH_ENOMEM, "no memory for a mask");
  *mask = (rh_mask){.model = model,
                    .index = malloc(values * sizeof *mask->index),
                    .key = malloc(values * sizeof *mask->key),
                    .inside = malloc(values * sizeof *mask->inside),
                    .counts = malloc(DIGITS * sizeof *mask->counts)};
  if (!mask->index || !mask->key || !mask->inside || !mask->counts) {
    rh_mask_free(mask);
    return rh_error(RH_ENOMEM, "no memory for a mask over %" PRId64 " parameters", model->parameters);
  }
  keep_all(mask);
  *out = mask;
  return RH_OK;
}

void rh_mask_free(rh_mask *mask)
{
  if (!mask) return;
  free(mask->index);
  free(mask->key);
  free(mask->inside);
  free(mask->counts);
  free(mask);
}

void rh_mask_parts(rh_mask *mask, const rh_parts *parts)
{
  const int64_t parameters = mask->model->parameters;
  rh_part(parts, "mask.kept", &mask->kept, sizeof mask->kept);
  rh_part(parts, "mask.index", mask->index, (size_t)parameters * sizeof *mask->index);
  if (mask->kept < 0 || mask->kept > parameters) mask->kept = parameters; /* whatever was read */
  for (int64_t k = 0; k < mask->kept; k++)
    if (mask->index[k] < 0 || mask->index[k] >= parameters) keep_all(mask);
}

int64_t rh_mask_bytes(const rh_model *model)
{
  return model->parameters * (int64_t)(sizeof(int32_t) + sizeof(uint32_t) + sizeof(bool)) +
         DIGITS * (int64_t)sizeof(int64_t);
}

/* The weights that may be masked, in the order of the layers; returns how many. */
static int find_spans(const rh_model *model, bool ends, span *spans)
{
  int count = 0;
  for (int l = 0; l < model->layer_count; l++) {
    const rh_layer *layer = &model->layers[l];
    if (!rh_layer_is_product(layer)) continue;
    spans[count++] = (span){layer->weight_offset, layer->weight_count, layer->weight_count / layer->bias_count};
  }
  if (ends) return count;
  for (int k = 1; k < count - 1; k++)
    spans[k - 1] = spans[k];
  return count > 2 ? count - 2 : 0;
}

static void make_keys(rh_mask *mask, const rh_mask_options *o, const rh_mask_turn *turn, uint64_t seed, const float *x)
{
  const int64_t values = mask->model->parameters;
  if (o->kind == RH_MASK_RANDOM) {
    /* a growing mask keeps its draw: what is masked stays so */
    const uint64_t draw = o->schedule == RH_MASK_ACDC ? (uint64_t)turn->number : 0;
    rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_MASK, 0, draw);
    rh_rng_fill_u32(&rng, mask->key, values);
    return;
  }
  for (int64_t p = 0; p < values; p++) {
    uint32_t bits;
    memcpy(&bits, &x[p], sizeof bits);
    mask->key[p] = bits & 0x7fffffffU;
  }
}

/* The digit of the k-th largest: `*rest` enters as k and leaves as its rank among those of the digit. */
static uint32_t find_digit(const int64_t *counts, int64_t *rest)
{
  uint32_t digit = DIGITS - 1;
  for (; counts[digit] < *rest; digit--)
    *rest -= counts[digit];
  return digit;
}

/* Counts one half of the keys of some spans; of the low halves those alone whose high half is `high`. */
static void count_digits(rh_mask *mask, const span *spans, int count, bool low, uint32_t high)
{
  const uint32_t *key = mask->key;
  memset(mask->counts, 0, DIGITS * sizeof *mask->counts);
  for (int s = 0; s < count; s++)
    for (int64_t p = spans[s].from; p < spans[s].from + spans[s].count; p++)
      if (!low)
        mask->counts[key[p] >> 16]++;
      else if (key[p] >> 16 == high)
        mask->counts[key[p] & (DIGITS - 1)]++;
}

/* Keeps the k largest keys of some spans, of equal ones the first. */
static void keep_largest(rh_mask *mask, const span *spans, int count, int64_t k)
{
  uint32_t threshold = UINT32_MAX;
  int64_t ties = k; /* to be kept of those at the threshold */
  if (k > 0) {
    count_digits(mask, spans, count, false, 0);
    const uint32_t high = find_digit(mask->counts, &ties);
    count_digits(mask, spans, count, true, high);
    threshold = high << 16 | find_digit(mask->counts, &ties);
  }
  for (int s = 0; s < count; s++)
    for (int64_t p = spans[s].from; p < spans[s].from + spans[s].count; p++)
      mask->inside[p] = mask->key[p] > threshold || (mask->key[p] == threshold && ties-- > 0);
}

static int64_t kept_of_share(int64_t weights, double sparsity)
{
  return weights - (int64_t)(sparsity * (double)weights + 0.5);
}

int64_t rh_mask_least_kept(const rh_mask_options *o, const rh_model *model)
{
  span spans[RH_LAYERS_MAX];
  const int count = find_spans(model, o->ends, spans);
  int64_t all = 0, least = INT64_MAX;
  for (int s = 0; s < count; s++) {
    all += spans[s].count;
    least = spans[s].count < least ? spans[s].count : least;
  }
  return kept_of_share(o->scope == RH_MASK_GLOBAL || count == 0 ? all : least, o->sparsity);
}

static void keep_share(rh_mask *mask, const rh_mask_options *o, double sparsity, const span *spans, int count)
{
  int64_t weights = 0;
  for (int s = 0; s < count; s++) {
    weights += spans[s].count;
    if (o->scope == RH_MASK_LAYER) keep_largest(mask, &spans[s], 1, kept_of_share(spans[s].count, sparsity));
  }
  if (o->scope == RH_MASK_GLOBAL) keep_largest(mask, spans, count, kept_of_share(weights, sparsity));
}

/* A group of neighbours: key p is kept if fewer than n come before it in the order of size. */
static void keep_of_group(rh_mask *mask, int64_t from, int64_t end, int64_t n)
{
  const uint32_t *key = mask->key;
  for (int64_t p = from; p < end; p++) {
    int64_t before = 0;
    for (int64_t q = from; q < end; q++)
      before += key[q] > key[p] || (key[q] == key[p] && q < p);
    mask->inside[p] = before < n;
  }
}

static void keep_of_groups(rh_mask *mask, const rh_mask_options *o, const span *w)
{
  for (int64_t row = w->from; row < w->from + w->count; row += w->columns)
    for (int64_t c = 0; c < w->columns; c += o->m)
      keep_of_group(mask, row + c, row + (c + o->m < w->columns ? c + o->m : w->columns), o->n);
}

void rh_mask_make(rh_mask *mask, const rh_mask_options *o, const rh_mask_turn *turn, uint64_t seed, const float *x)
{
  span spans[RH_LAYERS_MAX];
  const int count = find_spans(mask->model, o->ends, spans);
  const int64_t values = mask->model->parameters;
  if (!turn->sparse) {
    keep_all(mask);
    return;
  }
  make_keys(mask, o, turn, seed, x);
  memset(mask->inside, true, (size_t)values * sizeof *mask->inside);
  for (int s = 0; o->kind == RH_MASK_NM && s < count; s++)
    keep_of_groups(mask, o, &spans[s]);
  if (o->kind != RH_MASK_NM) keep_share(mask, o, turn->sparsity, spans, count);
  mask->kept = 0;
  for (int64_t p = 0; p < values; p++)
    if (mask->inside[p]) mask->index[mask->kept++] = (int32_t)p;
}

static int64_t count_weights(const rh_mask_options *o, const rh_model *model)
{
  span spans[RH_LAYERS_MAX];
  const int count = find_spans(model, o->ends, spans);
  int64_t weights = 0;
  for (int s = 0; s < count; s++)
    weights += spans[s].count;
  return weights;
}

double rh_mask_make_flop(const rh_mask_options *o, const rh_model *model)
{
  const double per_weight = o->kind == RH_MASK_NM ? 1 + (double)o->m : o->kind == RH_MASK_RANDOM ? 8 : 4;
  return per_weight * (double)count_weights(o, model);
}

int64_t rh_mask_bitmap_bytes(const rh_mask_options *o, const rh_model *model)
{
  return (count_weights(o, model) + 7) / 8;
}

const int32_t *rh_mask_inside(const rh_mask *mask)
{
  return mask->index;
}

int64_t rh_mask_kept(const rh_mask *mask)
{
  return mask->kept;
}

/* Values inside before place p. */
static int64_t kept_before(const rh_mask *mask, int64_t p)
{
  int64_t low = 0, high = mask->kept;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (mask->index[middle] < p)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int64_t rh_mask_kept_of(const rh_mask *mask, int64_t from, int64_t count)
{
  return kept_before(mask, from + count) - kept_before(mask, from);
}

void rh_mask_apply(const rh_mask *mask, float *row)
{
  int64_t next = 0; /* first place that was not seen yet */
  for (int64_t k = 0; k < mask->kept; k++) {
    memset(row + next, 0, (size_t)(mask->index[k] - next) * sizeof *row);
    next = mask->index[k] + 1;
  }
  memset(row + next, 0, (size_t)(mask->model->stride - next) * sizeof *row);
}

void rh_mask_pack(const rh_mask *mask, float *row)
{
  for (int64_t k = 0; k < mask->kept; k++)
    row[k] = row[mask->index[k]];
  memset(row + mask->kept, 0, (size_t)(mask->model->stride - mask->kept) * sizeof *row);
}

void rh_mask_unpack(const rh_mask *mask, float *row)
{
  for (int64_t k = mask->kept - 1; k >= 0; k--) /* from the end: no value is overwritten before it is moved */
    row[mask->index[k]] = row[k];
  rh_mask_apply(mask, row);
}

/* Masked weights of a layer's product. */
static double masked_weights(const rh_mask *mask, int l)
{
  const rh_layer *layer = &mask->model->layers[l];
  if (!rh_layer_is_product(layer)) return 0;
  return (double)(layer->weight_count - rh_mask_kept_of(mask, layer->weight_offset, layer->weight_count));
}

/* Operations of one product with them. */
static double masked_product_flop(const rh_mask *mask, int l, int64_t batch)
{
  const rh_layer *layer = &mask->model->layers[l];
  return 2.0 * masked_weights(mask, l) * (double)(batch * layer->out.height * layer->out.width);
}

rh_work rh_mask_forward_saving(const rh_mask *mask, int layer, int64_t batch)
{
  const double product = masked_product_flop(mask, layer, batch);
  if (mask->model->arithmetic == RH_FP32) return (rh_work){.flop = product};
  return (rh_work){.flop = RH_QUANTISE_NEAREST_FLOP * masked_weights(mask, layer), .int8_op = product};
}

rh_work rh_mask_backward_saving(const rh_mask *mask, int layer, int64_t batch)
{
  const double product = masked_product_flop(mask, layer, batch);
  const double below = rh_model_wants_input_gradient(mask->model, layer) ? product : 0;
  if (mask->model->arithmetic == RH_FP32) return (rh_work){.flop = product + below};
  return (rh_work){.flop = product, .int8_op = below};
}
