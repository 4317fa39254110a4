//! What development mode makes for itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{DatabaseUrl, make_private_folder};
use crate::secret;

/// The folder that development keeps its things in: beside the SQLite file, else `data`.
fn data_folder(database: &DatabaseUrl) -> PathBuf {
    match database {
        DatabaseUrl::Sqlite(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
        DatabaseUrl::Postgres(_) => PathBuf::from("data"),
    }
}

/// Where development keeps its key.
pub(crate) fn development_key_path(database: &DatabaseUrl) -> PathBuf {
    data_folder(database).join("secret.key")
}

/// The key that development makes once and keeps, readable by its owner only.
pub(crate) fn development_key(database: &DatabaseUrl) -> io::Result<String> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let folder = data_folder(database);
    let path = development_key_path(database);
    let keep = || -> io::Result<String> {
        let key = fs::read_to_string(&path)?;
        if secret::is_strong_key(&key) {
            Ok(key)
        } else {
            Err(io::Error::other(format!("{} is too short", path.display())))
        }
    };
    if path.exists() {
        return keep();
    }
    make_private_folder(&folder)?;
    let key = secret::random_text(48).map_err(io::Error::other)?;
    // Written aside and linked into place: two nodes that start together end up with one key.
    let aside = folder.join(format!("secret.key.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Ok(()) => Ok(key),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => keep(),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_key_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseUrl::Sqlite(folder.path().join("deep/house.db"));
        let first = development_key(&database).unwrap();
        assert_eq!(development_key(&database).unwrap(), first);
        let mode = fs::metadata(folder.path().join("deep/secret.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(folder.path().join("deep")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "the database beside it is for its owner as well");
    }
}
