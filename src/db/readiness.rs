//! What was found last about this node's fitness.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::error::{Error, Outage, Result, Unready};

// Probes come from every balancer; the database is asked once in so long.
const LASTS: Duration = Duration::from_millis(500);
// A disk with less is as good as full.
const LEAST_ROOM: u64 = 1 << 20;

/// What was found last, and when.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Option<Unready>)>>);

impl Readiness {
    /// What was found a moment ago, or what `probe` finds now; others wait for it meanwhile.
    pub(crate) async fn found(&self, probe: impl Future<Output = Result<()>>) -> Option<Unready> {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = *last
            && at.elapsed() < LASTS
        {
            return found;
        }
        let found = match probe.await {
            Ok(()) => None,
            Err(Error::NotReady(reason)) => Some(reason),
            Err(Error::Unavailable(outage)) => {
                tracing::warn!(cause = format!("{:#}", outage.cause), "not ready: database unavailable");
                Some(Unready::Database)
            }
            Err(error) => {
                tracing::warn!(%error, "not ready: the database cannot be tried");
                Some(Unready::Database)
            }
        };
        *last = Some((Instant::now(), found));
        found
    }
}

/// [`Error::Unavailable`] where the disk below a file is full.
pub(crate) fn has_room(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(folder).map_err(|cause| {
        Error::Unavailable(Outage::lost(format!("{} is not there: {cause}", folder.display())))
    })?;
    match disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM {
        true => Err(Error::Unavailable(Outage {
            is_lost: false,
            cause: anyhow::anyhow!("the disk below {} is full", folder.display()),
        })),
        false => Ok(()),
    }
}
