# Sourced. A script that is told to end does not leave behind what it runs: until_ended COMMAND… runs a command, and on TERM, INT or HUP ends it first, and
# what it has started.
until_ended() {
  local child code=0
  "$@" <&0 &
  child=$!
  trap 'end_child "$child"; exit 143' TERM HUP
  # (What a script runs beside itself does not hear Ctrl-C.)
  trap 'end_child "$child"; exit 130' INT
  wait "$child" || code=$?
  trap - TERM HUP INT
  return $code
}
end_child() {
  local all one
  all=$(descendants "$1")
  kill "$1" 2>/dev/null || true
  # (What ends in good order has a few seconds for it.)
  for _ in $(seq 50); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
  # Builds leave workers that wait a quarter of an hour for the next one. (The compiler's server is everybody's.)
  for one in $all; do
    grep -q VBCSCompiler "/proc/$one/cmdline" 2>/dev/null || kill -9 "$one" 2>/dev/null || true
  done
}
descendants() {
  local one
  for one in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
    echo "$one"
    descendants "$one"
  done
}
# The benchmarks' program in place of this script, so that it hears itself what the script is told. (Programs that it starts look for .NET where this is.)
exec_benchmarks() {
  export DOTNET_ROOT=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}
  exec dotnet tests/benchmarks/bin/Release/net10.0/Foretier.Tests.Benchmarks.dll "$@"
}
