//! The world outside, on this machine: a DNS server that knows what a test tells it, and a web server with one document.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What a DNS server knows of a name.
#[derive(Debug, Clone)]
pub enum Record {
    /// TXT records, a line each.
    Text(String),
    Address([u8; 4]),
    /// It has trouble of its own.
    Trouble,
}

/// A DNS server (RFC 1035 §4).
#[derive(Clone)]
pub struct Names {
    pub addr: SocketAddr,
    records: Arc<Mutex<BTreeMap<String, Record>>>,
}

impl Names {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let names = Self { addr, records: Arc::default() };
        let known = Arc::clone(&names.records);
        thread::spawn(move || {
            let mut question = [0; 1_500];
            while let Ok((length, asker)) = socket.recv_from(&mut question) {
                let answer = answer(&question[..length], &known.lock().unwrap());
                socket.send_to(&answer, asker).unwrap();
            }
        });
        names
    }

    pub fn set(&self, name: &str, record: Record) {
        self.records.lock().unwrap().insert(name.to_owned(), record);
    }

    pub fn forget(&self, name: &str) {
        self.records.lock().unwrap().remove(name);
    }
}

fn answer(question: &[u8], known: &BTreeMap<String, Record>) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    let end = at + 5;
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let record = known.get(&labels.join("."));
    let data: Vec<Vec<u8>> = match (record, kind) {
        (Some(Record::Text(texts)), 16) => {
            let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            texts.split('\n').map(text).collect()
        }
        (Some(Record::Address(address)), 1) => vec![address.to_vec()],
        _ => Vec::new(),
    };
    let code = match record {
        Some(Record::Trouble) => 2,
        Some(_) => 0,
        None => 3,
    };
    let mut answer = question[..2].to_vec();
    answer.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(data.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    for data in data {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    answer
}

/// A web server with one document.
#[derive(Clone)]
pub struct Publisher {
    pub port: u16,
    document: Arc<Mutex<(String, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub fn start(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let document = Arc::new(Mutex::new(("200 OK".to_owned(), document.to_owned())));
        let publisher = Self { port, document, asked: Arc::default() };
        let (kept, asked) = (Arc::clone(&publisher.document), Arc::clone(&publisher.asked));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4_096]);
                asked.fetch_add(1, Ordering::SeqCst);
                let (status, body) = kept.lock().unwrap().clone();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        publisher
    }

    pub fn link(&self) -> String {
        format!("http://127.0.0.1:{}/metadata", self.port)
    }

    /// From now on it answers with this status (and headers), and this document.
    pub fn publish(&self, status: &str, document: &str) {
        *self.document.lock().unwrap() = (status.to_owned(), document.to_owned());
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
