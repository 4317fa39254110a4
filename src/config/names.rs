//! Names of settings as people misspell them.

use strsim::osa_distance;

use super::SETTINGS;

/// The setting that `name` was probably meant to be. `None` where it is one, and where nothing is near.
pub(crate) fn meant_by(name: &str) -> Option<&'static str> {
    if SETTINGS.iter().any(|setting| setting.name == name) {
        return None;
    }
    let upper = name.to_uppercase().replace(['-', '.'], "_");
    let upper = upper.strip_prefix("VESTIBULE_").unwrap_or(&upper);
    let near = SETTINGS.iter().filter_map(|setting| Some((distance(upper, setting.name)?, setting.name)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// What other programs call a setting of ours. None of it is said of one that is set, and nothing is refused for it: a
/// platform sets some of these by itself.
const FOREIGN: &[(&str, &[&str])] = &[
    ("LISTEN", &["PORT", "LISTEN_ADDR", "LISTEN_ADDRESS", "BIND_ADDR", "BIND_ADDRESS"]),
    ("LOG", &["RUST_LOG", "LOG_LEVEL"]),
    ("DATABASE_URL", &["DB_URL", "DB_HOST", "POSTGRES_URL", "POSTGRESQL_URL", "SQLALCHEMY_DATABASE_URI"]),
    ("DATABASE_PASSWORD", &["DB_PASSWORD"]),
    ("BASE_URL", &["APP_URL", "PUBLIC_URL", "SITE_URL", "ROOT_URL", "EXTERNAL_URL"]),
    ("SECRET_KEY", &["APP_KEY", "APP_SECRET", "SECRET_KEY_BASE", "SESSION_SECRET", "JWT_SECRET"]),
    ("SMTP_URL", &["SMTP_HOST", "SMTP_SERVER", "MAIL_URL", "MAIL_HOST", "EMAIL_HOST", "MAILER_DSN"]),
    ("MAIL_FROM", &["SMTP_FROM", "DEFAULT_FROM_EMAIL"]),
    ("TRUSTED_PROXIES", &["TRUST_PROXY"]),
];

/// The setting that other programs call `name`.
pub(crate) fn called_elsewhere(name: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(_, names)| names.contains(&name)).map(|(ours, _)| *ours)
}

/// How far a name is from a setting's, if it is near at all: the same letters, the same words in another order, or words
/// that are each a slip away. A short name alone is compared strictly: `NODE` is not `MODE`.
fn distance(name: &str, setting: &str) -> Option<usize> {
    let words = |text: &str| text.split('_').map(str::to_owned).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (words(setting), words(name));
    let (joined, emails) = (ours.concat(), theirs.concat());
    if joined == emails {
        return Some(0);
    }
    if ours.len() != theirs.len() {
        return near(&emails, &joined).filter(|distance| *distance == 1 && joined.len() > 5);
    }
    let in_order: Option<usize> = theirs.iter().zip(&ours).map(|(a, b)| near(a, b)).sum();
    ours.sort_unstable();
    theirs.sort_unstable();
    let has_changed_places = ours == theirs;
    let most = if setting.len() > 5 { 4 } else { 0 };
    let is_swap = |distance: &usize| *distance == 1 && same_characters(name, setting);
    if has_changed_places { Some(1) } else { in_order.filter(|sum| *sum <= most || is_swap(sum)) }
}

/// A slip of a finger, two in a long word, or another ending: `PROXY`, `PROXIES`.
fn near(a: &str, b: &str) -> Option<usize> {
    let distance = osa_distance(a, b);
    let beginning = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let most = match a.len().min(b.len()) {
        _ if beginning >= 4 => 3,
        0..=2 => 0,
        3..=6 => 1,
        _ => 2,
    };
    (distance <= most).then_some(distance)
}

fn same_characters(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut emails = text.as_bytes().to_vec();
        emails.sort_unstable();
        emails
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_leads_to_the_setting_and_a_stranger_to_none() {
        for (name, setting) in [
            ("BASE_RUL", "BASE_URL"),
            ("BASEURL", "BASE_URL"),
            ("BASE_URI", "BASE_URL"),
            ("base_url", "BASE_URL"),
            ("base-url", "BASE_URL"),
            ("URL_BASE", "BASE_URL"),
            ("VESTIBULE_BASE_URL", "BASE_URL"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("SECERT_KEY", "SECRET_KEY"),
            ("SECRETKEY", "SECRET_KEY"),
            ("SECRET_KEYS", "SECRET_KEY"),
            ("SECRET_KEY_PREVIUOS", "SECRET_KEY_PREVIOUS"),
            ("SESION_LIFE", "SESSION_LIFE"),
            ("SESSION_LIVE", "SESSION_LIFE"),
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("TRUSTEDPROXIES", "TRUSTED_PROXIES"),
            ("BRAND_NMAE", "BRAND_NAME"),
            ("BRAND_COLOR", ""),
            ("SMPT_URL", "SMTP_URL"),
            ("MAIL_FORM", "MAIL_FROM"),
            ("EMAIL_FROM", "MAIL_FROM"),
            ("LISTEN_", "LISTEN"),
            ("LISTNE", "LISTEN"),
            ("MDOE", "MODE"),
            ("BCRYPT_COSTS", "BCRYPT_COST"),
            ("MAILS_PER_MINUTES", "MAILS_PER_MINUTE"),
            ("ALLOW_INSECUR", "ALLOW_INSECURE"),
            ("METRIC_FROM", "METRICS_FROM"),
            // Of other programs.
            ("NODE", ""),
            ("HOME", ""),
            ("PATH", ""),
            ("LANG", ""),
            ("LOGNAME", ""),
            ("MAIL", ""),
            ("PORT", ""),
            ("LISTEN_FDS", ""),
            ("LISTEN_PID", ""),
            ("DATABASE_PORT", ""),
            ("DATABASE_HOST", ""),
            ("DATABASE_USER", ""),
            ("TEST_DATABASE_URL", ""),
            ("SESSION_MANAGER", ""),
            ("RUST_LOG", ""),
            ("NO_COLOR", ""),
            ("BASH_ENV", ""),
            ("", ""),
        ] {
            assert_eq!(meant_by(name).unwrap_or_default(), setting, "{name}");
        }
    }

    #[test]
    fn a_name_of_another_program_leads_to_a_setting_and_is_no_slip() {
        for (setting, names) in FOREIGN {
            assert!(SETTINGS.iter().any(|ours| ours.name == *setting), "{setting}");
            for name in *names {
                assert_eq!((called_elsewhere(name), meant_by(name)), (Some(*setting), None), "{name}");
            }
        }
        // Shells, images and clusters set these.
        for name in ["HOST", "HOSTNAME", "VESTIBULE_PORT", "NODE_ENV", "POSTGRES_PASSWORD", "LISTEN"] {
            assert_eq!(called_elsewhere(name), None, "{name}");
        }
    }

    #[test]
    fn no_setting_is_taken_for_another() {
        for setting in SETTINGS {
            assert_eq!(meant_by(setting.name), None);
        }
    }
}
