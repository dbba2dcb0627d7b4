//! API tokens and the zone key.

use serde::{Deserialize, Serialize};
use userlock_core::{
    agent_api::{Enrolment, ServerAddress},
    api::ServerRole,
    settings::{Role, StoredToken},
};

use crate::{
    clock,
    http::{
        problem::{self, Answer},
        state::App,
    },
    log::{catalogue, details},
    random,
};

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is for; another token of that name is replaced.
    pub name: String,
    /// What it may do.
    #[serde(default = "administrator")]
    pub role: Role,
}

fn administrator() -> Role {
    Role::Administrator
}

/// The answer to [`TokenRequest`].
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
pub struct TokenCreated {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token. It is told once.
    pub token: String,
}

/// The answer to `POST /api/v1/enrolment-key`.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
pub struct EnrolmentCreated {
    /// What a machine needs to be enrolled. It is told once.
    pub enrolment: String,
}

impl TokenRequest {
    /// Checks the name.
    ///
    /// # Errors
    /// 422.
    pub fn check(&self) -> Answer<()> {
        let name = self.name.trim();
        if name.is_empty() || self.name.len() > 64 || name.chars().any(char::is_control) {
            return Err(problem::invalid_field(
                "name",
                "must have 1 to 64 characters, none of them a control character",
            ));
        }
        Ok(())
    }

    /// A new token, and how it is kept.
    ///
    /// # Errors
    /// 500 without randomness.
    pub fn make(&self) -> Answer<(String, StoredToken)> {
        let token = random::secret("ult_").map_err(|_| problem::internal())?;
        let hash = random::hash_secret(&token);
        Ok((token, StoredToken { name: self.name.trim().to_owned(), hash, role: self.role, at: clock::now_ms() }))
    }
}

impl App {
    /// Makes an API token. It is a setting of the zone, so both servers know it.
    ///
    /// # Errors
    /// 409, 422.
    pub async fn create_token(&self, by: &str, request: TokenRequest) -> Answer<TokenCreated> {
        self.must_be_primary()?;
        request.check()?;
        let (token, stored) = request.make()?;
        self.change_zone(by, "security", None, Some(format!("API token {}", stored.name)), |settings| {
            settings.security.tokens.retain(|other| other.name != stored.name);
            settings.security.tokens.push(stored.clone());
            Ok(())
        })
        .await?;
        self.journal.record(
            catalogue::TOKEN_CREATED,
            format!("{by} made the API token {}", stored.name),
            details([("by", &by), ("name", &stored.name), ("role", &stored.role.as_str())]),
        );
        Ok(TokenCreated { name: stored.name, role: stored.role, token })
    }

    /// Makes a new zone key and tells the string that machines are enrolled with.
    ///
    /// # Errors
    /// 409.
    pub async fn create_enrolment_key(&self, by: &str) -> Answer<EnrolmentCreated> {
        self.must_be_primary()?;
        let key = random::secret("ulz_").map_err(|_| problem::internal())?;
        let hash = random::hash_secret(&key);
        self.change_zone(by, "agents", None, Some("new zone key".to_owned()), |settings| {
            settings.agents.zone_key_hash.clone_from(&hash);
            Ok(())
        })
        .await?;
        self.journal.record(catalogue::ZONE_KEY_CHANGED, format!("{by} made a new zone key"), details([("by", &by)]));
        Ok(EnrolmentCreated { enrolment: Enrolment { servers: self.server_addresses(), key }.to_text() })
    }

    /// Both servers' addresses, the Primary first.
    fn server_addresses(&self) -> Vec<ServerAddress> {
        let own = self.zone.read(|server| server.identity.address.clone());
        let peer = self.zone.stored_peer().map(|peer| peer.address);
        match self.role() {
            ServerRole::Primary => std::iter::once(own).chain(peer).collect(),
            ServerRole::Backup => peer.into_iter().chain([own]).collect(),
        }
    }
}
