//! The routes of which another host is the origin.

/// The routes that a proxy asks, or passes a visitor of a host on to. No cookie of this site itself counts there.
pub(crate) fn is_for_proxies(path: &str) -> bool {
    ["/gate/verify", "/gate/refused", "/gate/check"].contains(&path) || path.starts_with("/.vestibule/")
}
