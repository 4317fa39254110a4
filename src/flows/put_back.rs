//! Putting back a way in that "this wasn't me" removed.

use actix_web::web::{Data, Path};

use crate::{
    accounts::{authentication, put_back},
    app::App,
    error::Result,
    ids::SecurityChangeId,
    web::{Client, Reply, SteppedUpVerifiedUser, second_factors::CodesPage},
};

/// `POST /me/security/removed/{id}/put-back`
pub(crate) async fn create(
    me: SteppedUpVerifiedUser,
    client: Client,
    id: Path<SecurityChangeId>,
    app: Data<App>,
) -> Result<Reply> {
    let (actor, user, here, id) = (me.actor(), me.user.clone(), me.session.clone(), id.into_inner());
    let (put_back, issued) = app
        .write(move |tx| {
            let put_back = put_back::put_back(tx, &actor, &user, &here, &id, &client.device().name())?;
            Ok((put_back, authentication::rotate(tx, &here)?))
        })
        .await?;
    let what = match put_back.kind {
        "passkey" => "That passkey works again.",
        "totp" => "Your authenticator app works again.",
        _ => "You can sign in through that organisation again.",
    };
    let reply = match put_back.codes {
        Some(codes) => Reply::page(CodesPage::new(codes, what, &me.user)),
        None => Reply::done("/me/security", what),
    };
    Ok(reply.signed_in(issued))
}
