//! What listens on this machine for mail in development: a catcher of this program, or something like Mailpit.

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How a catcher's greeting names it, before the page that shows what it caught.
pub(super) const NAME: &str = "vestibule-catcher";

/// Whether something accepts connections at `addr` within 200 ms.
pub(crate) fn somebody_listens(addr: SocketAddr) -> bool {
    TcpStream::connect_timeout(&addr, Duration::from_millis(200)).is_ok()
}

/// Where another instance's catcher that listens at `addr` shows what it caught; `None` where something else listens.
pub(crate) fn shown_at(addr: SocketAddr) -> Option<String> {
    let patience = Duration::from_millis(200);
    let stream = TcpStream::connect_timeout(&addr, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let mut greeting = String::new();
    BufReader::new(stream.take(512)).read_line(&mut greeting).ok()?;
    let (_, rest) = greeting.split_once(NAME)?;
    rest.split_whitespace().next().filter(|word| word.starts_with("http")).map(str::to_owned)
}
