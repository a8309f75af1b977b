# Sourced: starts the demo on free ports with fresh data, and stops it at the end.
# Gives $DEMO (a JSON file that says what there is) and the function of(): of .token
demo_dir=$(mktemp -d)
DEMO=$demo_dir/demo.json
port=${ODCM_TEST_PORT:-18080}
"${CARGO_TARGET_DIR:-target}/debug/odcm-demo" --data "$demo_dir/data" --port "$port" --describe "$DEMO" </dev/null >"$demo_dir/out" 2>&1 &
demo_pid=$!
stop_demo() { kill -TERM "$demo_pid" 2>/dev/null; wait "$demo_pid" 2>/dev/null; [ -n "${KEEP:-}" ] || rm -rf "$demo_dir"; }
trap stop_demo EXIT
for _ in $(seq 600); do
  [ -s "$DEMO" ] && break
  kill -0 "$demo_pid" 2>/dev/null || { echo "the demo did not start:"; cat "$demo_dir/out"; exit 1; }
  sleep 0.2
done
[ -s "$DEMO" ] || { echo "the demo was not ready in time:"; cat "$demo_dir/out" "$demo_dir"/data/logs/*; exit 1; }
export DEMO
of() { python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))
for k in sys.argv[2].strip(".").split("."): v=v[k]
print(v)' "$DEMO" "$1"; }
