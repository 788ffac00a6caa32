/* Data sets: labelled images in host memory, and who holds which of them. */
#ifndef RH_DATASET_H
#define RH_DATASET_H

#include "model.h"
#include "pixels.h"

/* One part (train or test) of a data set. */
typedef struct rh_samples {
  int64_t count;
  uint8_t *pixels; /* [count][C][H][W]; owned by the data set */
  int32_t *labels; /* [count], 0..classes-1; owned by the data set */
} rh_samples;

typedef struct rh_dataset {
  const char *name;
  rh_shape shape;
  int64_t classes;
  rh_samples train, test;
  float mean, deviation; /* of the train pixels scaled to 0..1: networks see (pixel / 255 - mean) / deviation */
} rh_dataset;

/* One file each: data_glyphs.c, data_idx.c, data_cifar10.c, data_csv.c. */
typedef struct rh_dataset_kind {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `data`, beside name, partition and its keys */
  size_t option_count, options_size;
  /* directory: relative paths in the options are searched there first, then as they are; seed: the run's seed is not
   * used by generated data unless an option says so, so that runs with several seeds share their data */
  RH_CHECKED rh_status (*load)(const void *options, const char *directory, rh_dataset *dataset);
  /* Appends the paths of the files that load would read, one per line: they are hashed into run ids. NULL: none. */
  RH_CHECKED rh_status (*files)(const void *options, const char *directory, rh_text *paths);
} rh_dataset_kind;

extern const rh_dataset_kind *const rh_dataset_kinds[]; /* NULL-terminated */
const rh_dataset_kind *rh_dataset_find(const char *name);
void rh_dataset_clear(rh_dataset *dataset);

/* Computes mean and deviation from the train pixels; loaders call it last. */
void rh_dataset_normalise(rh_dataset *dataset);

/* Samples indices[n] as bytes, and how they become values; n is the user's affair. */
rh_pixels rh_samples_pixels(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices);
/* Their labels [n]. */
void rh_samples_labels(const rh_samples *samples, const int32_t *indices, int64_t n, int32_t *labels);

/* Gathers samples indices[n] into x [n][C*H*W] (normalised) and labels [n]. */
void rh_samples_gather(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices, int64_t n,
                       float *x, int32_t *labels);

/* Who holds which train sample. */
typedef struct rh_partition {
  int32_t workers;
  int64_t *offset;  /* [workers + 1]; worker w holds indices[offset[w]] .. indices[offset[w + 1] - 1]; owned */
  int32_t *indices; /* [train.count]; owned */
} rh_partition;

typedef struct rh_partition_def {
  int kind;     /* enum rh_partition_kind */
  double skew;  /* 0..1, for RH_PARTITION_SKEW */
  double alpha; /* > 0, for RH_PARTITION_DIRICHLET and RH_PARTITION_QUANTITY */
} rh_partition_def;
enum rh_partition_kind { RH_PARTITION_IID, RH_PARTITION_SKEW, RH_PARTITION_DIRICHLET, RH_PARTITION_QUANTITY };
extern const rh_option rh_partition_options[]; /* rows `partition`, `skew` and `alpha` of section `data` */
extern const size_t rh_partition_option_count;
const char *rh_partition_name(int kind); /* as in `choices` of the option */

/* Splits the train part over `workers` ranks; every sample has one holder, every worker at least one sample.
 *
 * iid          a seeded shuffle, cut into contiguous slices; sizes differ by one at most
 * skew s       per class the first s share goes to a class-sorted list, the rest to a shuffled list; every worker gets
 *              an equal contiguous slice of both. s = 0 is IID, s = 1 fully sorted
 * dirichlet a  per class, the shares of the workers are drawn from a Dirichlet distribution of parameter a
 * quantity a   the workers' shares are drawn once, for all classes: sizes differ, class balances do not
 * returns      RH_EINVAL if there are fewer samples than workers, or none for some worker in 100 draws
 * source       skew: github.com/aparna-aketi/Low_Precision_DL, partition code; dirichlet, quantity: Li et al.,
 *              NIID-Bench, ICDE 2022 (arXiv 2102.02079)
 */
RH_CHECKED rh_status rh_partition_new(const rh_partition_def *def, const rh_dataset *dataset, int32_t workers,
                                      uint64_t seed, rh_partition *partition);
void rh_partition_clear(rh_partition *partition);

/* How many samples of each class every worker holds: counts [workers][classes]. */
void rh_partition_class_counts(const rh_partition *partition, const rh_dataset *dataset, int64_t *counts);

#endif
