/* The page's parts, put into the program by the assembler, so that it needs no file beside it. */
#include "report_private.h"

/* clang-format off */
#define PART(name, file)                                  \
  __asm__(".section .rodata\n"                            \
          ".global rh_report_" name "\n"                  \
          "rh_report_" name ":\n"                         \
          ".incbin \"" RH_REPORT_PARTS "/" file "\"\n"    \
          ".byte 0\n"                                     \
          ".previous\n")

PART("charts", "charts.js");
PART("script", "page.js");
PART("style", "page.css");
/* clang-format on */
