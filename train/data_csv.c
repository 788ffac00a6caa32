/* csv: tables of numbers with a column of labels.
 *
 * Symbols     v a value, lo and hi ends of a range of the train samples: all their values', or each column's
 *
 *     level = round(255 (v - lo) / (hi - lo)), in 0 .. 255; 0 where lo = hi
 *
 * Samples are kept as bytes, as images are. Whole numbers whose range divides 255, such as a pixel's 0 .. 255, lose
 * nothing; other values are off by half a level at most, and test values outside the range are brought to its ends.
 * Classes are the train labels in natural order: 0 .. K-1 stay what they are, other numbers and words get such a
 * number.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "data_files.h"
#include "dataset.h"

enum { CLASSES_MAX = 1000, SIDE_MAX = 4096 };
enum range { RANGE_ALL, RANGE_COLUMN };

typedef struct csv_options {
  const char *train_file, *test_file, *label, *shape;
  int64_t test_every;
  int header, separator, range;
} csv_options;

static const rh_option option_rows[] = {
    {.name = "train_file",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(csv_options, train_file),
     .fallback = "",
     .help = "file of train samples, one a line, plain or with .gz"},
    {.name = "test_file",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(csv_options, test_file),
     .fallback = "",
     .help = "file of test samples with the same columns; without one, samples of the train file are kept for tests"},
    {.name = "test_every",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(csv_options, test_every),
     .fallback = "5",
     .min = 2,
     .max = 1e9,
     .help = "without a test_file: each sample whose number, from 1, this divides is a test sample"},
    {.name = "label",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(csv_options, label),
     .fallback = "last",
     .help = "column of the labels, numbers or words: first, last, a number from 1, or a name of the header"},
    {.name = "header",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(csv_options, header),
     .fallback = "auto",
     .choices = "auto yes no",
     .help = "whether the first line names the columns; auto: if none but the label's is a number"},
    {.name = "separator",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(csv_options, separator),
     .fallback = "comma",
     .choices = "comma semicolon tab",
     .help = "what is between fields"},
    {.name = "shape",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(csv_options, shape),
     .fallback = "",
     .help = "what a sample's columns are in their order: HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH, as 8x8; none: so many "
             "channels of one value"},
    {.name = "range",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(csv_options, range),
     .fallback = "all",
     .choices = "all column",
     .help = "samples are kept in 256 levels between the smallest and the largest train value: of all columns, as "
             "pixels have, or of each column"},
};

static rh_status find_files(const csv_options *o, const char *directory, rh_text *train, rh_text *test)
{
  if (!o->train_file[0])
    return rh_error(RH_EINVAL, "data.train_file: not given; data set csv needs the file of its train samples");
  rh_status status = rh_data_find("train_file", o->train_file, directory, train);
  if (status == RH_OK && o->test_file[0]) status = rh_data_find("test_file", o->test_file, directory, test);
  return status;
}

static rh_status files(const void *options, const char *directory, rh_text *paths)
{
  const csv_options *o = options;
  rh_text train = {0}, test = {0};
  rh_status status = find_files(o, directory, &train, &test);
  if (status == RH_OK) rh_text_append(paths, "%s\n", rh_text_get(&train));
  if (status == RH_OK && test.length > 0) rh_text_append(paths, "%s\n", rh_text_get(&test));
  rh_text_clear(&train);
  rh_text_clear(&test);
  return status;
}

/* "8x8" for so many features. */
static rh_status read_shape(const char *text, int64_t features, rh_shape *shape)
{
  int64_t side[3] = {1, 1, 1};
  int count = 0;
  const char *at = text;
  *shape = (rh_shape){features, 1, 1};
  if (!*text) return RH_OK;
  for (; count < 3; at++) {
    char *end;
    const long long n = *at >= '0' && *at <= '9' ? strtoll(at, &end, 10) : 0;
    if (n < 1 || n > SIDE_MAX) break;
    side[count++] = n;
    at = end;
    if (*at != 'x') break;
  }
  if (count < 2 || *at)
    return rh_error(RH_EINVAL, "data.shape: '%s' is no HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH, as 8x8 or 3x32x32", text);
  *shape = count == 2 ? (rh_shape){1, side[0], side[1]} : (rh_shape){side[0], side[1], side[2]};
  if (rh_shape_count(*shape) == features) return RH_OK;
  return rh_error(RH_EINVAL, "data.shape: '%s' has %lld values, but a sample has %lld columns beside its label", text,
                  (long long)rh_shape_count(*shape), (long long)features);
}

static int compare_labels(const void *a, const void *b)
{
  return rh_text_compare_natural(*(const char *const *)a, *(const char *const *)b);
}

/* Whether sample i of the train file is a train sample. */
static bool is_train(const csv_options *o, int64_t i)
{
  return o->test_file[0] || (i + 1) % o->test_every != 0;
}

/* The train labels in natural order, each once: classes [*count], owned by the caller. */
static rh_status list_classes(const csv_options *o, const rh_csv *table, const char ***classes, int64_t *count)
{
  const char **list = malloc((size_t)table->count * sizeof *list);
  int64_t all = 0, kinds = 0;
  *classes = list;
  if (!list) return rh_error(RH_ENOMEM, "no memory for the labels of '%s'", table->path);
  for (int64_t i = 0; i < table->count; i++)
    if (is_train(o, i)) list[all++] = table->labels[i];
  qsort(list, (size_t)all, sizeof *list, compare_labels);
  for (int64_t i = 0; i < all; i++)
    if (kinds == 0 || strcmp(list[kinds - 1], list[i]) != 0) list[kinds++] = list[i];
  *count = kinds;
  if (kinds >= 2 && kinds <= CLASSES_MAX) return RH_OK;
  return rh_error(RH_EFORMAT,
                  "'%s': its train labels are of %lld kinds, and 2 to %d can be learned; is data.label: %s the right "
                  "column?",
                  table->path, (long long)kinds, CLASSES_MAX, o->label);
}

/* Ends of the range of each column, [features]. */
static void find_ranges(const csv_options *o, const rh_csv *table, float *lo, float *hi)
{
  const int64_t n = table->features;
  for (int64_t c = 0; c < n; c++) {
    lo[c] = INFINITY;
    hi[c] = -INFINITY;
  }
  for (int64_t i = 0; i < table->count; i++)
    for (int64_t c = 0; is_train(o, i) && c < n; c++) {
      const int64_t k = o->range == RANGE_COLUMN ? c : 0;
      lo[k] = fminf(lo[k], table->values[i * n + c]);
      hi[k] = fmaxf(hi[k], table->values[i * n + c]);
    }
  for (int64_t c = 1; o->range == RANGE_ALL && c < n; c++) {
    lo[c] = lo[0];
    hi[c] = hi[0];
  }
}

static uint8_t level_of(float v, float lo, float hi)
{
  const double span = (double)hi - (double)lo, share = span > 0 ? ((double)v - (double)lo) / span : 0;
  return (uint8_t)floor(255 * fmin(fmax(share, 0), 1) + 0.5);
}

/* What turns records into samples. */
typedef struct mapping {
  const char **classes; /* [class_count] */
  int64_t class_count;
  float *lo, *hi; /* [features] */
} mapping;

static rh_status allocate(rh_samples *samples, int64_t count, int64_t features, const char *path)
{
  samples->pixels = malloc((size_t)(count * features));
  samples->labels = malloc((size_t)count * sizeof *samples->labels);
  if (samples->pixels && samples->labels) return RH_OK;
  return rh_error(RH_ENOMEM, "no memory for %lld samples of '%s'", (long long)count, path);
}

static rh_status append(const mapping *m, const rh_csv *table, int64_t i, rh_samples *samples)
{
  const int64_t n = table->features, k = samples->count;
  const char **found = bsearch(&table->labels[i], m->classes, (size_t)m->class_count, sizeof *found, compare_labels);
  if (!found || strcmp(*found, table->labels[i]) != 0)
    return rh_error(RH_EFORMAT, "'%s':%lld: no train sample has the label '%.40s'; remove the line, or train with it",
                    table->path, (long long)table->lines[i], table->labels[i]);
  samples->labels[k] = (int32_t)(found - m->classes);
  for (int64_t c = 0; c < n; c++)
    samples->pixels[k * n + c] = level_of(table->values[i * n + c], m->lo[c], m->hi[c]);
  samples->count = k + 1;
  return RH_OK;
}

/* Samples of both tables; `test` is empty where the train file holds the test samples, too. */
static rh_status fill(const csv_options *o, const mapping *m, const rh_csv *train, const rh_csv *test,
                      rh_dataset *dataset)
{
  rh_status status = RH_OK;
  RH_TRY(allocate(&dataset->train, train->count, train->features, train->path));
  RH_TRY(allocate(&dataset->test, test->path ? test->count : train->count, train->features, train->path));
  for (int64_t i = 0; i < train->count; i++)
    RH_TRY(append(m, train, i, is_train(o, i) ? &dataset->train : &dataset->test));
  for (int64_t i = 0; i < test->count; i++)
    RH_TRY(append(m, test, i, &dataset->test));
  if (dataset->test.count == 0)
    status =
        rh_error(RH_EFORMAT, "'%s' has %lld samples, none of which data.test_every: %lld keeps for tests; take less",
                 train->path, (long long)train->count, (long long)o->test_every);
done:
  return status;
}

static rh_status load(const void *options, const char *directory, rh_dataset *dataset)
{
  static const char separators[] = ",;\t";
  rh_status status = RH_OK;
  const csv_options *o = options;
  const rh_csv_def def = {.separator = separators[o->separator], .header = o->header, .label = o->label};
  rh_text train_path = {0}, test_path = {0};
  rh_csv train = {0}, test = {0};
  mapping m = {0};
  *dataset = (rh_dataset){.name = "csv"};
  RH_TRY(find_files(o, directory, &train_path, &test_path));
  RH_TRY(rh_csv_read(rh_text_get(&train_path), &def, &train));
  if (test_path.length > 0) RH_TRY(rh_csv_read(rh_text_get(&test_path), &def, &test));
  if (test_path.length > 0 && test.features != train.features) {
    status = rh_error(RH_EFORMAT, "'%s' has %lld columns, but '%s' %lld", train.path, (long long)train.features + 1,
                      test.path, (long long)test.features + 1);
    goto done;
  }
  RH_TRY(read_shape(o->shape, train.features, &dataset->shape));
  RH_TRY(list_classes(o, &train, &m.classes, &m.class_count));
  dataset->classes = m.class_count;
  m.lo = malloc((size_t)train.features * sizeof *m.lo);
  m.hi = malloc((size_t)train.features * sizeof *m.hi);
  RH_ASSERT(m.lo && m.hi && "memory is exhausted");
  find_ranges(o, &train, m.lo, m.hi);
  RH_TRY(fill(o, &m, &train, &test, dataset));
  rh_dataset_normalise(dataset);
done:
  free(m.classes);
  free(m.lo);
  free(m.hi);
  rh_csv_clear(&train);
  rh_csv_clear(&test);
  rh_text_clear(&train_path);
  rh_text_clear(&test_path);
  if (status != RH_OK) rh_dataset_clear(dataset);
  return status;
}

extern const rh_dataset_kind rh_dataset_csv;
const rh_dataset_kind rh_dataset_csv = {
    .name = "csv",
    .summary = "numbers with a column of labels, in text files with separated fields, plain or gzipped",
    .source = "RFC 4180 (file format); samples are kept in 256 levels",
    .options = option_rows,
    .option_count = RH_COUNT(option_rows),
    .options_size = sizeof(csv_options),
    .load = load,
    .files = files,
};
