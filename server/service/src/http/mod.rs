//! The HTTP interface.

pub mod agents;
pub mod api;
pub mod assets;
pub mod body;
pub mod guard;
pub(crate) mod layers;
pub mod live;
pub mod openapi;
pub mod pages;
mod ports;
pub mod problem;
pub mod replication;
pub mod sign_in;
pub mod state;
pub mod table;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse as _,
    routing::any,
};
use tower_http::{CompressionLevel, catch_panic::CatchPanicLayer, compression::CompressionLayer};

use agents::PairState;
use state::App;

/// Everything that is answered.
pub fn router(app: App, pair: PairState) -> Router {
    let mut own: Router<App> = Router::new();
    for route in table::TABLE {
        let guarded = (route.handler)().route_layer(from_fn_with_state((app.clone(), route.right), guard::guard));
        own = own.route(route.path, guarded);
    }
    let own = own
        .method_not_allowed_fallback(|| async { problem::method_not_allowed().into_response() })
        .route("/fn/{*name}", any(pages::server_function))
        .fallback(pages::page)
        .layer(from_fn(layers::timeout))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(app.clone(), layers::finish))
        .with_state(app);
    // Agents and the other server come by the thousand a second: what browsers need is not for them.
    own.merge(agents::router(pair.clone()))
        .merge(replication::router(pair))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn(layers::take_in))
}
