/* Top-k: the k values of largest magnitude, exactly; the others are zero.
 *
 * Symbols     d values of a section (a tensor, or the whole message), k = max(1, floor(d ratio))
 * Formula     C(x)_i = x_i if |x_i| is among the k largest, else 0; of equals the first; NaN counts as the largest
 * Claims      a contraction with delta = k / d, the smallest over the sections: the k largest squares are at least
 *             k / d of their sum. What is sent is exact, so x - C(x) is, too.
 * Wire        for each section the indices (index.h), then the values as f32; k is not sent, since all know it
 * Source      Aji, Heafield, EMNLP 2017; Stich, Cordonnier, Jaggi, Sparsified SGD with memory, NeurIPS 2018
 */
#include "sparse.h"

typedef struct topk_options {
  double ratio;
  int scope, index;
} topk_options;

static const rh_option options[] = {
    {.name = "ratio",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(topk_options, ratio),
     .fallback = "0.01",
     .min = 1e-9,
     .max = 1,
     .help = "share of the values that is sent; at least one of each tensor is"},
    RH_SPARSE_SCOPE_ROW(topk_options),
    RH_INDEX_ROW(topk_options),
};

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const topk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  return (rh_claims){.contraction = rh_sparse_smallest_share(&sections, o->ratio)};
}

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  const topk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  return rh_sparse_share_bound((rh_index_layout)o->index, &sections, o->ratio);
}

static const char *varies(const void *opaque)
{
  if (rh_index_is_fixed((rh_index_layout)((const topk_options *)opaque)->index)) return NULL;
  return "writes its indices in as few bits as the places of the largest values allow; set compress.index to u32, u16 "
         "or "
         "bitmap";
}

static int64_t scratch_bytes(const void *opaque, const rh_layout *layout)
{
  const topk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  return rh_sparse_scratch_bytes(&sections);
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  const topk_options *o = coding->options;
  const rh_layout sections = rh_sparse_sections(coding->layout, o->scope);
  uint8_t *at = wire;
  for (int32_t s = 0; s < sections.count; s++) {
    const int64_t d = sections.length[s], k = rh_sparse_count(o->ratio, d);
    if (d == 0) continue;
    rh_sparse_largest(x, d, k, coding->scratch);
    at = rh_sparse_write((rh_index_layout)o->index, d, x, coding->scratch, k, at);
    x += d;
  }
  return at - wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const topk_options *o = coding->options;
  const rh_layout sections = rh_sparse_sections(coding->layout, o->scope);
  const int64_t bytes = rh_sparse_share_read((rh_index_layout)o->index, &sections, o->ratio, wire, coding->scratch, x);
  RH_ASSERT(bytes == wire_bytes);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const topk_options *o = opaque;
  code->kind = RH_CODE_TOPK;
  code->parameter = o->ratio;
  code->index = (rh_index_layout)o->index;
  if (o->scope == RH_SPARSE_LAYER) return;
  code->count = 1;
  code->length = &layout->values;
}

const rh_compressor rh_compressor_topk = {
    .name = "topk",
    .summary = "the k values of largest magnitude, by exact selection",
    .source = "Aji, Heafield, EMNLP 2017; Stich et al., Sparsified SGD with memory, NeurIPS 2018",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(topk_options),
    .wire = "4 k + indices, k = max(1, floor(d ratio)), for each tensor (or once); " RH_INDEX_WIRE,
    .claim = "a contraction with delta = k / d, the smallest over the tensors; what is sent is exact",
    .exact_residual = true,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .varies = varies,
    .scratch_bytes = scratch_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    /* mask and compare in each of the two scans; decode writes zeros */
    .encode_flop = 4,
    .decode_flop = 1,
};
