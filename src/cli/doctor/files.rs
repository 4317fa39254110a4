//! The files that the program keeps: nobody but their owner should read them.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Health, finding};
use crate::config::{Config, DatabaseUrl, MailRoute, development_key_path, mode_if_shared};

/// Which of them others may look into.
pub(crate) fn files(config: &Config) -> Finding {
    let mut files = Vec::new();
    if let DatabaseUrl::Sqlite(path) = &config.database {
        files.extend(["", "-wal", "-shm"].map(|more| beside(path, more)));
    }
    if config.is_development() {
        files.push(development_key_path(&config.database));
    }
    let folder = match &config.mail {
        MailRoute::Folder(path) => Some((path.clone(), "700")),
        MailRoute::Catch | MailRoute::Smtp(_) => None,
    };
    let files = files.into_iter().map(|path| (path, "600")).chain(folder);
    let shared = files.filter_map(|(path, right)| {
        let mode = mode_if_shared(&path)?;
        let path = path.display();
        Some(format!("{path} is open to others (mode {mode:04o}): run `chmod {right} {path}`."))
    });
    match shared.collect::<Vec<_>>() {
        shared if shared.is_empty() => finding("files", Health::Fine, "nobody but their owner reads them."),
        shared => finding("files", Health::Warning, shared.join(" ")),
    }
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(more);
    path.into()
}
