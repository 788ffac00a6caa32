/* Guarded memory: what the poison backends hand out, and what they know of an address.
 *
 * A block ends at the end of a page, its 64-byte alignment apart; the pages before and after it cannot be touched, nor
 * can its own once it was released: whoever does ends the program at that instruction, with a message that says which
 * block it was and what became of it. What lies between a block's end and its page's holds a pattern, which is looked
 * at when the block is released. Addresses of released blocks are not used again for a while.
 * Threads     one at a time
 */
#ifndef RH_POISON_H
#define RH_POISON_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Zeroed, aligned to 64 bytes; NULL when exhausted. */
void *rh_poison_alloc(size_t bytes);
/* Ends the program if the memory is none of a live block's, or something was written after the block's end. */
void rh_poison_release(void *memory);

/* Ends the program, naming `operation` and `argument`, if so many bytes begin in a block that was released, or in a
 * live one and reach past its end. Memory of nobody's here is the program's own: nothing is known of it. */
void rh_poison_check(const char *operation, const char *argument, const void *from, int64_t bytes);

/* Addresses that nobody may touch, with a block of such guarded memory behind them: a device's. */
void *rh_poison_device_alloc(size_t bytes);
void rh_poison_device_release(void *memory);
/* What lies behind an address on the device; NULL of NULL. Ends the program, naming both, if it is none, or as
 * rh_poison_check does. */
void *rh_poison_device_memory(const char *operation, const char *argument, const void *address, int64_t bytes);
/* Ends the program, naming both, if the address is the device's. */
void rh_poison_check_of_program(const char *operation, const char *argument, const void *address);

int64_t rh_poison_live(void); /* blocks that were not released yet */

#endif
