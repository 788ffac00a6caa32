/* What the kinds share: values of keys, the head of a file, its end. For generate*.c alone. */
#ifndef RH_GENERATE_PRIVATE_H
#define RH_GENERATE_PRIVATE_H

#include "generate.h"

#define GENERATE_DIMENSIONS 6 /* most sizes of "16x16x16" */

struct rh_generation {
  const rh_generator *kind;
  double value[RH_GENERATOR_KEYS]; /* of counts and quantities; NaN: auto */
  char *text[RH_GENERATOR_KEYS];   /* as typed, or the preset; owned */
  const char *file;                /* last part of the file's name; borrowed */
  rh_generated *out;               /* borrowed */
};

/* Values of keys; an unknown name is a broken contract. */
double generation_value(const rh_generation *g, const char *key);
int32_t generation_count(const rh_generation *g, const char *key);
const char *generation_text(const rh_generation *g, const char *key);
bool generation_auto(const rh_generation *g, const char *key);
/* Takes "16x16x16" apart; returns how many sizes. RH_EINVAL names the key. */
RH_CHECKED rh_status generation_sizes(const rh_generation *g, const char *key, int32_t least, int32_t most,
                                      int32_t sizes[GENERATE_DIMENSIONS], int *count);

/* Begins a file beside the platform, "<folder>/<name>" where the folder is the platform's name without ".xml"; returns
 * its text. The path is in out->files. Invalidates texts of earlier files. */
rh_text *generation_side_file(rh_generation *g, const char *name);

/* The head: XML declaration, then a comment with a title and the command; notes follow, then the model ends it. */
void generate_head(const rh_generation *g, rh_text *xml, const char *title, ...) RH_PRINTF(3, 4);
/* "When      text", broken into lines. */
void generate_note(rh_text *xml, const char *label, const char *format, ...) RH_PRINTF(3, 4);
/* The notes that several kinds share. */
void generate_note_a100(rh_text *xml);

typedef enum generate_model {
  MODEL_PLAIN, /* CM02 without TCP's window and reverse traffic */
  MODEL_TCP    /* LV08 with Linux's default window */
} generate_model;

/* Ends the reason of MODEL_PLAIN for networks that are not TCP's. */
#define NO_TCP " know neither TCP's window nor its slow start, which LV08 is calibrated on"

/* The note on the model with its reason, the end of the comment, <platform> and <config>. */
void generate_open(rh_text *xml, generate_model model, const char *why);
void generate_close(rh_text *xml);

/* Quantities as SimGrid reads them, to nine digits: "12.42GBps", "0.195us", "19.5Tf". */
typedef struct generate_quantity {
  char text[40];
} generate_quantity;

generate_quantity generate_rate(double bandwidth_Bps);
generate_quantity generate_delay(double latency_s);
generate_quantity generate_speed(double flops);

extern const rh_generator generate_fat_tree, generate_dragonfly, generate_torus, generate_gpu_pod, generate_cloud,
    generate_wan, generate_wifi_edge, generate_unequal, generate_boards, generate_leo;

#endif
