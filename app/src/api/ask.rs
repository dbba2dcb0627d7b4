//! How pages call server functions.
//!
//! What `#[server]` makes for that is compiled for each function anew, and reads a form only to write it again. Here
//! everything that does not depend on the function is there once.

use std::pin::Pin;

use leptos::{
    __reexports::{send_wrapper::SendWrapper, wasm_bindgen_futures::JsFuture},
    ev::SubmitEvent,
    prelude::window,
    server_fn::{
        ServerFn,
        error::{FromServerFnError, ServerFnErrorErr},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{FormData, Headers, RequestInit, Response, UrlSearchParams};

use super::{Refused, SERVER_FUNCTIONS, form, text};

/// Calls a server function: on the server at once, in the browser with a request.
///
/// # Errors
/// What the function refuses, and what kept it from being called.
pub async fn ask<F>(function: F) -> Result<F::Output, Refused>
where
    F: ServerFn<Error = Refused> + Serialize,
    F::Output: DeserializeOwned,
{
    if cfg!(feature = "ssr") {
        return function.run_body().await;
    }
    let answer = SendWrapper::new(request(F::PATH, form::fields(&function)));
    read(answer.await)
}

/// Sends the form that is being submitted to the server function at an address. In the browser.
///
/// # Errors
/// Those of [`ask`].
pub async fn submit_to(address: &str, event: SubmitEvent) -> Result<crate::sheet::Saved, Refused> {
    let function = SERVER_FUNCTIONS.iter().find(|function| function.path == address);
    read(request(function.map_or("/fn/none", |function| function.path), fields_of(&event)).await)
}

fn fields_of(event: &SubmitEvent) -> Option<UrlSearchParams> {
    let form = event.target().map(|form| FormData::new_with_form(form.unchecked_ref()));
    form.and_then(|data| UrlSearchParams::new_with_str_sequence_sequence(&JsValue::from(data.ok()?)).ok())
}

fn read<T: DeserializeOwned>(answer: Result<String, Refused>) -> Result<T, Refused> {
    text::read(&answer?).map_err(|error| unreadable(&error))
}

/// The refusal that an answer cannot be read.
pub fn unreadable(error: &text::Unreadable) -> Refused {
    Refused::from_server_fn_error(ServerFnErrorErr::Deserialization(error.to_string()))
}

/// Sends a request, and gives the text of the answer.
fn request(
    path: &'static str,
    arguments: Option<UrlSearchParams>,
) -> Pin<Box<dyn Future<Output = Result<String, Refused>>>> {
    Box::pin(async move {
        match send(path, arguments).await {
            Ok((true, text)) => Ok(text),
            Ok((false, text)) => Err(text::read(&text).unwrap_or_else(|error| unreadable(&error))),
            Err(error) => Err(Refused::from_server_fn_error(ServerFnErrorErr::Request(format!("{error:?}")))),
        }
    })
}

/// The text of the answer, and whether the function did what it should.
async fn send(path: &'static str, arguments: Option<UrlSearchParams>) -> Result<(bool, String), JsValue> {
    let by_get = SERVER_FUNCTIONS.iter().any(|function| function.path == path && function.method == "GET");
    let how = RequestInit::new();
    let headers = Headers::new()?;
    headers.set("Accept", "application/json")?;
    how.set_headers(&headers);
    let mut address = path.to_owned();
    if by_get {
        address += "?";
        address += &arguments.map(|given| String::from(given.to_string())).unwrap_or_default();
    } else {
        how.set_method("POST");
        how.set_body(&arguments.into());
    }
    let response: Response = JsFuture::from(window().fetch_with_str_and_init(&address, &how)).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok((response.ok(), text.as_string().unwrap_or_default()))
}
