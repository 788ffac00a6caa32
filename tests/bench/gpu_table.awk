# Lines of bench_gpu and torch_gpu.py to rows of tests/gpu.sh's table: what;target;figure;holds.
# The targets are those of 4096 and 1024 replicas at batch 32 on an H200, and of nothing else.
function row(what, target, figure, holds) { printf "%s;%s;%s;%s\n", what, target, figure, holds }
function yes(condition) { return condition ? "yes" : "NO" }

/^bench with / { products = /TF32/ ? "tf32" : /bf16/ ? "bf16" : "fp32" }
/^bench [a-z]+: [0-9]+ replicas, .* ms a round/ && products == "fp32" {
  name = substr($2, 1, length($2) - 1)
  ms[name, $3] = $5
  row(name ", " $3 " replicas", name == "cnn" && $3 == 4096 ? "< 60 ms a round" : "", $5 " ms, " $11 " TFLOP/s",
    name == "cnn" && $3 == 4096 ? yes($5 < 60) : "-")
}
/^bench [a-z]+: [0-9]+ replicas, .* GB of the device/ && products == "fp32" {
  beside[$3] = $10
  if ($3 == 16384) {
    # activations of a tile, the data set and the replicas' indices: as much as of 4096, but for the indices
    known = 4096 in beside
    row("cnn, 16384 replicas: memory", "as 4096, rows off",
      $5 " GB, rows off " $10 (known ? " and " beside[4096] : ""), known ? yes($10 < 1.1 * beside[4096] + 0.1) : "-")
  }
}
/^bench mlp: a round takes / {
  row("mlp, share of bare products, " products, products == "fp32" ? ">= 0.50" : "", $6,
    products == "fp32" ? yes($6 >= 0.5) : "-")
}
/^torch [a-z]+: (vmap|loop), [0-9]+ replicas, / {
  name = substr($2, 1, length($2) - 1)
  if ($3 == "vmap," && (name, $4) in ms)
    row(name ", " $4 " replicas, times vmap's rate", name == "cnn" ? ">= 2" : "",
      sprintf("%.2f (vmap %s ms)", $6 / ms[name, $4], $6), name == "cnn" ? yes($6 >= 2 * ms[name, $4]) : "-")
  else
    row("PyTorch, " name ", " $3 " " $4 " replicas", "", $6 " ms", "-")
}
/^torch [a-z]+: .* replicas: / || /^torch: / {
  sub(/^torch:? /, "")
  row("PyTorch", "", $0, "-")
}
