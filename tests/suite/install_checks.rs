//! What `bin/run` and `bin/test` take for present: the thing itself, and nothing that only has its name.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A machine on which nothing is installed but what every Unix has.
struct Machine {
    folder: TempDir,
    settings: BTreeMap<&'static str, PathBuf>,
}

/// What is wanted, what is there instead or indeed, how it came there, and whether that will do.
type Row = (&'static str, &'static str, fn(&mut Machine), bool);

const EVERYWHERE: [&str; 17] = [
    "awk", "cat", "chmod", "dirname", "getconf", "grep", "head", "mkdir", "mktemp", "od", "rm", "sed", "sh",
    "sort", "touch", "tr", "uname",
];
const ANSWERS: &str = "echo It 15.2";
const FAILS: &str = "exit 127";
/// A linker that has everything but this library.
const WITHOUT_LIBPQ: &str = r#"case "$*" in *-lpq*) exit 1;; esac; exec cc "$@""#;
const SERVER: &str = "usr/lib/postgresql/15/bin";
const COMMON: &str = "usr/lib/x86_64-linux-gnu";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("compiler", "nothing", |_| (), false),
    ("compiler", "a cc that says how to install one", |it| it.program("cc", "echo apt install gcc; exit 127"), false),
    ("compiler", "a cc that only answers", |it| it.program("cc", ANSWERS), false),
    ("compiler", "a cc without the headers of the C library", |it| it.program("cc", r#"exec cc -nostdinc "$@""#), false),
    ("compiler", "a cc without a linker", |it| it.program("cc", r#"exec cc -fuse-ld=nowhere "$@""#), false),
    ("compiler", "a compiler", |it| it.has_its("cc"), true),
    ("compiler++", "a compiler of C", |it| it.has_its("cc"), false),
    ("compiler++", "a c++ without its library", |it| it.program("c++", r#"exec c++ -nostdinc++ "$@""#), false),
    ("pkg-config", "one that does not run", |it| it.program("pkg-config", FAILS), false),
    ("pkg-config", "one that answers", |it| it.program("pkg-config", ANSWERS), true),

    ("libpq", "a pg_config that only says that it is not there",
        |it| { it.program("cc", WITHOUT_LIBPQ); it.program("pg_config", "echo install libpq-dev >&2; exit 1"); }, false),
    ("libpq", "its headers without the library", |it| {
        it.file("include/libpq-fe.h", b"int PQlibVersion(void);");
        it.program("cc", WITHOUT_LIBPQ);
        it.program("pg_config", &format!("echo {}", it.at("include").display()));
    }, false),
    ("libpq", "a file of its name", |it| {
        it.file("lib/libpq.so", b"not a library");
        it.has_its("cc");
        it.program("pg_config", &format!("echo {}", it.at("lib").display()));
    }, false),
    ("libpq", "the library", |it| { it.has_its("cc"); it.has_its("pg_config"); }, true),

    ("xmlsec", "the command and not the library",
        |it| { it.has_saml(); it.remove("xmlsec1-config"); it.program("xmlsec1", ANSWERS); }, false),
    ("xmlsec", "an xmlsec1-config that fails", |it| { it.has_saml(); it.program("xmlsec1-config", FAILS); }, false),
    ("xmlsec", "headers that are not where it says",
        |it| { it.has_saml(); it.program("xmlsec1-config", "echo -I/nowhere"); }, false),
    ("xmlsec", "a pkg-config that knows nothing of it", |it| { it.has_saml(); it.program("pkg-config", FAILS); }, false),
    ("xmlsec", "a file of its name", |it| it.has_saml_but_for("libxmlsec1.so"), false),
    ("xmlsec", "no libxml2 but for its name", |it| it.has_saml_but_for("libxml2.so"), false),
    ("xmlsec", "no OpenSSL but for its name", |it| it.has_saml_but_for("libssl.so"), false),
    ("xmlsec", "a pkg-config that knows no OpenSSL", |it| {
        it.has_saml();
        it.program("pkg-config", r#"case "$*" in *openssl*) exit 1;; esac; exec pkg-config "$@""#);
    }, false),
    ("xmlsec", "the library", |it| it.has_saml(), true),

    ("libclang", "nothing", |it| it.has_its("cc"), false),
    ("libclang", "libclang-cpp, as Debian names it", |it| it.libclang("usr/lib/llvm-14/lib/libclang-cpp.so.14"), false),
    ("libclang", "libclang-cpp in the common folder", |it| it.libclang(&format!("{COMMON}/libclang-cpp.so.14")), false),
    ("libclang", "libclang-cpp with its development files", |it| it.libclang("usr/lib64/libclang-cpp.so"), false),
    ("libclang", "a run-time library of clang", |it| it.libclang("usr/lib/clang/libclang_rt.asan-x86_64.so"), false),
    ("libclang", "an archive", |it| it.libclang("usr/lib/llvm-14/lib/libclang.a"), false),
    ("libclang", "a text", |it| { it.has_its("cc"); it.file("usr/lib/libclang.so", b"INPUT(libclang.so.1)"); }, false),
    ("libclang", "a link that leads nowhere",
        |it| { it.has_its("cc"); it.link(Path::new("/nowhere"), "usr/lib/libclang-14.so.1"); }, false),
    ("libclang", "one for another kind of machine",
        |it| { it.has_its("cc"); it.file("usr/lib/libclang.so.1", b"\x7fELF\x01\x01\x01"); }, false),
    ("libclang", "a library that is another one",
        |it| { it.has_its("cc"); it.link(&std::env::current_exe().unwrap(), "usr/lib/libclang.so"); }, false),
    ("libclang", "a folder of its name", |it| { it.has_its("cc"); it.file("usr/lib/libclang.so/readme", b""); }, false),
    ("libclang", "one where nobody looks", |it| it.libclang("usr/lib/a/b/c/libclang.so"), false),
    ("libclang", "one in /opt", |it| it.libclang("opt/llvm/lib/libclang.so"), false),
    ("libclang", "one in /opt that llvm-config tells of", |it| {
        it.libclang("opt/llvm/lib/libclang.so");
        it.program("llvm-config", &format!("echo {}", it.at("opt/llvm").display()));
    }, true),
    ("libclang", "one in /opt that LIBCLANG_PATH names", |it| {
        it.libclang("opt/llvm/lib/libclang.so.14");
        it.settings.insert("LIBCLANG_PATH", it.at("opt/llvm/lib/libclang.so.14"));
    }, true),
    ("libclang", "one whose folder LIBCLANG_PATH names", |it| {
        it.libclang("opt/llvm/lib/libclang-14.so.1");
        it.settings.insert("LIBCLANG_PATH", it.at("opt/llvm/lib"));
    }, true),
    ("libclang", "one, and LIBCLANG_PATH names another folder", |it| {
        it.libclang("usr/lib/llvm-14/lib/libclang.so");
        it.settings.insert("LIBCLANG_PATH", it.at("bin"));
    }, false),
    ("libclang", "LIBCLANG_PATH names libclang-cpp", |it| {
        it.libclang("usr/lib/llvm-14/lib/libclang-cpp.so.14");
        it.settings.insert("LIBCLANG_PATH", it.at("usr/lib/llvm-14/lib/libclang-cpp.so.14"));
    }, false),
    ("libclang", "one that finds no headers of a compiler", |it| {
        it.libclang("usr/lib/libclang.so");
        it.settings.insert("BINDGEN_EXTRA_CLANG_ARGS", "-nostdinc -nobuiltininc".into());
        it.remove("clang");
    }, false),
    ("libclang", "one in LD_LIBRARY_PATH", |it| {
        it.libclang("home/lib/libclang.so");
        it.settings.insert("LD_LIBRARY_PATH", it.at("home/lib"));
    }, true),
    ("libclang", "libclang.so", |it| it.libclang("usr/local/lib/libclang.so"), true),
    ("libclang", "libclang.so.1", |it| it.libclang("usr/lib/llvm-14/lib/libclang.so.1"), true),
    ("libclang", "libclang-14.so", |it| it.libclang("usr/lib64/libclang-14.so"), true),
    ("libclang", "libclang-14.so.14.0.6",
        |it| it.libclang(&format!("{COMMON}/libclang-14.so.14.0.6")), true),
    ("libclang", "libclang beside libclang-cpp", |it| {
        it.libclang("usr/lib/llvm-14/lib/libclang-cpp.so.14");
        it.libclang("usr/lib/llvm-14/lib/libclang-14.so.1");
    }, true),

    ("apache", "nothing", |_| {}, false),
    ("apache", "its server, and no sockets for its Lua", |it| {
        it.script("usr/sbin/apache2", "echo Apache/2.4.71");
        it.file("usr/lib/apache2/modules/mod_lua.so", b"");
    }, false),
    ("apache", "both", |it| {
        it.script("usr/sbin/apache2", "echo Apache/2.4.71");
        it.file("usr/lib/apache2/modules/mod_lua.so", b"");
        it.file("usr/share/lua/5.3/socket/http.lua", b"");
    }, true),

    ("postgres", "the client alone", |it| it.program("psql", ANSWERS), false),
    ("postgres", "pg_config with the client's folder",
        |it| it.program("pg_config", &format!("echo {}", it.at("bin").display())), false),
    ("postgres", "a server without its initdb", |it| it.server(&["pg_ctl", "postgres"]), false),
    ("postgres", "a server that does not run",
        |it| { it.server(&["initdb", "pg_ctl"]); it.script(&format!("{SERVER}/postgres"), FAILS); }, false),
    ("postgres", "wrappers of the commands and no server",
        |it| { it.program("initdb", ANSWERS); it.program("pg_ctl", ANSWERS); }, false),
    ("postgres", "a wrapper on PATH, and the server",
        |it| { it.program("initdb", FAILS); it.server(&["initdb", "pg_ctl", "postgres"]); }, true),
    ("postgres", "the server", |it| it.server(&["initdb", "pg_ctl", "postgres"]), true),

    ("pgbouncer", "one that does not run", |it| it.program("pgbouncer", FAILS), false),
    ("pgbouncer", "one off PATH", |it| it.script("usr/sbin/pgbouncer", ANSWERS), true),
    ("pgbouncer", "one that answers", |it| it.program("pgbouncer", ANSWERS), true),

    ("chromium", "Ubuntu's, which says what to install",
        |it| { it.program("chromium-browser", "echo snap install chromium"); it.program("chromedriver", ANSWERS); }, false),
    ("chromium", "one that does not run",
        |it| { it.program("chromium", FAILS); it.program("chromedriver", ANSWERS); }, false),
    ("chromium", "a browser without its driver", |it| it.program("chromium", ANSWERS), false),
    ("chromium", "a driver without a browser", |it| it.program("chromedriver", ANSWERS), false),
    ("chromium", "a driver of another age",
        |it| { it.program("chromium", "echo Chromium 140.0.7339.80"); it.program("chromedriver", ANSWERS); }, false),
    ("chromium", "the second browser fits the driver", |it| {
        it.program("chromium", "echo Chromium 140.0.7339.80");
        it.program("google-chrome", ANSWERS);
        it.program("chromedriver", ANSWERS);
    }, true),
    ("chromium", "browser and driver", |it| {
        it.program("chromium", "echo Chromium 140.0.7339.80 built on Debian");
        it.program("chromedriver", "echo 'ChromeDriver 140.0.7339.41 (0f5a)'");
    }, true),

    ("curl", "a curl that does not start", |it| it.program("curl", "exit 127"), false),
    ("curl", "one that answers", |it| it.program("curl", "echo curl 8.9.1"), true),
    ("node", "node without npm", |it| it.program("node", "echo v20.11.1"), false),
    ("node", "npm without node",
        |it| { it.program("npm", "exec env -i PATH=/nowhere /usr/bin/env node --version"); }, false),
    ("node", "the program for packet radio",
        |it| { it.program("node", "echo usage: node >&2; exit 1"); it.program("npm", "echo 10.2.4"); }, false),
    ("node", "both", |it| { it.program("node", "echo v20.11.1"); it.program("npm", "echo 10.2.4"); }, true),

    ("oathtool", "one that knows no --now", |it| it.program("oathtool", "echo unknown option >&2; exit 1"), false),
    ("oathtool", "one that goes by the clock", |it| it.program("oathtool", "echo 755224"), false),
    ("oathtool", "one that is right", |it| it.program("oathtool", "echo 287082"), true),

    ("python", "Python without venv", |it| it.program("python3", "exit 1"), false),
    ("python", "Python without the pip that goes into one", |it| it.python("exit 1"), false),
    ("python", "a venv that makes nothing", |it| it.program("python3", "exit 0"), false),
    ("python", "Python and venv", |it| it.python("echo pip 24.0"), true),

    ("shellcheck", "one that does not run", |it| it.program("shellcheck", FAILS), false),
    ("shellcheck", "one that answers and finds nothing", |it| it.program("shellcheck", ANSWERS), false),
    ("shellcheck", "one that finds what is wrong",
        |it| it.program("shellcheck", "echo '-:1:4: note: Double quote to prevent globbing. [SC2086]'; exit 1"), true),

    ("php", "the one for web servers", |it| it.program("php-cgi", ANSWERS), false),
    ("php", "one that lacks a module",
        |it| it.program("php", r#"! grep -q mbstring"#), false),
    ("php", "one that has them", |it| it.program("php", "grep -q mbstring"), true),
];

#[test]
fn a_look_alike_is_not_the_thing() {
    let mut wrong = Vec::new();
    for (thing, what, install, will_do) in ROWS {
        let mut machine = Machine::bare();
        install(&mut machine);
        let done = machine.shell(&format!("if has {thing}; then say here; else say missing; fi"));
        let answer = String::from_utf8_lossy(&done.stdout);
        if answer.trim_end() != if *will_do { "here" } else { "missing" } || !done.stderr.is_empty() {
            wrong.push(format!("{thing}, {what}: {answer}{}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rust_that_cannot_build_it_is_told_what_it_lacks() {
    for (cargo, says) in [
        (None, "https://rustup.rs"),
        (Some("echo 'error: no default toolchain' >&2; exit 1"), "rustup default stable"),
        (Some("echo cargo 1.63.0"), "Rust 1.63.0 is here"),
        (Some("echo 'cargo 1.9.0 (5b4b8b2ae 2022-08-16)'"), "rustup update"),
        (Some("echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'"), ""),
        (Some("echo cargo 2.0.0-nightly"), ""),
    ] {
        let machine = Machine::bare();
        if let Some(script) = cargo {
            machine.program("cargo", script);
        }
        let done = machine.shell("need_cargo");
        let complaint = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.success(), says.is_empty(), "{cargo:?}: {complaint}");
        assert!(
            complaint.contains(says) && complaint.is_empty() == says.is_empty(),
            "{cargo:?}: {complaint}"
        );
    }
}

impl Machine {
    fn bare() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), settings: BTreeMap::new() };
        for name in EVERYWHERE {
            this.has_its(name);
        }
        this
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs a line of shell there, after what the scripts in bin/ share.
    fn shell(&self, line: &str) -> Output {
        let line = format!("source bin/_common.sh; root=$1; {line}");
        let root = self.folder.path();
        let mut command = Command::new(on_this_machine("bash").unwrap());
        command.args(["-c", &line, "bash"]).arg(root).env_clear().envs(&self.settings);
        command.env("PATH", self.at("bin")).env("HOME", root).output().unwrap()
    }

    fn file(&self, path: &str, content: &[u8]) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn link(&self, original: &Path, path: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(original, path).unwrap();
    }

    /// A program that does this, and may use what the real machine has.
    fn script(&self, path: &str, script: &str) {
        self.file(path, format!("#!/bin/sh\nPATH='{}'\n{script}\n", host_path()).as_bytes());
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        self.script(&format!("bin/{name}"), script);
    }

    /// The program of the machine that runs the tests, where it has one.
    fn has_its(&self, name: &str) {
        if on_this_machine(name).is_some() {
            self.program(name, &format!(r#"exec {name} "$@""#));
        }
    }

    fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.at("bin").join(name));
    }

    /// All that SAML is built with.
    fn has_saml(&self) {
        for name in ["cc", "pkg-config", "xmlsec1-config"] {
            self.has_its(name);
        }
    }

    /// The same, but a file that is no library comes first.
    fn has_saml_but_for(&self, library: &str) {
        self.has_saml();
        self.file(&format!("lib/{library}"), b"not a library");
        self.program("pkg-config", &format!(r#"echo "-L{} $(pkg-config "$@")""#, self.at("lib").display()));
    }

    /// The libclang with which this was built, by another name.
    fn libclang(&self, path: &str) {
        self.has_its("cc");
        self.has_its("clang");
        let found = Command::new("bash").args(["-c", "source bin/_common.sh; libclang"]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        self.link(Path::new(found.trim()), path);
    }

    /// PostgreSQL's server as Debian lays it out, with these programs of it.
    fn server(&self, programs: &[&str]) {
        for name in programs {
            self.script(&format!("{SERVER}/{name}"), ANSWERS);
        }
    }

    /// A Python whose environments have a Python that does this.
    fn python(&self, inside: &str) {
        let make = r#"mkdir -p "$4/bin"; printf '#!/bin/sh\n%s\n' "$INSIDE" >"$4/bin/python"; chmod +x "$4/bin/python""#;
        self.program("python3", &format!("INSIDE='{inside}'\n{make}"));
    }
}

fn on_this_machine(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&host_path()).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
fn host_path() -> String {
    std::env::var("PATH").unwrap()
}
