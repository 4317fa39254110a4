//! A canary: an address and a file that nothing may ever open.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    process::Command,
};

/// Notices a connection and the opening of a file.
pub struct Canary {
    listener: TcpListener,
    folder: tempfile::TempDir,
}

impl Canary {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // A pipe tells whether somebody has it open; whoever opens it for reading waits there.
        let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
        assert!(made.success());
        Self { listener, folder }
    }

    pub fn http(&self) -> String {
        format!("http://{}/canary", self.listener.local_addr().unwrap())
    }

    pub fn file(&self) -> String {
        self.folder.path().join("pipe").to_str().unwrap().to_owned()
    }

    /// Whether nobody came: no connection, and no reader of the pipe.
    pub fn is_alone(&self) -> bool {
        let no_connection =
            matches!(self.listener.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock);
        // Opening a pipe for writing, without waiting, fails while nobody reads it.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let opened = OpenOptions::new().write(true).custom_flags(nonblocking).open(self.file());
        no_connection && opened.is_err()
    }
}

#[test]
fn the_canary_notices_a_visitor() {
    let canary = Canary::new();
    assert!(canary.is_alone());
    let (_, address) = canary.http().split_once("//").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let visitor = std::net::TcpStream::connect(address.trim_end_matches("/canary")).unwrap();
    // A connection that was made may take a moment to be offered.
    while canary.is_alone() {
        std::thread::yield_now();
    }
    drop(visitor);
    assert!(canary.is_alone());

    let path = canary.file();
    let reader = std::thread::spawn(move || File::open(path).is_ok());
    while canary.is_alone() {
        std::thread::yield_now();
    }
    assert!(reader.join().unwrap());
}
