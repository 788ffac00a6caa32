/* The head of a generated file: what it is, the command that made it, notes, network model. And its end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_private.h"

#define LINE  116 /* columns of a note */
#define LABEL 10  /* of its label */

void generate_note(rh_text *xml, const char *label, const char *format, ...)
{
  char *text;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  RH_ASSERT(length >= 0 && !strstr(text, "--"));
  rh_text_append(xml, "%-*s", LABEL, label);
  rh_text_append_wrapped(xml, text, LABEL, LABEL, LINE);
  rh_text_append(xml, "\n");
  free(text);
}

static void note_command(const rh_generation *g, rh_text *xml)
{
  rh_text command = {0};
  rh_text_append(&command, "rehearse platform -g %s", g->kind->name);
  for (int i = 0; i < RH_GENERATOR_KEYS && g->kind->keys[i].name; i++)
    rh_text_append(&command, " %s=%s", g->kind->keys[i].name, g->text[i]);
  rh_text_append(&command, " -o %s", g->file);
  generate_note(xml, "Made by", "%s", rh_text_get(&command));
  rh_text_clear(&command);
}

void generate_head(const rh_generation *g, rh_text *xml, const char *title, ...)
{
  char *text;
  va_list arguments;
  va_start(arguments, title);
  int length = vasprintf(&text, title, arguments);
  va_end(arguments);
  RH_ASSERT(length >= 0 && !strstr(text, "--"));
  rh_text_append(xml,
                 "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                 "<!--\n%s\n\n",
                 text);
  free(text);
  note_command(g, xml);
}

void generate_note_a100(rh_text *xml)
{
  generate_note(xml, "Hosts",
                "19.5 Tflop/s in fp32 (NVIDIA A100 data sheet). Runs with measured step times use only how fast hosts "
                "are compared with each other, and these are equal.");
}

void generate_open(rh_text *xml, generate_model model, const char *why)
{
  if (model == MODEL_PLAIN)
    generate_note(xml, "Model",
                  "CM02: %s. TCP-gamma -1: no window. crosstraffic 0: acknowledgements are a few bytes per packet.",
                  why);
  else
    generate_note(xml, "Model",
                  "LV08: %s is TCP, on which it is calibrated (Velho and Legrand, SIMUTools 2009): latencies times "
                  "13.01, bandwidths times 0.97. TCP-gamma 4194304 bytes is Linux's default largest send buffer "
                  "(net.ipv4.tcp_wmem, tcp(7)): a flow gets at most that much in twice its latency.",
                  why);
  rh_text_append(xml, "-->\n<platform version=\"4.1\">\n  <config>\n    <prop id=\"network/model\" value=\"%s\"/>\n",
                 model == MODEL_PLAIN ? "CM02" : "LV08");
  rh_text_append(xml, "    <prop id=\"network/TCP-gamma\" value=\"%s\"/>\n", model == MODEL_PLAIN ? "-1" : "4194304");
  if (model == MODEL_PLAIN) rh_text_append(xml, "    <prop id=\"network/crosstraffic\" value=\"0\"/>\n");
  rh_text_append(xml, "  </config>\n");
}

void generate_close(rh_text *xml)
{
  rh_text_append(xml, "</platform>\n");
}

static generate_quantity print(double value, const char *unit)
{
  generate_quantity q;
  snprintf(q.text, sizeof q.text, "%.9g%s", value, unit);
  return q;
}

generate_quantity generate_rate(double bandwidth_Bps)
{
  return bandwidth_Bps >= 1e9 ? print(bandwidth_Bps / 1e9, "GBps") : print(bandwidth_Bps / 1e6, "MBps");
}

generate_quantity generate_delay(double latency_s)
{
  return latency_s >= 1e-3 ? print(latency_s * 1e3, "ms") : print(latency_s * 1e6, "us");
}

generate_quantity generate_speed(double flops)
{
  return flops >= 1e12 ? print(flops / 1e12, "Tf") : print(flops / 1e9, "Gf");
}
