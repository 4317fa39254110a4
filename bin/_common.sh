# Shared by the scripts beside it: find what a build or a test needs, install what is missing.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source bin/_checks.sh

say() { printf '%s\n' "$@"; }
die() { say "$@" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# A script's help is the comment at its top.
help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "bin/$(basename "$0")"; exit 0; }

need_cargo() {
  local version needed
  # A shell that has not read rustup's profile lines yet.
  have cargo || PATH="$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin"
  have cargo || die "Rust is missing. Install it from https://rustup.rs, open a new shell and run this again."
  version=$(version_of cargo) || die "cargo is here but does not answer. Where rustup has no toolchain yet: rustup default stable"
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  [ "$(printf '%s\n' "$needed" "$version" | sort -V | head -n 1)" = "$needed" ] ||
    die "Rust $version is here, and $needed or newer is needed: rustup update, or install it from https://rustup.rs."
}

need_component() {
  local name
  for name; do
    cargo "${name/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    have rustup || die "cargo's $name is missing: install the package that brings it."
    say "Missing: cargo's $name. Installing it: rustup component add $name"
    rustup component add "$name"
  done
}

target_folder() {
  cargo metadata --no-deps --locked --format-version 1 | sed -nE 's/.*"target_directory":"([^"]*)".*/\1/p'
}

# build PROFILE: builds the program and says where cargo, with whatever settings of the user's, has put it.
build() {
  local built
  built=$(cargo build --locked --profile "$1" --bin vestibule --message-format json-render-diagnostics) || return
  sed -nE 's/.*"executable":"([^"]+)".*/\1/p' <<<"$built"
}

# Which package brings a thing, for each package manager ("a,b" is two packages, "-" none).
packages='
thing       apt-get                     dnf                    apk                           pacman          zypper                brew
compiler    gcc,libc6-dev               gcc                    gcc,musl-dev                  gcc             gcc                   -
pkg-config  pkg-config                  pkgconf-pkg-config     pkgconf                       pkgconf         pkg-config            pkgconf
libpq       libpq-dev                   libpq-devel            libpq-dev                     postgresql-libs postgresql-devel      libpq
xmlsec      libxmlsec1-dev,libssl-dev   xmlsec1-devel,xmlsec1-openssl-devel,openssl-devel xmlsec-dev,libxml2-dev,openssl-dev xmlsec,libxml2,openssl xmlsec1-devel,xmlsec1-openssl-devel,libopenssl-devel libxmlsec1,libxml2,openssl@3
nginx       nginx                       nginx                  nginx                         nginx           nginx                 nginx
apache      apache2-bin,lua-socket      -                      -                             -               -                     -
xmlsec1     xmlsec1                     xmlsec1                xmlsec                        xmlsec          xmlsec1               libxmlsec1
libclang    libclang-dev                clang-devel            clang-dev,clang-libclang      clang           clang-devel           llvm
compiler++  g++                         gcc-c++                g++                           gcc             gcc-c++               -
postgres    postgresql                  postgresql-server      postgresql                    postgresql      postgresql-server     postgresql
pgbouncer   pgbouncer                   pgbouncer              pgbouncer                     pgbouncer       pgbouncer             pgbouncer
chromium    chromium,chromium-driver    chromium,chromedriver  chromium,chromium-chromedriver chromium       chromium,chromedriver chromium,chromedriver
node        nodejs,npm                  nodejs,npm             nodejs,npm                    nodejs,npm      nodejs-default,npm-default node
curl        curl                        curl                   curl                          curl            curl                  curl
oathtool    oathtool                    oathtool               oath-toolkit-oathtool         oath-toolkit    oath-toolkit          oath-toolkit
python      python3,python3-venv        python3                python3,py3-pip               python          python3,python3-pip   python
php         php-cli,php-xml,php-mbstring -                      -                             -               -                     -
shellcheck  shellcheck                  ShellCheck             shellcheck                    shellcheck      ShellCheck            shellcheck
mmdebstrap  mmdebstrap                  mmdebstrap             -                             -               -                     -
'

if [ "$(uname)" = Darwin ]; then
  # Homebrew keeps libpq off PATH.
  PATH="$PATH:/opt/homebrew/opt/libpq/bin:/usr/local/opt/libpq/bin"
  # Nor are its libxml2 and OpenSSL where pkg-config looks by itself.
  for name in libxml2 openssl@3; do
    for prefix in /opt/homebrew /usr/local; do
      PKG_CONFIG_PATH="${PKG_CONFIG_PATH:+$PKG_CONFIG_PATH:}$prefix/opt/$name/lib/pkgconfig"
    done
  done
  export PKG_CONFIG_PATH
fi

package_manager() {
  local name
  for name in apt-get dnf apk pacman zypper brew; do have "$name" && say "$name" && return; done
  return 1
}

# packages_for MANAGER THING…: the table's entries, one line of names.
packages_for() {
  local manager=$1 names
  shift
  names=$(awk -v manager="$manager" -v things=" $* " '
    $1 == "thing" { for (i = 2; i <= NF; i++) if ($i == manager) column = i }
    column && index(things, " " $1 " ") && $column != "-" { print $column }' <<<"$packages" | tr ',\n' '  ')
  # Ubuntu's own names for the browser and its driver.
  if [ "$manager" = apt-get ] && grep -qs '^ID=ubuntu' /etc/os-release; then
    names=${names/chromium chromium-driver/chromium-browser chromium-chromedriver}
  fi
  say "${names% }"
}

# install_command MANAGER PREFIX PACKAGES: the command line, as one would type it.
install_command() {
  local manager=$1 prefix=$2 names=$3
  case $manager in
    apt-get) say "${prefix}apt-get update && ${prefix}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $names" ;;
    dnf) say "${prefix}dnf install -y $names" ;;
    apk) say "${prefix}apk add $names" ;;
    pacman) say "${prefix}pacman -Syu --needed --noconfirm $names" ;;
    zypper) say "${prefix}zypper --non-interactive install $names" ;;
    brew) say "brew install $names" ;;
  esac
}

# require THING…: installs what is missing, after saying so; stops where that is not allowed.
require() {
  local thing missing='' manager names prefix='' command
  for thing; do has "$thing" || missing="$missing $thing"; done
  [ -n "$missing" ] || return 0

  manager=$(package_manager) || die "Missing:$missing. No package manager known here (apt-get, dnf, apk, pacman, zypper, brew): install them by hand."
  # shellcheck disable=SC2086 # words
  names=$(packages_for "$manager" $missing)
  [ -n "$names" ] || die "Missing:$missing. $manager has no package for it: install it by hand."
  [ "$(id -u)" = 0 ] || [ "$manager" = brew ] || prefix='sudo '
  command=$(install_command "$manager" "$prefix" "$names")

  if [ -n "$prefix" ] && ! sudo -n true 2>/dev/null && ! { have sudo && [ -t 0 ]; }; then
    die "Missing:$missing. Installing needs an administrator; run this, then try again:" "  $command"
  fi
  say "Missing:$missing. Installing: $names" "  $command"
  bash -c "$command" </dev/null || die "That failed. Run it by hand, then try again."
  hash -r
  for thing in $missing; do has "$thing" || die "$thing is still missing after: $command"; done
}
