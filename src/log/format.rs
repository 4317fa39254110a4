//! How a line looks: `time LEVEL message name=value …`, or one JSON object.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Debug},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// The format of all lines.
pub(crate) struct Format {
    /// JSON, or else text.
    pub is_json: bool,
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    // A number or a truth value, as both formats write it.
    Plain(String),
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.plain(
            field,
            value.is_finite().then_some(value).map_or("null".to_owned(), |value| value.to_string()),
        );
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // `%value` and the message come by here as well.
        self.text(field, &format!("{value:?}"));
    }
}

impl Fields {
    fn plain(&mut self, field: &Field, value: String) {
        self.others.push((field.name(), Value::Plain(value)));
    }

    fn text(&mut self, field: &Field, value: &str) {
        let value = without_addresses(value).into_owned();
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name, Value::Text(value))),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(request) = super::current() {
            fields.others.push(("request.id", Value::Text(request.id.clone())));
        }
        match self.is_json {
            true => json(out, *event.metadata().level(), &fields),
            false => text(out, *event.metadata().level(), &fields),
        }
    }
}

fn text(mut out: Writer<'_>, level: Level, fields: &Fields) -> fmt::Result {
    SystemTime.format_time(&mut out)?;
    let colour = match level {
        _ if !out.has_ansi_escapes() => None,
        Level::ERROR => Some(31),
        Level::WARN => Some(33),
        Level::INFO => Some(32),
        _ => Some(34),
    };
    match colour {
        Some(colour) => write!(out, " \u{1b}[{colour}m{level:>5}\u{1b}[0m ")?,
        None => write!(out, " {level:>5} ")?,
    }
    fields.message.chars().try_for_each(|c| match is_printable(c) {
        true => out.write_char(c),
        false => write!(out, "{}", c.escape_default()),
    })?;
    for (name, value) in &fields.others {
        match value {
            Value::Plain(value) => write!(out, " {name}={value}")?,
            Value::Text(value) if is_one_word(value) => write!(out, " {name}={value}")?,
            Value::Text(value) => write!(out, " {name}={value:?}")?,
        }
    }
    writeln!(out)
}

fn json(mut out: Writer<'_>, level: Level, fields: &Fields) -> fmt::Result {
    out.write_str("{\"timestamp\":\"")?;
    SystemTime.format_time(&mut out)?;
    write!(out, "\",\"level\":\"{level}\",\"message\":")?;
    json_text(&mut out, &fields.message)?;
    for (name, value) in &fields.others {
        write!(out, ",\"{name}\":")?;
        match value {
            Value::Plain(value) => out.write_str(value)?,
            Value::Text(value) => json_text(&mut out, value)?,
        }
    }
    writeln!(out, "}}")
}

/// A JSON string in which nothing is left that some reader takes for the end of a line, or that turns the line around.
fn json_text(out: &mut Writer<'_>, text: &str) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    quoted.chars().try_for_each(|c| match is_printable(c) {
        true => out.write_char(c),
        // None of them is beyond four digits.
        false => write!(out, "\\u{:04x}", u32::from(c)),
    })
}

/// Not a control character, an end of a line, or a mark that changes the direction of writing.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
}

/// The same text with whatever stands around an at sign masked: what mail servers and databases say quotes addresses.
fn without_addresses(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let is_end = |c: char| c.is_whitespace() || "<>()[]{},;:\"'`=".contains(c);
    let mut masked = String::with_capacity(text.len());
    for word in text.split_inclusive(is_end) {
        let (bare, end) = match word.char_indices().next_back() {
            Some((at, last)) if is_end(last) => word.split_at(at),
            _ => (word, ""),
        };
        masked += if bare.contains('@') { "***" } else { bare };
        masked += end;
    }
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_wherever_they_stand() {
        for (told, written) in [
            ("nothing to mask", "nothing to mask"),
            (
                "550 5.1.1 <ada@example.com>: Recipient address rejected",
                "550 5.1.1 <***>: Recipient address rejected",
            ),
            ("ada@example.com", "***"),
            ("ada+tag@example.com, ben@example.com", "***, ***"),
            ("Key (email)=(ada@example.com) already exists.", "Key (email)=(***) already exists."),
            ("äda@exämple.example ist unbekannt", "*** ist unbekannt"),
            ("to:ada@example.com;notify=ben@example.com", "to:***;notify=***"),
            ("\"ada\"@example.com", "\"ada\"***"),
            ("smtp://user:hunter2@mail.example.com:25", "smtp://user:***:25"),
            ("a@b\nc@d", "***\n***"),
            ("@", "***"),
        ] {
            assert_eq!(without_addresses(told), written, "{told}");
        }
    }

    #[test]
    fn a_line_stays_a_line_whatever_is_in_it() {
        for evil in [
            "a\nb",
            "a\r\nb",
            "a\u{1b}[31mb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\u{202e}b",
            "a\0b",
            "a\u{7f}b",
            "\"}\n{\"level\":\"INFO",
        ] {
            let fields = Fields {
                message: evil.to_owned(),
                others: vec![
                    ("field", Value::Text(evil.to_owned())),
                    ("number", Value::Plain("1".to_owned())),
                ],
            };
            let (mut words, mut object) = (String::new(), String::new());
            text(Writer::new(&mut words), Level::INFO, &fields).unwrap();
            json(Writer::new(&mut object), Level::INFO, &fields).unwrap();
            for line in [&words, &object] {
                let line = line.strip_suffix('\n').unwrap();
                assert!(line.chars().all(is_printable), "{line:?}");
            }
            let read: serde_json::Value = serde_json::from_str(&object).unwrap();
            assert_eq!((read["message"].as_str(), read["field"].as_str()), (Some(evil), Some(evil)));
        }
    }
}
