//! What a mail server says, as bytes: only the three digits of a reply decide, its text is optional and in any encoding
//! (RFC 5321 §4.2). Our library wants a text in UTF-8 after every code; this stands between the two.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
#[expect(deprecated, reason = "the only way to stand between TLS and the library's reader")]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Mutex, MutexGuard},
};

#[expect(deprecated, reason = "the only way to stand between TLS and the library's reader")]
pub(crate) type Network = AsyncNetworkStream;

/// By which word we greet (RFC 5321 §4.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hello {
    /// `EHLO`.
    Extended,
    /// `HELO`.
    Plain,
}

/// What is read here is a reply that the library understands; what is written goes out as it is.
pub(crate) struct Lenient {
    network: Arc<Mutex<Network>>,
    lines: Lines,
    word: Hello,
}

impl Lenient {
    pub(crate) fn new(network: Arc<Mutex<Network>>, word: Hello) -> Self {
        Self { network, lines: Lines::default(), word }
    }

    /// On a connection that was greeted before: the library waits for a greeting, and the server for an EHLO.
    pub(crate) fn greeted(network: Arc<Mutex<Network>>) -> Self {
        let mut lines = Lines::default();
        lines.take_in(b"220 -\r\n");
        Self { network, lines, word: Hello::Extended }
    }

    /// Whoever else has it only turns TLS on, once nobody reads here any more.
    fn network(&self) -> io::Result<MutexGuard<'_, Network>> {
        self.network.try_lock().map_err(|_| io::ErrorKind::ResourceBusy.into())
    }
}

/// Replies, line by line, in whatever pieces they come.
#[derive(Default)]
struct Lines {
    column: usize,
    was_return: bool,
    code: [u8; 3],
    // The first word behind the code, until it has ended; that of AUTH until the line has.
    keyword: Option<Vec<u8>>,
    ready: VecDeque<u8>,
}

impl Lines {
    fn take_in(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let is_end = matches!(byte, b'\r' | b'\n');
            let missing: &[u8] = match self.column {
                // EHLO needs a word.
                3 if is_end => b" -",
                4 if is_end && !self.was_return => b"-",
                3 if !matches!(byte, b' ' | b'-') => b" ",
                _ => b"",
            };
            self.ready.extend(missing);
            if byte == b'\n' && !self.was_return {
                self.ready.push_back(b'\r');
            }
            let byte = if byte.is_ascii() { byte } else { b'?' };
            let byte = self.keyword_in_capitals(byte);
            self.ready.push_back(byte);
            self.column = if byte == b'\n' { 0 } else { self.column + 1 };
            self.was_return = byte == b'\r';
        }
    }
}

impl Lines {
    /// EHLO's keywords are read in any case (RFC 5321 §2.4), and the library knows them in capitals only: whoever overlooks
    /// `starttls` would say the password to everybody. `AUTH=` is how servers wrote it before RFC 2554.
    fn keyword_in_capitals(&mut self, byte: u8) -> u8 {
        match self.column {
            column @ 0..3 => {
                self.code[column] = byte;
                return byte;
            }
            3 => {
                self.keyword = (self.code == *b"250").then(Vec::new);
                return byte;
            }
            _ => {}
        }
        let Some(keyword) = &mut self.keyword else { return byte };
        if !byte.is_ascii_alphanumeric() && byte != b'-' && !keyword.starts_with(b"AUTH") {
            self.keyword = None;
            return byte;
        }
        let is_old_auth = byte == b'=' && keyword == b"AUTH";
        let byte = if is_old_auth { b' ' } else { byte.to_ascii_uppercase() };
        keyword.push(byte);
        byte
    }
}

impl AsyncRead for Lenient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.lines.ready.is_empty() {
            let mut piece = [0; 1024];
            let read = Pin::new(&mut *self.network()?).poll_read(cx, &mut piece);
            let count = ready!(read)?;
            self.lines.take_in(&piece[..count]);
        }
        let count = self.lines.ready.len().min(into.remaining());
        for byte in self.lines.ready.drain(..count) {
            into.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lenient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The library knows the one word only, and writes a command at once.
        match bytes.strip_prefix(b"EHLO ").filter(|_| self.word == Hello::Plain) {
            Some(rest) => Pin::new(&mut *self.network()?).poll_write(cx, &[b"HELO ", rest].concat()),
            None => Pin::new(&mut *self.network()?).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.network()?).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.network()?).poll_close(cx)
    }
}

impl AsyncTokioStream for Lenient {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.network()?.peer_addr()
    }
}

impl fmt::Debug for Lenient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lenient")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_made_one_that_the_library_reads() {
        for (sent, read) in [
            ("250 mail.example\r\n", "250 MAIL.example\r\n"),
            ("250-starttls\r\n", "250-STARTTLS\r\n"),
            ("250-StartTLS\r\n250 size 1000\r\n", "250-STARTTLS\r\n250 SIZE 1000\r\n"),
            ("250-auth login Plain\r\n", "250-AUTH LOGIN PLAIN\r\n"),
            ("250 AUTH=LOGIN PLAIN\r\n", "250 AUTH LOGIN PLAIN\r\n"),
            ("250-8bitmime\n", "250-8BITMIME\r\n"),
            ("250\r\n", "250 -\r\n"),
            ("220 ready = yes\r\n", "220 ready = yes\r\n"),
            ("334 dXNlcg==\r\n", "334 dXNlcg==\r\n"),
            ("550 no such user\r\n", "550 no such user\r\n"),
        ] {
            let mut lines = Lines::default();
            lines.take_in(sent.as_bytes());
            let ready: Vec<u8> = lines.ready.into_iter().collect();
            assert_eq!(String::from_utf8(ready).unwrap(), read, "{sent:?}");
        }
    }
}
