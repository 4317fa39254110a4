//! The devices where one is signed in, page by page.

use chrono::TimeDelta;

use super::{Authenticated, token_in_use::TokenInUse, views::SessionView};
use crate::{
    accounts::session_tokens::{self, ListedDevice},
    app::App,
    clock::Timestamp,
    error::Result,
    ids::{Id, SessionId, UserId},
    kinds::AuthMethod,
    model::session,
};

// From so many on, those that were used lately stand apart.
const MANY: usize = 10;

/// Who looks at their devices, and from which.
#[derive(Debug, Clone)]
pub(crate) struct Looker {
    user: UserId,
    device: SessionId,
    now: Timestamp,
}

impl From<&Authenticated> for Looker {
    fn from(me: &Authenticated) -> Self {
        Self { user: me.user.id.clone(), device: me.session.id.clone(), now: me.now }
    }
}

impl From<&TokenInUse> for Looker {
    fn from(token: &TokenInUse) -> Self {
        // A client that took the place of a session is the device itself.
        let own = || Id::from_text(token.grant.id.as_str());
        let device = token.grant.session_id.clone().unwrap_or_else(own);
        Self { user: token.user.id.clone(), device, now: token.now }
    }
}

/// A page of the devices.
pub(crate) struct DeviceList {
    /// The devices, the one that asks first.
    pub sessions: Vec<SessionView>,
    /// What the next page is found by.
    pub next: Option<String>,
    /// How many there are besides the one that asks, on all pages.
    pub others: usize,
}

impl DeviceList {
    /// Reads up to `most` after the one that `cursor` names; none where it has ended meanwhile.
    pub(crate) async fn read(me: &Looker, app: &App, cursor: Option<SessionId>, most: usize) -> Result<Self> {
        let (owner, now) = (me.user.clone(), me.now);
        let all = app.read(move |conn| session_tokens::devices(conn, &owner, now)).await?;
        Self::page(me, all, cursor, most).with_providers(me, app).await
    }

    /// The same with the names of the providers that people signed in with, where they did.
    pub(crate) async fn with_providers(mut self, me: &Looker, app: &App) -> Result<Self> {
        if self.sessions.iter().all(|session| session.method != AuthMethod::Provider) {
            return Ok(self);
        }
        let owner = me.user.clone();
        let mut keys = app.read(move |conn| session::providers(conn, &owner)).await?;
        for session in &mut self.sessions {
            session.provider = keys.remove(&session.id);
            let provider = session.provider.as_ref().and_then(|key| app.config().provider(key));
            session.provider_name = provider.map(|provider| provider.name.clone());
        }
        Ok(self)
    }

    /// The same where `all` of them were read before. The device that asks comes first.
    pub(crate) fn page(
        me: &Looker,
        mut all: Vec<ListedDevice>,
        cursor: Option<SessionId>,
        most: usize,
    ) -> Self {
        all.sort_by_key(|one| one.listed.id != me.device);
        let others = all.iter().filter(|one| one.listed.id != me.device).count();
        let start = cursor.map_or(0, |cursor| {
            all.iter().position(|one| one.listed.id == cursor).map_or(all.len(), |place| place + 1)
        });
        let has_more = all.len() > start + most;
        let page = all.into_iter().skip(start).take(most);
        let mut sessions: Vec<_> = page.map(|one| SessionView::new(one, &me.device)).collect();
        if others >= MANY {
            let mut above = None;
            for session in sessions.iter_mut().filter(|session| !session.current) {
                let is_of_this_week = session.last_active_at > me.now - TimeDelta::days(7);
                let heading = Some(if is_of_this_week { "Active this week" } else { "Older" });
                session.heading = heading.filter(|_| heading != above);
                above = heading;
            }
        }
        let next = sessions.last().filter(|_| has_more).map(|last| last.id.to_string());
        Self { sessions, next, others }
    }
}
