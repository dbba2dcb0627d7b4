//! The pages with made-up data, to look at them while they are drawn. There is no server behind: nothing here says
//! anything about a pair.
//!
//! `cargo run -p userlock-app --features ssr --example preview -- ADDRESS SCENE [PKG]`, with SCENE one of `backup`,
//! `primary-down`, `primary`, `backup-down`, `alone`, `returning`, and PKG the folder of `userlock.js`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it shows made-up data to whoever works on the pages, and stops at what is wrong"
)]

mod data;
mod sample;

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{
        IntoResponse, Redirect, Response,
        sse::{Event, Sse},
    },
    routing::{any, get, post},
};
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, generate_route_list};
use userlock_app::{App, api::Caller, ports::SharedPorts, shell::shell};
use userlock_core::settings::Role;

use sample::Sample;

#[derive(Clone, axum::extract::FromRef)]
struct Preview {
    options: LeptosOptions,
    ports: Arc<Sample>,
    pkg: PathBuf,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or_else(|| default.to_owned());
    let address = argument(0, "127.0.0.1:7400");
    let options = LeptosOptions::builder().output_name("userlock").site_pkg_dir("pkg").build();
    let ports = Arc::new(Sample::new(&argument(1, "backup")));
    let state = Preview { options, ports: ports.clone(), pkg: argument(2, "pkg").into() };
    let contexts = move || {
        provide_context::<SharedPorts>(ports.clone());
        if std::env::var_os("PREVIEW_NOBODY").is_none() {
            let role =
                if std::env::var_os("PREVIEW_READ_ONLY").is_some() { Role::ReadOnly } else { Role::Administrator };
            provide_context(Caller { name: "admin".into(), role });
        }
    };
    let functions = {
        let contexts = contexts.clone();
        any(move |request: Request| leptos_axum::handle_server_fns_with_context(contexts.clone(), request))
    };
    let fallback = {
        let options = state.options.clone();
        leptos_axum::render_app_async_with_context(contexts.clone(), move || shell(options.clone()))
    };
    let options = state.options.clone();
    let app = Router::new()
        .route("/fn/{*name}", functions)
        .route("/live", get(live))
        .route("/style.css", get(style))
        .route("/favicon.svg", get(|| file(PathBuf::from("public/favicon.svg"))))
        .route("/fonts/{name}", get(|Path(name): Path<String>| file(PathBuf::from("public/fonts").join(name))))
        .route("/pkg/{name}", get(|State(pkg): State<PathBuf>, Path(name): Path<String>| file(pkg.join(name))))
        .route("/sign-in", post(|| async { Redirect::to("/sign-in?error=invalid") }))
        .route("/sign-out", post(|| async { Redirect::to("/sign-in") }))
        .leptos_routes_with_context(&state, generate_route_list(App), contexts, move || shell(options.clone()))
        .fallback(fallback)
        .with_state(state);
    let listener = tokio::net::TcpListener::bind(&address).await.expect("the address can be listened on");
    println!("http://{address}");
    axum::serve(listener, app).await.expect("serves until it is interrupted");
}

async fn style() -> Response {
    let mut names: Vec<_> =
        std::fs::read_dir("style").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "css"));
    names.sort_by_key(|path| (path.file_name().is_none_or(|n| n != "tokens.css"), path.clone()));
    let text: String = names.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    ([(header::CONTENT_TYPE, "text/css")], text).into_response()
}

async fn file(path: PathBuf) -> Response {
    let kind = match path.extension().and_then(|e| e.to_str()) {
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    };
    match std::fs::read(&path) {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind)], Body::from(bytes)).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn live(State(ports): State<Arc<Sample>>) -> Sse<impl futures_util::Stream<Item = Result<Event, Infallible>>> {
    let stream = futures_util::stream::unfold(ports, |ports| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let event = Event::default().event("overview").json_data(ports.tick()).unwrap_or_default();
        Some((Ok(event), ports))
    });
    Sse::new(stream)
}
