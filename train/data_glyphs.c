/* glyphs: grey images of ten invented signs, drawn from strokes, so that a first run needs no download.
 *
 * Idea        a sample is a glyph of glyph_strokes.h under a random bend and affine map, drawn with a random thickness
 *             and contrast on a slanted background, with distractor strokes and pixel noise
 * Streams     sample i of a part (0 train, 1 test) draws from its own stream (seed, part, i) and has label i mod 10:
 *             asking for more samples changes none of those that were there
 * bits        the same pixels on every machine with IEEE 754 doubles: beside integers only + - * / and sqrt are used,
 *             which are rounded correctly everywhere; rotations are rational, noise is a sum of random bytes
 *
 * Coordinates: glyph space is -1..1 (x right, y down), image space counts pixels, pixel (i, j) has its centre at
 * (i + .5, j + .5).
 */
#include <math.h>
#include <stdlib.h>

#include "clones.h"
#include "dataset.h"
#include "glyph_strokes.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };
enum { PIECES = 8 }; /* straight pieces that a curve is drawn as: off by less than a tenth of a pixel */

/* Pixels of a row are worked on in blocks, beyond its end, too: a fixed number of them becomes vector instructions. */
enum { BLOCK = 8, STRIDE = SIDE + BLOCK };

typedef struct glyph_options {
  int64_t train, test, seed;
  double difficulty, noise;
} glyph_options;

static const rh_option glyph_option_rows[] = {
    {.name = "train",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(glyph_options, train),
     .fallback = "10000",
     .min = 10,
     .max = 1000000,
     .help = "train samples"},
    {.name = "test",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(glyph_options, test),
     .fallback = "2000",
     .min = 10,
     .max = 1000000,
     .help = "test samples"},
    {.name = "seed",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(glyph_options, seed),
     .fallback = "1",
     .min = 0,
     .max = 2147483647,
     .help = "seed of the images; not the run's, so that runs with several seeds share their data"},
    {.name = "difficulty",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(glyph_options, difficulty),
     .fallback = "1",
     .min = 0,
     .max = 2,
     .help = "scales bends, shifts, turns and distractor strokes; 0 draws every glyph upright in the centre"},
    {.name = "noise",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(glyph_options, noise),
     .fallback = "0.1",
     .min = 0,
     .max = 1,
     .help = "standard deviation of the pixel noise, as a share of white"},
};

typedef struct point {
  double x, y;
} point;

/* How one sample is drawn. */
typedef struct pose {
  double bend[2][3]; /* glyph space: x += bend[0] . (xx, xy, yy), y likewise */
  double map[2][2];  /* glyph space to pixels */
  point centre;      /* pixels */
  double half;       /* half the stroke's thickness, pixels */
} pose;

/* Uniform in [-spread, spread). */
static double around(rh_rng *rng, double spread)
{
  return (2 * (double)rh_rng_f32(rng) - 1) * spread;
}

static double between(rh_rng *rng, double low, double high)
{
  return low + (high - low) * (double)rh_rng_f32(rng);
}

/* The ranges are tuned: logreg ends near 88 % test accuracy and cnn above 97 % at difficulty 1. */
static pose draw_pose(rh_rng *rng, double difficulty)
{
  pose p;
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 3; k++) {
      p.bend[i][k] = around(rng, 0.15 * difficulty);
    }
  }
  /* A turn by 2 atan(t): its cosine and sine are rational in t. */
  double t = around(rng, 0.14 * difficulty);
  double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
  double shear = around(rng, 0.22 * difficulty);
  double wide = 8.2 + around(rng, 1.75 * difficulty), high = 8.8 + around(rng, 1.75 * difficulty);
  p.map[0][0] = wide * cosine;
  p.map[0][1] = high * (shear * cosine - sine);
  p.map[1][0] = wide * sine;
  p.map[1][1] = high * (shear * sine + cosine);
  p.centre.x = SIDE / 2.0 + around(rng, 2.4 * difficulty);
  p.centre.y = SIDE / 2.0 + around(rng, 2.4 * difficulty);
  p.half = between(rng, 0.6, 1.3);
  return p;
}

static point place(const pose *p, double x, double y)
{
  double bent[2];
  for (int i = 0; i < 2; i++) {
    bent[i] = p->bend[i][0] * x * x + p->bend[i][1] * x * y + p->bend[i][2] * y * y;
  }
  x += bent[0];
  y += bent[1];
  return (point){p->centre.x + p->map[0][0] * x + p->map[0][1] * y, p->centre.y + p->map[1][0] * x + p->map[1][1] * y};
}

static int clamp_pixel(double x)
{
  return x < 0 ? 0 : x >= SIDE ? SIDE - 1 : (int)x;
}

/* Lowers `squared` (squared distances to the nearest stroke, [SIDE, STRIDE]) where the segment a-b comes nearer, up to
 * `reach`; farther away perhaps, too, where nothing is drawn. */
RH_CLONES static void draw_segment(point a, point b, double reach, double *squared)
{
  double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  if (length == 0) length = 1; /* a point: nothing is projected */
  int left = clamp_pixel((a.x < b.x ? a.x : b.x) - reach), right = clamp_pixel((a.x < b.x ? b.x : a.x) + reach);
  int top = clamp_pixel((a.y < b.y ? a.y : b.y) - reach), bottom = clamp_pixel((a.y < b.y ? b.y : a.y) + reach);
  for (int j = top; j <= bottom; j++) {
    for (int first = left; first <= right; first += BLOCK) {
      double *row = &squared[j * STRIDE + first];
#pragma omp simd
      for (int i = 0; i < BLOCK; i++) {
        double x = first + i + 0.5 - a.x, y = j + 0.5 - a.y;
        double s = (x * dx + y * dy) / length;
        s = s < 0 ? 0 : s;
        s = s > 1 ? 1 : s;
        x -= s * dx;
        y -= s * dy;
        double distance = x * x + y * y;
        row[i] = distance < row[i] ? distance : row[i];
      }
    }
  }
}

/* Draws a curve piece by piece; points are bent and mapped after they are taken on the curve. */
static void draw_curve(const glyph_curve *curve, const pose *p, double reach, double *squared)
{
  double x[3] = {curve->x0, curve->cx, curve->x1}, y[3] = {curve->y0, curve->cy, curve->y1};
  for (int i = 0; i < 3; i++) {
    x[i] = x[i] / 50 - 1;
    y[i] = y[i] / 50 - 1;
  }
  point last = place(p, x[0], y[0]);
  for (int k = 1; k <= PIECES; k++) {
    double t = (double)k / PIECES, u = 1 - t;
    point next =
        place(p, u * u * x[0] + 2 * u * t * x[1] + t * t * x[2], u * u * y[0] + 2 * u * t * y[1] + t * t * y[2]);
    draw_segment(last, next, reach, squared);
    last = next;
  }
}

/* A short straight stroke somewhere, that belongs to no glyph. */
static void draw_distractor(rh_rng *rng, double difficulty, double reach, double *squared)
{
  point a = {between(rng, 2, SIDE - 2), between(rng, 2, SIDE - 2)};
  point b = {a.x + around(rng, 7 * difficulty), a.y + around(rng, 7 * difficulty)};
  draw_segment(a, b, reach, squared);
}

/* Share of a pixel that a stroke covers, from the squared distance of its centre: a ramp one pixel wide. */
RH_INLINE double coverage(double squared, double half)
{
  double ink = half + 0.5 - sqrt(squared);
  ink = ink < 0 ? 0 : ink;
  return ink > 1 ? 1 : ink;
}

/* Sum of the four bytes of a random word, centred, with deviation 1: nearly normal (Irwin-Hall of order 4). */
RH_INLINE double byte_noise(uint32_t word)
{
  int32_t sum = (int32_t)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24));
  return (sum - 510) / 147.80054127099904; /* sqrt(4 (256^2 - 1) / 12) */
}

/* How the strokes of a sample are laid on its background. */
typedef struct paint {
  double paper, ink, faint, noise;
  point slant;
} paint;

/* One row of pixels: distances [SIDE] to strokes and distractors, and random words. */
RH_CLONES static void paint_row(const paint *p, double half, int j, const double *strokes, const double *distractors,
                                const uint32_t *noise, uint8_t *restrict pixels)
{
  const double y = (j + 0.5) / (SIDE / 2.0) - 1;
  int32_t levels[SIDE];
#pragma omp simd
  for (int i = 0; i < SIDE; i++) {
    double x = (i + 0.5) / (SIDE / 2.0) - 1;
    double cover = coverage(strokes[i], half), other = p->faint * coverage(distractors[i], half);
    double grey = p->paper + p->slant.x * x + p->slant.y * y;
    grey += (p->ink - grey) * (cover > other ? cover : other) + p->noise * byte_noise(noise[i]);
    double level = grey <= 0 ? 0 : grey * 255 + 0.5;
    level = grey >= 1 ? 255 : level;
    /* NOLINTNEXTLINE(bugprone-incorrect-roundings): in (0, 255), and a change would make another data set */
    levels[i] = (int32_t)level;
  }
  for (int i = 0; i < SIDE; i++)
    pixels[i] = (uint8_t)levels[i];
}

static void draw_sample(const glyph_options *options, uint32_t part, int64_t index, uint8_t *pixels, int32_t *label)
{
  rh_rng rng = rh_rng_stream((uint64_t)options->seed, RH_PURPOSE_DATA, part, (uint64_t)index);
  *label = (int32_t)(index % GLYPH_CLASSES);
  const glyph *sign = &glyphs[*label];
  double strokes[SIDE * STRIDE], distractors[SIDE * STRIDE];
  for (int i = 0; i < SIDE * STRIDE; i++) {
    strokes[i] = distractors[i] = SIDE * SIDE * 2;
  }
  pose p = draw_pose(&rng, options->difficulty);
  double reach = p.half + 1;
  for (int c = 0; c < sign->curve_count; c++) {
    draw_curve(&sign->curves[c], &p, reach, strokes);
  }
  uint32_t distractor_count = rh_rng_below(&rng, 3);
  for (uint32_t d = 0; d < distractor_count && options->difficulty > 0; d++) {
    draw_distractor(&rng, options->difficulty, reach, distractors);
  }
  paint laid = {.noise = options->noise};
  laid.paper = between(&rng, 0, 0.25);
  laid.ink = between(&rng, 0.55, 1);
  laid.faint = between(&rng, 0.5, 0.9);
  laid.slant.x = around(&rng, 0.12 * options->difficulty);
  laid.slant.y = around(&rng, 0.12 * options->difficulty);
  uint32_t noise[PIXELS];
  rh_rng_fill_u32(&rng, noise, PIXELS);
  for (int j = 0; j < SIDE; j++)
    paint_row(&laid, p.half, j, strokes + j * STRIDE, distractors + j * STRIDE, noise + j * SIDE, pixels + j * SIDE);
}

static rh_status draw_part(const glyph_options *options, uint32_t part, int64_t count, rh_samples *samples)
{
  samples->count = count;
  samples->pixels = malloc((size_t)count * PIXELS);
  samples->labels = malloc((size_t)count * sizeof *samples->labels);
  if (!samples->pixels || !samples->labels) {
    return rh_error(RH_ENOMEM, "no memory for %lld glyphs of %d bytes", (long long)count, PIXELS);
  }
  for (int64_t i = 0; i < count; i++) {
    draw_sample(options, part, i, samples->pixels + i * PIXELS, &samples->labels[i]);
  }
  return RH_OK;
}

static rh_status load(const void *options_pointer, const char *directory, rh_dataset *dataset)
{
  (void)directory;
  const glyph_options *options = options_pointer;
  rh_status status;
  *dataset = (rh_dataset){.name = "glyphs", .shape = {1, SIDE, SIDE}, .classes = GLYPH_CLASSES};
  RH_TRY(draw_part(options, 0, options->train, &dataset->train));
  RH_TRY(draw_part(options, 1, options->test, &dataset->test));
  rh_dataset_normalise(dataset);
done:
  if (status != RH_OK) rh_dataset_clear(dataset);
  return status;
}

extern const rh_dataset_kind rh_dataset_glyphs;
const rh_dataset_kind rh_dataset_glyphs = {
    .name = "glyphs",
    .summary = "28x28 grey images of ten invented signs, drawn from strokes and generated from a seed",
    .source = "own; the stroke tables are in train/glyph_strokes.h",
    .options = glyph_option_rows,
    .option_count = RH_COUNT(glyph_option_rows),
    .options_size = sizeof(glyph_options),
    .load = load,
};
