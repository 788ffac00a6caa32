-- Which ranks did a weight's factors have, and from which round on? Of methods that factor weights.
SELECT run_id, weight, min(round) AS since, rank
FROM (SELECT *, sum(changed) OVER (PARTITION BY run_id, weight ORDER BY round) AS stretch
  FROM (SELECT *, rank IS NOT lag(rank) OVER (PARTITION BY run_id, weight ORDER BY round) AS changed FROM factor_ranks))
GROUP BY run_id, weight, stretch ORDER BY run_id, weight, since;
