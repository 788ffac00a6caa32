/* Compressors: encode a vector into a real buffer whose length is what travels; train on what decode returns.
 *
 * Symbols     d values of the vector, N workers, x a worker's vector, m a message
 * A compressor is one file: idea, formula, claims, options, encode, decode, and last the descriptor.
 *
 * There are two ways to the mean of N vectors. Most messages must be decoded before they can be added: everybody gets
 * everybody's (an all-gather), or a server adds them. Some can be added as they are: they ride an all-reduce, and the
 * sum is decoded once. The second kind fills `sum` (struct rh_summable) as well.
 */
#ifndef RH_COMPRESSOR_H
#define RH_COMPRESSOR_H

#include "code.h"
#include "option.h"
#include "rng.h"

/* Contiguous pieces of the vector (weights and biases), each a matrix of rows x columns; they cover it without gaps. */
typedef struct rh_layout {
  int32_t count;
  const int64_t *length; /* [count] values; borrowed */
  const int64_t *rows;   /* [count] rows of the matrix view; a bias has as many rows as values. Borrowed */
  int64_t values;        /* d, sum of lengths */
} rh_layout;

/* One message in the making. */
typedef struct rh_coding {
  const void *options;     /* of the compressor; borrowed */
  const rh_layout *layout; /* borrowed */
  rh_rng rng;              /* this message's own stream */
  rh_rng shared;           /* a stream that is the same on all workers in this round */
  int64_t step;            /* round, 0-based */
  double momentum;         /* of the optimiser, for compressors that correct it */
  void *scratch;           /* [scratch_bytes], 64-byte aligned; contents are lost between calls. Borrowed */
} rh_coding;

/* What the mathematics promises. */
typedef struct rh_claims {
  bool unbiased;      /* E decode(encode(x)) = x */
  double variance;    /* of an unbiased one: E |Q(x) - x|^2 <= variance |x|^2; INFINITY: no bound */
  double contraction; /* delta in (0, 1]: E |C(x) - x|^2 <= (1 - delta) |x|^2; 0: none is known */
  bool bounded;       /* |C(x) - x| is bounded whatever x is: error feedback works without a contraction */
  bool projection; /* C(x) is x's projection on a subspace that follows x: |C(x) - x| <= |x|, so errors fed back do not
                      grow by themselves, though nothing bounds how long a direction waits for its turn */
} rh_claims;

/* Messages that can be added without being decoded: the mean is formed in one or two all-reduces.
 *
 * Phase k: every worker contributes elements of its vector; they are added; everybody takes the sum. What all know
 * (a warm start, the sums of earlier phases) is `common`, the same on all workers and stored once.
 */
typedef struct rh_summable {
  int phases;            /* 1 or 2 */
  int64_t element_bytes; /* of what is added: 4 for f32, 2 for half precision */
  int64_t (*elements)(const void *options, const rh_layout *layout, int phase); /* in a worker's contribution */
  int64_t (*common_values)(const void *options, const rh_layout *layout);       /* f32 of `common`; NULL: none */
  void (*start)(rh_coding *coding, float *common); /* before the first round; NULL: zeros */
  void (*contribute)(rh_coding *coding, const float *common, int phase, const float *x, void *wire);
  void (*add)(int64_t elements, const void *wire, void *sum);                                  /* sum += wire */
  void (*take)(rh_coding *coding, float *common, int phase, const void *sum, int32_t workers); /* NULL: nothing kept */
  /* x = factor times what a last phase's contribution, or the sum of them, stands for. */
  void (*decode)(rh_coding *coding, const float *common, const void *wire, double factor, float *x);
} rh_summable;

/* Floating point operations of a message. */
typedef struct rh_flop {
  double
      encode[2]; /* by phase, with what everybody does with the sum of the phase before; [1] is 0 of a single phase */
  double decode; /* of a message, or of a sum with what is kept of it */
} rh_flop;

typedef struct rh_compressor {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `compress`, beside the common ones */
  size_t option_count, options_size;
  const char *wire;       /* formula of the length, for `rehearse compressors NAME` */
  const char *claim;      /* the claims in words, with their conditions */
  bool lossless;          /* decode(encode(x)) is x, bit for bit: nothing is charged for coding */
  bool exact_residual;    /* x - decode(encode(x)) is exact in f32: every value is sent as it is, or not at all */
  bool corrects_momentum; /* applies the optimiser's momentum before compressing: the mean is stepped without */
  bool recodes;        /* what `combine` leaves can be encoded again without loss: a server answers in the same form */
  bool gradients_only; /* means nothing for differences of models */

  rh_claims (*claims)(const void *options, const rh_layout *layout);
  /* Refuses options that cannot work with this layout, with the reason; NULL: all can. */
  RH_CHECKED rh_status (*check)(const void *options, const rh_layout *layout);

  /* Largest length of a message, in bytes. */
  int64_t (*bound_bytes)(const void *options, const rh_layout *layout);
  /* Why lengths follow from more than options and layout, with the remedy, as words after the compressor's name: runs
   * without values do not know them then. NULL, or NULL returned: every message is bound_bytes long. */
  const char *(*varies)(const void *options);
  int64_t (*scratch_bytes)(const void *options, const rh_layout *layout); /* NULL: none */
  int64_t (*state_values)(const void *options,
                          const rh_layout *layout); /* f32 kept per worker, zero at first; NULL: none */
  /* Encodes x [d] into wire and returns its length. state: this worker's. x, which holds no pad, is not changed. */
  int64_t (*encode)(rh_coding *coding, const float *x, float *state, uint8_t *wire);
  /* Decodes a message of our own encode into x [d]. */
  void (*decode)(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x);
  /* What is done to the mean of the decoded messages, such as a vote; NULL: nothing. */
  void (*combine)(rh_coding *coding, float *mean);

  const rh_summable *sum; /* NULL: messages must be decoded to be added */

  /* Says to a device how to make and read the messages; segments are the layout's unless it says otherwise. NULL: a
   * device
   * cannot, and the program's memory holds what is coded. */
  void (*code)(const void *options, const rh_layout *layout, rh_code *code);
  /* What of it hangs on the round; NULL: nothing. */
  void (*code_at)(const void *options, int64_t step, rh_code *code);
  /* Of a code with places: those of a round, [bound_bytes / 4]. NULL: the code has none. */
  void (*draw)(rh_coding *coding, uint32_t *places);

  /* Operations for time.source: flops; stated, not measured. Per value where d is all that they depend on. */
  double encode_flop, decode_flop;
  rh_flop (*flop)(const void *options, const rh_layout *layout); /* NULL: d times the two above */
} rh_compressor;

/* The code of messages of this layout, which is borrowed, in a round; but for its places. False: a device has none. */
bool rh_compressor_code(const rh_compressor *compressor, const void *options, const rh_layout *layout, int64_t step,
                        rh_code *code);

rh_flop rh_compressor_flop(const rh_compressor *compressor, const void *options, const rh_layout *layout);

/* compress_*.c */
extern const rh_compressor rh_compressor_lowrank, rh_compressor_none, rh_compressor_qsgd;
extern const rh_compressor rh_compressor_fp16, rh_compressor_bf16, rh_compressor_int8, rh_compressor_int,
    rh_compressor_terngrad, rh_compressor_sign, rh_compressor_ef_sign, rh_compressor_cosine;
extern const rh_compressor rh_compressor_topk, rh_compressor_randomk, rh_compressor_threshold, rh_compressor_dgc;

extern const rh_compressor *const rh_compressors[]; /* NULL-terminated */
const rh_compressor *rh_compressor_find(const char *name);

/* Error feedback around a compressor: what was lost is added to the next vector. */
enum rh_feedback {
  RH_FEEDBACK_NONE,
  RH_FEEDBACK_CLASSIC,   /* p = g + e, m = C(p), e = p - m (Seide et al. 2014; Karimireddy et al. 2019) */
  RH_FEEDBACK_STEP_AHEAD /* gradients at x - e, momentum before compression, errors averaged now and then (Xu et al.
                            2021) */
};
typedef struct rh_feedback_options {
  int kind;              /* enum rh_feedback */
  int64_t average_every; /* rounds between averages of the errors, of step-ahead; 0: never */
} rh_feedback_options;
extern const rh_option rh_feedback_rows[]; /* rows `error_feedback` and `average_every` of section `compress` */
extern const size_t rh_feedback_row_count;

/* Refuses what the mathematics forbids: feedback around something that neither contracts, nor projects, nor is bounded.
 */
RH_CHECKED rh_status rh_feedback_check(const rh_feedback_options *feedback, const rh_compressor *compressor,
                                       const void *options, const rh_layout *layout);

#endif
