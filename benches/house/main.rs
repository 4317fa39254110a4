//! The program against its own limits: a bare actix-web page of the same size, one by hand on PostgreSQL, and raw bcrypt.
//!
//! `bin/bench` builds the program as it is shipped, starts it, and calls this. What is compared is **CPU per
//! request** of the server's process alone (`/proc/PID/stat`): it hardly depends on what else the machine does,
//! as requests per second do.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on has failed")]

mod by_hand;
mod checks;
mod load;
mod process;
mod rows;
mod table;

use std::{
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use load::{Faces, Load, Outcome, login, signup};
use process::{Process, cpu_of_self};
use rows::Rows;
use table::{Bound, Table};

/// What everybody here signs in with.
const PASSWORD: &str = "correct horse battery staple";

// Connections that ask for a page, and that sign in during the flood.
const READERS: usize = 8;
const FLOOD: usize = 16;

// The pace of the one who reads while others sign in: a closed loop would take a core for itself.
const PACE: Duration = Duration::from_millis(5);

// Together a thousand checks of the gate a second.
const PROXIES: usize = 4;
const PROXY_PACE: Duration = Duration::from_millis(4);

/// A database with people in it.
struct Place<'a> {
    name: &'static str,
    url: &'a str,
    rows: &'a Rows,
}

/// Who asks for the page, and how many changes a second somebody else makes meanwhile.
struct Scene {
    name: &'static str,
    visitors: usize,
    commits: u32,
}

// One visitor's rows stay in the processor's cache; those of 256 do not, but in SQLite's; and each commit makes SQLite
// read them from the system again.
const SCENES: [Scene; 3] = [
    Scene { name: "256 visitors", visitors: rows::VISITORS, commits: 0 },
    Scene { name: "one visitor", visitors: 1, commits: 0 },
    Scene { name: "20 commits/s", visitors: rows::VISITORS, commits: 20 },
];

/// Measures the program and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program, as it is shipped.
    #[arg(long, required_unless_present = "bare")]
    program: Option<PathBuf>,
    /// An empty folder for databases and mail.
    #[arg(long, required_unless_present = "bare")]
    scratch: Option<PathBuf>,
    /// A PostgreSQL server, to measure the page there as well.
    #[arg(long)]
    postgres: Option<String>,
    /// Two minutes instead of six.
    #[arg(long)]
    quick: bool,
    /// The page also with a million users and three million sessions in the tables.
    #[arg(long)]
    big: bool,
    /// Only these parts.
    #[arg(long, value_delimiter = ',', default_value = "start,page,check,bcrypt,flood,signup")]
    parts: Vec<String>,
    /// Serve the bare pages on this port; how this program starts itself.
    #[arg(long, hide = true, value_names = ["PORT", "HTML", "JSON"], num_args = 3)]
    bare: Option<Vec<usize>>,
    /// Serve them from this PostgreSQL server by hand instead.
    #[arg(long, hide = true)]
    by_hand: Option<String>,
    /// Said by `cargo bench`.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    match (&arguments.bare, &arguments.by_hand) {
        (Some(numbers), database) => process::serve(numbers, database.as_deref()),
        (None, _) => Bench::new(arguments).run(),
    }
}

struct Bench {
    program: PathBuf,
    scratch: PathBuf,
    postgres: Option<String>,
    parts: Vec<String>,
    big: bool,
    rounds: usize,
    page: Duration,
    hashing: Duration,
    table: Table,
    cores: usize,
}

impl Bench {
    fn new(arguments: Arguments) -> Self {
        let milliseconds = |full, quick| Duration::from_millis(if arguments.quick { quick } else { full });
        Self {
            rounds: if arguments.quick { 5 } else { 11 },
            page: milliseconds(1_000, 600),
            hashing: milliseconds(20_000, 6_000),
            program: arguments.program.expect("--program"),
            scratch: arguments.scratch.expect("--scratch"),
            postgres: arguments.postgres,
            parts: arguments.parts,
            big: arguments.big,
            table: Table::default(),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
    }

    fn run(mut self) {
        let sqlite = format!("sqlite://{}", self.scratch.join("house.db").display());
        if self.wants("start") {
            self.start(&sqlite);
        }
        let small = self.furnish(&sqlite, 10_000, 1);
        if self.wants("bcrypt") || self.wants("flood") || self.wants("signup") {
            let ceiling = self.bcrypt();
            if self.wants("flood") {
                self.flood(&sqlite, &small, ceiling);
            }
            if self.wants("signup") {
                self.signup(&sqlite, ceiling);
            }
        }
        // Later than all that: a large file is written to the disk for a while.
        if self.wants("page") || self.wants("check") {
            let mut places = vec![Place { name: "SQLite", url: &sqlite, rows: &small }];
            let url = format!("sqlite://{}", self.scratch.join("big.db").display());
            let rows = self.big.then(|| self.furnish(&url, 1_000_000, 3));
            places.extend(rows.as_ref().map(|rows| Place {
                name: "1 M users, 3 M sessions",
                url: &url,
                rows,
            }));
            if self.wants("page") {
                SCENES.iter().for_each(|scene| self.pages(scene, &places));
            }
            if self.wants("check") {
                self.checks(&places);
            }
        }
        // At last: what a server does with ten thousand new people, it does for a while.
        if let Some(server) = self.postgres.clone().filter(|_| self.wants("page") || self.wants("check")) {
            let rows = self.furnish(&server, 10_000, 1);
            let places = [Place { name: "PostgreSQL", url: &server, rows: &rows }];
            if self.wants("page") {
                SCENES[..2].iter().for_each(|scene| self.pages(scene, &places));
            }
            if self.wants("check") {
                self.checks(&places);
            }
            self.table.note("On PostgreSQL only this program's own CPU is counted, not the database's.");
        }
    }

    fn open(&self, database: &str) -> Process {
        Process::house(&self.program, &self.scratch, database)
    }

    /// A database with people in it, and the cookies of some of them. Closed again.
    fn furnish(&self, database: &str, people: usize, sessions: usize) -> Rows {
        progress(&format!("filling the tables with {people} people"));
        let house = self.open(database);
        let mut template = house.connect();
        template.ask(&signup("template@example.com", 0)).is(201);
        // Where this one is signed in, everybody else is.
        for user_agent in ["Chrome/120 macOS", "Safari/17 iPhone"] {
            template.ask(&login("template@example.com", 0, user_agent)).is(200);
        }
        drop(house);
        Rows::fill(database, people, sessions)
    }

    fn start(&mut self, database: &str) {
        progress("start");
        drop(self.open(database));
        let mut starts: Vec<f64> = Vec::new();
        let mut memory = 0.0;
        for _ in 0..7 {
            let began = Instant::now();
            let house = self.open(database);
            house.connect().ask(&Faces::HTML.get("/login", "")).is(200);
            starts.push(began.elapsed().as_secs_f64());
            thread::sleep(Duration::from_millis(500));
            memory = house.resident();
        }
        let start = median(&mut starts) * 1e3;
        self.table.figure("start to first 200", &format!("{start:.0} ms"), Bound::below(start, 150.0, "ms"));
        self.table.figure("memory, idle", &format!("{memory:.1} MB"), Bound::below(memory, 40.0, "MB"));
    }

    /// The signed-in page at each place beside another one of the same size, in turns.
    fn pages(&mut self, scene: &Scene, places: &[Place]) {
        progress(&format!("session page, {}", scene.name));
        let houses: Vec<Process> = places.iter().map(|place| self.open(place.url)).collect();
        let sizes = [Faces::HTML, Faces::JSON].map(|face| {
            let answer = houses[0].connect().ask(&face.get("/me/sessions", &places[0].rows.cookies[0]));
            answer.is(200);
            answer.body
        });
        // What one compares with: on PostgreSQL, the page by hand.
        let is_sqlite = places[0].url.starts_with("sqlite");
        let other = Process::bare(sizes, (!is_sqlite).then_some(places[0].url));
        let other_name = if is_sqlite { "bare" } else { "by hand" };
        let servers: Vec<(&Process, &Rows)> = std::iter::once((&other, places[0].rows))
            .chain(houses.iter().zip(places).map(|(house, place)| (house, place.rows)))
            .collect();
        let mut rounds = vec![vec![Vec::new(); servers.len()]; 2];
        thread::scope(|scope| {
            // Others write until this closure ends.
            let mut until: Vec<Sender<()>> = Vec::new();
            if scene.commits > 0 {
                for place in places {
                    let (sender, receiver) = mpsc::channel();
                    scope.spawn(move || rows::commit(place.url, scene.commits, &receiver));
                    until.push(sender);
                }
            }
            for round in 0..=self.rounds {
                for (face, seen) in [Faces::HTML, Faces::JSON].iter().zip(&mut rounds) {
                    for ((server, rows), seen) in servers.iter().zip(seen) {
                        let load = Load { server, connections: READERS, lasts: self.page };
                        let outcome = load.run(200, |connection, turn| {
                            let visitor = (connection + turn * READERS) % scene.visitors;
                            face.get("/me/sessions", &rows.cookies[visitor])
                        });
                        // The first round warms up: it reads the tables in and notes everybody's activity.
                        if round > 0 {
                            seen.push(outcome);
                        }
                    }
                }
            }
        });
        for ((face, size), seen) in ["HTML", "JSON"].iter().zip(sizes).zip(rounds) {
            let seen: Vec<Outcome> = seen.into_iter().map(load::middle).collect();
            let name = format!("{other_name} page, {face}, {}, {size} bytes", scene.name);
            self.table.outcome(&name, &seen[0], "", Bound::none());
            for (place, outcome) in places.iter().zip(&seen[1..]) {
                let ratio = outcome.cpu / seen[0].cpu;
                let mut beside = format!("{ratio:.2} × {other_name}");
                if place.url != places[0].url {
                    beside += &format!(", {:.2} × few rows", outcome.cpu / seen[1].cpu);
                }
                let bound = match (is_sqlite, scene.commits) {
                    (true, 0) => Bound::below(ratio, 5.0, "×"),
                    (false, 0) => Bound::below(ratio, 1.3, "×"),
                    _ => Bound::none(),
                };
                let name = format!("session page, {face}, {}, {}", scene.name, place.name);
                self.table.outcome(&name, outcome, &beside, bound);
            }
        }
    }

    /// How many hashes a second this machine makes on all its cores.
    fn bcrypt(&mut self) -> f64 {
        progress("raw bcrypt");
        let (before, began, count) = (cpu_of_self(), Instant::now(), AtomicUsize::new(0));
        let rates = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..self.cores {
                scope.spawn(|| {
                    let (mine, mut hashed) = (Instant::now(), 0);
                    while began.elapsed() < self.hashing / 2 {
                        bcrypt::hash(PASSWORD, 12).unwrap();
                        hashed += 1;
                    }
                    count.fetch_add(hashed, Ordering::Relaxed);
                    rates.lock().unwrap().push(f64::from(hashed as u32) / mine.elapsed().as_secs_f64());
                });
            }
        });
        let cpu = (cpu_of_self() - before) / count.into_inner() as f64;
        let rate = rates.into_inner().unwrap().iter().sum();
        self.table.rate("raw bcrypt, cost 12, all cores", rate, cpu, "", Bound::none());
        rate
    }

    /// One reads the page while 16 sign in, again and again.
    fn flood(&mut self, database: &str, rows: &Rows, ceiling: f64) {
        rows::protect(database);
        let house = self.open(database);
        let check = |number: usize, turn: usize| {
            load::gate(&rows.cookies[(number + turn * PROXIES) % rows::VISITORS])
        };
        let proxies = Load { server: &house, connections: PROXIES, lasts: self.hashing };
        let page = |_: usize, turn: usize| Faces::HTML.get("/me/sessions", &rows.cookies[turn % 8]);
        let reader = Load { server: &house, connections: 1, lasts: self.hashing };
        reader.probe(200, PACE, Duration::from_secs(1), page);
        progress("the page, quiet");
        let quiet = reader.probe(200, PACE, self.hashing / 2, page);
        let quiet_checks = proxies.probe(200, PROXY_PACE, self.hashing / 2, check);
        progress("the page, under a flood of sign-ins");
        let stop = AtomicBool::new(false);
        let sign_in = |connection: usize, turn: usize| {
            let person = (connection + turn * FLOOD) % rows.people.len();
            login(&rows.people[person], connection, "Chrome/120 macOS")
        };
        let crowd = Load { server: &house, connections: FLOOD, lasts: Duration::MAX };
        let (flooded, checks, signed_in, cpu) = thread::scope(|scope| {
            let crowd = scope.spawn(|| crowd.until(200, &stop, sign_in));
            // Until the queue stands.
            thread::sleep(Duration::from_secs(2));
            let (from, before) = (Instant::now(), house.cpu());
            let flooded = reader.probe(200, PACE, self.hashing, page);
            let (to, after) = (Instant::now(), house.cpu());
            let checks = proxies.probe(200, PROXY_PACE, self.hashing / 2, check);
            stop.store(true, Ordering::Relaxed);
            let done = crowd.join().unwrap();
            let count = done.iter().filter(|at| (from..to).contains(*at)).count() as f64;
            let pages = quiet.cpu * flooded.rate * (to - from).as_secs_f64();
            (flooded, checks, count / (to - from).as_secs_f64(), (after - before - pages) / count)
        });
        // Whatever else the machine does meanwhile would count for or against: half before, half after.
        let ceiling = f64::midpoint(ceiling, self.bcrypt());
        let beside = format!("{:.2} × bcrypt", signed_in / ceiling);
        let bound = Bound::above(signed_in / ceiling, 0.9, "×");
        self.table.rate("sign-in, 16 connections", signed_in, cpu, &beside, bound);
        self.table.outcome("session page, quiet, one reader", &quiet, "", Bound::none());
        self.beside_flood("the same under the flood", &quiet, &flooded);
        self.table.outcome("checks of the gate, quiet, 1,000 a second", &quiet_checks, "", Bound::none());
        self.beside_flood("the same under the flood", &quiet_checks, &checks);
        self.table.note("One reader asks 200 times a second while 16 connections sign in without a pause.");
    }

    fn beside_flood(&mut self, name: &str, quiet: &Outcome, flooded: &Outcome) {
        let allowed = (quiet.p99 * 2.0).max(quiet.p99 + 0.002) * 1e3;
        let beside = format!("p99 {:.1} × quiet", flooded.p99 / quiet.p99);
        let bound = Bound::below(flooded.p99 * 1e3, allowed, "ms p99");
        self.table.latency(name, flooded, &beside, bound);
    }

    fn signup(&mut self, database: &str, ceiling: f64) {
        progress("sign-up");
        let house = self.open(database);
        let crowd = Load { server: &house, connections: 2 * self.cores, lasts: self.hashing };
        let outcome = crowd
            .run(201, |connection, turn| signup(&format!("new-{connection}-{turn}@example.com"), connection));
        let beside = format!("{:.2} × bcrypt", outcome.rate / ceiling);
        self.table.outcome("sign-up", &outcome, &beside, Bound::none());
        self.table.figure("memory, after all that", &format!("{:.1} MB", house.resident()), Bound::none());
    }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn progress(what: &str) {
    eprintln!("… {what}");
}
