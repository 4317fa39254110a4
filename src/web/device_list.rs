//! The devices where one is signed in, page by page.

use chrono::TimeDelta;

use super::{Authenticated, views::SessionView};
use crate::{
    app::App,
    error::Result,
    ids::SessionId,
    kinds::AuthMethod,
    model::session::{self, Listed},
};

// From so many on, those that were used lately stand apart.
const MANY: usize = 10;

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
    pub(crate) async fn read(
        me: &Authenticated,
        app: &App,
        cursor: Option<SessionId>,
        most: usize,
    ) -> Result<Self> {
        let (owner, now) = (me.user.id.clone(), me.now);
        let all = app.read(move |conn| session::list(conn, &owner, now)).await?;
        Self::page(me, all, cursor, most).with_providers(me, app).await
    }

    /// The same with the names of the providers that people signed in with, where they did.
    pub(crate) async fn with_providers(mut self, me: &Authenticated, app: &App) -> Result<Self> {
        if self.sessions.iter().all(|session| session.method != AuthMethod::Provider) {
            return Ok(self);
        }
        let owner = me.user.id.clone();
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
        me: &Authenticated,
        mut all: Vec<Listed>,
        cursor: Option<SessionId>,
        most: usize,
    ) -> Self {
        all.sort_by_key(|session| session.id != me.session.id);
        let others = all.len().saturating_sub(1);
        let start = cursor.map_or(0, |cursor| {
            all.iter().position(|session| session.id == cursor).map_or(all.len(), |place| place + 1)
        });
        let has_more = all.len() > start + most;
        let page = all.into_iter().skip(start).take(most);
        let mut sessions: Vec<_> = page.map(|session| SessionView::new(session, &me.session.id)).collect();
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
