# ncu's lines (--csv) to a table: how often each kernel ran, its microseconds and the bytes it moved, the longest first.
function fields(line,   n, i, c, quoted) {
  n = 1; quoted = 0; field[1] = ""
  for (i = 1; i <= length(line); i++) {
    c = substr(line, i, 1)
    if (c == "\"") quoted = !quoted
    else if (c == "," && !quoted) field[++n] = ""
    else field[n] = field[n] c
  }
  return n
}
/^"ID",/ {
  n = fields($0)
  for (i = 1; i <= n; i++) at[field[i]] = i
  next
}
/^"[0-9]+",/ && at["Kernel Name"] {
  fields($0)
  name = field[at["Kernel Name"]]
  sub(/^.*::/, "", name)
  sub(/\(.*/, "", name)
  value = field[at["Metric Value"]]
  gsub(/,/, "", value)
  unit = field[at["Metric Unit"]]
  if (field[at["Metric Name"]] ~ /duration/) {
    factor = unit ~ /^(ns|nsecond)/ ? 1e-3 : unit ~ /^(us|usecond)/ ? 1 : unit ~ /^(ms|msecond)/ ? 1e3 : 1e6
    us[name] += value * factor
    times[name]++
    all += value * factor
  } else {
    factor = unit ~ /^G/ ? 1e9 : unit ~ /^M/ ? 1e6 : unit ~ /^K/ ? 1e3 : 1
    bytes[name] += value * factor
  }
}
END {
  for (name in us) {
    rate = us[name] > 0 ? 1e-3 * bytes[name] / us[name] : 0
    printf("%5.1f %%  %10.1f us  %6d times  %8.3f GB  %7.0f GB/s  %s\n", 100 * us[name] / all, us[name], times[name],
      1e-9 * bytes[name], rate, name) | "sort -rn | head -n 30"
  }
}
