//! `vestibule doctor`: looks at everything, and says what to do about each finding.

mod files;
mod finding;
mod gates;
mod issuer;
mod keys;
mod permissions;
mod providers;

use super::{
    doctor::finding::{Finding, Health, finding},
    out::say,
    outcome::Outcome,
    preflight,
};
use crate::{
    app::{App, open_mail},
    clock::Timestamp,
    config::{Config, MailRoute, Problems},
    db::Standing,
    mail::{EmailAddress, Mailer, emails},
    model::{outbox, passkey},
};

// Nobody runs this program before it was written.
const WRITTEN: i64 = 1_790_000_000;

/// Where the settings themselves are wrong, there is nothing else to look at.
pub(crate) fn settings_only(problems: &Problems, as_json: bool) -> Outcome {
    report(
        problems.sentences().iter().map(|says| finding("settings", Health::Problem, says)).collect(),
        as_json,
    )
}

/// Looks at everything.
pub(crate) async fn run(config: Config, as_json: bool, mail_to: Option<String>) -> Outcome {
    let mut findings: Vec<Finding> =
        config.warnings.iter().map(|says| finding("settings", Health::Warning, says)).collect();
    findings.extend(config.hints.iter().map(|says| finding("settings", Health::Fine, says)));
    findings.extend(config.unfit_to_serve.iter().map(|says| finding("settings", Health::Problem, says)));
    findings.extend([settings(&config), cookies(&config), proxies(&config), files::files(&config)]);
    findings.extend(providers::providers(&config));
    // Looking makes none.
    if let Some(says) = preflight::no_database(&config) {
        findings.push(finding("database", Health::Warning, says));
        if let Ok((mailer, _)) = open_mail(&config) {
            findings.push(mail(&config, &mailer).await);
        }
        return report(findings, as_json);
    }
    match App::open(config) {
        Err(error) => findings.push(finding("database", Health::Problem, error.cause())),
        Ok(app) => {
            findings.push(database(&app).await);
            findings.push(keys::keys(&app).await);
            findings.push(keys::ages(&app).await);
            findings.push(clock(app.now()));
            findings.push(mail(app.config(), app.mailer()).await);
            findings.push(waiting(&app).await);
            findings.push(passkeys(&app).await);
            findings.push(permissions::permissions(&app).await);
            findings.extend(gates::gates(&app).await);
            findings.extend(issuer::issuer(&app).await);
            findings.extend(providers::documents(&app).await);
            if let Some(address) = mail_to {
                findings.push(test_email(&app, &address).await);
            }
        }
    }
    report(findings, as_json)
}

fn report(findings: Vec<Finding>, as_json: bool) -> Outcome {
    for found in &findings {
        match as_json {
            true => say!("{}", serde_json::json!(found)),
            false => {
                say!("{:<8} {:<9} {}", format!("{:?}", found.health).to_lowercase(), found.what, found.says)
            }
        }
    }
    match findings.iter().any(|found| found.health == Health::Problem) {
        // Each finding says it by itself.
        true => Err(String::new()),
        false => Ok(()),
    }
}

fn settings(config: &Config) -> Finding {
    match config.is_development() {
        true => {
            finding("settings", Health::Warning, "development mode: for real accounts set MODE=production.")
        }
        false => finding("settings", Health::Fine, format!("production mode, {}", config.site.base_url)),
    }
}

fn cookies(config: &Config) -> Finding {
    match (config.site.is_https(), config.site.is_loopback()) {
        (true, _) => finding("cookies", Health::Fine, "Secure, HttpOnly, SameSite=Lax, named __Host-."),
        (false, true) => {
            finding("cookies", Health::Warning, "without Secure, as plain http on localhost needs it.")
        }
        (false, false) => {
            let says = "without Secure: anyone on the way can read a session. Put https in BASE_URL.";
            finding("cookies", Health::Problem, says)
        }
    }
}

fn proxies(config: &Config) -> Finding {
    match (config.trusted_proxies.is_empty(), config.site.is_https()) {
        (true, true) => {
            let says = "https in front and none named: everybody's address is the proxy's. Set TRUSTED_PROXIES=127.0.0.1.";
            finding("proxies", Health::Warning, says)
        }
        (true, false) => finding("proxies", Health::Fine, "none named; X-Forwarded-For counts for nothing."),
        (false, _) => {
            finding("proxies", Health::Fine, format!("{} network(s) named.", config.trusted_proxies.len()))
        }
    }
}

async fn database(app: &App) -> Finding {
    let place = format!("{:?}", app.config().database);
    match app.db().standing().await {
        Ok(Standing { too_new: Some(too_new), .. }) => {
            finding("database", Health::Problem, format!("{place}: {too_new}."))
        }
        Ok(Standing { pending: 0, .. }) => match app.db().try_write().await {
            Ok(()) => finding("database", Health::Fine, format!("{place}, schema up to date, writable.")),
            Err(error) => finding(
                "database",
                Health::Problem,
                format!("{place} cannot be written to: {}", error.cause()),
            ),
        },
        Ok(Standing { pending, .. }) => finding(
            "database",
            Health::Warning,
            format!("{place}: {pending} migration(s) wait. Run `vestibule migrate`."),
        ),
        Err(error) => finding(
            "database",
            Health::Problem,
            format!("{place}: {}. Is it a database of this program?", error.cause()),
        ),
    }
}

fn clock(now: Timestamp) -> Finding {
    match now.unix() >= WRITTEN {
        true => finding(
            "clock",
            Health::Fine,
            format!("{}; links and codes depend on it, so keep NTP running.", now.iso()),
        ),
        false => finding(
            "clock",
            Health::Problem,
            format!("{} is in the past. Set the machine's clock.", now.iso()),
        ),
    }
}

async fn mail(config: &Config, mailer: &Mailer) -> Finding {
    let way = mailer.way();
    if matches!(config.mail, MailRoute::Catch) {
        return finding(
            "mail",
            Health::Warning,
            format!("{way}: caught, never delivered. For real mail set SMTP_URL."),
        );
    }
    match mailer.check().await {
        Ok(()) => finding("mail", Health::Fine, format!("{way} answers.")),
        Err(refusal) => {
            finding("mail", Health::Problem, format!("{way}: {} Look at SMTP_URL.", refusal.reason))
        }
    }
}

async fn waiting(app: &App) -> Finding {
    let Ok((depth, troubles)) = app.read(|conn| Ok((outbox::depth(conn)?, outbox::troubles(conn)?))).await
    else {
        return finding("outbox", Health::Warning, "cannot be read until the schema is up.");
    };
    if depth.refused > 0 {
        let commonest = troubles.into_iter().find(|trouble| trouble.refuses.is_some());
        let why = commonest.and_then(|trouble| trouble.last_error).unwrap_or_default();
        let says = format!(
            "{} of {} waiting email(s) wait because of the mail server or our standing with it: {why} They are kept and \
             tried for days; once it is mended, `vestibule jobs retry` tries them at once.",
            depth.refused, depth.waiting
        );
        return finding("outbox", Health::Problem, says);
    }
    match depth.parked {
        0 => finding("outbox", Health::Fine, format!("{} email(s) waiting.", depth.waiting)),
        count => {
            let says = format!(
                "{count} email(s) were given up. See `vestibule jobs list`, then `vestibule jobs retry`."
            );
            finding("outbox", Health::Warning, says)
        }
    }
}

async fn passkeys(app: &App) -> Finding {
    let party = app.relying_party().clone();
    let Ok(here) = app.relying_party().id() else {
        let says = "BASE_URL is a bare address; passkeys need a name, such as https://id.example.com.";
        return finding("passkeys", Health::Warning, says);
    };
    match app.read(move |conn| passkey::elsewhere(conn, &party)).await {
        Ok(others) if others.is_empty() => finding("passkeys", Health::Fine, format!("made for {here}.")),
        Ok(others) => {
            let counts: Vec<String> =
                others.iter().map(|(host, count)| format!("{count} made for {host}")).collect();
            let says = format!(
                "{}: they do not work at {here}. Set BASE_URL back, or have their owners sign in with a password and \
                 a recovery code and add new ones.",
                counts.join(", ")
            );
            finding("passkeys", Health::Warning, says)
        }
        Err(_) => finding("passkeys", Health::Warning, "cannot be read until the schema is up."),
    }
}

async fn test_email(app: &App, address: &str) -> Finding {
    let email = EmailAddress::parse(address)
        .map_err(|problem| problem.to_string())
        .and_then(|to| emails::test_email(&app.config().site, &to).map_err(|cause| cause.to_string()));
    let sent = match email {
        Ok(email) => {
            let message_id = format!("doctor-{}", app.now().unix());
            app.mailer().send(&email, &message_id).await.map_err(|refusal| refusal.reason)
        }
        Err(problem) => Err(problem),
    };
    match sent {
        Ok(()) => finding("email", Health::Fine, format!("the mail server took a test email to {address}.")),
        Err(reason) => finding("email", Health::Problem, format!("no test email to {address}: {reason}")),
    }
}
