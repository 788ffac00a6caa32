/* Random k: k values at random places, the same on all workers, so that no index is sent and messages can be added.
 *
 * Symbols     d values of a section (a tensor, or the whole message), k = max(1, floor(d ratio)), R k places drawn
 *             without replacement, uniformly, anew in every round from the stream that all workers share
 * Formula     scale off: C(x)_i = x_i for i in R, else 0.        scale on: Q(x) = (d / k) C(x)
 * Claims      off: a contraction with delta = k / d in expectation, since P(i in R) = k / d.
 *             on: unbiased, E |Q(x) - x|^2 = (d / k - 1) |x|^2. The worst section counts.
 * Wire        for each section the values at R as f32, in ascending order of places. If any value of a section is not
 *             finite, its first one sent is NaN: a draw that misses it does not hide it.
 * Source      Konecny et al., Federated learning: strategies for improving communication efficiency, 2016 (on);
 *             Stich, Cordonnier, Jaggi, Sparsified SGD with memory, NeurIPS 2018 (off); places by Floyd: Bentley,
 *             Floyd, A sample of brilliance, CACM 30(9), 1987
 */
#include <math.h>

#include "clones.h"
#include "sparse.h"
#include "summable.h"

typedef struct randomk_options {
  double ratio;
  int scope;
  bool scale;
} randomk_options;

static const rh_option options[] = {
    {.name = "ratio",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(randomk_options, ratio),
     .fallback = "0.01",
     .min = 1e-9,
     .max = 1,
     .help = "share of the values that is sent; at least one of each tensor is"},
    RH_SPARSE_SCOPE_ROW(randomk_options),
    {.name = "scale",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(randomk_options, scale),
     .fallback = "off",
     .help = "multiply by d / k: unbiased, for runs without error feedback; off: a contraction, for runs with it"},
};

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const randomk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  const double share = rh_sparse_smallest_share(&sections, o->ratio);
  if (o->scale) return (rh_claims){.unbiased = true, .variance = 1 / share - 1};
  return (rh_claims){.contraction = share};
}

static int64_t elements(const void *opaque, const rh_layout *layout, int phase)
{
  (void)phase;
  const randomk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  int64_t k = 0;
  for (int32_t s = 0; s < sections.count; s++)
    k += rh_sparse_count(o->ratio, sections.length[s]);
  return k;
}

static int64_t bound_bytes(const void *options, const rh_layout *layout)
{
  return 4 * elements(options, layout, 0);
}

/* Words of one bit a place. */
static int64_t mark_words(int64_t d)
{
  return (d + 63) / 64;
}

static int64_t longest_section(const rh_layout *sections)
{
  return rh_sparse_scratch_bytes(sections) / (int64_t)sizeof(uint32_t);
}

static int64_t scratch_bytes(const void *opaque, const rh_layout *layout)
{
  const randomk_options *o = opaque;
  const rh_layout sections = rh_sparse_sections(layout, o->scope);
  const int64_t d = longest_section(&sections);
  return 8 * mark_words(d) + 4 * rh_sparse_count(o->ratio, d);
}

/* Draws k of d places: for each j = d - k .. d - 1 one of 0 .. j, or j itself if that one is taken (Floyd). All sets
 * are equally likely, and one pass over the marks lists them in order. */
static void draw(rh_rng *rng, int64_t d, int64_t k, uint64_t *marks, uint32_t *index)
{
  memset(marks, 0, (size_t)mark_words(d) * sizeof *marks);
  for (int64_t j = d - k; j < d; j++) {
    int64_t place = rh_rng_below(rng, (uint32_t)(j + 1));
    if (marks[place / 64] >> place % 64 & 1) place = j;
    marks[place / 64] |= 1ULL << place % 64;
  }
  int64_t n = 0;
  for (int64_t word = 0; word < mark_words(d); word++)
    for (uint64_t bits = marks[word]; bits; bits &= bits - 1)
      index[n++] = (uint32_t)(64 * word + __builtin_ctzll(bits));
  RH_ASSERT(n == k);
}

/* A walk over the sections: their places in this round. */
typedef struct walk {
  const randomk_options *options;
  rh_layout sections;
  rh_rng rng; /* a copy: contribute and decode of a round draw the same places */
  uint64_t *marks;
  uint32_t *index; /* [k] */
  int64_t d, k;
  int32_t section;
} walk;

static walk start(const rh_coding *coding)
{
  const randomk_options *o = coding->options;
  walk w = {.options = o,
            .sections = rh_sparse_sections(coding->layout, o->scope),
            .rng = coding->shared,
            .marks = coding->scratch};
  w.index = (uint32_t *)(w.marks + mark_words(longest_section(&w.sections)));
  return w;
}

/* Draws the places of the next section that is not empty. */
static bool next(walk *w)
{
  while (w->section < w->sections.count && w->sections.length[w->section] == 0)
    w->section++;
  if (w->section == w->sections.count) return false;
  w->d = w->sections.length[w->section++];
  w->k = rh_sparse_count(w->options->ratio, w->d);
  RH_ASSERT(w->d <= UINT32_MAX);
  draw(&w->rng, w->d, w->k, w->marks, w->index);
  return true;
}

RH_CLONES static bool all_finite(const float *x, int64_t d)
{
  uint32_t bad = 0;
  for (int64_t i = 0; i < d; i++)
    bad |= rh_sparse_magnitude(x[i]) >= 0x7F800000;
  return bad == 0;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  uint8_t *at = wire;
  for (walk w = start(coding); next(&w); x += w.d, at += 4 * w.k) {
    rh_sparse_gather(x, w.index, w.k, at);
    if (!all_finite(x, w.d)) memcpy(at, &(float){NAN}, 4);
  }
  return at - wire;
}

/* x = factor times what is on the wire, at its places. */
static void decode_sum(rh_coding *coding, const float *common, const void *wire, double factor, float *x)
{
  (void)common;
  const uint8_t *at = wire;
  for (walk w = start(coding); next(&w); x += w.d, at += 4 * w.k) {
    const double scale = w.options->scale ? (double)w.d / (double)w.k : 1;
    rh_sparse_scatter(w.d, at, w.index, w.k, x);
    for (int64_t j = 0; j < w.k; j++)
      x[w.index[j]] = (float)(factor * scale * (double)x[w.index[j]]);
  }
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  RH_ASSERT(wire_bytes == bound_bytes(coding->options, coding->layout));
  decode_sum(coding, NULL, wire, 1, x);
}

static void contribute(rh_coding *coding, const float *common, int phase, const float *x, void *wire)
{
  (void)common;
  (void)phase;
  encode(coding, x, NULL, wire);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const randomk_options *o = opaque;
  code->kind = RH_CODE_RANDOMK;
  code->parameter = o->ratio;
  code->scaled = o->scale;
  if (o->scope == RH_SPARSE_LAYER) return;
  code->count = 1;
  code->length = &layout->values;
}

static void draw_all(rh_coding *coding, uint32_t *places)
{
  for (walk w = start(coding); next(&w); places += w.k)
    memcpy(places, w.index, (size_t)w.k * sizeof *places);
}

static const rh_summable sum = {
    .phases = 1,
    .element_bytes = 4,
    .elements = elements,
    .contribute = contribute,
    .add = rh_summable_add_f32,
    .decode = decode_sum,
};

/* Encode: mask and compare for what is not finite; decode: zeros, and k products. Both draw k places, by 10 Philox
 * rounds of 2 products shared by 4 of them. */
static rh_flop flop(const void *opaque, const rh_layout *layout)
{
  const double d = (double)layout->values, k = (double)elements(opaque, layout, 0);
  return (rh_flop){.encode = {2 * d + 5 * k}, .decode = d + 6 * k};
}

const rh_compressor rh_compressor_randomk = {
    .name = "randomk",
    .summary = "k values at random places that all workers share; can be added, no indices",
    .source = "Stich et al., Sparsified SGD with memory, NeurIPS 2018; Konecny et al., 2016 (scaled)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(randomk_options),
    .wire = "4 k, k = max(1, floor(d ratio)), for each tensor (or once)",
    .claim = "scale off: a contraction with delta = k / d in expectation; scale on: unbiased, with a variance of "
             "(d / k - 1) |x|^2; the smallest k / d over the tensors",
    .claims = claims,
    .bound_bytes = bound_bytes,
    .scratch_bytes = scratch_bytes,
    .encode = encode,
    .decode = decode,
    .sum = &sum,
    .code = code_of,
    .draw = draw_all,
    .flop = flop,
};
