# shellcheck shell=sh disable=SC2154
# What a person sees who waits for an image: one line for each step, with its seconds. Read by the scripts that have steps.
# What programs say is kept in $log and shown where one fails.

# now: in tenths of a second
now() {
  date +%s%N | cut -c1-11
}

# since START: seconds with one decimal
since() {
  tenths=$(($(now) - $1))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# step TEXT COMMAND ARGUMENT…
step() {
  text=$1
  shift
  begun=$(now)
  printf '  %-52s' "$text"
  # Not in the condition itself: there a shell goes on after errors.
  "$@" >>"$log" 2>&1 &
  if wait $!; then
    printf '%7s s\n' "$(since "$begun")"
  else
    printf '%9s\n' failed
    tail -n 25 "$log" >&2
    echo "all of it: $log" >&2
    exit 1
  fi
}
