-- When, and after how many bytes, was each tenth of accuracy reached?
WITH RECURSIVE step(accuracy) AS (SELECT 0.1 UNION ALL SELECT accuracy + 0.1 FROM step WHERE accuracy < 0.95)
SELECT t.run_id, round(s.accuracy, 1) AS accuracy, min(t.simulated_s) AS seconds, min(t.round) AS rounds,
  min(t.wire_bytes) / 1e6 AS MB
FROM step s JOIN time_to_accuracy t ON t.accuracy >= s.accuracy
GROUP BY t.run_id, s.accuracy ORDER BY t.run_id, s.accuracy;
