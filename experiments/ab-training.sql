-- The tables of ab-training.yaml: sqlite3 -box ab.db < experiments/ab-training.sql

CREATE TEMP VIEW run AS
SELECT r.id, r.platform, r.model, r.method, r.seed, r.simulated_s / r.rounds_done AS round_s,
  (SELECT sum(within_bytes) FROM rounds o WHERE o.run_id = r.id) AS within_bytes,
  (SELECT sum(between_bytes) FROM rounds o WHERE o.run_id = r.id) AS between_bytes,
  (SELECT avg(phase = 'AB') FROM phases p WHERE p.run_id = r.id) AS in_ab,
  (SELECT avg(compression_ratio) FROM phases p WHERE p.run_id = r.id AND phase = 'AB') AS ratio
FROM runs r WHERE r.study = 'ab-training' AND r.status = 'done';

-- Bytes between and within nodes, all ranks and rounds; means over seeds.
SELECT a.platform, a.model, count(*) AS seeds, printf('%.1f', avg(p.between_bytes) / 1e6) AS allreduce_between_MB,
  printf('%.1f', avg(a.between_bytes) / 1e6) AS ab_between_MB,
  printf('%.2f', 100 - 100.0 * avg(a.between_bytes) / avg(p.between_bytes)) AS reduced_percent,
  printf('%.1f', avg(p.within_bytes) / 1e6) AS allreduce_within_MB,
  printf('%.1f', avg(a.within_bytes) / 1e6) AS ab_within_MB,
  printf('%.1f', 100 * avg(a.in_ab)) AS rounds_in_AB_percent, printf('%.3f', avg(a.ratio)) AS ratio_in_AB,
  printf('%.0f', 1e6 * avg(p.round_s)) AS allreduce_round_us, printf('%.0f', 1e6 * avg(a.round_s)) AS ab_round_us
FROM run a JOIN run p USING (platform, model, seed) WHERE a.method = 'ab' AND p.method = 'allreduce'
GROUP BY a.platform, a.model;

-- Ranks that the cut left, of the last AB phase of each run.
SELECT r.platform, r.model, f.weight, min(f.rank) AS least, max(f.rank) AS most
FROM factor_ranks f JOIN runs r ON r.id = f.run_id
WHERE r.study = 'ab-training' AND f.round = (SELECT max(round) FROM factor_ranks l WHERE l.run_id = f.run_id)
GROUP BY r.platform, r.model, f.weight;
