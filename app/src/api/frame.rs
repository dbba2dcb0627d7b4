//! What every page shows: who is signed in, and the pair.

use leptos::{server, server_fn::codec::GetUrl};
use serde::{Deserialize, Serialize};
use userlock_core::api::Overview;

use super::{Caller, Refused, text::Json};

/// What every page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Who is signed in.
    pub caller: Caller,
    /// The pair. The live stream brings newer ones.
    pub overview: Overview,
}

/// What a form did, told by the page after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Whether it did what it should.
    pub ok: bool,
    /// In words.
    pub text: String,
    /// The number under which the server keeps what was typed, for the form of this page.
    #[serde(default)]
    pub typed: Option<u64>,
    /// The number under which the server keeps a secret that this page tells.
    #[serde(default)]
    pub secret: Option<u64>,
    /// The number under which the server keeps what a test found that this page shows.
    #[serde(default)]
    pub report: Option<u64>,
}

/// What every page shows.
#[server(name = GetFrame, prefix = "/fn", endpoint = "frame", input = GetUrl, output = Json)]
pub async fn frame() -> Result<Frame, Refused> {
    let caller = super::answer::admit(super::Right::SignedIn)?.1;
    let overview = super::answer::read(super::Right::SignedIn, |ports| async move { ports.overview().await }).await?;
    let overview = overview.seen_by(caller.rights);
    Ok(Frame { caller, overview })
}
