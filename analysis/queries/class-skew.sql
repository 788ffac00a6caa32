-- How unequal are the workers' shares of the data? Classes a worker holds, and how many equally frequent classes would
-- be as diverse (the inverse Simpson index): 10 of 10 where every class is as frequent.
SELECT run_id, min(classes) AS fewest_classes, max(classes) AS most_classes, min(effective) AS least_effective,
  avg(effective) AS mean_effective, min(samples) AS fewest_samples, max(samples) AS most_samples
FROM (SELECT run_id, rank, count(*) AS classes, sum(samples) AS samples,
    1.0 * sum(samples) * sum(samples) / sum(samples * samples) AS effective
  FROM class_counts WHERE samples > 0 GROUP BY run_id, rank)
GROUP BY run_id ORDER BY run_id;
