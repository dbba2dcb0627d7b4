//! The dashboard: server-rendered, then hydrated, and whole without JavaScript.
//!
//! `present` knows how things are written, `components` how they look, `pages` what is on a page; `api` are the
//! server functions, and `ports` what they need of a server.

// Views are types nested as deep as the elements of a page.
#![recursion_limit = "256"]

#[cfg(feature = "ssr")]
pub mod shell;

pub mod routes;

pub mod pages;

pub mod components;

pub mod live;

mod memo;
mod reading;

pub mod browser;

pub mod api;
#[cfg(feature = "ssr")]
pub mod ports;
pub mod present;
pub mod sheet;
#[cfg(feature = "ssr")]
pub mod sheets;

pub use routes::App;

/// Takes over the page that the server has rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
}
