/* A module that is another one without its making of messages and its splits: lossy methods and those that factorise
 * then keep their rows in the program's memory, where the program's own encoders and LAPACK work. What a device makes
 * of the same run must be the same bits or, where products are summed in another order, the same up to rounding. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "module.h"

/* Beside this one. */
static void *other(const char *symbol)
{
  char path[4096];
  Dl_info self;
  if (!dladdr((void *)(uintptr_t)other, &self) || strlen(self.dli_fname) > sizeof path - 8) return NULL;
  snprintf(path, sizeof path, "%.*s_whole.so", (int)(strrchr(self.dli_fname, '.') - self.dli_fname), self.dli_fname);
  void *const module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return module ? dlsym(module, symbol) : NULL;
}

void rh_cuda_module_info(rh_cuda_info *info)
{
  void (*ask)(rh_cuda_info *);
  void *symbol = other("rh_cuda_module_info");
  memcpy(&ask, &symbol, sizeof ask);
  ask(info);
}

const rh_backend *rh_cuda_module_open(rh_cuda_products products, char *reason, size_t size)
{
  static rh_backend table;
  const rh_backend *(*open_module)(rh_cuda_products, char *, size_t);
  void *symbol = other("rh_cuda_module_open");
  memcpy(&open_module, &symbol, sizeof open_module);
  const rh_backend *const whole = open_module(products, reason, size);
  if (!whole) return NULL;
  table = *whole;
  table.encode = NULL;
  table.split = NULL;
  return &table;
}
