//! `vestibule serve`.

use std::{io, net::TcpListener, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    outcome::{Outcome, block_on, describe, sentence},
    preflight,
};
use crate::{
    app::{App, CATCHER_PORT},
    config::{Config, DatabaseUrl, MailRoute},
    db::Database,
    jobs,
    log::{self, Log},
    server,
};

const SECOND: Duration = Duration::from_secs(1);

/// From here on no SIGHUP ends the process: what handles it stays when the runtime that it was set up in has gone. It comes
/// before the settings are read, which may take its time.
pub(crate) fn outlive_hangups() {
    let outlived = [SignalKind::hangup(), SignalKind::user_defined1(), SignalKind::user_defined2()];
    let outlive = async { outlived.into_iter().try_for_each(|kind| signal(kind).map(drop)) };
    block_on(outlive).unwrap_or_default();
}

/// Runs the house until it is told to stop: requests in flight finish, emails under way are noted.
pub(crate) fn run(config: Config) -> Outcome {
    if let Some(refusal) = &config.unfit_to_serve {
        return Err(refusal.clone());
    }
    let log = log::start(&config.log, config.log_json)
        .map_err(|cause| format!("The log could not be started: {cause}."))?;
    let listener = TcpListener::bind(config.listen).map_err(|cause| cannot_listen(&config, &cause))?;
    block_on(async {
        let hangups = actix_web::rt::spawn(mind_hangups());
        if !database_answers(&config).await? {
            return Ok(());
        }
        let app = preflight::open_and_migrate(config).await?;
        let server = sentence(server::start(&app, listener))?;
        let jobs = jobs::start(&app);
        greet(&app, &log);
        let handle = server.handle();
        let stopper = actix_web::rt::spawn(async move {
            wait_for_signal().await;
            tracing::info!("stopping: requests in flight finish first");
            let at_once = async {
                wait_for_signal().await;
                handle.stop(false).await;
            };
            tokio::select! { () = handle.stop(true) => {}, () = at_once => {} }
        });
        let ended = server.await.map_err(|cause| format!("The server ended: {cause}"));
        stopper.abort();
        jobs.stop().await;
        hangups.abort();
        tracing::info!("stopped");
        ended
    })
}

/// Why nobody can come in there, which setting to change, and what has to follow it.
fn cannot_listen(config: &Config, cause: &io::Error) -> String {
    let listen = config.listen;
    let mut other = listen;
    other.set_port(listen.port().checked_add(1).unwrap_or(3000));
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            let next = other.port();
            let site = &config.site;
            let follows = match (config.base_url_is_set, config.is_development()) {
                (false, _) => format!("; BASE_URL follows it: http://localhost:{next}"),
                (true, true) if site.base_url.port_or_known_default() == Some(listen.port()) => {
                    let moved = site.origin().replace(&format!(":{}", listen.port()), &format!(":{next}"));
                    format!(" and with it BASE_URL={moved}, which is set by hand")
                }
                (true, _) => format!(", and lead {} there; BASE_URL stays", site.origin()),
            };
            format!(
                "LISTEN is `{listen}`, where another program listens already. Write another port, such as \
                 LISTEN={other}{follows}."
            )
        }
        io::ErrorKind::PermissionDenied => {
            other.set_port(3000);
            format!(
                "LISTEN is `{listen}`, a port that this user may not open. Write one from 1024 up, such as {other}."
            )
        }
        io::ErrorKind::AddrNotAvailable => format!(
            "LISTEN is `{listen}`, and this machine does not have that address. Write one that it has, such as \
             127.0.0.1:{port}, or 0.0.0.0:{port} for all of them.",
            port = listen.port()
        ),
        _ => format!(
            "LISTEN is `{listen}`, which cannot be listened on: {cause}. Write another address or port."
        ),
    }
}

/// Waits for a PostgreSQL that does not answer yet, with a line a second. `false` where we are told to stop meanwhile.
async fn database_answers(config: &Config) -> Result<bool, String> {
    if matches!(config.database, DatabaseUrl::Sqlite(_)) {
        return Ok(true);
    }
    let stopped = wait_for_signal();
    tokio::pin!(stopped);
    let mut tick = tokio::time::interval(SECOND);
    tick.tick().await;
    loop {
        let (url, is_pooled) = (config.database.clone(), config.is_pooled);
        let mut try_connect = tokio::task::spawn_blocking(move || Database::try_connect(&url, is_pooled));
        let answer = loop {
            tokio::select! {
                answer = &mut try_connect => break answer,
                _ = tick.tick() => tracing::warn!("DATABASE_URL: PostgreSQL has not answered yet; waiting for it"),
                () = &mut stopped => return Ok(false),
            }
        };
        match answer.map_err(|cause| cause.to_string())? {
            Ok(()) => return Ok(true),
            Err(no) if no.may_come => tracing::warn!("{} Trying again every second", no.sentence),
            Err(no) => return Err(no.sentence),
        }
        tokio::select! {
            _ = tick.tick() => {}
            () = &mut stopped => return Ok(false),
        }
    }
}

async fn wait_for_signal() {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::quit()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {}, _ = quit.recv() => {} }
}

/// SIGHUP, which a closed terminal and tools that turn logs over send, ends nothing. There is no file to open again.
async fn mind_hangups() {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        tracing::debug!("SIGHUP: there is nothing to open again, and nothing ends");
    }
}

fn greet(app: &App, log: &Log) {
    let config = app.config();
    let site = &config.site;
    let mode = if config.is_development() { "development" } else { "production" };
    let database = describe(&config.database);
    tracing::info!(base_url = %site.base_url, listen = %config.listen, database, mode, "open");
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for hint in &config.hints {
        tracing::info!("{hint}");
    }
    if !config.is_development() {
        if let MailRoute::Folder(path) = &config.mail {
            tracing::warn!(folder = %path.display(), "emails lie in a folder, as SMTP_URL says: this program sends none");
        }
        return;
    }
    let mail = match (&config.mail, app.catches_mail()) {
        (MailRoute::Catch, false) if let Some(page) = app.mail_shown_at() => {
            tracing::warn!(
                page,
                port = CATCHER_PORT,
                "another instance runs here and catches this one's mail: look at its page"
            );
            format!("{page} (caught by the instance that was started first)")
        }
        (_, true) => format!("{} (caught here, nothing leaves this machine)", site.link("/dev/mail")),
        (MailRoute::Catch, false) => format!(
            "in what listens on localhost:{CATCHER_PORT} (Mailpit and MailHog: http://localhost:8025)"
        ),
        (MailRoute::Folder(path), _) => format!("in the folder {}", path.display()),
        (MailRoute::Smtp(_), _) => "sent to SMTP_URL".to_owned(),
    };
    let people = match cfg!(feature = "development") {
        true => "  Sample accounts:    bin/run seed  (or: vestibule seed)\n",
        false => "",
    };
    log.print(format!(
        "\n  {} is open:  {}\n  Mail:               {mail}\n{people}  \
         Stop:               Ctrl-C\n\n",
        site.name,
        site.link("/")
    ));
}
