//! `vestibule serve`.

use std::net::TcpListener;

use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, block_on, describe, open, sentence};
use crate::{
    app::{App, CATCHER_PORT},
    config::{Config, MailRoute},
    jobs,
    log::{self, Log},
    server,
};

/// Runs the house until it is told to stop: requests in flight finish, letters under way are noted.
pub fn run(config: Config) -> Outcome {
    let log = log::start(&config.log, config.log_json)
        .map_err(|cause| format!("The log could not be started: {cause}."))?;
    let listen = config.listen;
    let listener = TcpListener::bind(listen)
        .map_err(|cause| format!("{listen} cannot be listened on: {cause}. Set LISTEN."))?;
    block_on(async {
        let hangups = actix_web::rt::spawn(mind_hangups());
        let app = open(config)?;
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

async fn wait_for_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
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
    if !config.is_development() {
        return;
    }
    let mail = match (&config.mail, app.catcher()) {
        (_, Some(_)) => format!("{} (caught here, nothing leaves this machine)", site.link("/dev/mail")),
        (MailRoute::Catch, None) => format!(
            "in what listens on localhost:{CATCHER_PORT} (Mailpit and MailHog: http://localhost:8025)"
        ),
        (MailRoute::Folder(path), _) => format!("in the folder {}", path.display()),
        (MailRoute::Smtp(_), _) => "sent to SMTP_URL".to_owned(),
    };
    log.print(format!(
        "\n  {} is open:  {}\n  Mail:               {mail}\n  Three people:       bin/run seed  (or: vestibule seed)\n  \
         Stop:               Ctrl-C\n\n",
        site.name,
        site.link("/")
    ));
}
