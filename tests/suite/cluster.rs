//! PostgreSQL servers of a test's own, to be stopped, killed and promoted; and poolers and wires in front of them.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};

use crate::harness::free_port;

/// A server with a data folder of its own. It ends with the test.
pub struct Cluster {
    pub port: u16,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// An empty one, with these lines in its postgresql.conf, running.
    pub fn start(conf: &str) -> Self {
        let folder = open_folder();
        let cluster = Self { port: free_port(), folder };
        let data = cluster.data();
        run(server_program("initdb").arg("--pgdata").arg(&data).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]));
        cluster.configure(conf);
        cluster.resume();
        cluster
    }

    /// A standby that follows `primary` under this name, running.
    pub fn standby_of(primary: &Cluster, name: &str) -> Self {
        let folder = open_folder();
        let cluster = Self { port: free_port(), folder };
        let source = format!("host=127.0.0.1 port={} user=postgres application_name={name}", primary.port);
        run(server_program("pg_basebackup")
            .arg("--pgdata")
            .arg(cluster.data())
            .arg("--dbname")
            .arg(source)
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]));
        cluster.configure("");
        cluster.resume();
        cluster
    }

    /// Starts it, and waits until it takes connections.
    pub fn resume(&self) {
        run(server_program("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(self.data())
            .arg("--log")
            .arg(self.folder.path().join("log")));
    }

    /// Ends it as a power cut does: no checkpoint, no good-byes.
    pub fn stop(&self) {
        run(server_program("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(self.data()));
    }

    /// Stops the time of every process of it (`STOP`), or lets it go on (`CONT`): meanwhile the kernel takes what is sent to them.
    pub fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // The first of them makes no others while it stands still.
        run(Command::new("kill").args([&format!("-{signal}"), &pid]));
        let _ = Command::new("pkill").args([&format!("-{signal}"), "-P", &pid]).status();
    }

    /// Makes a standby the primary, and waits until it takes writes.
    pub fn promote(&self) {
        run(server_program("pg_ctl").args(["promote", "--wait", "--silent", "--pgdata"]).arg(self.data()));
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// An operator's statement.
    pub fn execute(&self, statement: &str) {
        let mut conn = PgConnection::establish(&self.url()).unwrap();
        sql_query(statement).execute(&mut conn).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configure(&self, conf: &str) {
        let port = self.port;
        let sockets = self.folder.path().display();
        let more = format!(
            "\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{sockets}'\n\
             shared_buffers = 16MB\nfsync = off\n{conf}\n"
        );
        let path = self.data().join("postgresql.conf");
        let written = fs::read_to_string(&path).unwrap();
        fs::write(path, written + &more).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be down already.
        let _ = server_program("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// PgBouncer in transaction mode, in front of a server. It ends with the test.
pub struct Bouncer {
    pub port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Bouncer {
    /// In front of `host:port`, with four connections to it.
    pub fn before(address: &str) -> Self {
        let folder = open_folder();
        let port = free_port();
        let (host, server_port) = address.split_once(':').unwrap();
        let users = folder.path().join("users.txt");
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        let conf = folder.path().join("pgbouncer.ini");
        fs::write(
            &conf,
            format!(
                "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 4\n\
                 max_client_conn = 200\nlogfile = {}\n",
                users.display(),
                folder.path().join("log").display()
            ),
        )
        .unwrap();
        let program =
            if Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        let child = as_server_user(program)
            .arg("--quiet")
            .arg(&conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|cause| panic!("PgBouncer ({cause}): install the package pgbouncer"));
        Self { port, child, _folder: folder }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A wire to a server that can be cut: whoever is connected is cut off, and nobody gets through.
pub struct Wire {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// From this port of ours to `address`.
    pub fn to(port: u16, address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_cut, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let address = address.to_owned();
        let wire = Self { port, is_cut: Arc::clone(&is_cut), ends: Arc::clone(&ends) };
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Dropped: whoever connects is cut off at once.
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&address) else { continue };
                let copies = [&near, &far].map(|end| end.try_clone().unwrap());
                ends.lock().unwrap().extend(copies);
                relay(near.try_clone().unwrap(), far.try_clone().unwrap());
                relay(far, near);
            }
        });
        wire
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
            && to.write_all(&buffer[..count]).is_ok()
        {}
        let _ = to.shutdown(Shutdown::Both);
        let _: io::Result<()> = from.shutdown(Shutdown::Both);
    });
}

/// A short path that the server's user may write into.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("vc").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

/// One of PostgreSQL's own programs, which are often not on PATH: the newest.
fn server_program(name: &str) -> Command {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort();
    folders.extend(
        Command::new("pg_config")
            .arg("--bindir")
            .output()
            .ok()
            .map(|output| PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())),
    );
    let path = folders.iter().rev().map(|folder| folder.join(name)).find(|path| path.exists());
    as_server_user(path.unwrap_or_else(|| name.into()))
}

/// Servers refuse to run as root: there they belong to somebody with fewer rights.
fn as_server_user(program: impl Into<PathBuf>) -> Command {
    let program = program.into();
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let has_postgres = fs::read_to_string("/etc/passwd").unwrap().contains("\npostgres:");
    let mut command = Command::new("setpriv");
    let user = if has_postgres { "postgres" } else { "nobody" };
    command.args([
        "--reuid",
        user,
        "--regid",
        if has_postgres { "postgres" } else { "nogroup" },
        "--clear-groups",
    ]);
    command.arg(program).current_dir("/tmp");
    command
}

fn run(command: &mut Command) {
    // A server that stays behind must not hold a pipe of ours.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
