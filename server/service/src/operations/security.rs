//! API tokens and the zone key.

use serde::{Deserialize, Serialize};
use userlock_core::{
    agent_api::Enrolment,
    api::{Page, SignInView},
    id::Digest,
    settings::{Rights, Role, StoredToken},
};

use crate::{
    clock,
    http::{
        problem::{self, Answer},
        state::App,
    },
    log::{catalogue, details},
    random,
    store::product::StoredSignIn,
};

/// The most sign-ins that are told.
const MAX_SIGN_INS_SHOWN: usize = 500;

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is for. No two tokens have the same name.
    pub name: String,
    /// The name of its role: `read_only`, `operator`, `administrator`, or one of the zone's own.
    #[serde(default = "administrator")]
    pub role: String,
    /// When it ends, in ms since 1970 UTC; never when absent.
    #[serde(default)]
    pub expires: Option<i64>,
    /// Whether it takes the place of the token of that name, which is then worth nothing. Without this a name that is there
    /// is refused.
    #[serde(default)]
    pub replace: bool,
    /// Why; kept with the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn administrator() -> String {
    Role::Administrator.as_str().to_owned()
}

/// The answer to [`TokenRequest`].
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
pub struct TokenCreated {
    /// What it is for.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// When it ends, in ms since 1970 UTC.
    pub expires: Option<i64>,
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
    /// Checks the name and the end.
    ///
    /// # Errors
    /// 422.
    pub fn check(&self) -> Answer<()> {
        let name = self.name.trim();
        if name.is_empty() || name.len() > 64 || name.chars().any(|c| c.is_control() || c == '/') {
            return Err(problem::invalid_field(
                "name",
                "must have 1 to 64 characters, none of them / or a control character",
            ));
        }
        if self.expires.is_some_and(|at| at <= clock::now_ms()) {
            return Err(problem::invalid_field("expires", "is over already"));
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
        let stored = StoredToken {
            name: self.name.trim().to_owned(),
            hash,
            role: self.role.clone(),
            at: clock::now_ms(),
            expires: self.expires,
        };
        Ok((token, stored))
    }
}

impl App {
    /// Makes an API token. It is a setting of the zone, so both servers know it.
    ///
    /// # Errors
    /// 403 when it would have rights that who asks has not, or takes the place of one that has; 409; 422 also for a name that
    /// is there.
    pub async fn create_token(&self, by: &str, rights: Rights, request: TokenRequest) -> Answer<TokenCreated> {
        self.must_be_primary()?;
        request.check()?;
        let (token, stored) = request.make()?;
        let reason = request.reason.clone().unwrap_or_else(|| format!("API token {}", stored.name));
        self.change_zone(by, "security", None, Some(reason), |settings| {
            let security = &mut settings.security;
            if !security.has_role(&stored.role) {
                return Err(problem::invalid_field("role", &format!("there is no role {}", stored.role)));
            }
            let known = security.tokens.iter().find(|token| token.name == stored.name);
            let replaced = known.filter(|_| request.replace).map(|token| &token.role);
            for role in [Some(&stored.role), replaced].into_iter().flatten() {
                if !rights.cover(security.rights_of([role.as_str()])) {
                    return Err(problem::beyond_own_rights(&stored.name));
                }
            }
            if known.is_some() && !request.replace {
                return Err(problem::invalid_field("name", "there is a token of this name: revoke it first"));
            }
            security.tokens.retain(|other| other.name != stored.name);
            security.tokens.push(stored.clone());
            Ok(())
        })
        .await?;
        self.journal.record(
            catalogue::TOKEN_CREATED,
            format!("{by} made the API token {}", stored.name),
            details([("by", &by), ("name", &stored.name), ("role", &stored.role)]),
        );
        Ok(TokenCreated { name: stored.name, role: stored.role, expires: stored.expires, token })
    }

    /// Makes a new zone key and tells the string that machines are enrolled with.
    ///
    /// # Errors
    /// 409, 422 for the reason.
    pub async fn create_enrolment_key(&self, by: &str, reason: Option<String>) -> Answer<EnrolmentCreated> {
        self.must_be_primary()?;
        let key = random::secret("ulz_").map_err(|_| problem::internal())?;
        let hash = random::hash_secret(&key);
        let reason = reason.unwrap_or_else(|| "new zone key".to_owned());
        self.change_zone(by, "agents", None, Some(reason), |settings| {
            settings.agents.zone_key_hash.clone_from(&hash);
            Ok(())
        })
        .await?;
        self.journal.record(catalogue::ZONE_KEY_CHANGED, format!("{by} made a new zone key"), details([("by", &by)]));
        Ok(EnrolmentCreated {
            enrolment: Enrolment { servers: self.zone.addresses().into_iter().flatten().collect(), key }.to_text(),
        })
    }

    /// Who is signed in on this server, the last used first. `own`: the sign-in of who asks.
    #[must_use]
    pub fn list_sign_ins(&self, own: Option<Digest>) -> Page<SignInView> {
        let found = self.zone.read(|server| self.sign_ins.list(&server.settings.settings.security, clock::now_ms()));
        let view = |(id, row): (Digest, StoredSignIn)| SignInView {
            id,
            account: row.account,
            address: row.address,
            since: row.created_at,
            last_seen: row.last_seen,
            own: own == Some(id),
        };
        let mut items: Vec<_> = found.into_iter().map(view).collect();
        items.sort_by_key(|view| std::cmp::Reverse(view.last_seen));
        let total = items.len() as u64;
        items.truncate(MAX_SIGN_INS_SHOWN);
        Page { total: Some(total), items, next: None }
    }

    /// Ends a sign-in on this server.
    ///
    /// # Errors
    /// 404, 503.
    pub async fn end_sign_in(&self, by: &str, id: Digest) -> Answer<()> {
        let found = self.zone.read(|server| self.sign_ins.list(&server.settings.settings.security, clock::now_ms()));
        let (_, row) = found.into_iter().find(|(name, _)| *name == id).ok_or_else(|| problem::not_found("sign-in"))?;
        if let Err(error) = self.sign_ins.end(&row.hash).await {
            tracing::error!(%error, "a sign-in that was ended cannot be removed from the disk");
            return Err(problem::unavailable("storage", "The sign-in has ended until the next start only: try again."));
        }
        self.journal.record(
            catalogue::SIGNED_OUT,
            format!("{by} ended the sign-in of {} from {}", row.account, row.address),
            details([("by", &by), ("account", &row.account), ("address", &row.address)]),
        );
        Ok(())
    }
}
