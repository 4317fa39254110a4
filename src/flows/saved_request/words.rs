//! What an interrupted form is about, in words for whoever sent it.

use serde::Serialize;

use crate::{
    accounts::policy::{self, Membership},
    db::Conn,
    error::Result,
    ids::{Id, UserId},
    kinds::{AfterHandOver, Permission},
    model::{
        membership::{self, Search},
        organisation::Named,
    },
    urls,
    web::saved_request::SavedRequest,
};

/// The words of a page that sends a form on.
#[derive(Debug, Serialize)]
pub(crate) struct Words {
    /// What it does.
    pub what: String,
    /// What comes of it, where that is not plain; else empty.
    #[serde(skip)]
    pub lead: String,
    /// What is pressed where something is taken away. Any other form a script sends on by itself.
    #[serde(skip)]
    pub button: Option<String>,
    /// Where the form itself is.
    #[serde(skip)]
    pub back: String,
}

impl Words {
    /// Those for `form`. Names of an organisation are told to its members only.
    pub(crate) fn of(conn: &mut Conn, user: &UserId, form: &SavedRequest) -> Result<Self> {
        let parts: Vec<&str> = form.path.trim_start_matches('/').split('/').collect();
        let (what, button, back) = match parts.as_slice() {
            ["organisations", slug, rest @ ..] => {
                if let Some(mine) = policy::membership(conn, Named::Slug(slug), user)? {
                    return Self::in_organisation(conn, &mine, rest, form);
                }
                ("Continue", None, "/organisations")
            }
            ["me", "email"] => ("Change your email address", None, "/me/email"),
            ["me", "2fa", "totp"] => ("Set up an authenticator app", None, "/me/security"),
            ["me", "2fa", "totp", "disable"] => {
                ("Remove your authenticator app", Some("Remove authenticator app"), "/me/security")
            }
            ["me", "2fa", "recovery-codes"] => {
                ("Replace your recovery codes", Some("Make new codes"), "/me/security")
            }
            ["me", "passkeys", _, "remove"] => ("Remove the passkey", Some("Remove passkey"), "/me/passkeys"),
            ["me", "providers", _, "remove"] => {
                ("Disconnect an account elsewhere", Some("Disconnect"), "/me/providers")
            }
            ["me", "providers", _] => ("Connect an account elsewhere", None, "/me/providers"),
            ["me", "keys"] => ("Create an API key", None, "/me/keys"),
            ["me", "keys", _, "roll"] => ("Give an API key a new secret", None, "/me/keys"),
            ["me", "keys", _, "resume"] => ("Resume an API key", None, "/me/keys"),
            ["me", "delete"] => ("Delete your account", Some("Delete account"), "/me/delete"),
            _ => ("Continue", None, "/me/security"),
        };
        let (what, button) = (what.to_owned(), button.map(str::to_owned));
        Ok(Self { what, lead: String::new(), button, back: back.to_owned() })
    }

    fn in_organisation(
        conn: &mut Conn,
        mine: &Membership,
        rest: &[&str],
        form: &SavedRequest,
    ) -> Result<Self> {
        let organisation = &mine.organisation.name;
        let field = |name: &str| form.fields.iter().find(|(field, _)| field == name).map(|(_, text)| text);
        let mut lead = String::new();
        let (what, button) = match rest {
            ["members", member, "remove"] => {
                let name = name_of(conn, mine, member)?;
                (format!("Remove {name} from {organisation}"), Some(format!("Remove {name}")))
            }
            ["members", member, "role"] => {
                (format!("Change the role of {}", name_of(conn, mine, member)?), None)
            }
            ["hand-over"] => {
                let name = name_of(conn, mine, field("member").map_or("", String::as_str))?;
                let then = field("then").and_then(|then| AfterHandOver::from_word(then));
                let then = then.map_or_else(String::new, |then| format!(" {}.", then.yours()));
                lead = format!("{name} becomes an owner when they accept.{then}");
                (format!("Offer {organisation} to {name}"), Some("Offer to hand over".to_owned()))
            }
            ["delete"] => (format!("Delete {organisation}"), Some("Delete organisation".to_owned())),
            ["invitations"] => (format!("Invite people to {organisation}"), None),
            ["keys"] => (format!("Create an API key of {organisation}"), None),
            ["keys", _, "roll"] => (format!("Give an API key of {organisation} a new secret"), None),
            ["roles", _, "remove"] => {
                (format!("Remove a role of {organisation}"), Some("Remove role".to_owned()))
            }
            ["sso", "domains", _, "remove"] => {
                (format!("Remove a domain of {organisation}"), Some("Remove domain".to_owned()))
            }
            ["sso", "domains", _, "enforce"] => {
                (format!("Require single sign-on in {organisation}"), Some("Require SSO".to_owned()))
            }
            ["sso", _, "remove"] => {
                (format!("Remove a connection of {organisation}"), Some("Remove connection".to_owned()))
            }
            _ => (format!("Change {organisation}"), None),
        };
        let slug = &mine.organisation.slug;
        let back = match rest {
            [
                page @ ("hand-over" | "delete" | "invitations" | "roles" | "sso" | "settings" | "policy"
                | "keys"),
                ..,
            ] => urls::organisation_page(slug, page),
            _ => urls::organisation(slug),
        };
        Ok(Self { what, lead, button, back })
    }
}

/// A member's name, for whoever may see the others.
fn name_of(conn: &mut Conn, mine: &Membership, member: &str) -> Result<String> {
    let Some(id) = Id::parse(member).filter(|_| mine.may(Permission::MembersRead)) else {
        return Ok("this member".to_owned());
    };
    let search = Search { user: Some(id), ..Search::default() };
    let found = membership::list(conn, &mine.organisation.id, &search, 1)?.pop();
    Ok(found.map_or_else(|| "this member".to_owned(), |member| member.name))
}
