/* The network as a picture and the matrix of who sent how much to whom, from the schedule to the recorder. */
#ifndef RH_EXECUTE_NETWORK_H
#define RH_EXECUTE_NETWORK_H

#include "platform.h"
#include "record.h"
#include "schedule.h"

/* A picture has at most so many lines; those of the links with the fewest bytes are left out, and counted. */
enum { RH_EXECUTE_LINES_MAX = 20000 };

RH_CHECKED rh_status rh_execute_network(const rh_schedule *schedule, const rh_platform *platform,
                                        const rh_recorder *recorder);

#endif
