//! A thread of its own writes the lines, so that a reader that is slow, stuck or gone holds up no request.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

// Lines that wait for a slow reader. The next ones are lost.
const MOST_WAITING: usize = 4_096;

// So long lines are gathered: each request that wakes this thread by itself pays for it.
const GATHERING: Duration = Duration::from_millis(2);

// What piled up meanwhile goes out in one write of up to about this many bytes.
const BATCH: usize = 64 * 1024;

// How long the end of the process waits for the last lines.
const LAST_WORDS: Duration = Duration::from_secs(1);

// Between two tries where stdout does not block and takes nothing now.
const PAUSE: Duration = Duration::from_millis(5);

static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines this process could not write.
pub(crate) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are handed in. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Lines(SyncSender<Message>);

impl Lines {
    /// Starts the thread, which writes to stdout.
    pub(crate) fn start() -> io::Result<Self> {
        // The file itself: `io::stdout` would keep what it could not write, and try it again.
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let sink = Sink { out, is_torn: false };
        let (lines, waiting) = sync_channel(MOST_WAITING);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(sink, &waiting))?;
        Ok(Self(lines))
    }

    /// Hands a line in, or counts it as lost.
    pub(crate) fn push(&self, line: Vec<u8>) {
        if self.0.try_send(Message::Line(line)).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything before this is written, but not for long.
    pub(crate) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        let mut message = Message::Flush(done);
        let tries = LAST_WORDS.as_millis() / PAUSE.as_millis();
        for _ in 0..tries {
            match self.0.try_send(message) {
                Ok(()) => {
                    let _ = is_done.recv_timeout(LAST_WORDS);
                    return;
                }
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            thread::sleep(PAUSE);
        }
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(self.clone())
    }
}

/// One line on its way: `tracing` writes each whole.
pub(crate) struct Line(Lines);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(mut sink: Sink<impl Write>, waiting: &Receiver<Message>) {
    while let Ok(first) = waiting.recv() {
        let (mut batch, mut flushed) = (Vec::new(), None);
        if matches!(first, Message::Line(_)) {
            thread::sleep(GATHERING);
        }
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => batch.extend(line),
                Message::Flush(done) => flushed = Some(done),
            }
            next = if batch.len() < BATCH && flushed.is_none() { waiting.try_recv().ok() } else { None };
        }
        LOST.fetch_add(sink.put(&batch), Ordering::Relaxed);
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

/// What lines are written to.
struct Sink<W> {
    out: W,
    // Whether the last thing there is a piece of a line.
    is_torn: bool,
}

impl<W: Write> Sink<W> {
    /// Writes as much of these lines as goes. Returns how many did not.
    fn put(&mut self, lines: &[u8]) -> u64 {
        // A line that was cut off must not swallow the one after it.
        if self.is_torn && self.write(b"\n") == 1 {
            self.is_torn = false;
        }
        let written = if self.is_torn { 0 } else { self.write(lines) };
        let (kept, lost) = lines.split_at(written);
        self.is_torn |= kept.last().is_some_and(|last| *last != b'\n');
        lost.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.out.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(_) => break,
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, is full for a while, and takes everything from then on.
    struct Disk {
        room: usize,
        refusals: usize,
        kept: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 && self.refusals > 0 {
                self.refusals -= 1;
                self.room = if self.refusals == 0 { usize::MAX } else { 0 };
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.kept.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_was_full_for_a_while_costs_the_lines_of_that_while_and_cuts_none_in_two() {
        let disk = Disk { room: 9, refusals: 2, kept: Vec::new() };
        let mut sink = Sink { out: disk, is_torn: false };

        let lost =
            ["first\n", "second\n", "third\nfourth\n", "fifth\n"].map(|lines| sink.put(lines.as_bytes()));

        assert_eq!(lost, [0, 1, 2, 0]);
        assert_eq!(String::from_utf8(sink.out.kept).unwrap(), "first\nsec\nfifth\n");
    }
}
