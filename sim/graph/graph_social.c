/* Social graphs: published networks of people, irregular as real ones are.
 *
 * southern-women         32 vertices, 89 edges: 18 women (workers 0 to 17) and the 14 social events (18 to 31) that
 *                        they attended in Natchez, Mississippi, in the 1930s
 * florentine-families    15 vertices, 20 edges: marriages among Florentine families of the 15th century, without the
 *                        Pucci, who married into none of them
 *
 * source      Davis, Gardner, Gardner, Deep South, University of Chicago Press, 1941, p. 148; Padgett's marriages in
 *             Breiger, Pattison, Cumulated social roles, Social Networks 8(3), 1986
 */
#include "graph_kind.h"

enum network { SOUTHERN_WOMEN, FLORENTINE_FAMILIES };

typedef struct social_options {
  int network;
} social_options;

static const rh_option options[] = {
    {.name = "network",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(social_options, network),
     .fallback = "southern-women",
     .choices = "southern-women florentine-families",
     .help = "which people: 32 workers (women and the events they attended) or 15 (families joined by marriages)"},
};

enum { WOMEN = 18, EVENTS = 14 };

/* Events by number from 1, in the table's order of women; 0 ends a row. */
static const uint8_t attended[WOMEN][9] = {
    {1, 2, 3, 4, 5, 6, 8, 9},      /* Evelyn */
    {1, 2, 3, 5, 6, 7, 8},         /* Laura */
    {2, 3, 4, 5, 6, 7, 8, 9},      /* Theresa */
    {1, 3, 4, 5, 6, 7, 8},         /* Brenda */
    {3, 4, 5, 7},                  /* Charlotte */
    {3, 5, 6, 8},                  /* Frances */
    {5, 6, 7, 8},                  /* Eleanor */
    {6, 8, 9},                     /* Pearl */
    {5, 7, 8, 9},                  /* Ruth */
    {7, 8, 9, 12},                 /* Verne */
    {8, 9, 10, 12},                /* Myra */
    {8, 9, 10, 12, 13, 14},        /* Katherine */
    {7, 8, 9, 10, 12, 13, 14},     /* Sylvia */
    {6, 7, 9, 10, 11, 12, 13, 14}, /* Nora */
    {7, 8, 10, 11, 12},            /* Helen */
    {8, 9},                        /* Dorothy */
    {9, 11},                       /* Olivia */
    {9, 11},                       /* Flora */
};

/* In the order of the alphabet, which is that of the workers. */
enum family {
  ACCIAIUOLI,
  ALBIZZI,
  BARBADORI,
  BISCHERI,
  CASTELLANI,
  GINORI,
  GUADAGNI,
  LAMBERTESCHI,
  MEDICI,
  PAZZI,
  PERUZZI,
  RIDOLFI,
  SALVIATI,
  STROZZI,
  TORNABUONI,
  FAMILIES
};

static const rh_edge marriages[] = {
    {ACCIAIUOLI, MEDICI},    {ALBIZZI, GINORI},     {ALBIZZI, GUADAGNI},   {ALBIZZI, MEDICI},
    {BARBADORI, CASTELLANI}, {BARBADORI, MEDICI},   {BISCHERI, GUADAGNI},  {BISCHERI, PERUZZI},
    {BISCHERI, STROZZI},     {CASTELLANI, PERUZZI}, {CASTELLANI, STROZZI}, {GUADAGNI, LAMBERTESCHI},
    {GUADAGNI, TORNABUONI},  {MEDICI, RIDOLFI},     {MEDICI, SALVIATI},    {MEDICI, TORNABUONI},
    {PAZZI, SALVIATI},       {PERUZZI, STROZZI},    {RIDOLFI, STROZZI},    {RIDOLFI, TORNABUONI},
};

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  static const char *const names[] = {"southern-women", "florentine-families"};
  const social_options *o = def->options;
  const int32_t vertices = o->network == SOUTHERN_WOMEN ? WOMEN + EVENTS : FAMILIES;
  if (def->workers != vertices)
    return rh_error(RH_EINVAL, "graph 'social': %s has %d vertices, not %d; use platform.workers: %d, or another graph",
                    names[o->network], vertices, def->workers, vertices);
  for (size_t k = 0; o->network == FLORENTINE_FAMILIES && k < RH_COUNT(marriages); k++)
    rh_edges_add_both(edges, marriages[k].from, marriages[k].to);
  for (int32_t i = 0; o->network == SOUTHERN_WOMEN && i < WOMEN; i++)
    for (const uint8_t *event = attended[i]; *event; event++)
      rh_edges_add_both(edges, i, WOMEN + *event - 1);
  return RH_OK;
}

const rh_graph_kind rh_graph_social = {
    .name = "social",
    .summary = "a published network of people: irregular, with neighbours of few and of many",
    .source = "Davis, Gardner, Gardner, Deep South, 1941; Breiger and Pattison, Social Networks 8(3), 1986",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(social_options),
    .direction = RH_GRAPH_UNDIRECTED,
    .edges = edges,
};
