//! Development only: an identity provider that signs anybody in, so that the whole way can be clicked.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::Result,
    model::service_key,
    saml::{DevIdp, dev_idp},
    web::{Query, Reply, local_visitor},
};

/// The people it knows: one for each role in the organisation that `vestibule seed` makes.
pub(crate) const PEOPLE: [dev_idp::Known; 3] = [
    dev_idp::Known { subject: "dora", email: "dora@demo.example", name: "Dora", group: Some("owners") },
    dev_idp::Known { subject: "emil", email: "emil@demo.example", name: "Emil", group: Some("editors") },
    dev_idp::Known { subject: "finn", email: "finn@demo.example", name: "Finn", group: None },
];

/// Who one can be.
#[derive(Template, Serialize)]
#[template(path = "dev_idp.html")]
#[serde(rename_all = "camelCase")]
struct DevIdpPage {
    people: Vec<Choice>,
    relay_state: String,
    acs_url: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    name: &'static str,
    email: &'static str,
    group: Option<&'static str>,
    saml_response: String,
}

/// What a service provider asks.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(rename = "SAMLRequest", default)]
    request: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
}

/// `GET /dev/idp`: whoever comes with a request chooses who to be.
pub(crate) async fn show(req: HttpRequest, query: Query<Asked>, app: Data<App>) -> Result<Reply> {
    local_visitor::only_here(&req, &app)?;
    let config = app.config().clone();
    let service = app.read(move |conn| service_key::service(conn, &config)).await?;
    let (provider, now) = (of(&app)?, app.now());
    let mut people = Vec::new();
    if !query.request.is_empty() {
        let id = dev_idp::request_id(&query.request)?;
        for who in &PEOPLE {
            let saml_response = provider.answer(&id, who, &service, now)?;
            people.push(Choice { name: who.name, email: who.email, group: who.group, saml_response });
        }
    }
    let relay_state = query.into_inner().relay_state;
    Ok(Reply::page(DevIdpPage { people, relay_state, acs_url: "/auth/saml/callback" }))
}

/// `GET /dev/idp/metadata`
pub(crate) async fn metadata(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    local_visitor::only_here(&req, &app)?;
    let document = of(&app)?.metadata()?;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(document))
}

/// The identity provider of this house.
pub(crate) fn of(app: &App) -> Result<DevIdp> {
    let (site, keys) = (&app.config().site, &app.config().keys);
    DevIdp::of(keys, site.link("/dev/idp/metadata"), site.link("/dev/idp"))
}
