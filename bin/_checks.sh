# Whether a thing that a build or a test needs is here. Each check asks for what will be used (a header that compiles, a
# library that links, a program that answers) and never for a name: many a name looks like another.
# shellcheck shell=bash

# Before each folder of the system that is searched. Empty, but for the test of these checks.
root=''

# has THING: the names are those of the table of packages.
has() {
  case $1 in
    # Debian's gcc comes without the headers and start files that it needs.
    compiler) links cc c <<<'#include <stdio.h>
      int main(void) { return puts("here") < 0; }' ;;
    compiler++) links c++ c++ <<<'#include <string>
      int main() { return std::string("here").empty(); }' ;;
    pkg-config) "${PKG_CONFIG:-pkg-config}" --version >/dev/null 2>&1 ;;
    libpq) libpq_links ;;
    xmlsec) xmlsec_links ;;
    xmlsec1) version_of xmlsec1 >/dev/null ;;
    libclang) libclang_reads ;;
    postgres) postgres_bin >/dev/null ;;
    # Debian keeps it where only root looks.
    pgbouncer) version_of pgbouncer >/dev/null || version_of "$root/usr/sbin/pgbouncer" >/dev/null ;;
    chromium) browser >/dev/null ;;
    # It says its version by -v only, and on the other stream.
    nginx) [[ $({ nginx -v || "$root/usr/sbin/nginx" -v; } 2>&1 </dev/null) == *nginx/* ]] ;;
    apache) apache_asks ;;
    node) version_of node >/dev/null && version_of npm >/dev/null ;;
    curl) version_of curl >/dev/null ;;
    # RFC 6238, appendix B.
    oathtool) [ "$(oathtool --totp --base32 --now=@59 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ 2>/dev/null)" = 287082 ] ;;
    python) python_makes_environments ;;
    php) php_has_modules ;;
    shellcheck) shellcheck_finds ;;
    mmdebstrap) version_of mmdebstrap >/dev/null ;;
    *) return 1 ;;
  esac
}

# Debian's: its server, its interpreter of Lua, and that one's sockets.
apache_asks() {
  [[ $({ apache2 -v || "$root/usr/sbin/apache2" -v; } 2>&1 </dev/null) == *Apache/2.4* ]] &&
    [ -f "$root/usr/lib/apache2/modules/mod_lua.so" ] && [ -f "$root/usr/share/lua/5.3/socket/http.lua" ]
}

# version_of PROGRAM: the number in what it answers to --version. Of what only says how to get it, none.
version_of() {
  local answer
  answer=$("$1" --version 2>/dev/null </dev/null) || return 1
  [[ $answer =~ [0-9]+(\.[0-9]+)+ ]] && say "${BASH_REMATCH[0]}"
}

# links COMPILER LANGUAGE FLAGS…: whether the program on standard input compiles and links.
links() {
  local compiler=$1 language=$2 folder status=0
  shift 2
  folder=$(mktemp -d)
  { "$compiler" -x "$language" -o "$folder/made" - "$@" && [ -e "$folder/made" ]; } >/dev/null 2>&1 || status=1
  rm -rf "$folder"
  return "$status"
}

# diesel brings its own declarations and asks pg_config where the library lies. Debian has a pg_config that only says
# that it is not there.
libpq_links() {
  local folder=${PQ_LIB_DIR:-}
  [ -n "$folder" ] || folder=$(pg_config --libdir 2>/dev/null) || folder=''
  links cc c ${folder:+"-L$folder"} -lpq <<<'int PQlibVersion(void);
    int main(void) { return PQlibVersion() < 0; }'
}

# SAML signatures. samael asks xmlsec1-config for what libclang needs to read the headers, and pkg-config for what links.
xmlsec_links() {
  local answer options libraries
  answer=$(xmlsec1-config --cflags 2>/dev/null) || return 1
  read -ra options <<<"$answer"
  answer=$("${PKG_CONFIG:-pkg-config}" --cflags --libs-only-L xmlsec1 libxml-2.0 openssl 2>/dev/null) || return 1
  # The compiler would find headers by pkg-config's flags that libclang is not told of.
  links cc c -c "${options[@]}" <<<'#include <xmlsec/xmldsig.h>' || return 1
  read -ra libraries <<<"$answer"
  links cc c "${options[@]}" ${libraries[@]+"${libraries[@]}"} -lxmlsec1 -lxml2 -lssl -lcrypto <<<'
    #include <libxml/parser.h>
    #include <openssl/ssl.h>
    #include <xmlsec/xmlsec.h>
    int main(void) { xmlInitParser(); return xmlSecInit() + !SSL_CTX_new(TLS_method()); }'
}

# bindgen loads libclang while samael is built: so does this, and has it read the headers that belong to a compiler. A
# libclang without its own folder of headers cannot.
libclang_reads() {
  local library folder status=0 options=() clang=${CLANG_PATH:-clang}
  library=$(libclang) || return 1
  [ -z "${BINDGEN_EXTRA_CLANG_ARGS:-}" ] || read -ra options <<<"$BINDGEN_EXTRA_CLANG_ARGS"
  # Where a clang is here, bindgen asks it for the folders of the system's headers.
  while read -r folder; do options+=(-isystem "$folder"); done < <(
    "$clang" -E -x c -v - </dev/null 2>&1 >/dev/null | sed -n '/^#include </,/^End of search/s/^ \([^ ]*\)$/\1/p'
  )
  folder=$(mktemp -d)
  say '#include <stdarg.h>' '#include <stddef.h>' '#include <stdio.h>' >"$folder/headers.c"
  cc -x c -o "$folder/reader" - -ldl >/dev/null 2>&1 <<'C' || status=1
    void *dlopen(const char *, int);
    void *dlsym(void *, const char *);

    /* reader LIBRARY SOURCE FLAGS... */
    int main(int count, char **words) {
      void *library = dlopen(words[1], 2), *unit;
      void *(*index)(int, int), *(*complaint)(void *, unsigned);
      void *(*parse)(void *, const char *, char **, int, void *, unsigned, unsigned);
      unsigned (*complaints)(void *), i;
      int (*severity)(void *);
      if (!library) return 1;
      index = dlsym(library, "clang_createIndex");
      parse = dlsym(library, "clang_parseTranslationUnit");
      complaints = dlsym(library, "clang_getNumDiagnostics");
      complaint = dlsym(library, "clang_getDiagnostic");
      severity = dlsym(library, "clang_getDiagnosticSeverity");
      if (!index || !parse || !complaints || !complaint || !severity) return 1;
      unit = parse(index(0, 0), words[2], words + 3, count - 3, 0, 0, 0);
      if (!unit) return 1;
      for (i = 0; i < complaints(unit); i++)
        if (severity(complaint(unit, i)) > 2) return 1;
      return 0;
    }
C
  [ "$status" != 0 ] || "$folder/reader" "$library" "$folder/headers.c" ${options[@]+"${options[@]}"} >/dev/null 2>&1 || status=1
  rm -rf "$folder"
  return "$status"
}

# The libclang that bindgen loads: of those in the places where clang-sys looks, the newest by its name.
libclang() {
  local path version place places=() listed found=''
  if [ -n "${LIBCLANG_PATH:-}" ]; then
    if is_libclang "$LIBCLANG_PATH"; then say "$LIBCLANG_PATH"; return; fi
    places=("$LIBCLANG_PATH")
  else
    place=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null) && places+=("$place/bin" "$place/lib" "$place/lib64")
    place=$(xcode-select --print-path 2>/dev/null) && places+=("$place/Toolchains/XcodeDefault.xctoolchain/usr/lib")
    IFS=: read -ra listed <<<"${LD_LIBRARY_PATH:-}:${LIBRARY_PATH:-}"
    for place in "${listed[@]}"; do [ -z "$place" ] || places+=("$place"); done
    if [ "$(uname)" = Darwin ]; then
      places+=("$root"/usr/local/opt/llvm*/lib/llvm*/lib "$root/Library/Developer/CommandLineTools/usr/lib"
        "$root/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib"
        "$root"/usr/local/opt/llvm*/lib)
    else
      places+=("$root"/usr/local/llvm*/lib* "$root"/usr/local/lib*/*/* "$root"/usr/local/lib*/* "$root"/usr/local/lib*
        "$root"/usr/lib*/*/* "$root"/usr/lib*/* "$root"/usr/lib*)
    fi
  fi
  for place in "${places[@]}"; do
    for path in "$place"/libclang[.-]*; do
      is_libclang "$path" || continue
      version=$(sed -E 's/^(\.so\.|-)//; s/\.?(so|dylib)$//; s/[^0-9.]+/0/g' <<<"${path##*/libclang}")
      found="$found${version:-0} $path"$'\n'
    done
  done
  [ -n "$found" ] || return 1
  sort -s -t. -k1,1nr -k2,2nr -k3,3nr <<<"$found" | sed -n '1s/^[^ ]* //p'
}

# Its name is one that clang-sys takes, and it is a library for this kind of machine. libclang-cpp is another library.
is_libclang() {
  local class=02
  case ${1##*/} in
    *-cpp.*) return 1 ;;
    libclang.dylib) [ -f "$1" ]; return ;;
    libclang.so | libclang.so.* | libclang-*.so | libclang-*.so.*) ;;
    *) return 1 ;;
  esac
  [ "$(getconf LONG_BIT)" = 64 ] || class=01
  [ -f "$1" ] && [ "$(head -c 5 "$1" | od -An -tx1 | tr -d ' \n')" = "7f454c46$class" ]
}

# The folder that holds PostgreSQL's server programs: often not on PATH. The newest wins.
postgres_bin() {
  local folder
  for folder in "$(dirname "$(command -v initdb || say /nowhere/initdb)")" \
    "$(pg_config --bindir 2>/dev/null || true)" \
    $(printf '%s\n' "$root"/usr/lib/postgresql/*/bin "$root"/usr/lib/postgresql*/bin "$root"/usr/libexec/postgresql*/ \
      "$root"/usr/pgsql-*/bin "$root"/opt/homebrew/opt/postgresql*/bin "$root"/usr/local/opt/postgresql*/bin | sort -rV); do
    version_of "$folder/initdb" >/dev/null && version_of "$folder/pg_ctl" >/dev/null &&
      version_of "$folder/postgres" >/dev/null && say "$folder" && return
  done
  return 1
}

browsers='chromium chromium-browser google-chrome google-chrome-stable /Applications/Chromium.app/Contents/MacOS/Chromium'

# The path of a browser that answers and that chromedriver can drive, which is of the same major version. Ubuntu has a
# chromium-browser that only says what to install.
browser() {
  local driver name version
  driver=$(version_of chromedriver) || return 1
  for name in $browsers; do
    version=$(version_of "$name") || continue
    [ "${version%%.*}" = "${driver%%.*}" ] && command -v "$name" && return
  done
  return 1
}

# Debian has venv, and the pip that goes into it, apart from Python.
python_makes_environments() {
  local folder status=0
  folder=$(mktemp -d)
  { python3 -m venv --without-pip "$folder/python" && "$folder/python/bin/python" -m ensurepip --version; } \
    >/dev/null 2>&1 || status=1
  rm -rf "$folder"
  return "$status"
}

# A word that the shell would split.
shellcheck_finds() { [[ $(shellcheck --shell=bash --format=gcc - 2>/dev/null <<<"rm \$1") == *SC2086* ]]; }

# Those that SimpleSAMLphp asks for and that a PHP may lack.
php_has_modules() {
  php >/dev/null 2>&1 <<'PHP'
<?php
foreach (['dom', 'mbstring', 'openssl', 'session', 'SimpleXML', 'zlib'] as $name) {
    if (!extension_loaded($name)) exit(1);
}
PHP
}
