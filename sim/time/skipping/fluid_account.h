/* Booking a collective that was calculated as a fluid (fluid.h): bytes, messages and busy seconds as of simulated
 * transfers. They are kept apart until the calculation is found to hold. Private to the schedule. */
#ifndef RH_FLUID_ACCOUNT_H
#define RH_FLUID_ACCOUNT_H

#include "fluid.h"

typedef struct fluid_account fluid_account;
typedef struct rh_schedule rh_schedule;
struct use;

fluid_account *fluid_account_new(const rh_collective *c, int32_t links);
/* A fluid_visit whose context is an account. */
void fluid_account_note(void *context, const fluid *fluid, const fluid_transfer *transfer);
/* Adds everything, shift_s later. */
void fluid_account_book(fluid_account *account, rh_schedule *schedule, struct use *use, double shift_s);
void fluid_account_free(fluid_account *account);

#endif
