# Sourced by the scripts beside it: where the tree is, and which programs to use.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH="$PATH:/usr/local/go/bin"

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# The distribution's own Python: pytest and PyYAML are installed for it, and another one
# (pyenv, conda) may stand first on PATH.
python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3 || true)

# First of the given programs that exists.
first_of() {
  local name
  for name in "$@"; do
    command -v "$name" && return 0
  done
  return 1
}

# Parallelism that leaves 1.5 GiB of memory for each compiler.
parallel_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}
