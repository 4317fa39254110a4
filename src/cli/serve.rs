//! `vestibule serve`.

use std::{
    io::{self, IsTerminal},
    net::TcpListener,
};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Outcome, block_on, open, sentence};
use crate::{
    app::{App, CATCHER_PORT},
    config::{Config, MailRoute},
    jobs, server,
};

/// Runs the house until it is told to stop: requests in flight finish, letters under way are noted.
pub fn run(config: Config) -> Outcome {
    start_log(&config);
    let listen = config.listen;
    let listener = TcpListener::bind(listen)
        .map_err(|cause| format!("{listen} cannot be listened on: {cause}. Set LISTEN."))?;
    block_on(async {
        let app = open(config)?;
        let server = sentence(server::start(&app, listener))?;
        let jobs = jobs::start(&app);
        greet(&app);
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

fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let mut log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // Colours are for whoever looks on. On a terminal `NO_COLOR` is minded.
    if !io::stdout().is_terminal() {
        log = log.with_ansi(false);
    }
    // A second start in one process (tests) keeps the first log.
    let _ = match config.log_json {
        true => log.json().try_init(),
        false => log.try_init(),
    };
}

fn greet(app: &App) {
    let config = app.config();
    let site = &config.site;
    tracing::info!(base_url = %site.base_url, listen = %config.listen, database = ?config.database, mode = ?config.mode, "open");
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
    println!();
    println!("  {} is open:  {}", site.name, site.link("/"));
    println!("  Mail:               {mail}");
    println!("  Three people:       bin/run seed  (or: vestibule seed)");
    println!("  Stop:               Ctrl-C");
    println!();
}
