# Shared by the scripts beside it: find what a build or a test needs, install what is missing.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$@"; }
die() { say "$@" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# A script's help is the comment at its top.
help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "bin/$(basename "$0")"; exit 0; }

need_cargo() {
  # A shell that has not read rustup's profile lines yet.
  have cargo || PATH="$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin"
  have cargo || die "Rust is missing. Install it from https://rustup.rs, open a new shell and run this again."
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

need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  say 'Missing: cargo-nextest. Installing it: cargo install cargo-nextest --locked'
  cargo install cargo-nextest --locked
}

# Where `cargo build --release` leaves the program, wherever the target folder is set to be.
release_binary() {
  cargo metadata --no-deps --locked --format-version 1 |
    sed -nE 's/.*"target_directory":"([^"]*)".*/\1\/release\/vestibule/p'
}

# Which package brings a thing, for each package manager ("a,b" is two packages, "-" none).
packages='
thing       apt-get                     dnf                    apk                           pacman          zypper                brew
compiler    gcc,libc6-dev               gcc                    gcc,musl-dev                  gcc             gcc                   -
pkg-config  pkg-config                  pkgconf-pkg-config     pkgconf                       pkgconf         pkg-config            pkgconf
libpq       libpq-dev                   libpq-devel            libpq-dev                     postgresql-libs postgresql-devel      libpq
xmlsec      libxmlsec1-dev,libssl-dev   xmlsec1-devel,xmlsec1-openssl-devel,openssl-devel xmlsec-dev,libxml2-dev,openssl-dev xmlsec,libxml2,openssl xmlsec1-devel,xmlsec1-openssl-devel,libopenssl-devel libxmlsec1,libxml2,openssl@3
libclang    libclang-dev                clang-devel            clang-dev,clang-libclang      clang           clang-devel           llvm
compiler++  g++                         gcc-c++                g++                           gcc             gcc-c++               -
postgres    postgresql                  postgresql-server      postgresql                    postgresql      postgresql-server     postgresql
chromium    chromium,chromium-driver    chromium,chromedriver  chromium,chromium-chromedriver chromium       chromium,chromedriver chromium,chromedriver
node        nodejs,npm                  nodejs,npm             nodejs,npm                    nodejs,npm      nodejs-default,npm-default node
oathtool    oathtool                    oathtool               oath-toolkit-oathtool         oath-toolkit    oath-toolkit          oath-toolkit
python      python3,python3-venv        python3                python3,py3-pip               python          python3,python3-pip   python
php         php-cli,php-xml,php-mbstring -                      -                             -               -                     -
'

has() {
  case $1 in
    compiler) have cc ;;
    compiler++) have c++ ;;
    pkg-config) have pkg-config ;;
    # SAML signatures. samael asks this program for its flags, and OpenSSL by pkg-config.
    xmlsec) have xmlsec1-config && pkg-config --exists xmlsec1 libxml-2.0 openssl 2>/dev/null ;;
    # Reads xmlsec's headers while samael is built.
    libclang) [ -n "${LIBCLANG_PATH:-}" ] || libclang_here ;;
    # pg_config answers for the headers; Debian has one that only says they are not there.
    libpq) [ -e "$(pg_config --includedir 2>/dev/null)/libpq-fe.h" ] ;;
    postgres) postgres_bin >/dev/null ;;
    chromium) first_of $browsers >/dev/null && have chromedriver ;;
    node) have node && have npm ;;
    oathtool) have oathtool ;;
    # Debian has the two apart.
    python) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    php) have php && php -m | grep -qx mbstring && php -m | grep -qx dom ;;
  esac
}

browsers='chromium chromium-browser google-chrome google-chrome-stable'
if [ "$(uname)" = Darwin ]; then
  browsers="$browsers /Applications/Chromium.app/Contents/MacOS/Chromium"
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

# Whether libclang lies in one of the places where it is looked for.
libclang_here() {
  local path
  for path in /usr/lib/llvm*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /usr/lib64/llvm*/lib /usr/local/lib \
    /usr/lib/llvm*/lib64 /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib \
    /Library/Developer/CommandLineTools/usr/lib \
    /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib; do
    compgen -G "$path/libclang*.so*" >/dev/null || compgen -G "$path/libclang.dylib" >/dev/null || continue
    return 0
  done
  return 1
}

# The full path of the first of these commands that is here.
first_of() {
  local name
  for name; do command -v "$name" 2>/dev/null && return; done
  return 1
}

# The folder that holds PostgreSQL's server programs: often not on PATH. The newest wins.
postgres_bin() {
  local dir
  for dir in "$(dirname "$(command -v initdb || echo /nowhere/initdb)")" \
    "$(pg_config --bindir 2>/dev/null || true)" \
    $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/lib/postgresql*/bin /usr/libexec/postgresql*/ \
      /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin | sort -rV); do
    [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] && [ -x "$dir/postgres" ] && say "$dir" && return
  done
  return 1
}

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
    pacman) say "${prefix}pacman -Sy --needed --noconfirm $names" ;;
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
