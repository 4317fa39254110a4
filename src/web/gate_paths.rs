//! The routes of which another host is the origin.

/// The routes that a proxy asks, or passes a visitor of a host on to. No cookie of this site itself counts there.
pub(crate) fn is_for_proxies(path: &str) -> bool {
    ["/gate/verify", "/gate/refused", "/gate/check"].contains(&path) || path.starts_with("/.vestibule/")
}

/// The style of the pages there, which stands in them: as much as makes a refusal readable.
pub(crate) const STYLE: &str = ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:30rem;margin:10vh auto;padding:0 1.25rem;text-align:center}h1{font-size:1.5rem;line-height:1.25}\
.skip{position:absolute;clip-path:inset(50%)}svg{width:120px;height:104px}.hint,.foot{font-size:.875rem;opacity:.8}\
.button{display:inline-block;padding:.625rem 1.25rem;border-radius:8px;background:#13695f;color:#fff;font-weight:600;text-decoration:none}\
.foot{margin-top:4rem;display:flex;gap:1rem;justify-content:center}.foot a{color:inherit}";
