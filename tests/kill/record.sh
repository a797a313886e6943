#!/bin/sh
# record.sh HARNESS STRIDE KILLS: kills the real `stride record` and compares what it ends with, bit for bit, with a
# run that nobody disturbed.
set -eu
harness=$1 stride=$2 kills=$3
folder=$(mktemp -d "${TMPDIR:-/tmp}/stride-kill-XXXXXX")
trap 'rm -rf "$folder"' EXIT
options="--model digits --solver heun --steps 400 --seeds 0-1499 --batch 25 --shard-rows 10 --quiet"
# shellcheck disable=SC2086 # the options are words
"$stride" record $options --outdir "$folder/whole" > "$folder/whole.txt"
cat > "$folder/again.sh" <<END
if [ -e "$folder/run/config.toml" ]; then
  exec "$stride" record --resume "$folder/run" --quiet
fi
rm -rf "$folder/run"
exec "$stride" record $options --outdir "$folder/run"
END
"$harness" command --kills "$kills" --milliseconds 200-3000 --store "$folder/run/store" --acks "$folder/run/metrics.jsonl" \
  --reference "$folder/whole/store" -- sh "$folder/again.sh"
