#!/usr/bin/env bash
# `rehearse export`: rows are read back by sqlite3, arrays by NumPy where it is there, traces keep their invariants;
# names of any kind are shown as text.
#
#   bash tests/experiments/export.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: fat-tree-64.xml, workers: 6}
model: {name: logreg}
train: {method: dpsgd, rounds: 5, evaluate_every: 2, evaluate_samples: 100}
time: {source: flops}
vary:
  run.trace: ["", "2..3"]
  run.seed: [1, 2]
YAML
"$program" run study.yaml --db r.db >/dev/null 2>run.err
check "run: status" [ $? -eq 0 ]
sql() { sqlite3 -bail "$@"; }

# Names that would break out of a line, a cell, a string, a page or a terminal; the longest has 10 kB
sql r.db "PRAGMA foreign_keys = OFF;
  UPDATE runs SET study = 'a,\"b\"' || char(10) || '</script>' || char(27) || '[2J' || char(13) || ' = 1 + 1';
  UPDATE studies SET study = (SELECT study FROM runs);
  UPDATE ranks SET host = replace(hex(zeroblob(5000)), '00', 'x' || char(39)) || rank WHERE rank = 1;
  UPDATE events SET kind = 'say \"hi\"' || char(10) || kind;
  INSERT INTO warnings SELECT id, 99, char(27) || ']0;title' || char(7) || char(10) || 'line 2, \"quoted\"' FROM runs;"
hostile=$(sql r.db "SELECT study FROM runs LIMIT 1")
traced=$(sql r.db "SELECT DISTINCT run_id FROM events LIMIT 1")
untraced=$(sql r.db "SELECT id FROM runs WHERE id NOT IN (SELECT run_id FROM events) LIMIT 1")

# CSV: every table and view comes back as it was. NULL and '' are both nothing to .import.
for table in \
  $(sql r.db "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"); do
  "$program" export --db r.db -t "$table" -o "$table.csv" 2>export.err
  check "csv $table: status" [ $? -eq 0 ]
  columns=$(sql r.db "SELECT group_concat('coalesce(' || name || ', '''')', ', ') FROM pragma_table_info('$table')")
  rows=$(sql r.db \
    "SELECT group_concat('coalesce(' || iif(type = 'BLOB', 'hex(' || name || ')', name) || ', '''')', ', ')
    FROM pragma_table_info('$table')") # a BLOB is written in hexadecimal digits
  # computed columns of views are numbers, without a type that would say so
  types=$(sql r.db \
    "SELECT group_concat(name || ' ' || iif(type = '', 'NUM', iif(type = 'BLOB', 'TEXT', type)), ', ')
      FROM pragma_table_info('$table')")
  rm -f back.db
  sql back.db "ATTACH 'r.db' AS r" "CREATE TABLE t($types)" ".import --csv --skip 1 $table.csv t" \
    "SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM r.$table),
       (SELECT count(*) FROM (SELECT $rows FROM r.$table EXCEPT SELECT $columns FROM t))" >back.txt 2>back.err
  check "csv $table: read back" [ "$(cat back.txt)" = "1|0" ]
done
names=run_id,round,finish_s,first_finish_s,train_loss,learning_rate,messages,wire_bytes,within_bytes,between_bytes
check "csv: names" [ "$(head -1 rounds.csv)" = "$names" ]

# JSON lines: each line an object with the same values
"$program" export --db r.db -t warnings -f jsonl >warnings.jsonl
check "jsonl: every line" [ "$(sql r.db "SELECT count(*) FROM warnings w JOIN
  json_each('[' || replace(rtrim(readfile('warnings.jsonl'), char(10)), char(10), ',') || ']') j
  ON j.value ->> 'run_id' = run_id AND j.value ->> 'sequence' = sequence AND j.value ->> 'warning' = warning")" = \
  "$(wc -l <warnings.jsonl)" ]
check "jsonl: escape sequences are escaped" \
  [ "$(grep -c '\\u001b\]0;title\\u0007\\nline 2, \\"quoted\\"' warnings.jsonl)" -eq 4 ]

# Of some runs alone; by tables of the runs themselves, their rows, and their studies
check "runs: one" [ "$("$program" export "$traced" --db r.db | wc -l)" -eq 6 ]
check "runs: by the beginning of an id" \
  [ "$("$program" export "${traced:0:6}" "$untraced" --db r.db -t evaluations | wc -l)" -eq 7 ]
check "runs: no such run" [ "$("$program" export zzz --db r.db 2>/dev/null; echo $?)" = 2 ]
"$program" export --db r.db -t round >/dev/null 2>wrong.err
check "table: status" [ $? -eq 2 ]
check "table: nearest" grep -q "no table 'round'; did you mean 'rounds'?" wrong.err
"$program" export --db r.db -f npz >/dev/null 2>wrong.err
check "npz: needs a file" [ $? -eq 2 ]
"$program" export --db r.db -o no/such/place.csv 2>wrong.err
check "file: status" [ $? -eq 2 ]
check "file: nothing is left" [ -z "$(ls -- *.part 2>/dev/null)" ]

# The trace: valid JSON; slices of a track never overlap; each message has one arrow that begins and ends within slices
"$program" export "$traced" --db r.db -f chrome-trace -o trace.json 2>trace.err
check "trace: status" [ $? -eq 0 ]
check "trace: nothing is missing" [ ! -s trace.err ]
sql trace.db "CREATE TABLE e AS SELECT value ->> 'ph' AS ph, value ->> 'pid' AS pid, value ->> 'tid' AS tid,
    value ->> 'name' AS name, value ->> 'id' AS id, CAST(round(1000 * (value ->> 'ts')) AS INTEGER) AS at,
    CAST(round(1000 * (value ->> 'dur')) AS INTEGER) AS span, value -> 'args' AS args
  FROM json_each(readfile('trace.json'), '\$.traceEvents')" 2>trace.err
check "trace: valid" [ $? -eq 0 ]
of_trace() { check "trace: $1" [ "$(sql trace.db "ATTACH 'r.db' AS r" "$2")" = "$3" ]; }
of_trace "no overlap" "SELECT count(*) FROM (SELECT at, max(at + span) OVER (PARTITION BY pid, tid ORDER BY at, span
  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM e WHERE ph = 'X') WHERE at < before" 0
of_trace "every track belongs to one process" "SELECT max(n) FROM (SELECT count(DISTINCT pid) AS n FROM e
  WHERE tid > 0 GROUP BY tid)" 1
of_trace "every track and process has a name" "SELECT count(*) FROM e WHERE ph = 'X' AND
  (pid, tid) NOT IN (SELECT pid, tid FROM e WHERE name = 'thread_name')" 0
of_trace "computing" "SELECT count(*) = (SELECT count(*) FROM r.events WHERE run_id = '$traced' AND lane = 'compute')
  FROM e JOIN e t USING (pid, tid) WHERE e.ph = 'X' AND t.ph = 'M' AND t.args ->> 'name' = 'compute'" 1
of_trace "messages on both sides" "SELECT count(*) = 2 * (SELECT count(*) FROM r.events WHERE run_id = '$traced'
  AND lane = 'communication') FROM e WHERE ph = 'X' AND args ->> 'bytes' IS NOT NULL" 1
of_trace "bytes" "SELECT sum(args ->> 'bytes') = 2 * (SELECT sum(bytes) FROM r.events WHERE run_id = '$traced') FROM e
  WHERE ph = 'X'" 1
of_trace "arrows" "SELECT count(*) || ' ' || (SELECT count(*) FROM r.events WHERE run_id = '$traced'
  AND lane = 'communication') FROM e s JOIN e f USING (id) WHERE s.ph = 's' AND f.ph = 'f' AND s.at <= f.at
  AND s.pid <> f.pid" "$(sql r.db "SELECT count(*) || ' ' || count(*) FROM events WHERE run_id = '$traced'
    AND peer >= 0")"
of_trace "arrows end within slices" "SELECT count(*) FROM e a WHERE ph IN ('s', 'f') AND NOT EXISTS (SELECT 1 FROM e x
  WHERE x.ph = 'X' AND x.tid = a.tid AND x.pid = a.pid AND a.at BETWEEN x.at AND x.at + x.span)" 0
of_trace "rounds" "SELECT count(*) FROM e WHERE ph = 'X' AND name LIKE 'round %'" 5
of_trace "loads are shares, and end at nothing" "SELECT max(args ->> 'load') <= 1.0000001 AND (SELECT count(*) FROM e l
  WHERE ph = 'C' AND args ->> 'load' > 0 AND NOT EXISTS (SELECT 1 FROM e n WHERE n.ph = 'C' AND n.name = l.name
  AND n.at > l.at)) = 0 FROM e WHERE ph = 'C'" 1
of_trace "links" "SELECT count(DISTINCT name) = (SELECT count(DISTINCT link) FROM r.link_bins WHERE run_id = '$traced')
  FROM e WHERE ph = 'C'" 1
"$program" export "$untraced" --db r.db -f chrome-trace >untraced.json 2>trace.err
check "trace: what is missing, and how to record it" grep -q -- '--set run.trace=1..3 records those of rounds 1 to 3' \
  trace.err
check "trace: says so within" [ -n "$(sql :memory: "SELECT readfile('untraced.json') ->> '\$.otherData.missing'")" ]

sql r.db "INSERT INTO warnings VALUES ('$traced', 100, 'only the first 2 of run.trace' || char(27))"
"$program" export "$traced" --db r.db -f chrome-trace 2>&1 >/dev/null | cat -v >trace.err
check "trace: what was cut" grep -qF "$traced: only the first 2 of run.trace\\x1b" trace.err
sql r.db "DELETE FROM warnings WHERE sequence = 100"

# Arrays: equal to the rows
"$program" export "$traced" --db r.db -f npz -o one.npz
check "npz: status" [ $? -eq 0 ]
"$program" export --db r.db -f npz -o all.npz
"$program" export --db r.db -f npz -o again.npz
check "npz: the same runs give the same file" cmp all.npz again.npz
python=
for p in python3 /usr/bin/python3; do "$p" -c 'import numpy' 2>/dev/null && python=$p; done
if [ -n "$python" ]; then
  cat >arrays.py <<'PY'
import sqlite3, sys, zipfile
import numpy as np
db, run = sqlite3.connect('r.db'), sys.argv[1]
one, every = np.load('one.npz'), np.load('all.npz')
assert zipfile.ZipFile('one.npz').testzip() is None
def rows(sql):
    return [list(c) for c in zip(*db.execute(sql, (run,)))]
for section, columns, order in (('rounds', ['round', 'finish_s', 'train_loss', 'wire_bytes'], 'round'),
                                ('evaluations', ['round', 'test_accuracy', 'consensus_distance'], 'round'),
                                ('ranks', ['rank', 'host', 'waiting_s'], 'rank'),
                                ('links', ['link', 'load'], 'link')):
    found = rows(f"SELECT {', '.join(columns)} FROM {section} WHERE run_id = ? ORDER BY {order}")
    for column, values in zip(columns, found):
        a = one[f'{section}.{column}']
        b = every[f'{run}/{section}.{column}']
        expected = [v.encode() for v in values] if isinstance(values[0], str) else values
        assert a.tolist() == expected == b.tolist(), (section, column)
counts = np.zeros_like(one['class_counts'])
for rank, label, samples in db.execute('SELECT rank, class, samples FROM class_counts WHERE run_id = ?', (run,)):
    counts[rank, label] = samples
assert counts.shape == (6, 10) and (counts == one['class_counts']).all()
sent = np.zeros((6, 6), int)
for peer, rank, size in db.execute('SELECT from_rank, to_rank, bytes FROM pairs WHERE run_id = ?', (run,)):
    sent[peer, rank] = size
assert sent.sum() > 0 and sent.shape == one['pair_bytes'].shape and (sent == one['pair_bytes']).all()
assert one['pair_bytes.block'].tolist() == [1]
names = [n.decode() for n in one['link_bytes.link']]
series = np.zeros_like(one['link_bytes'])
for link, at, size in db.execute('SELECT link, bin, bytes FROM link_bins WHERE run_id = ?', (run,)):
    series[names.index(link), at] = size
assert (series == one['link_bytes']).all()
PY
  "$python" arrays.py "$traced" >arrays.err 2>&1
  check "npz: NumPy reads the rows" [ $? -eq 0 ]
else
  echo "no NumPy (python3-numpy): reading arrays with it is left out"
fi

# In the terminal names are text wherever they stand: no escape sequence, no line of their own, nothing that turns the
# direction of writing
cp r.db names.db
sql names.db "PRAGMA foreign_keys = OFF;
  CREATE TEMP TABLE bad AS SELECT char(27) || '[2J' || char(10) || '\"x' || char(39) || char(13)
    || '</script>' || char(155)
    || char(8238) AS text;
  UPDATE runs SET (platform, method, compressor, model, dataset, graph, command, reason, versions, kernel,
    simulated_in_full)
    = (SELECT text, text || 'm', text, text, text, text, text, text, text, text, text FROM bad),
    configuration = configuration || 'x.y=' || replace((SELECT text FROM bad), char(10), ' ') || rowid || char(10);
  UPDATE studies SET question = (SELECT text FROM bad);
  UPDATE links SET link = (SELECT text FROM bad) || link, from_where = 'rank ' || (SELECT text FROM bad);
  UPDATE link_series SET link = (SELECT text FROM bad) || link;
  UPDATE collectives SET kind = (SELECT text FROM bad);"
for command in list "show $traced" compare scaling; do
  read -ra words <<<"$command"
  "$program" "${words[@]}" --db names.db >shown.txt 2>&1
  status=$?
  [ "$command" = scaling ] && status=$((status - 2)) # all runs have the same workers; the message names keys
  check "$command: status" [ $status -eq 0 ]
  check "$command: no control characters" [ -z "$(tr -d '\n' <shown.txt | tr -cd '\000-\037\177')" ]
  check "$command: no others" [ -z "$(grep -e $'\xc2\x9b' -e $'\xe2\x80\xae' shown.txt)" ]
done
"$program" list --db r.db >shown.txt
check "list: a line for each run" [ "$(grep -c ' done ' shown.txt)" -eq 4 ]
check "show: as text" grep -qF 'a,"b"\n</script>\x1b[2J\r = 1 + 1' <("$program" show "$traced" --db r.db)
check "study: found by its whole name" [ "$("$program" list --db r.db --study "$hostile" | grep -c ' done ')" -eq 4 ]
check "csv on a terminal: as text" [ -z "$(script -qec "'$program' export --db r.db -t warnings" /dev/null 2>/dev/null |
  tr -d '\r\n' | tr -cd '\000-\037\177')" ]

# --- a device or a pipe is not replaced by a file ---
mkfifo pipe
"$program" export "$traced" -f csv -o pipe --db r.db >/dev/null 2>pipe.err
check "export to a pipe: status 2" [ $? -eq 2 ]
check "export to a pipe: says why" grep -q "pipe: cannot be written: not a regular file" pipe.err
"$program" report "$traced" -o pipe --db r.db >/dev/null 2>pipe.err
check "report to a pipe: status 2" [ $? -eq 2 ]
check "a pipe is one still" [ -p pipe ]
ln -s /dev/full full
"$program" platform -g fat-tree hosts=16 -o full >/dev/null 2>full.err
check "platform to a full device: status 2" [ $? -eq 2 ]
check "what led to the device is there still" [ -L full ]

exit $failed
