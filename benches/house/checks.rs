//! What the application asks for each request of its own, beside `GET /me`.

use super::{Bench, Place, READERS, progress, rows};
use crate::{
    load::{self, Faces, Load, check, gate, gate_by_key},
    process::Process,
    table::Bound,
};

// Of `GET /me` as JSON; and of the same with few rows.
const SINGLE: f64 = 1.5;
const BATCH: f64 = 2.0;
const GATE: f64 = 1.3;
const MANY_ROWS: f64 = 1.1;

impl Bench {
    /// `GET /me`, one check and fifty, where a custom role decides, and what a proxy asks, with a cookie and with a key; at each place in turns.
    pub(crate) fn checks(&mut self, places: &[Place]) {
        progress("checks");
        let names: Vec<Vec<String>> = places.iter().map(|place| rows::organise(place.url)).collect();
        places.iter().for_each(|place| rows::protect(place.url));
        let houses: Vec<Process> = places.iter().map(|place| self.open(place.url)).collect();
        let mut rounds = vec![vec![Vec::new(); 5]; places.len()];
        for round in 0..=self.rounds {
            for (number, place) in places.iter().enumerate() {
                for (what, seen) in rounds[number].iter_mut().enumerate() {
                    let load = Load { server: &houses[number], connections: READERS, lasts: self.page };
                    let outcome = load.run(200, |connection, turn| {
                        let cookie = &place.rows.cookies[(connection + turn * READERS) % rows::VISITORS];
                        let names = &names[number];
                        match what {
                            0 => Faces::JSON.get("/me", cookie),
                            1 => check(rows::ORGANISATION, &names[turn % names.len()..][..1], cookie),
                            2 => check(rows::ORGANISATION, names, cookie),
                            3 => gate(cookie),
                            _ => gate_by_key(),
                        }
                    });
                    // The first round warms up.
                    if round > 0 {
                        seen.push(outcome);
                    }
                }
            }
        }
        let seen: Vec<Vec<_>> =
            rounds.into_iter().map(|each| each.into_iter().map(load::middle).collect()).collect();
        for (place, outcomes) in places.iter().zip(&seen) {
            let rows = [
                ("GET /me, JSON", 0.0),
                ("one check", SINGLE),
                ("fifty checks", BATCH),
                ("check of the gate", GATE),
                ("check of the gate, with a key", GATE),
            ];
            for (what, (name, limit)) in rows.into_iter().enumerate() {
                let ratio = outcomes[what].cpu / outcomes[0].cpu;
                let few = outcomes[what].cpu / seen[0][what].cpu;
                let is_many = place.url != places[0].url;
                let (beside, bound) = match (what, is_many) {
                    (0, false) => (String::new(), Bound::none()),
                    (_, false) => (format!("{ratio:.2} × GET /me"), Bound::below(ratio, limit, "×")),
                    (_, true) => (
                        format!("{ratio:.2} × GET /me, {few:.2} × few rows"),
                        Bound::below(few, MANY_ROWS, "×"),
                    ),
                };
                self.table.outcome(&format!("{name}, {}", place.name), &outcomes[what], &beside, bound);
            }
        }
    }
}
