//! Answering the invitations to one's own address without their emails.

use actix_web::web::{Data, Path};

use crate::{
    accounts::invitations::{self, Which},
    app::App,
    error::Result,
    ids::InvitationId,
    web::{Reply, VerifiedUser},
};

/// `POST /me/invitations/{invitation}/accept`
pub(crate) async fn accept(me: VerifiedUser, id: Path<InvitationId>, app: Data<App>) -> Result<Reply> {
    let (actor, user, which) = (me.actor(), me.user.clone(), Which::Own(id.into_inner()));
    let joined = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            invitations::accept(tx, &actor, &which, &user.id)
        })
        .await?;
    super::accept::joined(joined)
}

/// `POST /me/invitations/{invitation}/decline`
pub(crate) async fn decline(me: VerifiedUser, id: Path<InvitationId>, app: Data<App>) -> Result<Reply> {
    let (actor, user, which) = (me.actor(), me.user.id.clone(), Which::Own(id.into_inner()));
    app.write(move |tx| invitations::decline(tx, &actor, &which, Some(&user))).await?;
    Ok(Reply::done("/organisations", "The invitation is declined."))
}
