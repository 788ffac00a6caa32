-- Which ten links of each run are busiest, and whose traffic do they carry?
SELECT run_id, place, link, load, peak_load, share, from_where, to_where
FROM (SELECT *, row_number() OVER (PARTITION BY run_id ORDER BY load DESC, bytes DESC, link) AS place FROM traffic)
WHERE place <= 10 ORDER BY run_id, place;
