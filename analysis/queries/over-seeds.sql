-- How much do the results of a configuration depend on the seed?
SELECT study, platform, workers, method, compressor, count(*) AS seeds, min(accuracy) AS least, avg(accuracy) AS mean,
  max(accuracy) AS most, min(simulated_s) AS shortest_s, max(simulated_s) AS longest_s
FROM run_summary
WHERE status = 'done'
GROUP BY study, platform, workers, method, compressor, model, partition, graph, round(target_accuracy, 6)
ORDER BY study, platform, method, compressor;
