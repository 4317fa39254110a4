//! Vestibule: everything between "a stranger arrives" and "this is Ada, on this device".
//!
//! The house has floors. A file may name its own floor and those below, never one above;
//! `tests/suite/floors.rs` fails when one does.
//!
//! | floor | who lives there |
//! |---|---|
//! | 6 | [`routes`], [`server`], [`cli`]: every URL on one page; the commands; [`refusals`]: every code; [`internals`]: what the tests look into |
//! | 5 | [`flows`]: verbs, which never know each other |
//! | 4 | [`web`]: the vocabulary of HTTP: replies with two faces, inputs, guards, the one door |
//! | 3 | [`accounts`]: use cases and policy, without HTTP; [`app`], [`jobs`], [`metrics`]: what a request may use; what runs by itself |
//! | 2 | [`model`], [`saml`], [`oidc`], [`oauth`], [`scim`], [`webauthn`]: tables: rows and queries; SAML, OpenID Connect (as client, as provider), SCIM and passkeys on the wire |
//! | 1 | [`db`], [`mail`]: rows and emails; [`outbound`]: what is asked of the world |
//! | 0 | [`clock`], [`config`], [`error`], [`ids`], [`kinds`], [`log`], [`secret`], [`urls`] |
//!
//! A request comes in through [`server`], is matched in [`routes`], and ends in a flow. The flow's handler has
//! four beats: who may enter (a guard), what was sent (an input), one read or write, one [`web::Reply`]. A write is
//! one transaction at one moment; its emails lie in the same transaction and leave after it. Whoever proves who
//! they are comes in through [`accounts::authentication`], and through nothing else.
//!
//! An application that embeds it opens it with settings, brings the schema up and serves it on a socket of its own:
//!
//! ```
//! use std::{collections::BTreeMap, error::Error, net::TcpListener};
//!
//! use vestibule::{app::App, clock::Clock, config, server};
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! #     actix_web::rt::System::new().block_on(serve())
//! # }
//! async fn serve() -> Result<(), Box<dyn Error>> {
//!     # let folder = tempfile::tempdir()?;
//!     # let database = format!("sqlite://{}/house.db", folder.path().display());
//!     let settings = [
//!         ("DATABASE_URL", database.as_str()),
//!         ("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"),
//!         ("SMTP_URL", "smtp://localhost:2525"),
//!     ];
//!     let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
//!     let app = App::open_with(config::from_values(BTreeMap::from(settings))?, Clock::system())?;
//!     app.db().migrate()?;
//!     let server = server::start(&app, TcpListener::bind("127.0.0.1:0")?)?;
//!     # let handle = server.handle();
//!     # actix_web::rt::spawn(async move { handle.stop(true).await });
//!     Ok(server.await?)
//! }
//! ```
//!
//! What an application that embeds the house may use is public; everything else is `pub(crate)`, and `unreachable_pub`
//! keeps it so.

#![warn(clippy::print_stdout, clippy::print_stderr, unreachable_pub)]

pub mod clock;
pub mod config;
pub mod error;
pub mod ids;
pub mod kinds;
pub mod log;
pub mod secret;
mod urls;

pub mod db;
pub mod mail;
mod outbound;

mod model;
mod oauth;
#[expect(
    dead_code,
    unused_imports,
    reason = "its own tests go by names and issuers that the settings write themselves"
)]
mod oidc;
pub mod saml;
mod scim;
mod webauthn;

mod accounts;
pub mod app;
pub mod jobs;
mod metrics;

pub mod web;

mod flows;

pub mod cli;
#[doc(hidden)]
pub mod internals;
mod refusals;
pub mod routes;
pub mod server;
