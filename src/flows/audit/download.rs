//! All of an organisation's record that fits a filter, as NDJSON or CSV. It is read and sent a page of rows at a time: a long
//! record needs no more memory than a short one.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::Bytes,
};
use csv::{Terminator, WriterBuilder};
use futures_util::stream::{self, Stream};

use super::filter::{AuditQuery, Format};
use crate::{
    accounts::{
        access::AccessRequest,
        organisation_audit::{self, EventView},
    },
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    ids::AuditEventId,
    model::audit::Filter,
};

// Rows in memory at a time.
const PAGE: i64 = 200;

/// The columns of the CSV.
const COLUMNS: [&str; 12] = [
    "at",
    "event",
    "actorKind",
    "actorId",
    "actorName",
    "actorEmail",
    "subjectId",
    "subjectName",
    "subjectEmail",
    "invited",
    "detail",
    "id",
];

/// Sends it. Each page of rows asks what a request of its own would: whose session ends, or who loses the permission, gets no
/// more.
pub(super) async fn send(
    access: AccessRequest,
    query: &AuditQuery,
    (format, is_named): (Format, bool),
    req: &HttpRequest,
    app: &App,
) -> Result<HttpResponse> {
    let (asked, query) = (access.clone(), query.clone());
    let is_look = req.method() == Method::HEAD;
    let (slug, filter) = app
        .write(move |tx| {
            let mine = asked.decide(tx.conn)?;
            let filter = query.filter(tx.conn, &mine)?;
            // A HEAD reads nothing.
            if !is_look {
                organisation_audit::note_download(tx, &asked.actor, &mine, format.as_str(), filter.clone())?;
            }
            Ok((mine.organisation.slug, filter))
        })
        .await?;
    // A spreadsheet opens the file of a link, and takes it for UTF-8 by this mark only. A program has no use for it.
    let has_mark = is_named && format == Format::Csv;
    let download =
        Download { app: app.clone(), access, filter, format, has_mark, is_first: true, cursor: None };
    let name = format!("attachment; filename=\"{slug}-audit.{}\"", format.as_str());
    Ok(HttpResponse::Ok()
        .content_type(format!("{}; charset=utf-8", format.media_type()))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .streaming(download.written()))
}

/// A file that is being sent.
struct Download {
    app: App,
    access: AccessRequest,
    filter: Filter,
    format: Format,
    has_mark: bool,
    is_first: bool,
    cursor: Option<(Timestamp, AuditEventId)>,
}

impl Download {
    /// The file, a page of rows at a time.
    fn written(self) -> impl Stream<Item = Result<Bytes>> {
        stream::try_unfold(Some(self), async |download| {
            let Some(mut download) = download else { return Ok(None) };
            // Nobody else says it: the answer has begun, and ends where it is.
            let (text, has_more) = download.next().await.inspect_err(|error| {
                tracing::error!(cause = error.cause(), "a download of an audit log broke off");
            })?;
            Ok(Some((Bytes::from(text), has_more.then_some(download))))
        })
    }

    /// The next page of rows, and whether there can be more.
    async fn next(&mut self) -> Result<(Vec<u8>, bool)> {
        let (mut access, filter, cursor) = (self.access.clone(), self.filter.clone(), self.cursor.take());
        access.now = self.app.now();
        let read = self.app.read(move |conn| {
            access.require_live(conn, access.now)?;
            let mine = access.decide(conn)?;
            organisation_audit::page(conn, &mine, &filter, cursor.as_ref(), PAGE)
        });
        let events = read.await?;
        self.cursor = events.last().map(|last| (last.at, last.id.clone()));
        let mut text = lines(self.format, &events, self.is_first)?;
        if self.is_first && self.has_mark {
            text.splice(..0, *b"\xef\xbb\xbf");
        }
        self.is_first = false;
        Ok((text, events.len() as i64 == PAGE))
    }
}

/// Some rows of the file; the first with what stands above them.
fn lines(format: Format, events: &[EventView], is_first: bool) -> Result<Vec<u8>> {
    if format == Format::Csv {
        return csv(events, is_first);
    }
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event)?;
        text.push(b'\n');
    }
    Ok(text)
}

fn csv(events: &[EventView], is_first: bool) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    if is_first {
        writer.write_record(COLUMNS).map_err(Error::internal)?;
    }
    for event in events {
        let (actor, subject) = (&event.actor, event.subject.as_ref());
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let record = [
            event.at.iso(),
            event.event.clone(),
            actor.kind.to_string(),
            text(actor.id.as_ref().map(|id| id.as_str())),
            text(actor.name.as_deref()),
            text(actor.email.as_deref()),
            text(subject.map(|user| user.id.as_str())),
            text(subject.and_then(|user| user.name.as_deref())),
            text(subject.and_then(|user| user.email.as_deref())),
            text(event.invited.as_deref()),
            serde_json::to_string(&event.detail)?,
            event.id.to_string(),
        ];
        writer.write_record(record.map(defused)).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(|cause| Error::internal(cause.into_error()))
}

/// A cell that a spreadsheet shows and does not calculate: `'` goes before what begins as a formula does (OWASP, CSV injection).
///
/// The same after what some spreadsheets take for the end of a cell.
fn defused(cell: String) -> String {
    let begins = |text: &str| text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let mut written = String::with_capacity(cell.len());
    for (number, part) in cell.split_inclusive([';', '\t', '|']).enumerate() {
        let is_control = number == 0 && cell.starts_with(['\t', '\r', '\n']);
        if is_control || begins(part.trim_start()) {
            written.push('\'');
        }
        written.push_str(part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_begins_as_a_formula_does_is_defused() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\r=1", "\n=1", " =1", "＝1", "-"] {
            assert_eq!(defused(cell.to_owned()), format!("'{cell}"));
        }
        for (cell, written) in [
            ("a;=1", "a;'=1"),
            ("a|+1", "a|'+1"),
            ("a\t @x", "a\t' @x"),
            ("=1;-2", "'=1;'-2"),
            ("\t=1", "'\t'=1"),
            ("a;b|c", "a;b|c"),
        ] {
            assert_eq!(defused(cell.to_owned()), written);
        }
        for cell in ["", "a=1", "Ada", "1-1", "ada+notes@example.com", "'=1"] {
            assert_eq!(defused(cell.to_owned()), cell);
        }
    }
}
