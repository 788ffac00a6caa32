-- Where do the ranks' seconds go? Shares of the mean rank's time; communication that no computing hides.
SELECT run_id, avg(compute_s / total_s) AS compute, avg((communication_s - both_s) / total_s) AS exposed_communication,
  avg(both_s / total_s) AS hidden_communication, avg(waiting_s / total_s) AS waiting,
  avg(encode_s / total_s) AS encoding_of_compute, avg(decode_s / total_s) AS decoding_of_compute
FROM (SELECT *, nullif(compute_s + communication_s - both_s + waiting_s, 0) AS total_s FROM ranks)
GROUP BY run_id ORDER BY run_id;
