#!/usr/bin/env bash
# Hosts with a device of their own, and durations that vary: seconds by hand.
#
#   bash tests/experiments/devices.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

# profile NAME BACKEND SECONDS [FIT]: a step takes 7 times that: 1 forward, 2 backward, 4 the update
profile() {
  printf '{"device": "the %s", "backend": "%s", "durations": [' "$1" "$2"
  local comma='' name seconds
  while read -r seconds name; do
    printf '%s\n {"name": "%s/logreg 28x28x1 7850/%s", "samples": 200, "median_s": %s, "low_s": %s, "high_s": %s%s}' \
      "$comma" "$2" "$name" "$seconds" "$seconds" "$seconds" "${4:-}"
    comma=,
  done <<STEPS
$3 batch 8/forward
$((2 * $3)) batch 8/backward dense1
$((4 * $3)) sgd/update
STEPS
  printf ']}\n'
}
fit=', "fit": {"kind": "gamma", "shape": 25, "scale_s": 0.04, "distance": 0.05}' # mean 1, deviation .2
profile board npu 1 >board.json
profile card gpu 10 >card.json
profile mcu mcu 100 >mcu.json
profile fitted npu 1 "$fit" >fitted.json
cat >mixed.xml <<'XML'
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <config id="General"><prop id="network/model" value="CM02"/></config>
  <zone id="z" routing="Full">
    <host id="h0" speed="5Gf"><prop id="device" value="card.json"/></host>
    <host id="h1" speed="1Gf"><prop id="device" value="mcu"/></host>
    <host id="h2" speed="2Gf"/>
    <host id="h3" speed="1Gf"/>
    <host id="h4" speed="1Gf"><prop id="device" value="mcu"/></host>
    <link id="l" bandwidth="1GBps" latency="1us"/>
    <route src="h0" dst="h1"><link_ctn id="l"/></route>
    <route src="h0" dst="h2"><link_ctn id="l"/></route>
    <route src="h0" dst="h3"><link_ctn id="l"/></route>
    <route src="h0" dst="h4"><link_ctn id="l"/></route>
    <route src="h1" dst="h2"><link_ctn id="l"/></route>
    <route src="h1" dst="h3"><link_ctn id="l"/></route>
    <route src="h1" dst="h4"><link_ctn id="l"/></route>
    <route src="h2" dst="h3"><link_ctn id="l"/></route>
    <route src="h2" dst="h4"><link_ctn id="l"/></route>
    <route src="h3" dst="h4"><link_ctn id="l"/></route>
  </zone>
</platform>
XML
cat >study.yaml <<'YAML'
platform: {file: mixed.xml, workers: 5}
data: {train: 300, test: 50}
model: {name: logreg}
train: {rounds: 2, batch: 8, evaluate_every: 2}
time: {source: profile, profile: board.json}
YAML
seconds() { query "$1" \
  "SELECT group_concat(cast(round(compute_s) AS INTEGER)) FROM (SELECT compute_s FROM ranks ORDER BY rank)"; }

"$program" platform mixed.xml >described.txt 2>&1
check "platform: devices are told" \
  says described.txt "^devices +card\.json: 1 host, mcu: 2 hosts; all else is the run's"

# The card takes 70 s a round and the controllers 700, whatever their speeds; of the other two the fastest takes the
# board's 7 s, the one with half its speed 14
"$program" run study.yaml >run.txt 2>run.err || cat run.err
check "devices: seconds of ranks" [ "$(seconds rehearse.db)" = 140,1400,14,28,1400 ]
check "devices: stored" says run.txt 'of the board; card\.json: the card; mcu: the mcu \(time\.profile: board\.json\)'
check "devices: their durations are stored" \
  [ "$(query rehearse.db "SELECT count(*) FROM durations WHERE name LIKE 'mcu: mcu/%'")" = 3 ]
id=$(query rehearse.db 'SELECT id FROM runs')
sed -i 's/"the mcu"/"another mcu"/' mcu.json
"$program" run study.yaml --dry-run >other.txt 2>/dev/null
check "devices: their files are part of the id" says other.txt '^[0-9a-f]{16}  new'
sed -i 's/"another mcu"/"the mcu"/' mcu.json
"$program" run study.yaml --dry-run >same.txt 2>/dev/null
check "devices: the id is the same again" says same.txt "^$id  done"

# Two ranks that both have a device ask for nothing else: not even measured steps are timed
"$program" run study.yaml --set platform.workers=2 --set time.source=measured --db two.db >two.txt 2>two.err
check "devices alone: nothing is timed" \
  [ "$(query two.db "SELECT count(*) FROM durations WHERE name NOT LIKE '%: %'")" = 0 ]
check "devices alone: seconds" [ "$(seconds two.db)" = 140,1400 ]
"$program" run study.yaml --set time.source=flops --db flops.db >/dev/null 2>flops.err
check "flops: says that devices are not read" says flops.err 'the profiles that hosts name .* are not read'

# Unequal hosts meet on one link in part: a bin that is given more bytes than it can carry is full, not fuller
sed 's/1GBps/100MBps/' mixed.xml >slow.xml
"$program" run study.yaml --set platform.file=slow.xml --set platform.workers=4 --set time.source=flops \
  --set train.method=dpsgd --set graph.name=complete --db full.db >/dev/null 2>full.err || cat full.err
bins='link_bins b JOIN links l USING (run_id, link) JOIN runs r ON r.id = b.run_id'
check "full bin: more bytes than fit, and a load of 1" [ "$(query full.db \
  "SELECT max(b.bytes / (l.bandwidth_Bps * r.bin_s)) > 1.5, max(b.load), max(l.peak_load) FROM $bins")" = '1|1.0|1.0' ]

# refuse NAME PATTERN ARGUMENT...
refuse() {
  local name=$1 pattern=$2
  shift 2
  "$program" run study.yaml "$@" --db "$name.db" >/dev/null 2>"$name.err"
  check "$name: status" [ $? -eq 2 ]
  check "$name: message" says "$name.err" "$pattern"
  check "$name: no database" [ ! -e "$name.db" ]
}
said="card\.json: no timing for 'gpu/logreg 28x28x1 7850/batch 4/forward'"
refuse batch "$said.*calibrate study\.yaml --set train\.batch=4 -o .*card\.json" --set train.batch=4
mv mcu.json gone.json
refuse unknown "mixed\.xml: a host's property device: no profile of that name: no file 'mcu'" --set train.rounds=3
mv gone.json mcu.json

# Jitter: of nothing that is drawn nothing changes; draws repeat, and differ between ranks, rounds and drawings
one=(--set platform.file=ideal.xml --set platform.workers=3 --set train.rounds=100 --set train.evaluate_every=100 \
  --set time.profile=fitted)
rounds() { query "$1" 'SELECT printf("%.17g", finish_s) FROM rounds ORDER BY round'; }
"$program" run study.yaml "${one[@]}" --db off.db >/dev/null 2>&1
"$program" run study.yaml "${one[@]}" --db off.db --set time.jitter=0 --dry-run >zero.txt 2>/dev/null
check "jitter 0 is off" says zero.txt '  done'
for jitter in measured 0.2; do
  for db in a b; do "$program" run study.yaml "${one[@]}" --db $db.db \
    --set time.jitter=$jitter >/dev/null 2>$db.err || cat $db.err; done
  "$program" run study.yaml "${one[@]}" --db c.db --set time.jitter=$jitter --set time.draw=1 >/dev/null 2>&1
  check "jitter $jitter: draws repeat" [ "$(rounds a.db)" = "$(rounds b.db)" ]
  check "jitter $jitter: another drawing differs" [ "$(rounds a.db)" != "$(rounds c.db)" ]
  check "jitter $jitter: values stay" \
    [ "$(query off.db 'SELECT parameters_hash FROM runs')" = "$(query c.db 'SELECT parameters_hash FROM runs')" ]
  check "jitter $jitter: no round is skipped" [ "$(query a.db 'SELECT skipped_rounds FROM runs')" = 0 ]
  check "jitter $jitter: ranks differ" [ "$(query a.db 'SELECT count(DISTINCT compute_s) FROM ranks')" = 3 ]
  # three steps, drawn 100 times: 1 + 2 + 4 s with deviations of .2 of each; measured: three fits of mean 1 s and
  # deviation .2. The mean over 3 ranks and 100 rounds is within five standard errors
  check "jitter $jitter: the mean" [ "$(query a.db "SELECT abs(avg(compute_s) / 100 - m) < 5 * s / sqrt(300)
    FROM ranks, (SELECT iif('$jitter' = 'measured', 3, 7) AS m,
    iif('$jitter' = 'measured', sqrt(3 * .04), sqrt(21 * .04)) AS s)")" = 1 ]
  rm -f ./[abc].db
done
check "no jitter: rounds are skipped" [ "$(query off.db 'SELECT skipped_rounds > 0 FROM runs')" = 1 ]

# Counted seconds vary by a factor, too; under a mask each rank keeps its own share
"$program" run study.yaml "${one[@]}" --set train.rounds=4 --set time.source=flops --set time.jitter=0.5 \
  --set train.mask=random --set train.mask_ends=on --set train.sparsity=0.5 --db masked.db >/dev/null 2>masked.err ||
    cat masked.err
check "jitter and mask: ranks differ" [ "$(query masked.db 'SELECT count(DISTINCT compute_s) FROM ranks')" = 3 ]

refuse negative "time\.jitter: '-0\.1' is neither off, nor measured, nor a coefficient of variation" \
  --set time.jitter=-0.1
refuse word "time\.jitter: 'some' is neither off, nor measured" --set time.jitter=some
refuse infinite "time\.jitter: 'inf' is neither" --set time.jitter=inf
refuse unfitted "board\.json: 'npu/.*/forward' was timed 200 times, without a fit.*--force -o" \
  --set time.jitter=measured \
  --set platform.file=ideal.xml --set platform.workers=2
refuse counted 'time\.source: flops times nothing, so no spread is known' --set time.source=flops \
  --set time.jitter=measured

# The study's own timings: 200 samples where a run draws from them; timings without fits are not taken again
"$program" run study.yaml "${one[@]}" --set time.source=measured --set time.jitter=measured --set train.rounds=2 \
  --db own.db >/dev/null 2>own.err
check "measured: fits are stored" \
  [ "$(query own.db \
    "SELECT count(*) FROM durations WHERE profile_hash = 'study' AND samples = 200 AND fit ->> '\$.kind' <> ''")" = 3 ]
"$program" run study.yaml "${one[@]}" --set time.source=measured --set train.rounds=2 --db few.db >/dev/null 2>few.err
"$program" run study.yaml "${one[@]}" --set time.source=measured --set time.jitter=measured --set train.rounds=2 \
  --db few.db >/dev/null 2>few.err
check "measured: status without fits" [ $? -eq 2 ]
check "measured: says why" says few.err "was timed 25 times for study 'study', without a fit"
exit $failed
