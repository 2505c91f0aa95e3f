#!/usr/bin/env bash
# Runs the Kafka of deploy/kafka/pom.xml in the foreground until ^C, with its data in .cache/kafka/run
# (kept from run to run). Listens on 127.0.0.1:$KAFKA_PORT, else on a free port, and prints where.
set -euo pipefail
cd "$(dirname "$0")/../.."

libs=.cache/kafka/libs
[ -e "$libs/.complete" ] || { echo "no Kafka in $libs: run make setup" >&2; exit 1; }

free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}
port=${KAFKA_PORT:-$(free_port)}
controller=$(free_port)
dir=${KAFKA_DIR:-$PWD/.cache/kafka/run}
mkdir -p "$dir"
sed -e "s|@LISTENERS@|PLAINTEXT://127.0.0.1:$port|" -e "s|@CONTROLLER_PORT@|$controller|" \
  -e "s|@DIR@|$dir|" deploy/kafka/server.properties.tmpl >"$dir/server.properties"

if [ ! -e "$dir/data/meta.properties" ]; then
  java -cp "$libs/*" kafka.tools.StorageTool format --standalone \
    "--cluster-id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" \
    -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
fi

java -Xmx512m -cp "$libs/*" kafka.Kafka "$dir/server.properties" >"$dir/kafka.log" 2>&1 &
kafka=$!
trap 'kill $kafka 2>/dev/null || true' INT TERM
for _ in $(seq 300); do
  grep -q 'Kafka Server started' "$dir/kafka.log" && break
  kill -0 $kafka 2>/dev/null || { tail -n 30 "$dir/kafka.log" >&2; exit 1; }
  sleep 0.1
done
echo "Kafka 4.3 at 127.0.0.1:$port (log: $dir/kafka.log); ^C stops it"
wait $kafka || true # interrupted by ^C
wait $kafka || true # until it has written everything
