//! Single sign-on, looked after: metadata is read anew, records of domains are looked at again, and owners are told
//! before anything ends. A conditional UPDATE takes the turn, so each is done by one node; the network is asked between
//! two transactions.

use futures_util::{StreamExt, stream};

use crate::{
    accounts::{connections, domains, members},
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::OrganisationId,
    mail::{Email, emails},
    model::{
        audit::Actor,
        connection::{Connection, upkeep},
        domain::{self, Domain, GRACE, Gone},
        organisation,
        user::User,
    },
    urls,
};

// In one go. What is left over is due at the next.
const AT_ONCE: i64 = 100;

// Asked at the same time.
const SIDE_BY_SIDE: usize = 10;

/// Does all that is due. Returns how many connections and domains that were.
pub(crate) async fn run(app: &App) -> Result<usize> {
    Ok(read_metadata(app).await? + warn_of_expiry(app).await? + check_domains(app).await?)
}

/// Reads the metadata that is due. What cannot be read is noted; what was read before stays.
pub async fn read_metadata(app: &App) -> Result<usize> {
    let now = app.now();
    let due = app.read(move |conn| upkeep::due(conn, now, AT_ONCE)).await?;
    few_at_a_time(due, |connection| async { read_now(app, connection).await.map(usize::from) }).await
}

/// Some who answer slowly, or never, must not hold up the others. Returns how many were done.
async fn few_at_a_time<T, F>(due: Vec<T>, work: impl Fn(T) -> F) -> Result<usize>
where
    F: Future<Output = Result<usize>>,
{
    let done: Vec<Result<usize>> = stream::iter(due).map(work).buffer_unordered(SIDE_BY_SIDE).collect().await;
    done.into_iter().sum()
}

/// Reads the metadata of one connection now; false where another node does just then.
pub(crate) async fn read_now(app: &App, connection: Connection) -> Result<bool> {
    let turn = connection.clone();
    match app.write(move |tx| upkeep::take_turn(tx, &turn)).await? {
        true => read_one(app, connection).await.map(|()| true),
        false => Ok(false),
    }
}

async fn read_one(app: &App, connection: Connection) -> Result<()> {
    let Some(url) = connection.metadata_url.clone() else { return Ok(()) };
    let id = connection.id.clone();
    let read = app.outbound().fetch(&url).await;
    let (outcome, why) = match read {
        Ok(text) => {
            let kept = app.write(move |tx| connections::take_in(tx, &Actor::job(), &connection, &text)).await;
            match kept {
                // Its owners were faster.
                Err(Error::Conflict) => return Ok(()),
                kept => match kept? {
                    Ok(()) => ("read", None),
                    Err(unfit) => ("refused", Some(unfit.to_string())),
                },
            }
        }
        Err(unreadable) => {
            let noted = id.clone();
            app.write(move |tx| upkeep::note_unread(tx, &noted, &unreadable.to_string())).await?;
            ("unreadable", Some(unreadable.to_string()))
        }
    };
    app.metrics().metadata(outcome);
    if let Some(why) = why {
        tracing::warn!(connection.id = %id, why, "an identity provider's metadata was not read");
    }
    Ok(())
}

/// Tells owners that the last certificate of a connection, or its client secret, expires: 30, 7 and 1 day before, once each.
pub async fn warn_of_expiry(app: &App) -> Result<usize> {
    let now = app.now();
    let expiring = app.read(move |conn| upkeep::expiring(conn, now)).await?;
    let mut told = 0;
    for connection in expiring {
        told += usize::from(app.write(move |tx| warn(tx, &connection)).await?);
    }
    Ok(told)
}

fn warn(tx: &mut Tx, connection: &Connection) -> Result<bool> {
    let Some(days) = upkeep::warning(connection, tx.now) else { return Ok(false) };
    if !upkeep::note_warning(tx, connection, days)? {
        return Ok(false);
    }
    let organisation = organisation::by_id(tx.conn, &connection.organisation_id)?;
    let path = urls::connection(&organisation.slug, &connection.id);
    let (when, is_over) = (connection.expires_at.exact(), connection.expires_at <= tx.now);
    let site = tx.config.site.clone();
    let ends = (when.as_str(), is_over, connection.is_oidc());
    tell_owners(tx, &organisation.id, |owner| {
        let names = (organisation.name.as_str(), connection.name.as_str());
        emails::certificate_expires(&site, &owner.email, &owner.name, names, ends, &path)
    })?;
    Ok(true)
}

fn tell_owners(
    tx: &mut Tx,
    organisation: &OrganisationId,
    email: impl Fn(&User) -> askama::Result<Email>,
) -> Result<()> {
    for owner in members::owners(tx.conn, organisation)? {
        // Mail goes to people, never to claims.
        if owner.is_verified() {
            tx.mail(Some(&owner.id), email(&owner)?)?;
        }
    }
    Ok(())
}

/// Looks at the records of proved domains that are due. Where one is gone owners are told, and the proof ends with it a
/// week later.
pub async fn check_domains(app: &App) -> Result<usize> {
    let now = app.now();
    let due = app.read(move |conn| domain::due(conn, now, AT_ONCE)).await?;
    few_at_a_time(due, |domain| async {
        let turn = domain.clone();
        match app.write(move |tx| domain::take_turn(tx, &turn)).await? {
            true => check_one(app, domain).await.map(|()| 1),
            false => Ok(0),
        }
    })
    .await
}

async fn check_one(app: &App, domain: Domain) -> Result<()> {
    let outcome = match app.outbound().lookup_txt(&domain.record_name()).await {
        Ok(texts) if domain.is_verified_by(&texts) => {
            app.write(move |tx| domain::note_found(tx, &domain)).await?;
            "found"
        }
        Ok(_) => {
            tracing::warn!(domain.id = %domain.id, "the record of a verified domain is gone");
            app.write(move |tx| miss(tx, &domain)).await?;
            "gone"
        }
        // That nobody answers says nothing about the domain.
        Err(_) => "unknown",
    };
    app.metrics().domain(outcome);
    Ok(())
}

fn miss(tx: &mut Tx, domain: &Domain) -> Result<()> {
    let gone = domains::note_gone(tx, &Actor::job(), domain)?;
    if gone == Gone::Still {
        return Ok(());
    }
    let organisation = organisation::by_id(tx.conn, &domain.organisation_id)?;
    let path = urls::organisation_page(&organisation.slug, "sso");
    let (when, is_lost) = ((tx.now + GRACE).exact(), gone == Gone::TooLong);
    let (site, record) = (tx.config.site.clone(), domain.record_name());
    tell_owners(tx, &organisation.id, |owner| {
        let names = (domain.name.as_str(), record.as_str());
        let times = (when.as_str(), is_lost);
        emails::domain_record_gone(&site, &owner.email, &owner.name, &organisation.name, names, times, &path)
    })
}
