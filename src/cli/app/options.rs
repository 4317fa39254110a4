//! What an application can be added with, or changed to.

use clap::{Args, ValueEnum};
use url::Url;

use crate::{
    accounts::{gate_needs, gates},
    config::parse_span,
    db::Conn,
    error::{Error, Errors, Result},
    ids::Id,
    kinds::{Permission, Role},
    model::{
        application::{Application, MemberNeed, Needs, PREFIX, Style, UserHeader},
        name::Name,
        organisation, permission, role,
    },
};

/// Which application.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// A gate's host, or what another application calls itself (its client id).
    pub host: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Changes {
    /// What people call it; its host where it is left out.
    #[arg(long)]
    pub name: Option<String>,
    /// What a visitor needs besides a confirmed address: `second-factor`, `recent=5m`, `member=ORG[:ROLE]`, where ROLE is
    /// owner, editor, viewer (or more), the id of a role, or a permission. Of several members any one is enough. `verified`
    /// alone takes all of it back.
    #[arg(long = "need", value_name = "NEED")]
    needs: Vec<String>,
    /// A path that is open, with everything below it; `none` takes all back.
    #[arg(long = "open", value_name = "PREFIX")]
    open: Vec<String>,
    /// What the headers are called that tell the application who is there.
    #[arg(long, value_parser = |word: &str| Style::from_word(word).ok_or("write remote, x-auth-request, x-forwarded or none"))]
    style: Option<Style>,
    /// What the application knows a user by: `id`, or `email`.
    #[arg(long, value_parser = |word: &str| UserHeader::from_word(word).ok_or("write id or email"))]
    user: Option<UserHeader>,
    /// `refuse`, or the origins of other sites that may send more than questions, separated by commas.
    #[arg(long, value_name = "ORIGINS")]
    cross_origin: Option<String>,
    /// Whether programs come in with API keys in `Authorization: Bearer`.
    #[arg(long)]
    bearer: Option<Switch>,
    /// Whether the application gets `Vestibule-Assertion` as well: a JWT of a minute, which it can check by itself.
    #[arg(long)]
    assertion: Option<Switch>,
    /// Whether the application answers preflights of other sites itself.
    #[arg(long)]
    preflight: Option<Preflight>,
    /// The path below which this site answers there, where the application has something at /.vestibule itself.
    #[arg(long, value_name = "PATH")]
    prefix: Option<String>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// It is so.
    On,
    /// It is not.
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preflight {
    /// It does.
    Pass,
    /// They are refused.
    Refuse,
}

// No path that a browser sends has one of these, or only as part of a pattern that somebody meant to write.
const PATTERN: &str = "*{}[]()^$|<>\"`";

/// A name that pages can show.
pub(super) fn parse_name(typed: &str) -> std::result::Result<String, String> {
    Name::parse(typed).map(Name::into_string)
}

pub(super) fn wrong<T>(sentence: String) -> Result<T> {
    Err(Error::Invalid(Errors::one("form", sentence)))
}

impl Changes {
    /// Whether any was given that only a gate has.
    pub(super) fn has_gate_options(&self) -> bool {
        !self.open.is_empty()
            || self.style.is_some()
            || self.user.is_some()
            || self.cross_origin.is_some()
            || self.bearer.is_some()
            || self.assertion.is_some()
            || self.preflight.is_some()
            || self.prefix.is_some()
    }

    /// Name and needs, which every application has.
    pub(super) fn apply_common(&self, conn: &mut Conn, name: &mut String, needs: &mut Needs) -> Result<()> {
        if let Some(typed) = &self.name {
            *name = parse_name(typed).or_else(wrong)?;
        }
        if !self.needs.is_empty() {
            *needs = Needs::default();
            for need in &self.needs {
                add_need(conn, needs, need)?;
            }
        }
        Ok(())
    }

    /// The application with what was given in place of what was there. [`Error::Invalid`] for what cannot be.
    pub(super) fn apply(&self, conn: &mut Conn, mut to: Application) -> Result<Application> {
        self.apply_common(conn, &mut to.name, &mut to.needs)?;
        if !self.open.is_empty() {
            to.settings.open = self.open.iter().filter(|path| *path != "none").cloned().collect();
        }
        if let Some(path) = to.settings.open.iter().find(|path| !gates::is_plain(path)) {
            return wrong(format!("{path} is no plain path. Write one like /public."));
        }
        if let Some(path) = to.settings.open.iter().find(|path| path.contains(|c| PATTERN.contains(c))) {
            let bare = path.split(|c| PATTERN.contains(c)).next().unwrap_or_default().trim_end_matches('/');
            let bare = if bare.is_empty() { "the path alone" } else { bare };
            return wrong(format!(
                "{path} is a pattern, and would open nothing. Write {bare}: it opens what is below it, too."
            ));
        }
        to.settings.style = self.style.unwrap_or(to.settings.style);
        to.settings.user = self.user.unwrap_or(to.settings.user);
        match self.cross_origin.as_deref() {
            None => {}
            Some("refuse") => to.settings.origins = Vec::new(),
            Some(list) => to.settings.origins = list.split(',').map(origin).collect::<Result<_>>()?,
        }
        if let Some(bearer) = self.bearer {
            to.settings.takes_keys = bearer == Switch::On;
        }
        if let Some(assertion) = self.assertion {
            to.settings.signs = assertion == Switch::On;
        }
        if let Some(preflight) = self.preflight {
            to.settings.passes_preflight = preflight == Preflight::Pass;
        }
        if let Some(prefix) = &self.prefix {
            let prefix = prefix.trim_end_matches('/');
            let is_word = prefix.strip_prefix('/').is_some_and(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            });
            if !is_word || !gates::is_plain(prefix) {
                return wrong(format!("{prefix} is no prefix. Write one segment like {PREFIX}."));
            }
            to.settings.prefix = prefix.to_owned();
        }
        Ok(to)
    }
}

pub(super) fn origin(typed: &str) -> Result<String> {
    let typed = typed.trim();
    let url = Url::parse(typed).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url.map(|url| url.origin().ascii_serialization()) {
        Some(origin) if origin == typed => Ok(origin),
        _ => wrong(format!("{typed} is no origin. Write one like https://app.example.com.")),
    }
}

fn add_need(conn: &mut Conn, needs: &mut Needs, typed: &str) -> Result<()> {
    match typed.split_once('=') {
        None if typed == "verified" => {}
        None if typed == "second-factor" => needs.second_factor = true,
        Some(("recent", span)) => {
            let seconds = parse_span(span).map(|span| span.num_seconds());
            match seconds.filter(|seconds| (1..=86_400).contains(seconds)) {
                Some(seconds) => needs.max_age = Some(seconds),
                None => return wrong(format!("{span} is no span of a second to a day. Write one like 5m.")),
            }
        }
        Some(("member", member)) => needs.members.push(member_need(conn, member)?),
        _ => {
            let words = "verified, second-factor, recent=5m or member=ORGANISATION[:ROLE]";
            return wrong(format!("{typed} is no need. Write {words}."));
        }
    }
    Ok(())
}

fn member_need(conn: &mut Conn, typed: &str) -> Result<MemberNeed> {
    let Some((slug, role)) = gate_needs::member(typed) else {
        return wrong(format!("{typed} is no membership. Write one like acme or acme:editor."));
    };
    let mut found = organisation::called(conn, &slug)?;
    found.retain(|found| found.slug == slug);
    let Some(organisation) = found.pop() else {
        return wrong(format!("There is no organisation called {slug}."));
    };
    if let Some(word) = &role {
        let names = [word.clone()].into();
        let is_known = match word.contains(':') {
            true => Permission::from_word(word).is_some() || !permission::named(conn, &names)?.is_empty(),
            false if Role::from_word(word).is_some() => true,
            false => match Id::parse(word) {
                Some(id) => role::of(conn, &organisation.id)?.iter().any(|role| role.id == id),
                None => false,
            },
        };
        if !is_known {
            return wrong(format!("{word} is neither a role of {slug} nor a permission."));
        }
    }
    Ok(MemberNeed { organisation: organisation.id, role })
}
