/* How transfers that flow at the same time share their links: SimGrid's rates. Private to the schedule.
 *
 * Symbols     flow f with weight w_f and limit L_f, link l with capacity C_l, rates r
 * Max-min     All flows rise with r_f = w_f x level until a link is full or a flow at its limit; those stay, the others
 *             rise on. The result is unique; it is found link by link in the order of the levels at which they fill up.
 *             Levels only rise as flows are fixed, so a heap whose entries are looked at again when they come up finds
 *             the next one.
 *
 * Only flows that are joined to a change by flows and links are looked at: those of another component keep their rates.
 *
 * SimGrid's sets. SimGrid looks at links alike, but adds those of a transfer that begins to flow only if the first of
 * them is not among those that it looks at already, because of another change at the same instant: then its other links
 * may be left out, and have more rate than they can carry. Which it is depends on the order in which it hears of equal
 * times. `doubtful` says that there was such an instant: the rates here are right, SimGrid's may be others.
 *
 * source      Bertsekas & Gallager, Data Networks, 1992, section 6.5.2 (max-min flow control); weights as in SimGrid:
 *             Velho & Legrand, Accuracy study and improvement of network simulation in the SimGrid framework, 2009
 */
#ifndef RH_SHARES_H
#define RH_SHARES_H

#include <stdbool.h>
#include <stdint.h>

/* A flow's place in the list of a link, and the number of that link in the flow's route. */
typedef struct share_place {
  int32_t flow, link_at;
} share_place;

typedef struct share_link {
  double capacity_Bps;
  share_place *list; /* [count], owned */
  int32_t count, size;
  /* while rates are found */
  int32_t seen, free;    /* when it was met last; flows that are not fixed */
  int32_t sure, removed; /* when SimGrid looked at it for sure; when a flow left it */
  int32_t component;
  double left_Bps, weight;
} share_link;

typedef struct share_flow {
  const int32_t *links; /* [link_count], borrowed */
  int32_t *places;      /* [link_count] in the links' lists; of `places` below */
  int32_t link_count, seen;
  double weight, limit_Bps; /* INFINITY: none but the links */
  double rate_Bps;          /* as of the last time that rates were found; 0: not fixed yet */
} share_flow;

typedef struct share_level {
  double level;
  int32_t link, flow; /* one of them is -1 */
} share_level;

typedef struct shares {
  share_link *links; /* [link_count], owned */
  int32_t link_count;
  share_flow *flows; /* [flow_size], owned */
  int32_t flow_size, longest;
  int32_t now; /* number of the present search */
  int32_t *dirty;
  int32_t dirty_count;            /* links that a flow has come to, or left; [link_count] */
  int32_t *met_links, *met_flows; /* of the components, [link_count] and [flow_size] */
  int32_t met_link_count, met_flow_count;
  int32_t *added; /* flows since the last search, [flow_size] */
  int32_t added_count;
  int32_t *changes;  /* flows added or removed in each component, [link_count] */
  bool doubtful;     /* ever */
  share_level *heap; /* [link_count + flow_size] */
  int32_t heap_count;
} shares;

/* Of routes with at most `longest` links. Flows have numbers from 0 on; capacities are to be set. */
void shares_init(shares *shares, int32_t links, int32_t longest);
void shares_clear(shares *shares);
/* Room for flows below this number. */
void shares_reserve(shares *shares, int32_t flows);
void shares_add(shares *shares, int32_t flow, const int32_t *links, int32_t link_count, double weight,
                double limit_Bps);
void shares_remove(shares *shares, int32_t flow);
/* Finds the rates of all flows that what was added or removed may have changed: met_flows. */
void shares_find(shares *shares);

#endif
