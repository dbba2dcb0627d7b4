//! The calls of the Backup to its Primary.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, header};
use serde::{Serialize, de::DeserializeOwned};
use userlock_agent::client::client_trusting;
use userlock_core::{
    agent_api::{DecisionResponse, ServerAddress},
    record::Run,
    settings::{PrimaryAddress, ZoneDocument},
    sync::{
        About, Frames, HeldRequest, HeldResponse, Hello, JoinRequest, JoinResponse, MAX_WAIT_SECONDS, MEDIA_TYPE,
        PROTOCOL_VERSION, PullHeader, PullRequest, PushHeader, PushResponse, VERSION_HEADER, push_frame,
    },
};

use super::{ForwardRequest, SyncError};
use crate::{log::catalogue, store::state::read_runs, zone::Zone};

/// A hello that is not answered within this time has failed.
const HELLO: Duration = Duration::from_millis(2500);
/// A decision that was passed on is answered within this time, or the Backup decides itself.
const FORWARD: Duration = Duration::from_secs(1);
/// Any other exchange: from the last byte that came.
const IDLE: Duration = Duration::from_secs(20);
/// The largest answer that is one JSON document or one frame, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Calls one server. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// The server: by another fingerprint it may be trusted, too.
    known: PrimaryAddress,
    base: String,
    token: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// For the server at an address, with the token of this Backup there (empty before it has joined).
    ///
    /// # Errors
    /// [`SyncError`] when the address cannot be one.
    pub fn new(address: &ServerAddress, token: String) -> Result<Self, SyncError> {
        let known = PrimaryAddress { url: address.url.clone(), fingerprint: address.fingerprint.clone() };
        let pins = address.pins().filter(|_| !address.fingerprint.is_empty());
        Self::trusting(known, pins, token)
    }

    fn trusting<'a>(
        known: PrimaryAddress,
        pins: impl Iterator<Item = &'a str>,
        token: String,
    ) -> Result<Self, SyncError> {
        let http = client_trusting(&known.url, pins);
        let http = http.map_err(|error| SyncError::new(catalogue::SYNC_TLS, error.to_string()))?;
        let base = known.url.trim_end_matches('/').to_owned();
        Ok(Self { http, known, base, token })
    }

    /// For the Primary that this Backup knows.
    ///
    /// # Errors
    /// [`SyncError`] when it knows none, or its address cannot be one.
    pub fn of_zone(zone: &Zone) -> Result<Self, SyncError> {
        let unknown = || SyncError::new(catalogue::SYNC_NOT_PRIMARY, "this server has not joined a Primary");
        let own = zone.own().synchronization.ok_or_else(unknown)?;
        let peer = zone.stored_peer().ok_or_else(unknown)?;
        let pins = peer.trusted(&own.primary.fingerprint);
        Self::trusting(own.primary, pins.iter().map(String::as_str), peer.token.unwrap_or_default())
    }

    /// How the server is known that this calls.
    #[must_use]
    pub fn known(&self) -> &PrimaryAddress {
        &self.known
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    fn post(&self, call: &str) -> RequestBuilder {
        self.http
            .post(format!("{}/replication/v1/{call}", self.base))
            .header(VERSION_HEADER, PROTOCOL_VERSION)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
    }

    /// Sends one frame and reads one back.
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: &str,
        question: &Q,
        within: Duration,
    ) -> Result<A, SyncError> {
        let body = postcard::to_allocvec(question).map_err(|_| SyncError::malformed("a question"))?;
        let request = self.post(call).header(header::CONTENT_TYPE, MEDIA_TYPE).timeout(within).body(body);
        let response = checked(request.send().await?).await?;
        let body = limited(response).await?;
        postcard::from_bytes(&body).map_err(|_| SyncError::malformed("an answer"))
    }

    /// Says hello.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn hello(&self, hello: &Hello) -> Result<Hello, SyncError> {
        let told: Hello = self.call("hello", hello, HELLO).await?;
        match told.check() {
            Ok(()) => Ok(told),
            Err(error) => {
                let what = format!("the other server's hello is none: {} {}", error.field, error.message);
                Err(SyncError::new(catalogue::SYNC_PROTOCOL, what))
            }
        }
    }

    /// Compares what both hold.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn held(&self, question: &HeldRequest) -> Result<HeldResponse, SyncError> {
        self.call("held", question, IDLE).await
    }

    /// Fetches the settings.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn settings(&self) -> Result<ZoneDocument, SyncError> {
        let response = checked(self.post("settings").timeout(IDLE).send().await?).await?;
        serde_json::from_slice(&limited(response).await?).map_err(|_| SyncError::malformed("a settings document"))
    }

    /// Fetches one page of records.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn pull(&self, question: &PullRequest) -> Result<(PullHeader, Vec<Run>), SyncError> {
        let body = postcard::to_allocvec(question).map_err(|_| SyncError::malformed("a question"))?;
        let wait = match question {
            PullRequest::After { wait_seconds, .. } => *wait_seconds,
            PullRequest::Ranges(_) => 0,
        };
        let within = IDLE + Duration::from_secs(wait.min(MAX_WAIT_SECONDS).into());
        let request = self.post("pull").header(header::CONTENT_TYPE, MEDIA_TYPE).timeout(within).body(body);
        let response = checked(request.send().await?).await?;
        let mut frames = Frames::default();
        frames.feed(&limited(response).await?);
        let head = frames.next_frame()?.ok_or_else(|| SyncError::malformed("a page of records"))?;
        let head: PullHeader = postcard::from_bytes(head).map_err(|_| SyncError::malformed("a page of records"))?;
        let mut runs = Vec::new();
        while let Some(frame) = frames.next_frame()? {
            runs.extend(read_runs(frame).map_err(|_| SyncError::malformed("a page of records"))?);
        }
        frames.finish()?;
        Ok((head, runs))
    }

    /// Hands records over. Each of `frames` is a postcard sequence of runs.
    ///
    /// # Errors
    /// [`SyncError`]; a fork is told as such.
    pub async fn push(&self, head: &PushHeader, frames: &[Vec<u8>]) -> Result<u64, SyncError> {
        let mut body = Vec::with_capacity(frames.iter().map(Vec::len).sum::<usize>() + 64);
        push_frame(&mut body, &postcard::to_allocvec(head).map_err(|_| SyncError::malformed("a question"))?);
        frames.iter().for_each(|frame| push_frame(&mut body, frame));
        let request = self.post("push").header(header::CONTENT_TYPE, MEDIA_TYPE).timeout(IDLE).body(body);
        let response = checked(request.send().await?).await?;
        let answer: PushResponse =
            postcard::from_bytes(&limited(response).await?).map_err(|_| SyncError::malformed("an answer"))?;
        match answer {
            PushResponse::Taken { new } => Ok(new),
            PushResponse::Fork(fork) => Err(fork.into()),
        }
    }

    /// Begins to fetch a snapshot: a stream of frames.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn snapshot(&self) -> Result<Response, SyncError> {
        let response = tokio::time::timeout(IDLE, self.post("snapshot").send()).await;
        let response = response.map_err(|_| SyncError::new(catalogue::SYNC_TIMEOUT, "no snapshot came within 20 s"))?;
        checked(response?).await
    }

    /// The next bytes of a stream; none at its end.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn chunk(response: &mut Response) -> Result<Option<bytes::Bytes>, SyncError> {
        let chunk = tokio::time::timeout(IDLE, response.chunk()).await;
        Ok(chunk.map_err(|_| SyncError::new(catalogue::SYNC_TIMEOUT, "the stream stood still for 20 s"))??)
    }

    /// Passes a decision on.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn forward(&self, question: &ForwardRequest) -> Result<DecisionResponse, SyncError> {
        let response = checked(self.post("forward").timeout(FORWARD).json(question).send().await?).await?;
        serde_json::from_slice(&limited(response).await?).map_err(|_| SyncError::malformed("an answer"))
    }

    /// Asks what the server is.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn about(&self) -> Result<About, SyncError> {
        let response = checked(self.post("about").timeout(HELLO).send().await?).await?;
        serde_json::from_slice(&limited(response).await?).map_err(|_| SyncError::malformed("an answer"))
    }

    /// Tells the Primary that this Backup leaves the zone.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn leave(&self) -> Result<(), SyncError> {
        checked(self.post("leave").timeout(HELLO).send().await?).await.map(drop)
    }

    /// Joins a Backup to its Primary, or only checks whether it could.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn join(&self, question: &JoinRequest) -> Result<JoinResponse, SyncError> {
        let response = checked(self.post("join").timeout(IDLE).json(question).send().await?).await?;
        serde_json::from_slice(&limited(response).await?).map_err(|_| SyncError::malformed("an answer"))
    }
}

/// An answer that is one.
async fn checked(response: Response) -> Result<Response, SyncError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = limited(response).await.unwrap_or_default();
    Err(SyncError::of_status(status, &body))
}

/// The whole of an answer, if it is not too large.
async fn limited(mut response: Response) -> Result<Vec<u8>, SyncError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(SyncError::new(catalogue::SYNC_PROTOCOL, "the other server's answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
