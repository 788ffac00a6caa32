-- How does the loss fall over simulated seconds? Ready to plot: a line for each run.
SELECT o.run_id, o.round, o.finish_s, o.train_loss, e.test_accuracy
FROM rounds o LEFT JOIN evaluations e USING (run_id, round)
ORDER BY o.run_id, o.round;
