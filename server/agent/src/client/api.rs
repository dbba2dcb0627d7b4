//! The calls of the agent API.

use std::{error::Error, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use userlock_core::{
    agent_api::{
        CommandsRequest, CommandsResponse, DecisionRequest, DecisionResponse, EnrolRequest, EnrolResponse,
        EventsRequest, EventsResponse, HelloRequest, HelloResponse, MAX_BODY_BYTES, ServerAddress,
    },
    api::Problem,
};

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server could not be reached, or broke off.
    #[error("{0}")]
    Unreachable(String),
    /// It did not answer in time (ms).
    #[error("no answer within {0} ms")]
    TimedOut(u128),
    /// It answered that it will not.
    #[error("{}", meaning(.0))]
    Refused(Box<Problem>),
    /// It answered something that cannot be understood.
    #[error("an answer that cannot be understood: {0}")]
    BadAnswer(String),
}

impl CallError {
    /// Whether the server is there and says that it cannot serve now, but might as the last resort.
    #[must_use]
    pub fn is_not_serving(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 503)
    }

    /// Whether the server does not accept this agent's token.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused(problem) if matches!(problem.status, 401 | 403))
    }

    /// Whether another server may do better: this one is away, broken, or does not know us.
    #[must_use]
    pub fn is_of_the_server(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) | Self::BadAnswer(_) => true,
            Self::Refused(problem) => problem.status >= 500 || matches!(problem.status, 401 | 403 | 404),
        }
    }
}

/// What a refusal means to whoever looks after the machine.
fn meaning(problem: &Problem) -> String {
    if problem.status == 401 {
        return "does not accept this machine's token: it was revoked, or the machine's name was enrolled anew. Enrol this machine again".to_owned();
    }
    format!("refused with {}: {}", problem.status, problem.detail)
}

/// One server, as an agent calls it.
#[derive(Debug, Clone)]
pub struct Server {
    address: ServerAddress,
    http: reqwest::Client,
}

impl Server {
    /// The server at `address`, called through `http`, which must be a client for that address.
    #[must_use]
    pub fn new(address: ServerAddress, http: reqwest::Client) -> Self {
        Self { address, http }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// `POST /agent/v1/enrol`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn enrol(&self, request: &EnrolRequest, timeout: Duration) -> Result<EnrolResponse, CallError> {
        self.post("/agent/v1/enrol", None, request, timeout).await
    }

    /// `POST /agent/v1/hello`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn hello(
        &self,
        token: &str,
        request: &HelloRequest,
        timeout: Duration,
    ) -> Result<HelloResponse, CallError> {
        self.post("/agent/v1/hello", Some(token), request, timeout).await
    }

    /// `POST /agent/v1/events`. An answer means that the batch is on the server's disk.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn events(
        &self,
        token: &str,
        batch: &EventsRequest,
        timeout: Duration,
    ) -> Result<EventsResponse, CallError> {
        self.post("/agent/v1/events", Some(token), batch, timeout).await
    }

    /// `POST /agent/v1/decisions`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn decide(
        &self,
        token: &str,
        request: &DecisionRequest,
        timeout: Duration,
    ) -> Result<DecisionResponse, CallError> {
        self.post("/agent/v1/decisions", Some(token), request, timeout).await
    }

    /// `POST /agent/v1/commands`. The timeout must be longer than the wait that the request asks for.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn commands(
        &self,
        token: &str,
        request: &CommandsRequest,
        timeout: Duration,
    ) -> Result<CommandsResponse, CallError> {
        self.post("/agent/v1/commands", Some(token), request, timeout).await
    }

    /// `GET /readyz`: whether it could decide now.
    ///
    /// # Errors
    /// [`CallError`]; a server that is there but not ready is [`CallError::Refused`] with 503.
    pub async fn ready(&self, timeout: Duration) -> Result<(), CallError> {
        let request = self.http.get(self.url("/readyz")).timeout(timeout);
        let response = request.send().await.map_err(|error| unanswered(error, timeout))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(refusal(response, timeout).await)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.url.trim_end_matches('/'))
    }

    /// Posts JSON and reads JSON.
    ///
    /// # Errors
    /// [`CallError`].
    async fn post<T: Serialize + Sync, R: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &T,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let mut request = self.http.post(self.url(path)).timeout(timeout).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| unanswered(error, timeout))?;
        if !response.status().is_success() {
            return Err(refusal(response, timeout).await);
        }
        let body = read_limited(response, MAX_BODY_BYTES).await.map_err(|error| match error {
            CallError::TimedOut(_) => CallError::TimedOut(timeout.as_millis()),
            other => other,
        })?;
        serde_json::from_slice(&body).map_err(|error| CallError::BadAnswer(error.to_string()))
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`CallError::BadAnswer`] when it is longer, else what broke off.
pub async fn read_limited(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(error, Duration::ZERO))? {
        if body.len() + chunk.len() > limit {
            return Err(CallError::BadAnswer(format!("more than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a refusal says; one that is not a problem document is told by its status.
async fn refusal(response: reqwest::Response, timeout: Duration) -> CallError {
    const LIMIT: usize = 64 * 1024;
    let status = response.status();
    let body = match read_limited(response, LIMIT).await {
        Ok(body) => body,
        Err(CallError::TimedOut(_)) => return CallError::TimedOut(timeout.as_millis()),
        Err(_) => Vec::new(),
    };
    let problem = serde_json::from_slice::<Problem>(&body).unwrap_or_else(|_| Problem {
        status: status.as_u16(),
        code: String::new(),
        title: status.canonical_reason().unwrap_or("refused").to_owned(),
        detail: status.canonical_reason().unwrap_or("refused").to_owned(),
        field: None,
    });
    CallError::Refused(Box::new(Problem { status: status.as_u16(), ..problem }))
}

fn unanswered(error: reqwest::Error, timeout: Duration) -> CallError {
    if error.is_timeout() && !error.is_connect() {
        return CallError::TimedOut(timeout.as_millis());
    }
    CallError::Unreachable(in_full(&error.without_url()))
}

/// An error with all its causes, which HTTP libraries hide behind one another.
pub(super) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
