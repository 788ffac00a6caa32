/* The ten glyphs of the embedded data set: strokes of our own invention, as quadratic Bezier curves.
 *
 * Coordinates are whole numbers on a grid of 0..100, x to the right, y down; the glyph's centre is (50, 50). A curve
 * runs from (x0, y0) to (x1, y1) and is pulled towards (cx, cy); a straight stroke has its middle there. Some pairs are
 * alike on purpose (lens and coil, gate and tent, fork and arrow, wave and bolt): telling them apart takes more than
 * looking at single pixels.
 */
#ifndef RH_GLYPH_STROKES_H
#define RH_GLYPH_STROKES_H

#include <stdint.h>

enum { GLYPH_CLASSES = 10, GLYPH_CURVES_MAX = 5 };

typedef struct glyph_curve {
  int8_t x0, y0, cx, cy, x1, y1;
} glyph_curve;

typedef struct glyph {
  int curve_count;
  glyph_curve curves[GLYPH_CURVES_MAX];
} glyph;

/* A straight stroke: its control point is its middle. */
#define STROKE(x0, y0, x1, y1)                                                                                         \
  {                                                                                                                    \
    x0, y0, ((x0) + (x1)) / 2, ((y0) + (y1)) / 2, x1, y1                                                               \
  }

/* The index is the label. */
static const glyph glyphs[GLYPH_CLASSES] = {
    /* 0 lens: two bows that close */
    {4, {{50, 4, 96, 4, 92, 50}, {92, 50, 94, 96, 50, 96}, {50, 96, 6, 96, 8, 50}, {8, 50, 6, 4, 50, 4}}},
    /* 1 arrow: a shaft with its head on top */
    {3, {STROKE(50, 96, 50, 4), STROKE(50, 4, 16, 42), STROKE(50, 4, 84, 42)}},
    /* 2 bolt: a zigzag with sharp corners */
    {3, {STROKE(14, 10, 86, 10), STROKE(86, 10, 14, 90), STROKE(14, 90, 86, 90)}},
    /* 3 hook: a bar, a stem, and a bow to the left */
    {3, {STROKE(24, 6, 88, 6), STROKE(64, 6, 64, 62), {64, 62, 62, 98, 14, 88}}},
    /* 4 coil: a bow that winds inwards */
    {5,
     {{92, 30, 70, 0, 36, 8},
      {36, 8, 0, 22, 10, 60},
      {10, 60, 24, 98, 62, 92},
      {62, 92, 94, 82, 80, 56},
      {80, 56, 66, 36, 46, 54}}},
    /* 5 wave: the bolt in round, its other way */
    {3, {{88, 18, 12, -14, 16, 28}, {16, 28, 50, 50, 84, 70}, {84, 70, 88, 114, 12, 82}}},
    /* 6 fork: a shaft with its prongs on top */
    {3, {STROKE(50, 96, 50, 46), {50, 46, 14, 44, 16, 4}, {50, 46, 86, 44, 84, 4}}},
    /* 7 gate: two posts and a lintel */
    {3, {STROKE(18, 94, 18, 10), STROKE(18, 10, 82, 10), STROKE(82, 10, 82, 94)}},
    /* 8 tent: two slopes and a brace */
    {3, {STROKE(10, 94, 50, 4), STROKE(50, 4, 90, 94), STROKE(28, 60, 72, 60)}},
    /* 9 sail: a mast with a bow that returns to it */
    {3, {STROKE(28, 4, 28, 96), {28, 4, 96, 16, 82, 40}, {82, 40, 66, 60, 28, 62}}},
};

#undef STROKE

#endif
