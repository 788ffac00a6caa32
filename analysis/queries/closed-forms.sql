-- How far are the collectives from their closed forms, which know no contention?
SELECT run_id, kind, group_size, count(*) AS uses, avg(finish_s - start_s) AS mean_s,
  avg(closed_form_s) AS mean_closed_form_s,
  sum(finish_s - start_s) / nullif(sum(closed_form_s), 0) AS ratio
FROM collectives
WHERE closed_form_s IS NOT NULL
GROUP BY run_id, kind, group_size ORDER BY ratio DESC;
