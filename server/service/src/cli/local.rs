//! Speaks with the server of this machine: through its own interface when it runs, else with its files.

use reqwest::{Method, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use userlock_agent::client::client_for;
use userlock_core::{agent_api::ServerAddress, api::Problem};

use super::{Failure, OutArgs, Outcome, TokenArgs, offline, secrets};
use crate::{
    auth::read_local_token,
    clock,
    config::Config,
    operations::{EnrolmentCreated, TokenCreated, TokenRequest},
    run::fingerprint_of,
};

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The running server of this machine.
pub struct Local {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Local {
    /// With the token that the server wrote at its start, or another one.
    pub fn new(config: &Config, token: Option<String>) -> Result<Self, Failure> {
        let fingerprint = fingerprint_of(config)?;
        let mut address = config.listen;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        let scheme = if config.plain_http { "http" } else { "https" };
        let base = format!("{scheme}://{address}");
        let http = client_for(&ServerAddress::new(base.clone(), fingerprint))?;
        let token = match token {
            Some(token) => token,
            None => read_local_token(&config.dir).map_err(|error| {
                format!("{error}. Is the server running, and are you its user or root? Else give --token-file.")
            })?,
        };
        Ok(Self { http, base, token })
    }

    /// Makes a call, and reads its answer.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| format!("{}: {}", self.base, super::in_full(&error)))?;
        let status = response.status();
        let text = read(response).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&text)?);
        }
        Err(refusal(status, &text).into())
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None::<&()>).await
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if text.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err("the server's answer is too large".into());
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn refusal(status: StatusCode, text: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(text) {
        Ok(problem) => format!("{} ({}, {})", problem.detail, problem.code, status.as_u16()),
        Err(_) => format!("the server answered {status}"),
    }
}

/// `userlock token`.
pub async fn token(args: TokenArgs) -> Outcome {
    let config = Config::load(&args.out.config.config)?;
    let request = TokenRequest {
        name: args.name,
        role: args.role,
        expires: args.expires_days.map(|days| clock::now_ms() + i64::from(days) * 86_400_000),
        // As its help says: whoever is at the machine asks for this name.
        replace: true,
        reason: None,
    };
    let created: TokenCreated = match offline::take(&config)? {
        Some(lock) => offline::token(&config, lock, &request).await?,
        None => Local::new(&config, None)?.call(Method::POST, "/api/v1/tokens", Some(&request)).await?,
    };
    secrets::write(&created.token, args.out.out.as_deref())
}

/// `userlock enrolment`.
pub async fn enrolment(args: OutArgs) -> Outcome {
    let config = Config::load(&args.config.config)?;
    let created: EnrolmentCreated = match offline::take(&config)? {
        Some(lock) => offline::enrolment(&config, lock).await?,
        None => Local::new(&config, None)?.call(Method::POST, "/api/v1/enrolment-key", None::<&()>).await?,
    };
    secrets::write(&created.enrolment, args.out.as_deref())
}
