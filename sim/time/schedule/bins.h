/* Bins: how many bytes a link carried when. One width for all links, doubled whenever the run outgrows the bins.
 *
 * Widths are powers of two and bytes are whole numbers, so folding two bins into one loses nothing: what a link's bins
 * hold is the sum of what was told, whatever the order, and is the same as if the last width had been the first.
 *
 * memory      8 bytes a link, and 8 RH_BINS_MAX = 1600 bytes a link that carried something; at most 8 RH_BINS_TOTAL =
 *             64 MiB: of more than 41,943 links each has 100 bins, of more than 83,886 each 50, and so on
 */
#ifndef RH_BINS_H
#define RH_BINS_H

#include <stdint.h>

enum { RH_BINS_MAX = 200, RH_BINS_TOTAL = 8 << 20 };

typedef struct rh_bins {
  int32_t link_count;
  int32_t used;       /* links that carried something */
  int32_t limit;      /* bins of a link */
  double width_s;     /* of a bin; the first begins at 0 */
  double finish_s;    /* of all that was told */
  int64_t **bytes_of; /* [link_count][limit]; owned; NULL: a link that carried nothing */
} rh_bins;

void rh_bins_init(rh_bins *bins, int32_t links);
/* A link carried so many bytes, evenly between two times. What never ends is in no bin. */
void rh_bins_add(rh_bins *bins, int32_t link, int64_t bytes, double start_s, double finish_s);
/* The same of each of `count` links, which may be named more than once. */
void rh_bins_add_all(rh_bins *bins, const int32_t *links, int32_t count, int64_t bytes, double start_s,
                     double finish_s);
/* Puts a span of time in at at_s: what came after moves back by span_s. */
void rh_bins_insert(rh_bins *bins, double at_s, double span_s);
/* Bytes of the fullest bin of a link. */
int64_t rh_bins_peak(const rh_bins *bins, int32_t link);
/* A link's bins up to the last that holds something, *count of them; NULL and 0 for a link that carried nothing. */
const int64_t *rh_bins_of(const rh_bins *bins, int32_t link, int32_t *count);
void rh_bins_clear(rh_bins *bins);

#endif
