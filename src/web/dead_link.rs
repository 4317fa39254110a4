//! What somebody does whose link no longer works: each kind of link has a way of its own to go on.

/// The next step in a sentence, and where it is made.
pub(crate) struct WayOn {
    /// A sentence that comes after why the link is dead.
    pub says: &'static str,
    /// Where the step is made.
    pub href: &'static str,
    /// What leads there.
    pub label: &'static str,
}

const fn way(says: &'static str, href: &'static str, label: &'static str) -> WayOn {
    WayOn { says, href, label }
}

const ELSEWHERE: WayOn = way("", "/login", "Sign in");

const LINKING: WayOn = way("Sign in through your organisation again.", "/login", "Sign in");

const WAYS: [(&str, WayOn); 12] = [
    ("/verify-email", way("Sign in, and send yourself a new one.", "/verify-email/needed", "Get a new link")),
    ("/use-address", way("You can sign up with the address instead.", "/signup", "Create an account")),
    (
        "/me/email/confirm",
        way("Sign in, and change your address again.", "/me/email", "Change your email address"),
    ),
    (
        "/me/email/undo",
        way(
            "The change can't be undone by a link any more. If it wasn't you, reset your password now.",
            "/forgot-password",
            "Reset your password",
        ),
    ),
    ("/cancel-deletion", way("To keep your account, sign in.", "/login", "Sign in")),
    (
        "/factor-reset/stop",
        way("Sign in, and look at how you sign in.", "/me/security", "Go to Sign-in & security"),
    ),
    ("/not-me", way("If it wasn't you, reset your password now.", "/forgot-password", "Reset your password")),
    ("/hand-over", way("Ask the owner to offer it again.", "/organisations", "Your organisations")),
    ("/sso/setup", way("Ask the person who sent it for a new set-up link.", "/", "Go to the home page")),
    ("/auth/continue", way("Go back to your account, and start again there.", "/me", "Go to your account")),
    ("/auth/link", LINKING),
    ("/auth/saml/link", LINKING),
];

/// The step after a dead link of `path`.
pub(crate) fn way_on(path: &str) -> &'static WayOn {
    WAYS.iter()
        .find(|(of, _)| path == *of || path.strip_prefix(of).is_some_and(|rest| rest.starts_with('/')))
        .map_or(&ELSEWHERE, |(_, way)| way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::link_token;

    #[test]
    fn every_mailed_link_that_died_leads_on() {
        // Those have errors of their own.
        let others = ["/invitations/accept", "/login/magic-link/verify", "/reset-password"];
        for path in link_token::PATHS.into_iter().filter(|path| !others.contains(path)) {
            let way = way_on(path);
            assert!(way.says.ends_with('.'), "{path}");
        }
        assert_eq!(way_on("/verify-email/resend").href, "/verify-email/needed");
        assert_eq!(way_on("/verify-emails").href, "/login");
    }
}
