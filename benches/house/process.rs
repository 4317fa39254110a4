//! The servers that are measured: each a process of its own, so that its CPU is its own.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    web::{self, Bytes},
};

use crate::{
    by_hand,
    load::{Connection, Faces},
};

/// A server that ends when it is dropped.
pub struct Process {
    child: Child,
    port: u16,
}

impl Process {
    /// The program on a database; open when this returns.
    pub fn house(program: &Path, scratch: &Path, database: &str) -> Self {
        let port = free_port();
        let mut command = Command::new(program);
        command.arg("serve").env_clear().envs([
            ("DATABASE_URL", database.to_owned()),
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("BASE_URL", format!("http://localhost:{port}")),
            ("SMTP_URL", format!("folder:{}", scratch.join("mail").display())),
            ("SECRET_KEY", "the key of a house that stands for one measurement".to_owned()),
            ("TRUSTED_PROXIES", "127.0.0.1".to_owned()),
            ("THROTTLE", "off".to_owned()),
        ]);
        Self::open(command, port)
    }

    /// actix-web with one page in two sizes and nothing around it, or with what a page by hand has on this PostgreSQL
    /// server; as many workers as the program has.
    pub fn bare(sizes: [usize; 2], database: Option<&str>) -> Self {
        let port = free_port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--bare").args([usize::from(port), sizes[0], sizes[1]].map(|number| number.to_string()));
        if let Some(database) = database {
            command.args(["--by-hand", database]);
        }
        Self::open(command, port)
    }

    fn open(mut command: Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut process = Self { child, port };
        let began = Instant::now();
        while Connection::open(port).is_err() {
            assert!(process.child.try_wait().unwrap().is_none(), "{command:?} ended");
            assert!(began.elapsed() < Duration::from_secs(30), "{command:?} does not open");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Listening is not yet answering.
        process.connect().ask(&Faces::HTML.get("/login", "")).is(200);
        process
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.port).unwrap()
    }

    /// CPU seconds so far, user and system.
    pub fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }

    /// Resident memory in MB.
    pub fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU seconds of this process.
pub fn cpu_of_self() -> f64 {
    cpu_of("self")
}

/// proc_pid_stat(5): fields 14 and 15, in ticks of 10 ms, counted from after the name in parentheses.
fn cpu_of(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks = rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The other side of [`Process::bare`]: port, bytes of the HTML page, bytes of the JSON.
pub fn serve(numbers: &[usize], database: Option<&str>) {
    let port = u16::try_from(numbers[0]).unwrap();
    match database {
        Some(database) => by_hand::serve(port, [numbers[1], numbers[2]], database),
        None => serve_bare(port, numbers),
    }
}

fn serve_bare(port: u16, numbers: &[usize]) {
    let page = |size: usize, kind: &'static str| {
        let body = Bytes::from(vec![b'x'; size]);
        move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type(kind).body(body) }
        }
    };
    let (html, json) = (page(numbers[1], "text/html; charset=utf-8"), page(numbers[2], "application/json"));
    let server = HttpServer::new(move || {
        let is_json = actix_web::guard::Header("accept", "application/json");
        App::new()
            .route("/me/sessions", web::get().guard(is_json).to(json.clone()))
            .default_service(web::get().to(html.clone()))
    });
    let server = server.bind(("127.0.0.1", port)).unwrap().run();
    actix_web::rt::System::new().block_on(server).unwrap();
}
