/* The header of a safetensors file, for safetensors*.c alone. */
#ifndef RH_SAFETENSORS_HEADER_H
#define RH_SAFETENSORS_HEADER_H

#include "safetensors.h"

enum { RH_HEADER_MOST = 100000000 }; /* bytes; the format's own limit */

/* Fills file->list from `text` [length], which ends in a zero byte; ranges are checked one by one, not against each
 * other. RH_EFORMAT with the byte of the header. */
RH_CHECKED rh_status rh_header_parse(rh_tensor_file *file, const char *text, int64_t length);

#endif
