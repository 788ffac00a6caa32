-- Who reaches the target accuracy first, after how many bytes, and how often at all?
-- A configuration is everything but the seed; a run that never got there counts in `runs` alone.
SELECT study, platform, workers, method, compressor, count(*) AS runs, count(time_to_target_s) AS reached,
  min(time_to_target_s) AS first_s, max(time_to_target_s) AS last_s, avg(bytes_to_target) / 1e6 AS mean_MB
FROM run_summary
WHERE status = 'done' AND target_accuracy IS NOT NULL
GROUP BY study, platform, workers, method, compressor, model, partition, graph
ORDER BY reached = 0, avg(time_to_target_s);
