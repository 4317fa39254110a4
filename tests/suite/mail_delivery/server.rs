//! A mail server that answers as a test tells it to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// A running server. It stops with the process.
pub struct MailServer {
    pub addr: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    script: Vec<(&'static str, String)>,
    held_domains: Vec<String>,
    held: usize,
    connections: usize,
    taken: Vec<Taken>,
}

/// An email that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub to: String,
    pub sender_line: String,
    pub text: String,
}

impl MailServer {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || converse(stream, &state));
            }
        });
        Self { addr, state }
    }

    /// What it says to the line that begins with `at`; the greeting is `""`, the end of the content `.`.
    pub fn says(&self, at: &'static str, reply: &str) {
        self.state.0.lock().unwrap().script.push((at, reply.to_owned()));
    }

    /// From now on all is well.
    pub fn is_mended(&self) {
        self.state.0.lock().unwrap().script.clear();
    }

    /// Answers nothing about recipients in these domains until it lets go.
    pub fn holds(&self, domains: impl IntoIterator<Item = String>) {
        self.state.0.lock().unwrap().held_domains.extend(domains);
    }

    /// Answers all that it held.
    pub fn lets_go(&self) {
        self.state.0.lock().unwrap().held_domains.clear();
        self.state.1.notify_all();
    }

    /// How many recipients wait for an answer.
    pub fn held(&self) -> usize {
        self.state.0.lock().unwrap().held
    }

    /// How many connections were ever made.
    pub fn connections(&self) -> usize {
        self.state.0.lock().unwrap().connections
    }

    /// What was taken.
    pub fn taken(&self) -> Vec<Taken> {
        self.state.0.lock().unwrap().taken.clone()
    }

    /// How often something was taken for this recipient.
    pub fn taken_for(&self, recipient: &str) -> usize {
        self.taken().iter().filter(|taken| taken.to == recipient).count()
    }
}

fn converse(stream: TcpStream, state: &(Mutex<State>, Condvar)) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    state.0.lock().unwrap().connections += 1;
    let greeting = answer_to("", "220 mail.example", state);
    out.write_all(format!("{greeting}\r\n").as_bytes()).ok()?;
    let (mut to, mut sender_line, mut text, mut is_data) =
        (String::new(), String::new(), String::new(), false);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if is_data && line != "." {
            text += &format!("{line}\n");
            continue;
        }
        let usual = match line.split([' ', ':']).next()? {
            "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        if let Some(recipient) = line.strip_prefix("RCPT TO:<") {
            to = recipient.trim_end_matches('>').to_owned();
            wait_while_held(&to, state);
        } else if line.starts_with("MAIL") {
            sender_line = line.clone();
        }
        let output = answer_to(&line, usual, state);
        // Before it is acknowledged: whoever was told may look.
        if is_data && output.starts_with("250") {
            let (to, sender_line, text) = (to.clone(), sender_line.clone(), std::mem::take(&mut text));
            state.0.lock().unwrap().taken.push(Taken { to, sender_line, text });
        }
        out.write_all(format!("{output}\r\n").as_bytes()).ok()?;
        is_data = output.starts_with("354");
        if output.starts_with("421") || output.starts_with("221") {
            return None;
        }
    }
    Some(())
}

fn answer_to(line: &str, usual: &str, state: &(Mutex<State>, Condvar)) -> String {
    let is_meant = |at: &str| if at.is_empty() { line.is_empty() } else { line.starts_with(at) };
    let script = &state.0.lock().unwrap().script;
    let scripted = script.iter().find(|(at, _)| is_meant(at)).map(|(_, reply)| reply.clone());
    scripted.unwrap_or_else(|| usual.to_owned())
}

fn wait_while_held(recipient: &str, state: &(Mutex<State>, Condvar)) {
    let domain = recipient.rsplit('@').next().unwrap_or_default().to_owned();
    let mut held = state.0.lock().unwrap();
    if !held.held_domains.contains(&domain) {
        return;
    }
    held.held += 1;
    held = state.1.wait_while(held, |state| state.held_domains.contains(&domain)).unwrap();
    held.held -= 1;
}
