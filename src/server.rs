//! The house, open: the routes behind their middlewares, on a listener.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{
    App as Actix, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{Data, ServiceConfig},
};

use crate::{
    app::App,
    error::Result,
    routes,
    web::{
        assets::Assets, cookies, cors, error_response, headers, link_token, observe, origin, plain_http,
        state_cookie, visitor,
    },
};

// A client that sends its headers this slowly is not a browser.
const SLOW_HEADERS: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves the house on `listener` until it is stopped.
pub fn start(app: &App, listener: TcpListener) -> Result<Server> {
    start_with(app, listener, |_| {})
}

/// Serves the house, and routes of an application that embeds it behind the same middlewares.
pub fn start_with(
    app: &App,
    listener: TcpListener,
    more: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Server> {
    app.declare_permissions()?;
    let assets = Data::new(Assets::load(&app.config().site)?);
    let (workers, stop_after) = (app.config().workers, app.config().shutdown_timeout.as_secs());
    let house = Data::new(app.clone());
    let listed = Data::new(routes::listed());
    let server = HttpServer::new(move || {
        // From the inside out: the last one wrapped sees a request first.
        Actix::new()
            .app_data(house.clone())
            .app_data(assets.clone())
            .app_data(listed.clone())
            .app_data(routes::FIRST_READS)
            .wrap(from_fn(visitor::load))
            .wrap(from_fn(origin::same_origin_writes))
            .wrap(from_fn(plain_http::refuse_plain_http))
            .wrap(from_fn(link_token::keep_out_of_address))
            .wrap(from_fn(error_response::render_errors))
            .wrap(from_fn(cors::allow))
            .wrap(state_cookie::middleware(&house))
            .wrap(from_fn(cookies::only_ours))
            .wrap(from_fn(headers::secure))
            .wrap(from_fn(observe::observe))
            .configure(more.clone())
            .configure(routes::configure)
    });
    let listening = server
        .workers(workers)
        .client_request_timeout(SLOW_HEADERS)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(stop_after)
        .disable_signals()
        .listen(listener)
        .map_err(|cause: io::Error| anyhow::Error::from(cause))?;
    Ok(listening.run())
}
