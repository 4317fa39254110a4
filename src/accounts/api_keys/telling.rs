//! Who hears of an API key by email.

use crate::{
    accounts::{containment::way_back::way_back_from, members},
    db::Tx,
    error::Result,
    ids::{ApiKeyId, OrganisationId, UserId},
    mail::emails::{self, KeyNews, MakerNews},
    model::{
        api_key::{self, ApiKey, KeyKind, Of},
        audit::Actor,
        organisation::{self, Organisation},
        security_change::{self, Kind},
        user::{self, User},
    },
    urls,
};

/// Tells a person of a key of their own; of what `actor` did with it, with the way back.
pub(super) fn tell_person(
    tx: &mut Tx,
    actor: Option<&Actor>,
    user: &User,
    key: &ApiKey,
    news: KeyNews,
    device: &str,
) -> Result<()> {
    if !user.is_verified() {
        return Ok(());
    }
    let not_me = match actor {
        Some(actor) => Some(way_back_from(tx, actor, user, news.event(), device)?),
        None => None,
    };
    let when = (tx.now.exact(), key.expires_at.map(|end| end.exact()));
    let told = emails::KeyTold {
        name: &key.name,
        hint: &key.shown(),
        organisation: None,
        path: "/me/keys",
        when: &when.0,
        expires: when.1.as_deref(),
        not_me: not_me.as_ref().map(|secret| secret.reveal()),
    };
    let email = emails::api_key(&tx.config.site, (&user.email, &user.name), news, &told)?;
    tx.mail(Some(&user.id), email)
}

/// Tells the owners of an organisation of a key of its own.
pub(super) fn tell_owners(
    tx: &mut Tx,
    organisation: &Organisation,
    key: &ApiKey,
    news: KeyNews,
) -> Result<()> {
    let when = (tx.now.exact(), key.expires_at.map(|end| end.exact()));
    let path = urls::organisation_page(&organisation.slug, "keys");
    let told = emails::KeyTold {
        name: &key.name,
        hint: &key.shown(),
        organisation: Some(&organisation.name),
        path: &path,
        when: &when.0,
        expires: when.1.as_deref(),
        not_me: None,
    };
    for owner in members::owners(tx.conn, &organisation.id)? {
        let email = emails::api_key(&tx.config.site, (&owner.email, &owner.name), news, &told)?;
        tx.mail(Some(&owner.id), email)?;
    }
    Ok(())
}

/// Tells a key's person, or the owners of its organisation, what became of it by somebody else.
pub(super) fn tell_owner(tx: &mut Tx, key: &ApiKey, news: KeyNews) -> Result<()> {
    match (&key.user_id, &key.organisation_id) {
        (Some(user), _) => {
            let user = user::by_id(tx.conn, user)?;
            tell_person(tx, None, &user, key, news, "")
        }
        (None, Some(organisation)) => {
            let organisation = organisation::by_id(tx.conn, organisation)?;
            tell_owners(tx, &organisation, key, news)
        }
        (None, None) => Ok(()),
    }
}

/// Tells the owners of organisations which keys of theirs somebody made, or made a secret of: of one organisation, or of all. Who
/// owns one and may not be alone in their account reads it, too.
pub(super) fn tell_owners_of_maker(
    tx: &mut Tx,
    maker: &UserId,
    only: Option<&OrganisationId>,
    news: MakerNews,
) -> Result<()> {
    let mut made = api_key::list(tx.conn, Of::Maker(maker))?;
    for change in security_change::list(tx.conn, maker)? {
        let Some(target) = change.target.filter(|_| change.kind == Kind::ApiKeyMade) else { continue };
        if made.iter().all(|key| key.id.as_str() != target) {
            let rolled = api_key::find(tx.conn, &ApiKeyId::from_text(target))?;
            made.extend(rolled.filter(|key| key.kind() == KeyKind::Organisation));
        }
    }
    let mut of: Vec<&OrganisationId> = made.iter().filter_map(|key| key.organisation_id.as_ref()).collect();
    of.sort_by_key(|id| id.as_str());
    of.dedup();
    for id in of.into_iter().filter(|id| only.is_none_or(|only| only == *id)) {
        let (organisation, maker) = (organisation::by_id(tx.conn, id)?, user::by_id(tx.conn, maker)?);
        let keys = made.iter().filter(|key| key.organisation_id.as_ref() == Some(id));
        let in_words =
            |key: &ApiKey| (emails::key_in_words(&key.name, &key.shown()), key.suspended_at.is_some());
        let keys: Vec<(String, bool)> = keys.map(in_words).collect();
        for owner in members::owners(tx.conn, id)? {
            let of = (organisation.name.as_str(), organisation.slug.as_str(), maker.email.spelled());
            let email = emails::keys_of_maker(&tx.config.site, (&owner.email, &owner.name), of, &keys, news)?;
            tx.mail(Some(&owner.id), email)?;
        }
    }
    Ok(())
}
