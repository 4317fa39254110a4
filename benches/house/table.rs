//! What is printed: figures, what they are beside a limit, and the target.

use std::thread;

use crate::load::Outcome;

/// A target, and whether it is met.
pub struct Bound(String);

impl Bound {
    pub fn none() -> Self {
        Self(String::new())
    }

    pub fn below(value: f64, limit: f64, unit: &str) -> Self {
        Self(format!("≤ {limit:.3} {unit}", limit = Short(limit)) + met(value <= limit))
    }

    pub fn above(value: f64, limit: f64, unit: &str) -> Self {
        Self(format!("≥ {limit} {unit}", limit = Short(limit)) + met(value >= limit))
    }
}

fn met(is_met: bool) -> &'static str {
    if is_met { "  met" } else { "  MISSED" }
}

struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2}", self.0);
        out.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The table, row by row. It prints itself when it is dropped, also where a measurement breaks off.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 7]>,
    notes: Vec<String>,
}

impl Table {
    /// What a load saw.
    pub fn outcome(&mut self, name: &str, seen: &Outcome, beside: &str, bound: Bound) {
        self.row(name, &count(seen.rate), &time(seen.p50), &time(seen.p99), &time(seen.cpu), beside, bound);
    }

    /// The same where the server's CPU is not this load's alone.
    pub fn latency(&mut self, name: &str, seen: &Outcome, beside: &str, bound: Bound) {
        self.row(name, &count(seen.rate), &time(seen.p50), &time(seen.p99), "", beside, bound);
    }

    /// Something that is counted by the second.
    pub fn rate(&mut self, name: &str, rate: f64, cpu: f64, beside: &str, bound: Bound) {
        self.row(name, &count(rate), "", "", &time(cpu), beside, bound);
    }

    /// One figure.
    pub fn figure(&mut self, name: &str, figure: &str, bound: Bound) {
        self.row(name, "", "", "", "", figure, bound);
    }

    /// A sentence under the table.
    pub fn note(&mut self, sentence: &str) {
        self.notes.push(sentence.to_owned());
    }

    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    fn row(&mut self, name: &str, rate: &str, p50: &str, p99: &str, cpu: &str, beside: &str, bound: Bound) {
        self.rows.push([name, rate, p50, p99, cpu, beside, &bound.0].map(str::to_owned));
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let heads = ["", "per second", "p50", "p99", "CPU each", "beside", "target"].map(str::to_owned);
        let all: Vec<_> = std::iter::once(&heads).chain(&self.rows).collect();
        let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        for row in all {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Names and targets from the left, figures from the right.
                let cell = match column {
                    0 | 6 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                };
                line += &cell;
                line += "  ";
            }
            println!("{}", line.trim_end());
        }
        for note in &self.notes {
            println!("{note}");
        }
        if thread::panicking() {
            println!("The measurement broke off: there is more to it than this.");
        }
    }
}

fn count(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.1} µs", s * 1e6),
        s if s < 0.1 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.0} ms", s * 1e3),
    }
}
