//! Proxies that are not ours, each started from what `vestibule app config` prints.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{TestApp, eventually};

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Nginx,
    /// As PyPI has it.
    Caddy,
    /// As Debian has it: of 2022, with other faults.
    CaddyOfDebian,
    Traefik,
    Apache,
}

use Proxy::{Apache, Caddy, CaddyOfDebian, Nginx, Traefik};

/// A program that ends with its test.
pub struct Running(Child);

impl Running {
    /// Starts it. What it says is for nobody.
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The same, once it listens at this port.
    pub async fn at(command: &mut Command, port: u16) -> Self {
        let running = Self::start(command);
        let there = async || TcpStream::connect(("127.0.0.1", port)).ok();
        eventually("a program that listens", there).await;
        running
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The application behind them all, which says what it was given.
pub async fn environ(port: u16) -> Running {
    Running::at(Command::new("python3").args(["tests/peers/environ.py", &port.to_string()]), port).await
}

impl Proxy {
    /// Where it is on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    pub fn program(self) -> Option<String> {
        let (setting, usual) = match self {
            Nginx => ("NGINX", "/usr/sbin/nginx"),
            Caddy => ("CADDY", "/nowhere/caddy"),
            CaddyOfDebian => ("CADDY_OF_DEBIAN", "/nowhere/caddy"),
            Traefik => ("TRAEFIK", "/usr/bin/traefik"),
            Apache => ("APACHE", "/usr/sbin/apache2"),
        };
        let program = std::env::var(setting).unwrap_or_else(|_| usual.to_owned());
        if !Path::new(&program).exists() {
            eprintln!(
                "SKIPPED: there is no {program} ({setting}), so {self:?} asks nothing; `bin/test peers` installs it"
            );
            return None;
        }
        Some(program)
    }

    /// What `app config` calls it.
    pub fn word(self) -> &'static str {
        match self {
            Nginx => "nginx",
            Caddy | CaddyOfDebian => "caddy",
            Traefik => "traefik",
            Apache => "apache",
        }
    }

    /// What `app` prints for `host`.
    pub fn config(self, app: &TestApp, host: &str, upstream: u16, vestibule: u16) -> String {
        let (upstream, here) = (format!("127.0.0.1:{upstream}"), format!("127.0.0.1:{vestibule}"));
        let printed =
            app.command(&["app", "config", host, self.word(), "--upstream", &upstream, "--vestibule", &here]);
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        printed.out
    }

    /// Starts it at a port, with these configurations and what a machine of its own would have around them.
    pub async fn start(self, port: u16, folder: &Path, printed: &[String]) -> Option<Running> {
        let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let all = printed.concat();
        let mut command = Command::new(self.program()?);
        match self {
            Nginx => {
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|what| format!("{what}_temp_path {};", place(what)))
                    .concat();
                let head = format!(
                    "daemon off; master_process off; pid {}; error_log stderr crit; events {{}}",
                    place("pid")
                );
                let whole = format!("{head}\nhttp {{ access_log off; {temporary}\n{all}\n}}\n");
                fs::write(place("nginx.conf"), whole).unwrap();
                command.args(["-e", "stderr", "-c", &place("nginx.conf")]);
            }
            Caddy | CaddyOfDebian => {
                let whole = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{all}\n");
                fs::write(place("Caddyfile"), whole).unwrap();
                command.args(["run", "--adapter", "caddyfile", "--config", &place("Caddyfile")]);
                command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
            }
            Traefik => {
                fs::create_dir(place("dynamic")).unwrap();
                for (number, text) in printed.iter().enumerate() {
                    fs::write(place(&format!("dynamic/{number}.yml")), text).unwrap();
                }
                command.arg(format!("--entryPoints.web.address=127.0.0.1:{port}"));
                command.arg(format!("--providers.file.directory={}", place("dynamic")));
                command.args([
                    "--log.level=ERROR",
                    "--global.checkNewVersion=false",
                    "--global.sendAnonymousUsage=false",
                ]);
            }
            Apache => {
                let modules = ["mpm_event", "authz_core", "lua", "proxy", "proxy_http"]
                    .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
                    .concat();
                let head = format!(
                    "ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {}\nDefaultRuntimeDir {}\nErrorLog {}\n\
                     User www-data\nGroup www-data\n",
                    place("pid"),
                    place(""),
                    place("log")
                );
                fs::write(place("apache.conf"), format!("{head}{modules}{all}")).unwrap();
                // One process, which ends when it is told to.
                command.args(["-X", "-f", &place("apache.conf")]);
            }
        }
        Some(Running::at(&mut command, port).await)
    }
}
