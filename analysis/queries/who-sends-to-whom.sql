-- Who sends how much to whom? Of the rounds that run.trace recorded.
SELECT run_id, peer AS sender, rank AS receiver, count(*) AS messages, sum(bytes) AS bytes,
  avg(finish_s - start_s) AS mean_s
FROM events
WHERE lane = 'communication'
GROUP BY run_id, peer, rank ORDER BY run_id, bytes DESC, sender, receiver;
