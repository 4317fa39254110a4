//! Icons drawn for these pages: 20 × 20, one stroke of 1.5, the colour of the text around them.

macro_rules! icon {
    ($paths:literal) => {
        concat!(r#"<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">"#, $paths, "</svg>")
    };
}

/// The mark beside a brand's name, until the operator sets a logo: an arch with a door ajar.
pub(crate) const MARK: &str = r#"<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/><path d="M8.5 25V14.5a7.5 7.5 0 0 1 15 0V25M6 25h20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/><path d="M16 11a3.5 3.5 0 0 0-3.5 3.5V25H16z" fill="currentColor"/><path d="M16 11a3.5 3.5 0 0 1 3.5 3.5V25H16z" fill="currentColor" opacity=".4"/></svg>"#;

/// The door of a page that leads nowhere.
pub(crate) const ARCH: &str = r#"<svg class="icon art" viewBox="0 0 60 52" aria-hidden="true"><path d="M4 48h52M17 48V25a13 13 0 0 1 26 0v23" opacity=".45"/><path d="M22 48V26.5a8 8 0 0 1 16 0V48z" fill="currentColor" fill-opacity=".12"/><path d="M26 38h.01" stroke-width="2.5"/></svg>"#;

/// What turns when more is shown.
pub(crate) const TURN: &str = r#"<svg class="icon turn" viewBox="0 0 20 20" aria-hidden="true"><path d="m7.5 4.5 5.5 5.5-5.5 5.5"/></svg>"#;

/// The mark of a provider that people sign in with, by its key, in our own hand.
pub(crate) fn provider(key: &str) -> &'static str {
    match key {
        "github" => icon!(
            r#"<circle cx="6" cy="4.5" r="2"/><circle cx="6" cy="15.5" r="2"/><circle cx="14" cy="7" r="2"/><path d="M6 6.5v7M14 9c0 3-4 2.5-7 4.5"/>"#
        ),
        "google" => icon!(r#"<path d="M15.5 5.2A7 7 0 1 0 17 10h-6.5"/>"#),
        "microsoft" => icon!(
            r#"<path d="M3.5 3.5h5.75v5.75H3.5zM10.75 3.5h5.75v5.75h-5.75zM3.5 10.75h5.75v5.75H3.5zM10.75 10.75h5.75v5.75h-5.75z"/>"#
        ),
        "apple" => icon!(
            r#"<path d="M10 6.5c1-.9 2.200-1.100 3.400-.8 1 .3 1.800.9 2.200 1.600-2.600 1.700-2.200 5.200.6 6.400-.9 2.300-2.400 3.800-3.900 3.300-1.500-.6-3.100-.6-4.600 0C5.400 17.600 3.200 13.500 3.600 10c.3-3.300 3.600-5.400 6.400-3.500zM10 6.300c0-2.100 1.200-3.500 3-3.800"/>"#
        ),
        _ => icon("provider"),
    }
}

/// The icon of this name, as SVG; a question mark where there is none. Names of sign-in methods and kinds of devices are
/// those of the JSON.
pub(crate) fn icon(name: &str) -> &'static str {
    match name {
        "profile" | "sign_up" => icon!(
            r#"<circle cx="10" cy="6.75" r="3.25"/><path d="M3.75 17c.5-3.2 3-5 6.25-5s5.75 1.8 6.25 5"/>"#
        ),
        "security" => icon!(
            r#"<path d="m10 2.5 6 2.2v4.6c0 3.9-2.5 6.7-6 8.2-3.5-1.5-6-4.3-6-8.2V4.7z"/><path d="m7.5 10 1.8 1.8 3.4-3.6"/>"#
        ),
        "computer" => icon!(r#"<rect x="4" y="4" width="12" height="8.5" rx="1.5"/><path d="M2 15.5h16"/>"#),
        "phone" => icon!(r#"<rect x="5.5" y="2.5" width="9" height="15" rx="2"/><path d="M9 15h2"/>"#),
        "tablet" => icon!(r#"<rect x="3.5" y="2.5" width="13" height="15" rx="2"/><path d="M9 15h2"/>"#),
        "program" => icon!(
            r#"<rect x="2.5" y="3.5" width="15" height="13" rx="2"/><path d="m6 7.5 2.5 2.5L6 12.5M10.5 12.5H14"/>"#
        ),
        "organisation" => icon!(
            r#"<path d="M4 17V4.5A1.5 1.5 0 0 1 5.5 3h6A1.5 1.5 0 0 1 13 4.5V17M13 8.5h2a1.5 1.5 0 0 1 1.5 1.5v7M2.5 17h15M7 6.5h3M7 9.75h3M7 13h3"/>"#
        ),
        "privacy" => icon!(
            r#"<rect x="4" y="9" width="12" height="8" rx="2"/><path d="M6.75 9V6.25a3.25 3.25 0 0 1 6.5 0V9"/>"#
        ),
        "password" => icon!(
            r#"<rect x="2.5" y="5.5" width="15" height="9" rx="2"/><path d="M6.5 10h.01M10 10h.01M13.5 10h.01" stroke-width="2"/>"#
        ),
        "passkey" => icon!(
            r#"<circle cx="7.5" cy="6" r="3"/><path d="M2 16.5c0-3.2 2.4-5.2 5.5-5.2.9 0 1.7.2 2.4.5"/><circle cx="14.5" cy="10.5" r="2.5"/><path d="M14.5 13v4.8l1.6-1.4M14.5 15l1.4-.9"/>"#
        ),
        "totp" => icon!(
            r#"<rect x="3" y="3" width="14" height="14" rx="3.5"/><path d="M7 8h.01M10 8h.01M13 8h.01M7 12h.01M10 12h.01M13 12h.01" stroke-width="2"/>"#
        ),
        "recovery_code" => icon!(
            r#"<circle cx="10" cy="10" r="7.25"/><circle cx="10" cy="10" r="3"/><path d="m4.9 4.9 3 3M12.1 12.1l3 3M15.1 4.9l-3 3M7.9 12.1l-3 3"/>"#
        ),
        "magic_link" | "email" => {
            icon!(r#"<rect x="2.5" y="4.5" width="15" height="11" rx="2"/><path d="m3 6 7 5 7-5"/>"#)
        }
        "sso" | "provider" => {
            icon!(r#"<path d="M11.5 3H15a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-3.5M3 10h9M9 7l3 3-3 3"/>"#)
        }
        "done" => icon!(r#"<path d="m4.5 10.5 3.5 3.5 7.5-8"/>"#),
        "warning" => icon!(
            r#"<path d="M8.9 3.6 2.3 15a1.3 1.3 0 0 0 1.1 2h13.2a1.3 1.3 0 0 0 1.1-2L11.1 3.6a1.3 1.3 0 0 0-2.2 0zM10 8v3.5M10 14.2h.01"/>"#
        ),
        "copy" => icon!(
            r#"<rect x="7" y="7" width="10" height="10" rx="2"/><path d="M13 7V5a2 2 0 0 0-2-2H5a2 2 0 0 0-2 2v6a2 2 0 0 0 2 2h2"/>"#
        ),
        "download" => icon!(r#"<path d="M10 3v9.5M6.5 9l3.5 3.5L13.5 9M3.5 16.5h13"/>"#),
        "bin" => icon!(
            r#"<path d="M3.5 5.5h13M8 5.5V4a1 1 0 0 1 1-1h2a1 1 0 0 1 1 1v1.5M5 5.5l.7 10A1.6 1.6 0 0 0 7.3 17h5.4a1.6 1.6 0 0 0 1.6-1.5l.7-10M8.4 9v4.5M11.6 9v4.5"/>"#
        ),
        "clock" => icon!(r#"<circle cx="10" cy="10" r="7.25"/><path d="M10 6v4l2.5 1.5"/>"#),
        "back" => icon!(r#"<path d="M4 8h8a4 4 0 0 1 0 8H8.5M7 5 4 8l3 3"/>"#),
        "domain" => icon!(
            r#"<circle cx="10" cy="10" r="7.25"/><path d="M2.75 10h14.5M10 2.75c2 2 3 4.4 3 7.25s-1 5.25-3 7.25c-2-2-3-4.4-3-7.25s1-5.25 3-7.25z"/>"#
        ),
        _ => icon!(
            r#"<circle cx="10" cy="10" r="7.25"/><path d="M8 8a2 2 0 1 1 2.9 1.8c-.6.4-.9.8-.9 1.6M10 14h.01"/>"#
        ),
    }
}
