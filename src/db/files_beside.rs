//! The log and the index beside a SQLite file. Where one is removed or replaced while they are in use, what is written from then
//! on is gone at the next start, and other programs see another database.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use diesel::prelude::*;

use super::{
    Conn,
    connect::{FileNumber, NoConnection, Target, file_number},
};

/// Those of one database, as they were found first.
pub(crate) struct FilesBeside {
    known: Mutex<[Option<FileNumber>; 2]>,
    // Never used: while it is open SQLite removes neither, so that whoever finds others there knows that somebody else did.
    _keeper: Option<Mutex<Conn>>,
}

impl FilesBeside {
    /// Those of the database at `target`; nothing where that is no file.
    pub(crate) fn of(target: &Target, file: Option<FileNumber>) -> Result<Self, NoConnection> {
        let no =
            |cause: String| NoConnection { sentence: format!("DATABASE_URL: {cause}."), may_come: false };
        let keeper = match target {
            Target::Postgres { .. } => None,
            Target::Sqlite(_) => {
                let mut conn = target.connect(file).map_err(|cause| no(cause.to_string()))?;
                // Only what was read holds them.
                diesel::sql_query("SELECT name FROM sqlite_master LIMIT 1")
                    .execute(&mut conn)
                    .map_err(|cause| no(cause.to_string()))?;
                Some(Mutex::new(conn))
            }
        };
        Ok(Self { known: Mutex::default(), _keeper: keeper })
    }

    /// Which of those beside the file at `path` is another one now, or gone.
    pub(crate) fn replaced(&self, path: &Path) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, suffix) in known.iter_mut().zip(["-wal", "-shm"]) {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let found = file_number(Path::new(&name)).ok();
            if number.is_some() && *number != found {
                return Some(Path::new(&name).display().to_string());
            }
            *number = number.or(found);
        }
        None
    }
}
