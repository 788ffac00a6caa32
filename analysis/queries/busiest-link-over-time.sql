-- When is the busiest link busy? Ready to plot: its load in each bin of time that is not empty.
SELECT t.run_id, t.link, t.start_s, t.width_s, t.load
FROM traffic_over_time t JOIN run_summary m ON m.id = t.run_id AND m.busiest_link = t.link
ORDER BY t.run_id, t.start_s;
