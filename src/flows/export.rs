//! Everything that is held about somebody, as one JSON document. It is made while it is sent, a page of rows at a time, so
//! that a long history needs no more memory than a short one.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{Bytes, Data},
};
use futures_util::stream::{self, Stream};
use serde_json::Value;

use crate::{
    accounts::{
        personal_data::{self, Event},
        sessions,
    },
    app::App,
    error::{Error, Result},
    ids::UserId,
    model::{
        audit::{self, Actor},
        personal_data::ExportSection,
    },
    web::{Any, SteppedUp, VerifiedUser},
};

/// What the document says it is.
const FORMAT: &str = "vestibule-export-1";

// Rows in memory at a time.
const PAGE: i64 = 200;

/// `GET /me/export`. For whoever has the address confirmed: what is held about a mere claim would tell a stranger what
/// goes on with the address. It changes nothing, so that any step-up is enough.
pub(crate) async fn show(
    me: SteppedUp<VerifiedUser, Any>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (actor, owner) = (me.actor(), me.user.id.clone());
    let by = actor.clone();
    // A HEAD reads nothing.
    if req.method() != Method::HEAD {
        app.write(move |tx| audit::record(tx, &actor, &owner, Event::Exported {})).await?;
    }
    let head = format!("{{\n\"format\": \"{FORMAT}\",\n\"exportedAt\": \"{}\"", me.now.iso());
    let sections = personal_data::ALL.iter().flat_map(|entry| entry.export).collect();
    let document =
        Document { app: app.get_ref().clone(), by, owner: me.user.id.clone(), sections, at: 0, skip: 0 };
    Ok(HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"my-account.json\""))
        .streaming(document.written(head)))
}

/// A document that is being written.
struct Document {
    app: App,
    by: Actor,
    owner: UserId,
    sections: Vec<&'static ExportSection>,
    // The section that comes next, and how many of its rows are written.
    at: usize,
    skip: i64,
}

impl Document {
    /// The document, bit by bit.
    fn written(self, head: String) -> impl Stream<Item = Result<Bytes>> {
        stream::try_unfold((Some(head), Some(self)), async |(head, document)| {
            if let Some(head) = head {
                return Ok(Some((Bytes::from(head), (None, document))));
            }
            let Some(mut document) = document else { return Ok(None) };
            // Nobody else says it: the answer has begun, and ends where it is.
            let next = document.next().await.inspect_err(|error| {
                tracing::error!(cause = error.cause(), "an export broke off");
            });
            match next? {
                Some(text) => Ok(Some((Bytes::from(text), (None, Some(document))))),
                None => Ok(Some((Bytes::from_static(b"\n}\n"), (None, None)))),
            }
        })
    }

    /// The next page of rows; nothing where there is none.
    async fn next(&mut self) -> Result<Option<String>> {
        let Some(section) = self.sections.get(self.at).copied() else { return Ok(None) };
        let (by, owner, skip, now) = (self.by.clone(), self.owner.clone(), self.skip, self.app.now());
        let read = self.app.read(move |conn| {
            // Whose session ends gets no more.
            sessions::require_live(conn, &by, now)?;
            (section.read)(conn, &owner, skip, PAGE)
        });
        let rows = read.await?;
        if !section.is_list {
            self.at += 1;
            // The account ended while its copy was made: half a document must not look like a whole one.
            let only = rows.first().ok_or(Error::NotFound)?;
            return Ok(Some(format!(",\n\"{}\": {only}", section.name)));
        }
        let opens = if skip == 0 { format!(",\n\"{}\": [", section.name) } else { String::new() };
        let is_last = (rows.len() as i64) < PAGE;
        let text = opens + &lines(&rows, skip == 0) + if is_last { "]" } else { "" };
        match is_last {
            true => (self.at, self.skip) = (self.at + 1, 0),
            false => self.skip += PAGE,
        }
        Ok(Some(text))
    }
}

/// A row a line.
fn lines(rows: &[Value], is_first: bool) -> String {
    let lines = rows.iter().enumerate().map(|(number, row)| match is_first && number == 0 {
        true => format!("\n  {row}"),
        false => format!(",\n  {row}"),
    });
    lines.collect()
}
