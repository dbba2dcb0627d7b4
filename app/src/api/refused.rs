//! What a server function answers when it cannot do what it should.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use userlock_core::api::Problem;

/// A [`Problem`] on its way to the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Refused(pub Problem);

impl Refused {
    /// Nobody is signed in.
    #[must_use]
    pub fn sign_in() -> Self {
        Self(problem(
            401,
            "sign_in_required",
            "You are not signed in",
            "Your sign-in has ended. Sign in again; nothing was changed.",
        ))
    }

    /// The caller lacks a right.
    #[must_use]
    pub fn forbidden() -> Self {
        Self(problem(
            403,
            "forbidden",
            "Your account may not do this",
            "Nothing was changed. An administrator can do it, or give your account the right.",
        ))
    }

    /// A field of a form is wrong.
    #[must_use]
    pub fn field(field: &str, detail: &str) -> Self {
        let mut problem = problem(422, "invalid_field", "This value cannot be used", detail);
        problem.field = Some(field.to_owned());
        Self(problem)
    }

    /// Whether the caller must sign in again.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        self.0.status == 401
    }
}

/// A problem without a field.
pub(crate) fn problem(status: u16, code: &str, title: &str, detail: &str) -> Problem {
    Problem { status, code: code.into(), title: title.into(), detail: detail.into(), field: None }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl FromServerFnError for Refused {
    type Encoder = super::text::Text;

    /// On the server this happens when arguments cannot be read: then who asks is checked first, as everywhere.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let refused = match &error {
            ServerFnErrorErr::Request(_) => Self(problem(
                0,
                "unreachable",
                "This server does not answer",
                "Nothing is known to have changed. Try again; the other server's dashboard shows what it knows.",
            )),
            ServerFnErrorErr::Args(text) | ServerFnErrorErr::MissingArg(text) => Self(problem(
                400,
                "invalid_arguments",
                "The form could not be read",
                &format!("{text}. Nothing was changed."),
            )),
            other => Self(problem(500, "internal", "The answer could not be read", &other.to_string())),
        };
        #[cfg(feature = "ssr")]
        let refused = super::answer::unreadable(refused);
        refused
    }
}
