#!/bin/sh
# record.sh HARNESS STRIDE KILLS: kills the real `stride record` and compares what it ends with, bit for bit, with a
# run that nobody disturbed. The moments come from that run: from half of what it takes to start to so late that all
# kills together make less than the whole work, so that a run which ends before its kill is rare.
set -eu
harness=$1 stride=$2 kills=$3
# In memory where there is room: a killed process leaves the page cache as it is, so nothing is lost by that, and a slow
# disk would make a run wait for its syncs and not work.
place=${TMPDIR:-/tmp}
if [ "$(df -Pk /dev/shm 2> /dev/null | awk 'NR == 2 {print $4}')" -gt 400000 ] 2> /dev/null; then place=/dev/shm; fi
folder=$(mktemp -d "$place/stride-kill-XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
options="--model digits --solver heun --steps 40 --batch 10 --shard-rows 10 --quiet"
seeds=0-2499
now() { date +%s%3N; }
# shellcheck disable=SC2086 # the options are words
record() { "$stride" record $options --outdir "$1" --seeds "$2" > "$1.txt"; }

begin=$(now)
record "$folder/start" 0
start=$(($(now) - begin))
begin=$(now)
record "$folder/whole" $seeds
whole=$(($(now) - begin))
work=$((whole > start ? whole - start : 1))
# A run that is killed t ms after its start has done (t - start) of the work; uniform to `late`, half of that on average.
late=$((start + 2 * work * 7 / (10 * kills)))
[ "$late" -gt $((start + 100)) ] || late=$((start + 100))
echo "start $start ms, whole run $whole ms: killed after $((start / 2)) to $late ms"
cat > "$folder/again.sh" <<END
if [ -e "$folder/run/config.toml" ]; then
  exec "$stride" record --resume "$folder/run" --quiet
fi
rm -rf "$folder/run"
exec "$stride" record $options --outdir "$folder/run" --seeds $seeds
END
"$harness" command --kills "$kills" --milliseconds "$((start / 2))-$late" --store "$folder/run/store" \
  --acks "$folder/run/metrics.jsonl" --reference "$folder/whole/store" \
  --fresh "$folder/run" -- sh "$folder/again.sh"
