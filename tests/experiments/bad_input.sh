#!/usr/bin/env bash
# Bad input: every case ends with exit status 2 and a one-line reason, creates nothing and changes nothing.
#
#   bash tests/experiments/bad_input.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

# state: what lies in the folder, and what is in it
state() {
  find . -type f -not -name '*.err' -exec cksum {} + | sort
  find . -not -name '*.err' | sort
}

# refuse NAME PATTERN ARGUMENT...: `rehearse ARGUMENT...` ends with status 2, the first line of its message matches, the
# folder is as before
refuse() {
  local name=$1 pattern=$2 before status
  shift 2
  before=$(state)
  timeout 120 "$program" "$@" >"$name.out.err" 2>"$name.err"
  status=$?
  [ $status -eq 2 ] || say "$name: status $status: $(head -1 "$name.err")"
  head -1 "$name.err" | grep -qE -- "$pattern" || say "$name: said: $(head -1 "$name.err")"
  [ "$(state)" = "$before" ] || say "$name: the folder changed"
}

# study FILE [LINE...]: a small valid study with more lines
study() {
  printf '%s\n' 'platform: {file: two.xml, workers: 2}' 'model: {name: logreg}' 'time: {source: flops}' "${@:2}" >"$1"
}

two_hosts >two.xml
two_hosts 1 >unitless.xml
two_hosts 1GBps '' >routeless.xml

# Studies
refuse missing "no file 'nothere\.yaml'; tried 'nothere\.yaml', .*experiments/nothere\.yaml'" run nothere.yaml
printf 'train: {lr: 1\nrun: {seed: 1}\n' >malformed.yaml
refuse malformed 'malformed\.yaml:2:4: malformed YAML: ' run malformed.yaml
study key.yaml 'train: {rounds: 2, momentun: 0.9}'
refuse unknown_key "key\.yaml:4:30: train\.momentun: unknown key; did you mean 'momentum'\?" run key.yaml
study section.yaml 'trian: {rounds: 2}'
refuse unknown_section "section\.yaml:4:1: no section 'trian'; did you mean 'train'\?" run section.yaml
study lr.yaml 'train:' '  lr: fast'
refuse word_for_number "lr\.yaml:5:7: train\.lr: 'fast'" run lr.yaml
grep -q '^ *\^$' word_for_number.err || say "word_for_number: no caret"
study memory.yaml 'run: {memory: 8}'
for path in ../../above.safetensors "$work/x.safetensors" /tmp/x.safetensors out/x.safetensors two.xml .safetensors; do
  study outside.yaml "run: {save: '$path'}"
  refuse outside "outside\.yaml:4:13: run\.save: a study names no path to write to" run outside.yaml
done
study outside.yaml 'vary: {run.save: [a.safetensors, ../b.safetensors]}'
refuse outside_varied "outside\.yaml:4:[0-9]+: run\.save: a study names no path" run outside.yaml
rm outside.yaml
refuse number_without_unit "memory\.yaml:4:15: run\.memory: '8'" run memory.yaml
study good.yaml 'train: {rounds: 2}'
refuse zero_workers '^rehearse: --set platform\.workers=0: .*0 is out of range' run good.yaml --set platform.workers=0
refuse adamw_step_ahead 'train\.optimiser: adamw does not go with compress\.error_feedback: step-ahead' run good.yaml \
  --set train.optimiser=adamw --set compress.name=int8 --set compress.error_feedback=step-ahead
refuse nesterov_dgc 'train\.nesterov: on does not go with compress\.name: dgc' run good.yaml \
  --set train.nesterov=on --set compress.name=dgc
refuse clip_dgc 'train\.clip does not go with compress\.name: dgc' run good.yaml \
  --set train.clip=1 --set compress.name=dgc
refuse mask_ab 'train\.mask does not go with train\.method: ab: .*thin factors has no zeros to keep' run good.yaml \
  --set train.mask=magnitude --set train.method=ab
refuse mask_step_ahead 'train\.mask does not go with compress\.error_feedback: step-ahead' run good.yaml \
  --set train.mask=magnitude --set compress.name=int8 --set compress.error_feedback=step-ahead
refuse mask_dgc 'train\.mask does not go with compress\.name: dgc: .*use a compressor without one' run good.yaml \
  --set train.mask=magnitude --set compress.name=dgc
refuse mask_all 'train\.sparsity 1 leaves no weight' run good.yaml --set train.mask=random --set train.sparsity=1
refuse mask_late 'train\.mask_start 2 leaves no round of 2' run good.yaml --set train.mask=nm --set train.mask_start=2
refuse no_model "^rehearse: --set network\.model=TCP: network\.model: no network model 'TCP'; use CM02, LV08 or SMPI" \
  run good.yaml --set network.model=TCP
refuse no_platform "platform\.file: no file 'none\.xml'; tried" run good.yaml --set platform.file=none.xml
mkdir empty
refuse directory 'empty: is a directory' run empty

refuse empty_name 'the name of the study.s file is empty' run ''
refuse endless '/dev/zero: is larger than 1024 MiB' run /dev/zero
printf 'platform: {file: "two.xml\\0", workers: 2}\n' >nul.yaml
refuse nul_in_value 'nul\.yaml:1:18: platform\.file: holds a line feed or another control' run nul.yaml
refuse set_on_two_lines '^rehearse: --set data\.name: holds a line feed' run good.yaml --set $'data.name=a\nrun.seed=2'
study esc.yaml $'# \e[31m' $'\e[31m: 1'
refuse escape_sequence 'esc\.yaml:5:1: .*holds a line feed or another control' run esc.yaml
grep -q $'\e' escape_sequence.err && say "escape_sequence: reaches the terminal"
study wide.yaml "data: {noise: $(head -c 9999 /dev/zero | tr '\0' ' ')1, nam: x}"
refuse wide_line "wide\.yaml:4:10022: data\.nam: unknown key; did you mean 'name'" run wide.yaml
[ "$(wc -c <wide_line.err)" -lt 500 ] || say "wide_line: shown whole"
study blanks.yaml "data: {noise: $(head -c 1000000 /dev/zero | tr '\0' ' ')1}"
refuse blanks "blanks\.yaml:4:1: more than 10000 blanks in a row" run blanks.yaml
[ "$(wc -c <blanks.err)" -lt 500 ] || say "blanks: shown whole"
rm blanks.yaml
study alias.yaml 'data: &d {name: glyphs}' 'graph: *d'
refuse alias_of_section 'alias\.yaml:5:1: graph: aliases are not read' run alias.yaml
study range.yaml 'vary: {run.seed: [9223372036854775806..9223372036854775807]}'
refuse range_to_the_end "run\.seed: 9223372036854775806 is too large" run range.yaml
study overflow.yaml 'vary: {run.seed: [1..99999999999999999999]}'
refuse range_overflow "'1\.\.99999999999999999999' is not a whole number" run overflow.yaml
refuse memory_overflow "run\.memory: '1e300TiB' is too large" run good.yaml --set run.memory=1e300TiB
refuse memory_huge 'run\.memory: 1e30B is out of range' run good.yaml --set run.memory=1e30B
refuse complete_graph "graph 'complete': 1000000 workers would have 1e\+12 edges" \
  run good.yaml --set platform.workers=1000000 --set train.method=dpsgd --set graph.name=complete
printf '0 1\n1 1\n' >loop.edges
printf '# a pair\n0 1\n1 2\n' >far.edges
gossip=(run good.yaml --set train.method=dpsgd)
refuse self_loop 'loop\.edges:2: worker 1 is its own neighbour; delete the line' \
  "${gossip[@]}" --set graph.name=file --set graph.file=loop.edges
refuse unknown_rank "far\.edges:3: of the ranks in '1 2' one is unknown; 2 workers are 0 to 1" \
  "${gossip[@]}" --set graph.name=file --set graph.file=far.edges
refuse no_edges "graph\.file: no file 'none\.edges'; tried" \
  "${gossip[@]}" --set graph.name=file --set graph.file=none.edges
refuse disconnected "graph 'file' of 4 workers is not connected: no path leads from worker 0 to worker 3; add an edge" \
  "${gossip[@]}" --set graph.name=file --set graph.file=far.edges --set platform.workers=4
refuse unbalanced_weights \
  "'dpsgd' needs rows and columns of mixing weights that sum to 1; .*use graph\.weights: metropolis" \
  "${gossip[@]}" --set graph.name=star --set graph.weights=push --set platform.workers=4
refuse changing_graph "graph 'one-peer' is another one in every round, and 'dpsgd' needs one that stays" \
  "${gossip[@]}" --set graph.name=one-peer --set platform.workers=4
refuse no_vertices "southern-women has 32 vertices, not 2; use platform\.workers: 32" "${gossip[@]}" \
  --set graph.name=social
mkfifo pipe
refuse pipe_for_platform "tried 'pipe' \(not a regular file\)" run good.yaml --set platform.file=pipe
refuse little_memory '^rehearse: --set run\.memory=1MB: run\.memory: .*needs at least [0-9.]+ MB' \
  run good.yaml --set run.memory=1MB

# Platforms
refuse more_workers_than_hosts 'two\.xml. has 2 hosts, fewer than the 3 workers' run good.yaml --set platform.workers=3
refuse bandwidth_without_unit 'unitless\.xml' run good.yaml --set platform.file=unitless.xml
refuse pair_without_route 'routeless\.xml.*(a.*b|b.*a)' run good.yaml --set platform.file=routeless.xml
echo '<platform' >broken.xml
refuse broken_platform 'broken\.xml' run good.yaml --set platform.file=broken.xml
two_hosts | sed 's|<host id="b" speed="1Gf"/>|<host id="b" speed="1Gf" state_file="off.txt"/>|' >dark.xml
printf '%s\n' 'PERIODICITY 1000' '0 0' >off.txt
refuse host_off "dark\.xml: host 'b' of rank 1 is off at the start" run good.yaml --set platform.file=dark.xml
refuse describe_broken 'broken\.xml' platform broken.xml
sed 's/1Gf/1e300Gf/' two.xml >fast.xml
refuse infinite_speed "fast\.xml: host 'a' has a speed of inf flop/s" run good.yaml --set platform.file=fast.xml
sed 's|<link_ctn id="l"/>|<link_ctn id="m"/>|' two.xml >linkless.xml
refuse route_without_link 'linkless\.xml.*: a route crosses a link that the file does not give' platform linkless.xml
sed 's|dst="b"|dst="c"|' two.xml >endless.xml
refuse route_without_end "endless\.xml.*: a route's end is neither a host nor a router" platform endless.xml
two_hosts 0Bps >still.xml
refuse no_bandwidth "still\.xml: link 'l' has a bandwidth of 0 byte/s" run good.yaml --set platform.file=still.xml
two_hosts | sed 's/1us/-1us/' >early.xml
refuse negative_latency "early\.xml: link 'l' has a latency of -1e-06 s" run good.yaml --set platform.file=early.xml
two_hosts | sed 's/ version="4.1"//' >versionless.xml
refuse no_version 'versionless\.xml:3: the <platform> tag has no version' platform versionless.xml
two_hosts | sed 's/<prop /<prop id="tracing" value="yes"\/>&/' >tracing.xml
refuse no_trace_written "two hosts|fewer than the 3 workers" \
  run good.yaml --set platform.file=tracing.xml --set platform.workers=3

# Networks that cannot be: collectives that the workers do not allow, gossip of nobody, generators asked for the
# impossible
refuse shards_beyond_ranks '3 shards on 2 workers; each shard is on a worker of its own' run good.yaml \
  --set network.collective=server --set network.shards=3
refuse torus_too_large 'a torus of 3x2 has more than 2 ranks' run good.yaml --set network.collective=torus \
  --set network.torus=3x2
refuse torus_too_small 'a torus of 1x1 has 1 rank' run good.yaml --set network.collective=torus --set network.torus=1x1
refuse torus_of_words "network\.torus: '?two'?" run good.yaml --set network.collective=torus --set network.torus=two
refuse gossip_of_one 'gossip needs at least 2 workers, not 1' run good.yaml --set train.method=dpsgd \
  --set platform.workers=1
refuse prime_graph '13 workers make a torus of 1 x 13, which is a ring' run good.yaml --set train.method=dpsgd \
  --set graph.name=torus --set platform.workers=13 --set platform.file=ideal.xml
refuse switches_without_ports 'oversubscription=1000: from 1 to 32' platform -g fat-tree oversubscription=1000 \
  -o new.xml
refuse hosts_of_no_tree 'hosts=101' platform -g fat-tree hosts=101 -o new.xml
refuse prime_boards 'no w x h with both at least 3' platform -g boards shape=torus boards=13 -o new.xml
refuse no_planes 'planes=0: from 2 to 32' platform -g leo planes=0 -o new.xml
refuse no_such_kind "no kind of platform 'thorus'.*(did you mean|there are)" platform -g thorus -o new.xml
# ... and what is trivially right: one worker has nobody to send to
"$program" run good.yaml --db alone.db --set platform.workers=1 >alone.out.err 2>&1 ||
  say "one worker: $(tail -1 alone.out.err)"
[ "$(sqlite3 alone.db 'SELECT sum(messages) || " " || sum(wire_bytes) FROM rounds')" = "0 0" ] ||
  say "one worker sends something"

# Data: 4 images of 2x2 with labels 0, 1, 2, 3; a truncated file and one with a label out of range
bytes() { printf "$(printf '\\x%s' "$@")"; }
images=(00 00 08 03 00 00 00 04 00 00 00 02 00 00 00 02 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10)
bytes "${images[@]}" >images.idx
bytes "${images[@]:0:30}" >short.idx
bytes 00 00 08 01 00 00 00 04 00 01 02 03 >labels.idx
bytes 00 00 08 01 00 00 00 04 00 01 02 fa >wild.idx
idx() {
  printf 'data: {name: idx, train_images: %s, train_labels: %s, test_images: images.idx, test_labels: labels.idx}\n' \
    "$@"
}
study idx_short.yaml "$(idx short.idx labels.idx)"
refuse truncated_idx 'short\.idx' run idx_short.yaml
study idx_wild.yaml "$(idx images.idx wild.idx)"
refuse label_out_of_range 'wild\.idx.*250' run idx_wild.yaml
bytes 00 00 08 01 00 00 00 04 03 03 03 03 >same.idx
study idx_same.yaml "$(idx images.idx same.idx)"
refuse one_class 'same\.idx.: all labels are 3; at least 2 classes' run idx_same.yaml
gzip -kn images.idx
head -c -4 images.idx.gz >cut.gz
study idx_cut.yaml "$(idx cut.gz labels.idx)"
refuse gzip_without_end "cut\.gz' is truncated" run idx_cut.yaml
study idx_pipe.yaml "$(idx pipe labels.idx)"
refuse pipe_for_images "'pipe' is no regular file" run idx_pipe.yaml
study idx_none.yaml "$(idx none.idx labels.idx)"
refuse missing_idx 'none\.idx' run idx_none.yaml
study csv_none.yaml 'data: {name: csv, train_file: none.csv}'
refuse missing_csv "csv_none\.yaml:4:31: data\.train_file: no file 'none\.csv'" run csv_none.yaml
refuse missing_csv_set "^rehearse: --set data\.train_file=x\.csv: data\.train_file: no file 'x\.csv'" \
  run csv_none.yaml --set data.train_file=x.csv
refuse nowhere_to_calibrate '^rehearse: nofolder/p\.json: cannot be written' calibrate good.yaml -o nofolder/p.json

# Partitions
refuse skew_above_1 'data\.skew: 1\.5 is out of range: 0 to 1' run good.yaml --set data.skew=1.5
refuse few_samples 'has 10 train samples, fewer than the 16 workers; take more samples or fewer workers' \
  run good.yaml --set platform.file=fat-tree-64.xml --set platform.workers=16 --set data.train=10
refuse no_samples 'some of the 10 workers got none of the 10 samples; raise data\.alpha' \
  run good.yaml --set platform.file=fat-tree-64.xml --set platform.workers=10 --set data.train=10 \
  --set data.partition=quantity --set data.alpha=0.01

# Databases
echo 'this is no database, but a text that somebody still needs' >text.db
refuse no_database 'text\.db: not a database' run good.yaml --db text.db
refuse list_no_database 'text\.db: not a database' list --db text.db
refuse no_such_database 'none\.db: no such database' list --db none.db
refuse no_folder 'nofolder/x\.db' run good.yaml --db nofolder/x.db
"$program" run good.yaml --db good.db >good.out.err 2>&1 || say "a good study: $(tail -1 good.out.err)"
chmod a-w good.db
refuse read_only 'good\.db: .*read-only' run good.yaml --set run.seed=2 --db good.db
chmod u+w good.db

cp labels.idx new.db-wal
refuse stray_wal "new\.db: cannot be created: 'new\.db-wal' is left of another database" run good.yaml --db new.db
echo '{' >bad.json
printf '%s\n' '@id x' '@study y' '@profile bad.json' 'platform.file=two.xml' 'platform.workers=2' >task
refuse damaged_profile '^rehearse: bad\.json: no JSON; it may have been cut off' _measure task
refuse no_section "no section 'netwrk'; did you mean 'network'" keys netwrk
for section in platform network graph data model train compress time run stop; do
  "$program" keys $section | grep -q 'default' || say "keys $section: says no default"
done
"$program" keys --json | grep -q '"name": "steady"' || say "keys --json: no network.steady"
"$program" methods >/dev/full 2>full.err && say "lost output: status 0"
grep -q 'the output cannot be written: No space' full.err || say "lost output: said: $(cat full.err)"
"$program" list --db good.db >&- || say "closed output: status $?"

# Usage
refuse no_command "no command 'rnu'; did you mean 'run'\?" rnu good.yaml
refuse no_option 'unrecognized option' run good.yaml --nothing
refuse no_study 'which study' run
refuse bad_jobs "--jobs: '0'" run good.yaml --jobs 0
refuse bad_set 'no section .trian.; did you mean .train.' run good.yaml --set trian.lr=1
refuse no_short_json "invalid option -- .?j" list -j
refuse no_component_near "no graph 'foo'; 'rehearse graphs' lists them" graphs foo
refuse no_component "no compressor 'qsg'; did you mean 'qsgd'" compressors qsg

# More hosts than there is memory, of which the probe takes half of the machine's, or what it is left
if ! grep -q __asan_init "$program"; then # whose shadow is larger than any limit
  cat >hosts.xml <<'XML'
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1"><config><prop id="network/model" value="CM02"/></config>
<cluster id="c" prefix="n" suffix="" radical="0-99999999" speed="1Gf" bw="1GBps" lat="1us"/></platform>
XML
  (
    ulimit -Sd 400000
    refuse hosts 'hosts\.xml: the platform needs more memory than there is' platform hosts.xml
    exit $failed
  ) || failed=1
fi

# A full disk, where a small file system can be mounted
mkdir full
if mount -t tmpfs -o size=16k tmpfs full 2>/dev/null; then
  refuse full_disk 'full/x\.db: .*(full|space)' run good.yaml --db full/x.db
  mount -o remount,size=400k full
  "$program" run good.yaml --db full/good.db >full.out.err 2>&1 || say "a small disk: $(tail -1 full.out.err)"
  "$program" platform fat-tree-64.xml --svg full/b.svg >/dev/null || say "a small disk: no drawing"
  dd if=/dev/zero of=full/fill bs=1k 2>/dev/null
  refuse full_disk_drawing 'full/a\.svg: cannot be written: No space left' platform fat-tree-64.xml --svg full/a.svg
  "$program" list --db full/good.db >/dev/null 2>full.err
  [ $? -eq 2 ] && grep -q "'full/good\.db-shm', which a reader needs, too, cannot be written; make room" full.err ||
    say "reading on a full disk: said: $(cat full.err)"
  umount full
else
  echo "full disk: left out, since nothing can be mounted here"
fi

[ $failed -eq 0 ] && echo "all bad input was refused"
exit $failed
