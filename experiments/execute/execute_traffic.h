/* What a run's links carried, and what its ranks did one by one, from the schedule to the recorder. */
#ifndef RH_EXECUTE_TRAFFIC_H
#define RH_EXECUTE_TRAFFIC_H

#include "platform.h"
#include "record.h"
#include "schedule.h"

/* Series over time are recorded for so many links, those with the highest mean load: of all on platforms to this size,
 * and at most 12,800 rows a run; how loaded every link is over time is in its own row. */
enum { RH_EXECUTE_SERIES_MAX = 64 };

/* Records every link that carried something, and the bytes over time of the most loaded ones. */
RH_CHECKED rh_status rh_execute_links(const rh_schedule *schedule, const rh_platform *platform,
                                      const rh_recorder *recorder);

/* Records one event; at most RH_TRACE_MAX of them are asked for. */
RH_CHECKED rh_status rh_execute_event(const rh_event *event, const rh_recorder *recorder);
extern const char rh_execute_events_cut[]; /* the warning where there were more */

#endif
