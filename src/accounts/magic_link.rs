//! The link by mail that signs somebody in, and the short code that takes it back to the browser that asked.
//!
//! A link belongs to the browser that asked for it. Opened anywhere else it shows its short code, to be typed where it
//! was asked for. That browser's tries are counted in a row that is nobody's: it tells a stranger the same, wrong code by
//! wrong code, whether or not there is an account.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::email_verification;
use crate::model::{
    audit::{self, Actor, audit_events},
    crockford, network, rate_limit,
    token::{self, MagicLink, MagicLinkBrowser, MagicLinkCode, MagicLinkRequest},
    user::{self, User},
};
use crate::{
    clock::span_in_words,
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    mail::{EmailAddress, EmailKind, emails},
    secret::{Keys, Secret, digest},
};

audit_events! {
    /// A link to sign in was asked for.
    MagicLinkRequested {} => attempt("magic_link_requested"),
}

/// How many short codes may be offered for one link.
pub(crate) const MOST_CODES: i32 = 5;

const LENGTH: usize = 6;
const SEAL: &str = "magic_link";

/// What stands for a link in the browser that asked for it: six letters and digits, 30 random bits. Five tries within
/// ten minutes are too few for a guess.
#[derive(Clone)]
pub(crate) struct ShortCode(Zeroizing<String>);

impl ShortCode {
    fn random() -> Result<Self> {
        crockford::random(LENGTH).map(Self)
    }

    /// Reads a code as it was typed: see [`crockford::fold`].
    pub(crate) fn read(typed: &str) -> Self {
        Self(Zeroizing::new(crockford::fold(typed)))
    }

    /// Whether nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The code as it is shown: `7h2-m0q`.
    pub(crate) fn shown(&self) -> String {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }

    fn is(&self, other: &Self) -> bool {
        // Digests, so that the time it takes tells nothing of how much was right.
        digest(&self.0) == digest(&other.0)
    }

    fn seal(&self, keys: &Keys) -> Result<String> {
        keys.seal(SEAL, &self.0)
    }

    /// Opens a code that a token keeps.
    pub(crate) fn open(keys: &Keys, sealed: &str) -> Result<Self> {
        Ok(Self(Zeroizing::new(keys.open(SEAL, sealed)?)))
    }
}

impl<'de> Deserialize<'de> for ShortCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|typed| Self::read(&typed))
    }
}

/// Who asks for a link, and how.
#[derive(Debug)]
pub(crate) struct Asker {
    /// The address, as it was typed.
    pub email: EmailAddress,
    /// What the browser holds that asks.
    pub browser: Secret<MagicLinkBrowser>,
    /// The device, in words.
    pub device: String,
    /// Its address on the network.
    pub ip: String,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// Where to go afterwards: a path on this site.
    pub next: Option<String>,
}

/// Sends a link to the account that has the address confirmed, else to its newest claim: whoever reads that mail proves
/// the address by using it. Older links die.
///
/// Whether there is an account or not, the same is counted and about the same is done.
pub(crate) fn ask(tx: &mut Tx, actor: &Actor, asker: Asker) -> Result<()> {
    let (config, address) = (tx.config, asker.email.normalized());
    tx.lock(&address)?;
    let found = user::meant_by(tx.conn, &asker.email)?;
    audit::record(tx, actor, found.as_ref().map(|user| &user.id), Event::MagicLinkRequested {})?;
    let code = ShortCode::random()?.seal(&config.keys)?;
    let asked = |link| MagicLinkCode { link, code: code.clone() };
    // The answer is the same either way, so an email too many is simply not written.
    let is_unconfirmed = found.as_ref().is_some_and(|user| !user.is_verified());
    let has_room = rate_limit::try_consume_mail(tx, EmailKind::MagicLink, &asker.email)?
        && rate_limit::try_consume_mail_to_unconfirmed(tx, &asker.email, Some(&asker.ip), is_unconfirmed)?;
    if !has_room {
        // A press too many leaves this browser the code that it waits for; any other gets one that nobody is shown.
        return match token::is_live(tx.conn, &asker.browser, tx.now)? {
            true => Ok(()),
            false => token::replace_unowned(tx, &asker.browser, &asked(nobodys_link()?)),
        };
    }
    let claim = MagicLinkRequest {
        address,
        browser: asker.browser.digest(),
        code: code.clone(),
        device: asker.device,
        ip: asker.ip,
        remembered: asker.remembered,
        next: asker.next,
    };
    let start = email_verification::start_link_where(tx, &asker.email, is_unconfirmed)?;
    let Some(user) = found else {
        token::dummy_issue::<MagicLink>(tx)?;
        return token::replace_unowned(tx, &asker.browser, &asked(nobodys_link()?));
    };
    let secret = token::issue::<MagicLink>(tx, &user.id, &claim)?;
    token::replace_unowned(tx, &asker.browser, &asked(secret.digest()))?;
    let told =
        emails::AskedFrom { device: &claim.device, when: &tx.now.exact(), place: &network::place(&claim.ip) };
    let valid_for = span_in_words(config.lifetimes.magic_link);
    let start = start.as_ref().map(Secret::reveal);
    let (site, to, name) = (&config.site, &user.email, user.name_for_emails());
    let email = emails::magic_link(site, to, name, told, secret.reveal(), start, &valid_for)?;
    tx.mail(Some(&user.id), email)
}

fn nobodys_link() -> Result<String> {
    Ok(Secret::<MagicLink>::random()?.digest())
}

/// What came of a short code.
#[derive(Debug)]
pub(crate) enum Offer {
    /// It was right, and its link is used by it.
    Right(UserId, MagicLinkRequest),
    /// It was another one.
    Wrong,
    /// It was another one, and the last: code and link are dead.
    Last,
}

/// Takes a short code from the browser that asked, counted before it is looked at. [`Error::DeadLink`] where it waits for
/// none, or its link is dead. Of many at once, with the link or the code, one is right.
pub(crate) fn offer(tx: &mut Tx, browser: &Secret<MagicLinkBrowser>, typed: &ShortCode) -> Result<Offer> {
    let (_, asked, left) = token::count_attempt_unowned(tx, browser, MOST_CODES)?;
    if typed.is(&ShortCode::open(&tx.config.keys, &asked.code)?) {
        let (user, link) = token::redeem_by_digest::<MagicLink>(tx, &asked.link)?;
        token::discard(tx, browser)?;
        return Ok(Offer::Right(user, link));
    }
    if left > 0 {
        return Ok(Offer::Wrong);
    }
    token::discard(tx, browser)?;
    token::discard_by_digest::<MagicLink>(tx, &asked.link)?;
    Ok(Offer::Last)
}

/// The account of a link that was used just now, where it still has the address that the link was sent to, and whether
/// the link proved that address. [`Error::DeadLink`] where the address is another one by now.
pub(crate) fn owner(
    tx: &mut Tx,
    actor: &Actor,
    id: &UserId,
    link: &MagicLinkRequest,
) -> Result<(User, bool)> {
    let user = user::by_id(tx.conn, id)?;
    if user.email.normalized() != link.address {
        return Err(Error::DeadLink);
    }
    match user.is_verified() {
        true => Ok((user, false)),
        false => Ok((super::unverified_account::clear(tx, actor, &user, &link.address)?, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = ShortCode::read("7h2m01");
        assert_eq!(code.shown(), "7h2-m01");
        for typed in ["7H2-M01", " 7h2 m0l ", "7h2-mOI", "７h2m01"] {
            assert!(ShortCode::read(typed).is(&code), "{typed}");
        }
        for typed in ["", "7h2m0", "7h2m012", "7h2m02", "éééééé", "7h2m01u"] {
            assert!(!ShortCode::read(typed).is(&code), "{typed}");
        }
    }

    #[test]
    fn a_code_that_is_kept_is_sealed() {
        let keys = Keys::derive("a key that is long enough to be a secret key", &[]).unwrap();
        let code = ShortCode::random().unwrap();
        let sealed = code.seal(&keys).unwrap();
        assert!(!sealed.contains(&*code.0));
        assert!(ShortCode::open(&keys, &sealed).unwrap().is(&code));
    }
}
