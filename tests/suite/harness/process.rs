//! The program in a process of its own: started, stopped and killed as an operator, a deployment or a power cut would
//! do it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use actix_web::http::Method;
use rustix::process::{Pid, Signal, kill_process};
use vestibule::{
    app::App,
    clock::Clock,
    config,
    mail::{Catcher, Caught},
};

use super::{CommandOutput, Storage, Visitor, program, token_in};

/// What processes stand on: a folder, a database, a mail server. With `TEST_DATABASE_URL` rows are on PostgreSQL.
pub struct Ground {
    pub settings: BTreeMap<String, String>,
    pub catcher: Catcher,
    program: String,
    storage: Storage,
}

/// A process of the program. It ends with the test.
pub struct Process {
    pub port: u16,
    child: Child,
    log: PathBuf,
}

impl Ground {
    /// Development mode with the default settings.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with some settings of one's own; an empty one is not set at all.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let storage = Storage::new();
        let catcher = Catcher::start(([127, 0, 0, 1], 0).into()).unwrap();
        let smtp_url = format!("smtp://{}", catcher.addr());
        let usual = [("DATABASE_URL", storage.url.as_str()), ("SMTP_URL", &smtp_url), ("THROTTLE", "off")];
        let chosen = usual.iter().chain(settings);
        let settings = chosen.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { settings, catcher, program: program(), storage }
    }

    /// The same for the program as it is shipped: the one that `VESTIBULE_BIN` names, or else the release build beside
    /// this one. Where there is none, the test says so and is skipped.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    pub fn of_release() -> Option<Self> {
        let release = match std::env::var("VESTIBULE_BIN") {
            Ok(named) => named,
            Err(_) => {
                let beside = Path::new(&program()).with_file_name("../release/vestibule");
                if !beside.exists() {
                    eprintln!("SKIPPED: no release build at {}", beside.display());
                    return None;
                }
                beside.display().to_string()
            }
        };
        Some(Self { program: release, ..Self::with(&[("BCRYPT_COST", "4")]) })
    }

    /// Starts `vestibule serve` and waits until it answers.
    pub async fn serve(&self) -> Process {
        self.spawn().answering().await
    }

    /// Starts `vestibule serve` on a port of its own.
    pub fn spawn(&self) -> Process {
        let port = free_port();
        let output = File::options().append(true).create(true).open(self.log(port)).unwrap();
        self.spawn_at(port, output.try_clone().unwrap().into(), output.into())
    }

    /// The same with other ends of its stdout and stderr.
    pub fn spawn_to(&self, stdout: Stdio, stderr: Stdio) -> Process {
        self.spawn_at(free_port(), stdout, stderr)
    }

    fn spawn_at(&self, port: u16, stdout: Stdio, stderr: Stdio) -> Process {
        let child = self
            .command(&["serve"])
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env("BASE_URL", format!("http://localhost:{port}"))
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        Process { port, child, log: self.log(port) }
    }

    /// Where its processes run.
    pub fn folder(&self) -> &Path {
        self.storage.folder.path()
    }

    /// Where the output of the process at this port goes.
    pub fn log(&self, port: u16) -> PathBuf {
        self.storage.folder.path().join(format!("{port}.log"))
    }

    /// Another command on the same ground, beside what runs there. Returns what it printed.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let output = self.attempt(arguments).await;
        assert_eq!(output.code, Some(0), "vestibule {arguments:?}: {output:?}");
        output.out
    }

    /// The same where it may be refused.
    pub async fn attempt(&self, arguments: &[&str]) -> CommandOutput {
        let mut command = self.command(arguments);
        CommandOutput::of(tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // The settings of whoever runs the tests are not ours.
        command.args(arguments).current_dir(self.storage.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(self.settings.iter().filter(|(_, value)| !value.is_empty()));
        command
    }

    /// The emails to `address` once there are some, oldest first.
    pub async fn emails_to(&self, address: &str) -> Vec<Caught> {
        eventually("a letter", async || {
            let mut emails = self.catcher.emails();
            emails.retain(|email| email.to == address);
            emails.reverse();
            (!emails.is_empty()).then_some(emails)
        })
        .await
    }

    /// The token in the first letter to `address`.
    pub async fn token_for(&self, address: &str) -> String {
        token_in(&self.emails_to(address).await[0].text).expect("a link in the letter")
    }

    /// Looks into the database from outside, as an operator could.
    pub fn look_inside(&self) -> App {
        let mut settings = self.settings.clone();
        settings.retain(|_, value| !value.is_empty());
        settings.insert("SECRET_KEY".to_owned(), "a key for somebody who only looks at rows".to_owned());
        App::open_with(config::from_values(settings).unwrap(), Clock::system()).unwrap()
    }
}

impl Process {
    /// Waits until the process answers.
    pub async fn answering(mut self) -> Self {
        let curl = self.curl();
        let outcome = eventually("an answer from /healthz", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(Err(status));
            }
            let answer = curl.attempt(Method::GET, "/healthz", None).await.ok()?;
            (answer.status == 200).then_some(Ok(()))
        })
        .await;
        if let Err(status) = outcome {
            panic!("the process ended with {status}: {}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        self
    }

    /// Somebody with curl and a cookie jar.
    pub fn curl(&self) -> Visitor {
        Visitor::curl(self.port)
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Pulls the plug: SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Asks it to stop, and waits until it has, in good order.
    pub fn stop(self) {
        self.terminate();
        let log = self.log.clone();
        let status = self.ended();
        assert!(status.success(), "{status}: {}", fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until something is there, a bounded number of times. Another process tells nobody here when it is ready or
/// has sent an email, so this is the one place in the tests that waits: shortly, between two looks.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    const LOOKS: u32 = 3_000;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..LOOKS {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{what} did not come");
}

/// A number that nobody could know before.
pub fn any_number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// A port that is free now, below the range from which the system hands ports out by itself.
pub fn free_port() -> u16 {
    let start = 20_000 + (any_number() % 10_000) as u16;
    (start..32_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
