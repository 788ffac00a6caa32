/* Memory of devices and of the host alike. */
#include <string.h>

#include "backend.h"

bool rh_backend_on_host(const rh_backend *backend)
{
  return !backend->upload;
}

void rh_backend_upload(const rh_backend *backend, void *to, const void *from, size_t bytes)
{
  if (backend->upload)
    backend->upload(to, from, bytes);
  else
    memcpy(to, from, bytes);
}

void rh_backend_download(const rh_backend *backend, void *to, const void *from, size_t bytes)
{
  if (backend->download)
    backend->download(to, from, bytes);
  else
    memcpy(to, from, bytes);
}

void rh_backend_copy(const rh_backend *backend, void *to, const void *from, size_t bytes)
{
  if (backend->copy)
    backend->copy(to, from, bytes);
  else
    memcpy(to, from, bytes);
}

void rh_backend_wait(const rh_backend *backend)
{
  if (backend->wait) backend->wait();
}

rh_status rh_backend_check(const rh_backend *backend)
{
  const char *failure = backend->failure ? backend->failure() : NULL;
  return failure ? rh_error(RH_EDEVICE, "%s", failure) : RH_OK;
}
