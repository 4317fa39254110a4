//! The step-up that giving a role takes, also by an invitation.

use actix_web::HttpRequest;

use crate::{
    accounts::{invitations, open_invitations, policy, roles},
    app::App,
    error::{Error, Result},
    ids::InvitationId,
    kinds::Strength,
    web::{Client, Member, member::MembersInvite, saved_request},
};

/// What an invitation gives: a role of this name, or that of an invitation that there is.
pub(super) enum Given {
    Role(String),
    Again(InvitationId),
}

/// That a role that manages something is given after a step-up, also by an invitation.
pub(super) async fn ensure_stepped_up(
    me: &Member<MembersInvite>,
    given: Given,
    fields: Vec<(String, String)>,
    (client, req): (&Client, &HttpRequest),
    app: &App,
) -> Result<()> {
    let access = me.access();
    let looked = app.read(move |conn| {
        let mine = access.decide(conn)?;
        let role = match &given {
            Given::Role(name) => roles::named(conn, &mine.organisation.id, name)?,
            Given::Again(id) => invitations::owned(conn, &mine.organisation, id)?.role,
        };
        open_invitations::may_invite(conn, &mine, &role)?;
        policy::is_powerful(conn, &role)
    });
    let is_powerful = match looked.await {
        // The form says it on its page.
        Err(Error::Invalid(_)) => false,
        looked => looked?,
    };
    if !is_powerful {
        return Ok(());
    }
    let me = me.person()?;
    if me.is_stepped_up_in_full(app).await? {
        return Ok(());
    }
    let resume = match client.is_browser {
        true => saved_request::keep(app, me, req, fields).await?,
        false => None,
    };
    Err(me.step_up_required(app, Strength::Full, resume).await?)
}
