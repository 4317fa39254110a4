//! What comes of a request to a host, and what is noted of it.

use crate::{
    accounts::gates::{GateVisitor, Identity},
    app::App,
    db::Tx,
    error::Error,
    model::{
        application::{self, Application},
        session,
    },
    web::GateHost,
};

/// What comes of a request.
pub(super) enum Outcome {
    /// It goes through, and this is said of its visitor, if anything.
    Through(Option<Box<Identity>>),
    /// It does not.
    Refused(Error),
}

/// Notes who asks, and that the session is used, each at most once a minute.
pub(super) async fn note(
    application: &Application,
    asked: &GateHost,
    visitor: Option<&GateVisitor>,
    app: &App,
) {
    let now = app.now();
    let is_new = application::needs_note(application.asked.as_ref(), &asked.peer, now);
    let asked_by = is_new.then(|| (application.id.clone(), asked.peer.clone()));
    let used = visitor.map(|visitor| visitor.session.clone()).filter(|used| session::needs_touch(used, now));
    if asked_by.is_none() && used.is_none() {
        return;
    }
    let note = move |tx: &mut Tx| {
        if let Some(used) = used {
            session::touch(tx, &used)?;
        }
        match asked_by {
            Some((id, peer)) => application::note_asked(tx, &id, &peer),
            None => Ok(()),
        }
    };
    app.note("activity at a gate", note).await;
}
