//! What is refused, in data: its code, status and sentence, and what its page offers. A use case declares its refusals beside
//! itself; `crate::refusals` lists them.

use serde_json::Value;

/// A kind of refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The stable name: in JSON, in the log, and in docs/errors.md.
    pub(crate) code: &'static str,
    /// The HTTP status (RFC 9110 §15).
    pub(crate) status: u16,
    /// What a person reads. Each `{}` stands for one of [`Particulars::names`].
    pub(crate) sentence: &'static str,
    /// The heading of its page.
    pub(crate) title: &'static str,
    /// Where its page leads: a path on this site.
    pub(crate) href: &'static str,
    /// What leads there.
    pub(crate) label: &'static str,
    /// How one gets on.
    pub(crate) way: Way,
    /// A header of the answer.
    pub(crate) header: Option<(&'static str, &'static str)>,
    /// Whether its page also leads to all organisations of its reader.
    pub(crate) lists_organisations: bool,
    /// Whether an operator should see it: the log tells of it at `warn`.
    pub(crate) is_warned: bool,
}

/// How a browser gets on from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the link on its page.
    Link,
    /// It passes: by trying again where the person was, else by the link.
    Again,
    /// By the link, which takes along where the person was.
    LinkWithNext,
    /// By a form in place of the link, which takes it along too.
    FormWithNext,
    /// By a link to the same page at another origin.
    OtherOrigin,
    /// At once, to the address.
    Redirect,
    /// At once, and the sentence is shown there.
    RedirectSaying,
    /// At once, with where the person was: that page says why by itself.
    RedirectWithNext,
    /// The organisation of the address is at another one.
    Moved,
}

/// What one refusal has beside its kind.
#[derive(Debug, Default)]
pub(crate) struct Particulars {
    /// What its sentence names, in order.
    pub(crate) names: Vec<String>,
    /// Further members of the JSON.
    pub(crate) details: Vec<(&'static str, Value)>,
    /// Where its page leads, in place of the kind's path.
    pub(crate) href: Option<String>,
    /// A header of the answer, in place of the kind's.
    pub(crate) header: Option<(&'static str, String)>,
}

impl Refusal {
    pub(crate) const fn new(code: &'static str, status: u16, sentence: &'static str) -> Self {
        Self {
            code,
            status,
            sentence,
            title: "That didn't work",
            href: "/",
            label: "Go to the home page",
            way: Way::Link,
            header: None,
            lists_organisations: false,
            is_warned: false,
        }
    }

    /// With a heading of its own.
    pub(crate) const fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    /// With a page of its own: its heading, and the address and words of its link.
    pub(crate) const fn page(self, title: &'static str, href: &'static str, label: &'static str) -> Self {
        Self { title, href, label, ..self }
    }

    /// With a heading, and a link to the reader's organisations.
    pub(crate) const fn at_organisations(self, title: &'static str) -> Self {
        self.page(title, "/organisations", "Your organisations")
    }

    /// It passes by itself.
    pub(crate) const fn passing(self) -> Self {
        Self { way: Way::Again, ..self.titled("Try again in a moment") }
    }

    pub(crate) const fn way(self, way: Way) -> Self {
        Self { way, ..self }
    }

    /// A browser goes there instead.
    pub(crate) const fn redirect(self, href: &'static str, way: Way) -> Self {
        Self { href, way, ..self }
    }

    pub(crate) const fn header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(crate) const fn listing_organisations(self) -> Self {
        Self { lists_organisations: true, ..self }
    }

    pub(crate) const fn warned(self) -> Self {
        Self { is_warned: true, ..self }
    }

    /// Its sentence with these names in it.
    pub(super) fn says(&self, names: &[String]) -> String {
        let mut names = names.iter();
        let mut parts = self.sentence.split("{}");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            text.push_str(names.next().map_or("", String::as_str));
            text.push_str(part);
        }
        text
    }
}

impl Particulars {
    /// What the sentence names.
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self::default().and(name)
    }

    /// What it names next.
    pub(crate) fn and(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// A further member of the JSON.
    pub(crate) fn detail(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((key, value.into()));
        self
    }

    pub(crate) fn href(self, href: String) -> Self {
        Self { href: Some(href), ..self }
    }
}

/// Declares the refusals of a file, each a constant with its code, status and sentence, and `REFUSALS`, all of them:
/// `crate::refusals` lists it.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = ($($what:expr),+ $(,)?) $(.$with:ident($($argument:expr),* $(,)?))*;)+) => {
        $(
            $(#[$doc])*
            pub(crate) const $name: &$crate::error::Refusal =
                &$crate::error::Refusal::new($($what),+)$(.$with($($argument),*))*;
        )+

        /// Every one there is.
        pub(crate) const REFUSALS: &[&$crate::error::Refusal] = &[$($name),+];
    };
}
pub(crate) use refusals;
