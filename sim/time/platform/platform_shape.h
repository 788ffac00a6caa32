/* The shape of a platform whose hosts are all in one zone of a regular kind: what its diameter and bisection have
 * formulas for, and how it is drawn. For platform_*.c alone. */
#ifndef RH_PLATFORM_SHAPE_H
#define RH_PLATFORM_SHAPE_H

#include "platform_private.h"

#define SHAPE_DIMENSIONS 8

typedef enum shape_kind { SHAPE_OTHER, SHAPE_STAR, SHAPE_FAT_TREE, SHAPE_TORUS, SHAPE_DRAGONFLY } shape_kind;

typedef struct platform_shape {
  shape_kind kind;
  int32_t hosts;
  /* torus: sizes of the dimensions. Fat-tree: nodes below a switch of each level, from the hosts up. */
  int32_t dimensions, sizes[SHAPE_DIMENSIONS];
  int32_t up[SHAPE_DIMENSIONS], cables[SHAPE_DIMENSIONS]; /* fat-tree: switches above a node, cables to each */
  /* dragonfly; cables between two groups, chassis, switches */
  int32_t groups, chassis, switches, nodes, global, black, green;
  double bandwidth_Bps; /* of one cable; 0: not the same for all, formulas do not hold */
  double latency_s;
} platform_shape;

/* Reads the shape off SimGrid's zones and the file's <cluster>; SHAPE_OTHER where either is not regular. */
RH_CHECKED rh_status platform_shape_read(const rh_platform *platform, platform_shape *shape);

/* Links of the longest route; 0: no formula. */
int32_t platform_shape_diameter(const platform_shape *shape);

/* Half of the hosts send, the other half receive: byte/s that can cross, at worst over all halves; 0: no formula.
 *
 * *how        the formula and its source
 */
double platform_shape_bisection(const platform_shape *shape, const char **how);

#endif
