//! The second factors that an account has.

use actix_web::web::Data;

use crate::{
    app::App,
    error::{Errors, Result},
    web::{CurrentUser, Reply, second_factors::FactorsPage},
};

/// `GET /me/2fa`
pub(crate) async fn show(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    Ok(Reply::page(FactorsPage::of(&me, &app, Errors::default()).await?))
}
