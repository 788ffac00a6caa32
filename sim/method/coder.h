/* The coder: every worker's messages of a round, bucket by bucket, through the run's compressor.
 *
 * Symbols     N workers, P parameters (rows padded to the model's stride)
 * Works for different workers on different threads at once.
 */
#ifndef RH_CODER_H
#define RH_CODER_H

#include "rows.h"

typedef struct rh_coder {
  const rh_world *world; /* borrowed */
  int64_t wire_size;     /* bytes of the longest message of one bucket, rounded up to whole cache lines */
  int64_t scratch_size;  /* likewise, of the compressor's scratch */
  int64_t state_values;  /* of one worker, all buckets */
  uint8_t *wire;         /* [threads][wire_size]; owned */
  char *scratch;         /* [threads][scratch_size]; owned */
  float *state;          /* [N][state_values], of a device on it; owned */
  int64_t *bytes;        /* [buckets][N] lengths of the last messages; owned */
  /* Where rows live on a device, which then makes and reads the messages itself (coder_device.c); else NULL. */
  const rh_backend *device; /* borrowed */
  int32_t slice;            /* messages that it makes at once */
  uint8_t *device_wire;     /* [slice][wire_size]; owned, as the rest */
  void *device_scratch;     /* [slice][scratch_size] */
  int64_t *device_bytes;    /* [buckets][N] */
  uint32_t *places,
      *device_places; /* of all buckets' messages, drawn for round `drawn`; NULL: the compressor has none */
  int64_t drawn;
} rh_coder;

/* Of a world without values: `bytes` alone, each message as long as it can be. */
RH_CHECKED rh_status rh_coder_init(rh_coder *coder, const rh_world *world);
void rh_coder_clear(rh_coder *coder);
void rh_coder_parts(rh_coder *coder, const rh_parts *parts); /* of one that was not made: none */
/* Bytes that a coder keeps per thread and per worker, for predictions: buckets take no more than one of everything. */
int64_t rh_coder_thread_bytes(const rh_compressor *compressor, const void *options, const rh_layout *layout);
int64_t rh_coder_worker_bytes(const rh_compressor *compressor, const void *options, const rh_layout *layout);

/* A message in the making: worker -1 for what is done once for all. */
rh_coding rh_coder_coding(const rh_coder *coder, int thread, int32_t worker, int32_t bucket, int64_t t);

/* Sends rows of x [P], of workers who follow each other, in round t: keeps the lengths, and writes what the others get
 * to `decoded` [P], which may be x. In the program's memory one row a call, on a device `slice` at most. */
void rh_coder_send(rh_coder *coder, rh_rows rows, int64_t t, rh_tensor x, rh_tensor decoded);

/* Whether messages of rows on a device can be made there. */
bool rh_coder_fits_device(const rh_compressor *compressor, const rh_backend *rows);
/* Once all of a round were sent there: the lengths. */
void rh_coder_take_lengths(rh_coder *coder);
/* Of a device: the code of a bucket's messages in a round. */
rh_code rh_coder_code(rh_coder *coder, int32_t bucket, int64_t t);

/* For coder*.c: all messages of a bucket are as long as they can be. */
void rh_coder_fill_lengths(rh_coder *coder, int32_t bucket);
void rh_coder_send_lowrank(rh_coder *coder, const rh_code *code, int32_t bucket, rh_rows rows, int64_t t, rh_tensor x,
                           rh_tensor decoded, int64_t state_from);
void rh_coder_send_on_device(rh_coder *coder, rh_rows rows, int64_t t, rh_tensor x, rh_tensor decoded);
RH_CHECKED rh_status rh_coder_init_device(rh_coder *coder, const rh_world *world);
void rh_coder_clear_device(rh_coder *coder);

#endif
