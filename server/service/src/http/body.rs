//! Reads bodies, parameters and headers, and says exactly what is wrong with them.

use std::time::Duration;

use axum::{
    body::BodyDataStream,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::{self, Refusal};

/// The largest body of the administrators' interface.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Of a body that is too large, so much is passed over before it is refused …
const MAX_DRAINED_BYTES: usize = 4 * 1024 * 1024;
/// … and for so long.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// What serde says first of a field that it does not know.
const UNKNOWN: &str = "unknown field `";

/// The parameters behind the `?`.
#[derive(Debug)]
pub struct QueryOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_pairs(query));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let path = error.path().to_string();
            field_problem(&path, &error.into_inner().to_string())
        })
    }
}

/// The pairs of a query.
fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// A part of the address.
#[derive(Debug)]
pub struct PathOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            // What cannot be the name of anything names nothing.
            Err(_) => Err(problem::not_found("thing")),
        }
    }
}

/// Compares the revision that a change is made to, from `If-Match`, with the present one.
///
/// # Errors
/// 428 when it is missing, 412 when it is not the current one.
pub fn check_etag(given: Option<&str>, current: &str) -> Result<(), Refusal> {
    let given = given.ok_or_else(problem::precondition_required)?;
    if given.split(',').any(|tag| tag.trim() == current) { Ok(()) } else { Err(problem::stale(current)) }
}

/// `If-Match` of a request.
#[must_use]
pub fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH)?.to_str().ok()
}

/// A body that is read when its turn comes: what it says counts after what may stand against any body.
#[derive(Debug)]
pub struct UnreadJson {
    body: Bytes,
    is_json: bool,
}

impl<S: Send + Sync> FromRequest<S> for UnreadJson {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let is_json = is_json(request.headers());
        Ok(Self { body: read_body(request, MAX_BODY_BYTES).await?, is_json })
    }
}

impl UnreadJson {
    /// Reads it.
    ///
    /// # Errors
    /// 400, 415, 422.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.is_json { parse_json(&self.body) } else { Err(problem::unsupported_media_type()) }
    }

    /// Reads it where it is there.
    ///
    /// # Errors
    /// 400, 415, 422.
    pub fn read_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() { Ok(T::default()) } else { self.read() }
    }
}

/// The number of items on a page.
///
/// # Errors
/// 422, when it is not from 1 to 500.
pub fn page_limit(limit: Option<u32>) -> Result<u32, Refusal> {
    use userlock_core::api::{DEFAULT_PAGE, MAX_PAGE};
    match limit {
        None => Ok(DEFAULT_PAGE),
        Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(problem::invalid_field("limit", "must be from 1 to 500")),
    }
}

/// A cursor that is a number.
///
/// # Errors
/// 422, when it is none.
pub fn number_cursor(cursor: Option<&str>) -> Result<Option<u64>, Refusal> {
    let wrong = |_| problem::invalid_field("cursor", "must be `next` of the page before");
    cursor.map(|text| text.parse().map_err(wrong)).transpose()
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The whole body, if it has at most so many bytes.
///
/// # Errors
/// 413, or 400 when it broke off.
pub async fn read_body(request: Request, limit: usize) -> Result<Bytes, Refusal> {
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut stream = request.into_body().into_data_stream();
    if told.is_some_and(|length: u64| length > limit as u64) {
        drain(stream).await;
        return Err(problem::body_too_large(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk =
            chunk.map_err(|_| problem::bad_request("The body broke off before its end. Nothing was changed."))?;
        if body.len() + chunk.len() > limit {
            drain(stream).await;
            return Err(problem::body_too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Passes over the rest of a body that is too large, as far as is bearable: a client that is still sending would not see
/// the answer.
async fn drain(mut stream: BodyDataStream) {
    let mut left = MAX_DRAINED_BYTES;
    let passed_over = async {
        while let Some(Ok(chunk)) = stream.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever sends more, or more slowly, loses the connection instead.
    _ = tokio::time::timeout(DRAIN_TIME, passed_over).await;
}

/// Reads JSON.
///
/// # Errors
/// 400 for what is no JSON, 422 with the field for what is JSON and not what is expected.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // First whether it is JSON at all: a field that is wrong in half a document says nothing.
    serde_json::from_slice::<IgnoredAny>(body).map_err(|error| problem::malformed_json(error.to_string()))?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            field_problem(&path, &inner.to_string())
        } else {
            problem::malformed_json(inner.to_string())
        }
    })?;
    reader.end().map_err(|error| problem::malformed_json(error.to_string()))?;
    Ok(value)
}

/// Names the field that an error of serde is about.
fn field_problem(path: &str, message: &str) -> Refusal {
    // Where it stands in the text helps less than the field's name.
    let message = message.split(" at line ").next().unwrap_or(message);
    let quoted = |start: &str| message.strip_prefix(start).and_then(|rest| rest.split('`').next());
    let path = if path == "." || path == "?" { "" } else { path };
    let within = |name: &str| match path.rsplit_once('.') {
        _ if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        _ if path.is_empty() => name.to_owned(),
        Some(_) | None => format!("{path}.{name}"),
    };
    if let Some(name) = quoted(UNKNOWN) {
        return problem::unknown_field(&within(name), message);
    }
    if let Some(name) = quoted("missing field `") {
        return problem::invalid_field(&within(name), "is missing");
    }
    problem::invalid_field(if path.is_empty() { "body" } else { path }, &plain(message))
}

/// What serde and the standard library say of a value, for people.
fn plain(message: &str) -> String {
    const NOT_A_NUMBER: [&str; 4] = ["invalid digit", "number too", "cannot parse integer", "out of range integral"];
    if NOT_A_NUMBER.iter().any(|start| message.starts_with(start)) {
        return "must be a whole number in the range that is documented".to_owned();
    }
    if let Some((_, known)) = message.strip_prefix("unknown variant `").and_then(|m| m.split_once("`, expected ")) {
        return format!("must be {}", known.replace('`', ""));
    }
    let about_a_value = message.starts_with("invalid ");
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected).filter(|_| about_a_value);
    match expected {
        Some("u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64") => "must be a whole number".to_owned(),
        Some("a string" | "a borrowed string" | "str") => "must be a text".to_owned(),
        Some("a boolean") => "must be true or false".to_owned(),
        Some("a sequence") => "must be a list".to_owned(),
        Some("a map") => "must be an object".to_owned(),
        Some(name) if name.starts_with("struct ") => "must be an object".to_owned(),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use userlock_core::{api::SessionQuery, settings::ProtectedAccountInput};

    use super::*;

    fn refused(body: &str) -> (u16, String, String) {
        let problem = parse_json::<ProtectedAccountInput>(body.as_bytes()).unwrap_err().problem().clone();
        (problem.status, problem.code, problem.field.unwrap_or_default())
    }

    #[test]
    fn an_error_in_a_body_names_the_field() {
        let expect = |body, status, code: &str, field: &str| {
            assert_eq!(refused(body), (status, code.to_owned(), field.to_owned()), "{body}");
        };
        expect("{", 400, "malformed_json", "");
        expect("{} x", 400, "malformed_json", "");
        expect(r#"{"subject":{"kind":"user","name":"a"}} x"#, 400, "malformed_json", "");
        expect(r#"{"subject":{"kind":"user","name":"a"},"x":1}"#, 422, "unknown_field", "x");
        expect(r#"{"subject":{"kind":"user","name":"a","x":1}}"#, 422, "unknown_field", "subject.x");
        expect(r#"{"subject":{"kind":"nobody"}}"#, 422, "invalid_field", "subject.kind");
        expect(r#"{"subject":{"kind":"user"},"limits":{"total":-1}}"#, 422, "invalid_field", "limits.total");
        expect(r#"{"subject":{"name":"a"}}"#, 422, "invalid_field", "subject.kind");
        expect("[]", 422, "invalid_field", "body");
        expect("7", 422, "invalid_field", "body");
    }

    #[test]
    fn an_error_is_said_in_words() {
        let said = |body: &str| {
            let problem = parse_json::<ProtectedAccountInput>(body.as_bytes()).unwrap_err().problem().clone();
            problem.detail.split(": ").nth(1).unwrap_or_default().to_owned()
        };
        let of_total =
            |value: &str| format!(r#"{{"subject":{{"kind":"user","name":"a"}},"limits":{{"total":{value}}}}}"#);
        assert_eq!(said(&of_total("-1")), "must be a whole number. Nothing was changed.");
        assert_eq!(said(&of_total("\"two\"")), "must be a whole number. Nothing was changed.");
        assert_eq!(said("[]"), "must be an object. Nothing was changed.");
        assert!(said(r#"{"subject":{"kind":"nobody"}}"#).starts_with("must be one of user, group, ou, everybody"));
        assert!(plain("invalid digit found in string").starts_with("must be a whole number"));
    }

    #[tokio::test]
    async fn an_error_in_a_query_names_the_parameter() {
        let read = async |uri: &str| {
            let (mut parts, ()) = axum::http::Request::builder().uri(uri).body(()).unwrap().into_parts();
            let read = QueryOf::<SessionQuery>::from_request_parts(&mut parts, &()).await;
            read.map(|q| q.0).map_err(|refusal| refusal.problem().field.clone().unwrap_or_default())
        };
        assert_eq!(read("/x?user=a%40b&type=vpn&limit=7").await.unwrap().user.as_deref(), Some("a@b"));
        assert_eq!(read("/x?nonsense=1").await.unwrap_err(), "nonsense");
        assert_eq!(read("/x?type=none").await.unwrap_err(), "type");
        assert_eq!(read("/x?limit=-1").await.unwrap_err(), "limit");
    }
}
