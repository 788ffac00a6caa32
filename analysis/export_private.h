/* What the exports share: statements over some runs, and a stream that keeps what was appended until it is worth a
 * write. */
#ifndef RH_EXPORT_PRIVATE_H
#define RH_EXPORT_PRIVATE_H

#include "export.h"
#include "store_private.h"

/* Writes the text into the stream, if it has grown long or `all`, and empties it. RH_EIO. */
RH_CHECKED rh_status rh_export_flush(FILE *out, rh_text *text, bool all);

/* Calls `one` for each of the runs, in the order given, or oldest first. */
RH_CHECKED rh_status rh_export_each(rh_store *store, const rh_export_runs *runs,
                                    rh_status (*one)(void *context, rh_store *store, const char *id), void *context);

/* One column of rows as doubles or texts; an array of a .npz. */
typedef struct rh_npz rh_npz;
rh_npz *rh_npz_new(FILE *out);
void rh_npz_free(rh_npz *npz);
/* Adds an array in C order. descr: NumPy's, "<f8"; shape [dimensions]; RH_EIO, RH_EUNSUPPORTED beyond 4 GiB. */
RH_CHECKED rh_status rh_npz_add(rh_npz *npz, const char *name, const char *descr, const int64_t *shape, int dimensions,
                                const void *data, size_t bytes);
RH_CHECKED rh_status rh_npz_finish(rh_npz *npz); /* writes the directory */

#endif
