-- The tables of compressors.yaml and compressors-*.yaml: sqlite3 -box compressors.db < experiments/compressors.sql

-- What a study adds to the names of its compressors.
CREATE TEMP TABLE suffix(study TEXT PRIMARY KEY, text TEXT);
INSERT INTO suffix VALUES ('compressors', ''), ('compressors-feedback', ' + feedback'),
  ('compressors-step-ahead', ' + step-ahead'), ('compressors-own-rate', ', own rate'),
  ('compressors-own-rate-feedback', ' + feedback, own rate');

-- Time, bytes and accuracy: medians over the seeds that reached the target, and how many did.
CREATE TEMP VIEW run AS
SELECT platform, compressor || text AS compressor, workers, seed, accuracy, rounds_to_target, time_to_target_s,
  simulated_s / rounds AS round_s, 1.0 * wire_bytes / rounds / workers AS round_bytes,
  1.0 * bytes_to_target / workers AS target_bytes
FROM run_summary JOIN suffix USING (study) WHERE status = 'done';

CREATE TEMP VIEW ranked AS
SELECT *, count(rounds_to_target) OVER (PARTITION BY platform, compressor) AS reached,
  count(*) OVER (PARTITION BY platform, compressor) AS seeds,
  row_number() OVER (PARTITION BY platform, compressor ORDER BY rounds_to_target IS NULL, rounds_to_target) AS place
FROM run;

-- Of ten seeds the middle is the mean of the fifth and the sixth; fewer reached: of those.
CREATE TEMP VIEW median AS
SELECT platform, compressor, max(seeds) AS seeds, max(reached) AS reached, avg(round_s) AS round_s,
  avg(round_bytes) AS round_bytes, avg(workers) AS workers,
  avg(CASE WHEN place IN ((reached + 1) / 2, reached / 2 + 1) THEN rounds_to_target END) AS rounds,
  avg(CASE WHEN place IN ((reached + 1) / 2, reached / 2 + 1) THEN time_to_target_s END) AS seconds,
  avg(CASE WHEN place IN ((reached + 1) / 2, reached / 2 + 1) THEN target_bytes END) AS bytes
FROM ranked GROUP BY platform, compressor;

CREATE TEMP VIEW accuracy AS
SELECT platform, compressor, min(accuracy) AS least, max(accuracy) AS most FROM run GROUP BY platform, compressor;

SELECT platform, compressor, reached || ' of ' || seeds AS reached, iif(reached, printf('%.0f', rounds), '-') AS rounds,
  iif(reached, printf('%.1f', 1e3 * seconds), '-') AS ms,
  iif(reached, printf('%.2f', bytes / 1e6), '-') AS MB_per_worker, printf('%.0f', 1e6 * round_s) AS round_us,
  printf('%.1f', round_bytes / 1e3) AS round_kB, printf('%.1f .. %.1f', 100 * least, 100 * most) AS accuracy_percent
FROM median JOIN accuracy USING (platform, compressor) ORDER BY platform, reached < seeds, seconds IS NULL, seconds;

-- The bandwidth below which a compressor begins to pay, for a network that is like this Ethernet but for its bandwidth.
-- A round takes f + w / B: w bytes a rank sends, f the rest (computing, coding, latency), from the Ethernet's rounds at
-- B = .97 x 25 Gbit/s. R rounds to the target: R (f + w / B) is equal to that of `none` at the bandwidth given here.
CREATE TEMP VIEW line AS
SELECT compressor, rounds AS R, round_bytes AS w, round_s - round_bytes / (0.97 * 3.125e9) AS f
FROM median WHERE platform LIKE 'ethernet%' AND reached = seeds;

SELECT c.compressor,
  CASE WHEN n.R * n.w > c.R * c.w AND c.R * c.f <= n.R * n.f THEN 'at any bandwidth'
    WHEN n.R * n.w > c.R * c.w THEN printf('below %.2f Gbit/s',
      8e-9 * (n.R * n.w - c.R * c.w) / (c.R * c.f - n.R * n.f))
    WHEN c.R * c.f < n.R * n.f THEN printf('above %.2f Gbit/s',
      8e-9 * (c.R * c.w - n.R * n.w) / (n.R * n.f - c.R * c.f))
    ELSE 'never' END AS pays,
  printf('%.2f', n.R * n.w / (c.R * c.w)) AS fewer_bytes, printf('%.2f', c.R / n.R) AS more_rounds
FROM line c JOIN line n ON n.compressor = 'none' WHERE c.compressor <> 'none' ORDER BY fewer_bytes + 0 DESC;
