/* The machine that this program runs on. */
#ifndef RH_MACHINE_H
#define RH_MACHINE_H

#include <stdint.h>

int rh_machine_cores(void);            /* that this process may use */
int64_t rh_machine_memory_bytes(void); /* installed */

#endif
