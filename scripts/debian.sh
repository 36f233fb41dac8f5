# Debian's packages for the lab and the image, never installed on this machine: read by the scripts that fetch, which call
# `fetched` first. From LINKSPAN_MIRROR ("ADDRESS [ADDRESS of the security updates]"), or else the mirror that this machine's
# own apt is set to, in the versions that it has at that moment.
# Where to: LINKSPAN_LAB_CACHE, or a folder below XDG_CACHE_HOME. What lies there is used again for ever, whatever Debian has
# mended since; LINKSPAN_FRESH=1 has it fetched anew.

cache=${LINKSPAN_LAB_CACHE:-${XDG_CACHE_HOME:-/var/cache}/linkspan-lab}
ours=/usr/share/keyrings/debian-archive-keyring.gpg
# What is fetched; a script that reads this one may set others.
components=main
architecture=$(dpkg --print-architecture)
# shellcheck source=/dev/null
release_here=$(. /etc/os-release && echo "${VERSION_CODENAME-}")

fail() {
  echo "$(basename "$0" .sh): $*" >&2
  exit 1
}

# fetched NAME FILE…: prints the folder of the cache that holds NAME and ends, where it is there already; otherwise makes
# the folder $work/$NAME to be filled. The files are what makes it: other ones, or another list of packages, are another
# folder, so that checkouts side by side do not take each other's.
fetched() {
  filled=$1
  shift
  place=$cache/$filled-$(cat "$0" "$@" | sha256sum | cut -c1-12)
  [ "${LINKSPAN_FRESH-}" != 1 ] || rm -rf "$place"
  if [ -d "$place" ]; then
    echo "$place"
    exit 0
  fi
  echo "$(basename "$0" .sh): fetching into $cache" >&2
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  mkdir "$work/$filled"
}

# targets [OPTION]: what this machine's apt is set to, one source a line: address, suite, component, origin
targets() {
  apt-get indextargets "$@" --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' | sort -u
}

# sources RELEASE KEYRING: LINKSPAN_MIRROR's sources, or this machine's own sources of Debian, for another release
sources() {
  if [ -n "${LINKSPAN_MIRROR-}" ]; then
    # shellcheck disable=SC2086
    set -- "$1" "$2" $LINKSPAN_MIRROR
    for suite in "$1" "$1-updates"; do echo "deb [signed-by=$2] $3 $suite $components"; done
    [ $# -lt 4 ] || echo "deb [signed-by=$2] $4 $1-security $components"
    return
  fi
  known=$(targets)
  # Where apt has read no list yet, it says only what it was told.
  [ -n "$known" ] || known=$(targets --no-release-info | sed 's/ [^ ]*$/ Debian/')
  echo "$known" | while read -r uri suite component origin; do
    case $suite:$component:$origin in
      "$release_here":main:Debian | "$release_here"-security:main:Debian | "$release_here"-updates:main:Debian)
        echo "deb [signed-by=$2] $uri $1${suite#"$release_here"} $components"
        ;;
    esac
  done
}

# private_apt RELEASE KEYRING ARGS…: apt-get as if that release were installed, with nothing in it. It refuses what the
# keyring does not vouch for, whatever this machine's configuration allows.
private_apt() {
  state=$work/apt-$1
  keyring=$2
  if [ ! -d "$state" ]; then
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    sources "$1" "$keyring" >"$state/sources.list"
    [ -s "$state/sources.list" ] || fail "apt of this machine has no source for Debian's release '$release_here'"
  fi
  shift 2
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dir::State="$state" -o Dir::State::status="$state/status" \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Dir::Cache::archives="$state/cache/archives" \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o APT::Default-Release= \
    -o APT::Update::Error-Mode=any -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o APT::Get::AllowUnauthenticated=false \
    -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowWeakRepositories=false \
    -o Acquire::AllowDowngradeToInsecureRepositories=false "$@" >&2
}

# unpack ARCHIVE ROOT: into a root whose /bin, /lib and /sbin may be links, which dpkg-deb would replace by folders
unpack() {
  dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"
}

# fetch_keyring: the newest keyring that this release's own chain of signatures vouches for; it knows newer releases
fetch_keyring() {
  [ -e "$ours" ] || fail "$ours is missing; install debian-archive-keyring"
  mkdir "$work/keyring"
  if [ -n "${LINKSPAN_MIRROR-}" ]; then
    # This machine's release need not be on that mirror, nor be Debian's.
    install -D "$ours" "$work/keyring$ours"
    return
  fi
  private_apt "$release_here" "$ours" update
  (cd "$work/keyring" && private_apt "$release_here" "$ours" download debian-archive-keyring)
  unpack "$work"/keyring/*.deb "$work/keyring"
  rm -r "$work/apt-$release_here"
}

# fetch_packages RELEASE PACKAGE…: these packages and all that they depend on, in $work/apt-RELEASE/cache/archives
fetch_packages() {
  release=$1
  shift
  private_apt "$release" "$work/keyring$ours" update
  private_apt "$release" "$work/keyring$ours" install --yes --download-only "$@"
}

# fetch_root NAME RELEASE PACKAGE…: a root below $work with these packages and all that they depend on
fetch_root() {
  root=$work/$1
  release=$2
  shift 2
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc"
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  printf 'root:x:0:\ndocker:x:0:\n' >"$root/etc/group"
  fetch_packages "$release" "$@"
  for archive in "$work/apt-$release"/cache/archives/*.deb; do unpack "$archive" "$root"; done
  rm -r "$work/apt-$release"
}

# name_iptables ROOT
name_iptables() {
  # Where its package was configured, alternatives would name these.
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -sf xtables-nft-multi "$1/usr/sbin/$name"
  done
}

# put_in_place: what lies in the folder that `fetched` made is the cache's from now on; prints where
put_in_place() {
  # Another run may have been faster.
  mv -T "$work/$filled" "$place" 2>/dev/null || [ -d "$place" ] || fail "$place could not be put in place"
  echo "$place"
}
