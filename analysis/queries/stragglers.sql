-- Which ranks do the others wait for? Those that compute longest, and wait least.
SELECT run_id, rank, host, compute_s, waiting_s, compute_s / avg(compute_s) OVER (PARTITION BY run_id) AS of_the_mean
FROM ranks
ORDER BY run_id, compute_s DESC, waiting_s, rank;
