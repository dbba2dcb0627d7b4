//! Errors as `application/problem+json`, each with a stable code.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use userlock_core::{
    api::Problem,
    settings::{self, FieldError},
};

use crate::auth::Right;

/// An answer that is an error.
#[derive(Debug, Clone)]
pub struct Refusal {
    problem: Box<Problem>,
    retry_after_seconds: Option<u64>,
}

/// What a handler gives.
pub type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after_seconds: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        *refusal.problem
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        invalid_field(&error.field, &error.message)
    }
}

impl Refusal {
    /// Tells when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn problem(status: StatusCode, code: &str, title: &str, detail: impl Into<String>) -> Refusal {
    Problem { status: status.as_u16(), code: code.into(), title: title.into(), detail: detail.into(), field: None }
        .into()
}

/// Any other refusal.
#[must_use]
pub fn refuse(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Refusal {
    Problem { status, code: code.into(), title: title.into(), detail: detail.into(), field: None }.into()
}

/// 400: the body is not JSON.
#[must_use]
pub fn malformed_json(detail: impl Into<String>) -> Refusal {
    problem(StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON", detail)
}

/// 400: the address or its parameters cannot be read.
#[must_use]
pub fn bad_request(detail: impl Into<String>) -> Refusal {
    problem(StatusCode::BAD_REQUEST, "bad_request", "The request cannot be read", detail)
}

/// 401: nobody said, or nobody proved, who asks.
#[must_use]
pub fn not_authenticated() -> Refusal {
    let detail = "Send a valid token as `Authorization: Bearer TOKEN`, or sign in. Nothing was changed.";
    problem(StatusCode::UNAUTHORIZED, "not_authenticated", "Not signed in", detail)
}

/// 403: who asks may not.
#[must_use]
pub fn forbidden(needed: Right) -> Refusal {
    if needed == Right::Of(settings::Right::Administer) {
        let detail = "This needs an administrator. Nothing was changed.";
        return problem(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail);
    }
    let (to, area) = match needed {
        Right::Of(settings::Right::Write(area)) => ("change", area.as_str()),
        Right::Of(settings::Right::Read(area)) => ("see", area.as_str()),
        _ => ("see", "this"),
    };
    let detail = format!("This needs a role that may {to} the area {area}. Nothing was changed.");
    problem(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
}

/// 403: who asks would give or take rights that they do not have themselves.
#[must_use]
pub fn beyond_own_rights(name: &str) -> Refusal {
    let detail = format!(
        "{name} has or would have rights that you do not have: only who has them may give, change or take them. Nothing was changed."
    );
    problem(StatusCode::FORBIDDEN, "beyond_own_rights", "Not allowed", detail)
}

/// 403: who asks did not give their present password.
#[must_use]
pub fn wrong_password() -> Refusal {
    let detail = "Your present password is another one. Nothing was changed.";
    let mut refusal = problem(StatusCode::FORBIDDEN, "wrong_password", "Wrong password", detail);
    refusal.problem.field = Some("current".to_owned());
    refusal
}

/// 403: the request was made by another server's page.
#[must_use]
pub fn origin_refused(detail: impl Into<String>) -> Refusal {
    problem(StatusCode::FORBIDDEN, "origin_refused", "Not from this server's pages", detail)
}

/// 404: there is no such thing.
#[must_use]
pub fn not_found(what: &str) -> Refusal {
    problem(StatusCode::NOT_FOUND, "not_found", "Not found", format!("There is no such {what} here."))
}

/// 405: the address is right and the method is not.
#[must_use]
pub fn method_not_allowed() -> Refusal {
    let detail = "There is something at this address, and it does not understand this method.";
    problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", detail)
}

/// 408: the body did not arrive in time.
#[must_use]
pub fn timed_out() -> Refusal {
    let detail =
        "The request took too long and was given up. Whether it took effect is not known: read before you repeat it.";
    problem(StatusCode::REQUEST_TIMEOUT, "timed_out", "Took too long", detail)
}

/// 409: the zone's settings are written on the Primary.
#[must_use]
pub fn read_only_on_backup(primary: &str) -> Refusal {
    let detail = format!(
        "This server is a Backup: the zone's settings are changed on its Primary, {primary}, and come here by \
         synchronization. Nothing was changed."
    );
    problem(StatusCode::CONFLICT, "read_only_on_backup", "Read-only on a Backup", detail)
}

/// 409: something stands against it.
#[must_use]
pub fn conflict(code: &str, title: &str, detail: impl Into<String>) -> Refusal {
    problem(StatusCode::CONFLICT, code, title, detail)
}

/// 412: it has been changed since it was read.
#[must_use]
pub fn stale(current: &str) -> Refusal {
    let detail =
        format!("It has been changed since you read it; it is {current} now. Nothing was changed: read it again.");
    problem(StatusCode::PRECONDITION_FAILED, "stale", "Changed meanwhile", detail)
}

/// 413: the body is too large.
#[must_use]
pub fn body_too_large(limit: usize) -> Refusal {
    let detail = format!("The body may have at most {limit} bytes. Nothing of it was taken.");
    problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large", detail)
}

/// 415: the body is not called JSON.
#[must_use]
pub fn unsupported_media_type() -> Refusal {
    let detail = "Send JSON, with `Content-Type: application/json`.";
    problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Not JSON", detail)
}

/// 422: a field cannot be so.
#[must_use]
pub fn invalid_field(field: &str, message: &str) -> Refusal {
    let mut refusal = problem(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_field",
        "A field is not right",
        format!("{field}: {message}. Nothing was changed."),
    );
    refusal.problem.field = Some(field.to_owned());
    refusal
}

/// 422: there is no such field.
#[must_use]
pub fn unknown_field(field: &str, message: &str) -> Refusal {
    let mut refusal = invalid_field(field, message);
    refusal.problem.code = "unknown_field".into();
    refusal.problem.title = "Unknown field".into();
    refusal
}

/// 422: that cannot be done here.
#[must_use]
pub fn not_supported(field: &str, message: &str) -> Refusal {
    let mut refusal = invalid_field(field, message);
    refusal.problem.code = "not_supported".into();
    refusal.problem.title = "Not supported".into();
    refusal
}

/// 422: the database is in use by another server. `code` says whose it is.
#[must_use]
pub fn other_database(code: &str, field: &str, message: &str) -> Refusal {
    let mut refusal = invalid_field(field, message);
    refusal.problem.code = code.into();
    refusal.problem.title = "The database of another server".into();
    refusal
}

/// 428: a change must say which revision it is made to.
#[must_use]
pub fn precondition_required() -> Refusal {
    let detail = "Read it first and send its `ETag` back as `If-Match`. Nothing was changed.";
    problem(StatusCode::PRECONDITION_REQUIRED, "precondition_required", "If-Match is missing", detail)
}

/// 429: too many attempts.
#[must_use]
pub fn too_many_attempts(seconds: u64) -> Refusal {
    let detail = format!("Too many attempts have failed. Try again in {} min.", seconds.div_ceil(60));
    problem(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts", detail).retry_after(seconds)
}

/// 500: a defect of the program.
#[must_use]
pub fn internal() -> Refusal {
    let detail = "The server has a defect that its log tells more about. Whether the request took effect is not known.";
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
}

/// 503: not now.
#[must_use]
pub fn unavailable(code: &str, detail: impl Into<String>) -> Refusal {
    problem(StatusCode::SERVICE_UNAVAILABLE, code, "Not available now", detail).retry_after(1)
}
