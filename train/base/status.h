/* Status codes and the one error message.
 *
 * A function that can fail because of the outside world (files, configuration, devices, memory) returns an
 * rh_status. The message is written once, where the failure is found, with the values in it; callers add nothing
 * and pass the code on. A broken contract of our own is no status: it is RH_ASSERT, which is always on.
 */
#ifndef RH_STATUS_H
#define RH_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rh_status {
  RH_OK = 0,
  RH_EINVAL,       /* a value out of range, an unknown name, a contradiction in the configuration */
  RH_ESHAPE,       /* tensor or buffer shapes that do not fit */
  RH_EUNIT,        /* a quantity without a unit, or with an unknown one */
  RH_EIO,          /* a file that cannot be opened, read or written; a full disk */
  RH_EFORMAT,      /* a file that is not what it claims to be */
  RH_ENOMEM,       /* memory is exhausted, or a stated limit is too small */
  RH_EDEVICE,      /* an accelerator is missing or lost */
  RH_EUNSUPPORTED, /* what the mathematics, the platform or this build does not offer */
  RH_EINTERRUPTED  /* the user asked to stop; what was recorded is kept */
} rh_status;

#define RH_CHECKED           __attribute__((warn_unused_result))
#define RH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Records the message of this thread's failure and returns its code, so that `return rh_error(...)` is one line.
 * The message replaces the previous one; at most 4095 bytes are kept. */
rh_status rh_error(rh_status code, const char *format, ...) RH_PRINTF(2, 3);

/* The message of the last rh_error on this thread; "" if there was none. Valid until the next rh_error. */
const char *rh_error_message(void);

/* The name of a code as it is written in the source: "RH_EIO". */
const char *rh_status_name(rh_status code);

/* Runs a call that returns rh_status; on failure jumps to `done:` with the local variable `status` set. */
#define RH_TRY(call)                                                                                                   \
  do {                                                                                                                 \
    status = (call);                                                                                                   \
    if (status != RH_OK) goto done;                                                                                    \
  } while (0)

/* Stops the program when a contract between our own functions is broken. Always on. */
#define RH_ASSERT(condition)                                                                                           \
  do {                                                                                                                 \
    if (!(condition)) rh_assert_failed(#condition, __FILE__, __LINE__);                                                \
  } while (0)

void rh_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
