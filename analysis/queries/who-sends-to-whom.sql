-- Who sends how much to whom? Beyond 256 ranks a row stands for `block` neighbours on either side.
SELECT run_id, from_rank, to_rank, block, bytes / 1e6 AS MB,
  1.0 * bytes / sum(bytes) OVER (PARTITION BY run_id) AS share
FROM pairs
ORDER BY run_id, bytes DESC, from_rank, to_rank;
