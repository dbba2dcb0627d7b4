//! What everybody does with their own account, whatever their role.

use axum::http::HeaderValue;
use serde::Deserialize;
use userlock_core::{id::Digest, settings::Secret};

use crate::{
    auth::{NotExpected, check_password, hash_now},
    clock,
    http::{
        problem::{self, Answer, Refusal},
        sign_in::{self, SignInFailure},
        state::App,
    },
    log::{catalogue, details},
    random,
};

/// `POST /api/v1/account/password`.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// The present password.
    #[schema(value_type = String)]
    pub current: Secret,
    /// The new one: 8 to 1,024 characters.
    #[schema(value_type = String)]
    pub new: Secret,
    /// Why; kept with the revision.
    #[serde(default)]
    pub reason: Option<String>,
}

impl App {
    /// Refuses what stands against a change of one's own password, whatever it says. The sign-in that it is made in.
    ///
    /// # Errors
    /// 409 on a Backup, and for who has no password: a token, the program on this machine.
    pub fn check_own_password(&self, sign_in: Option<Digest>) -> Answer<Digest> {
        self.must_be_primary()?;
        sign_in.ok_or_else(|| {
            let detail = "Only who signed in with an account has a password: API tokens and the program on this machine have none. Nothing was changed.";
            problem::conflict("no_password", "No password", detail)
        })
    }

    /// Changes the password of the account of a sign-in, which goes on by a new cookie; the account's other sign-ins end. The
    /// `Set-Cookie` header; none when the sign-in has ended meanwhile.
    ///
    /// # Errors
    /// 401 when the sign-in has ended, 403 when the present password is another, 409, 422, 429, 503.
    pub async fn change_own_password(
        &self,
        sign_in: Option<Digest>,
        address: &str,
        request: OwnPassword,
    ) -> Answer<Option<HeaderValue>> {
        let sign_in = self.check_own_password(sign_in)?;
        let (app, address) = (self.clone(), address.to_owned());
        // Whoever asked may go away meanwhile: password and sign-in change both, or neither.
        let change = async move { app.change_own_password_now(sign_in, &address, request).await };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(problem::internal()))
    }

    async fn change_own_password_now(
        &self,
        sign_in: Digest,
        address: &str,
        request: OwnPassword,
    ) -> Answer<Option<HeaderValue>> {
        let OwnPassword { current, new, reason } = request;
        let found = self.zone.read(|server| self.sign_ins.list(&server.settings.settings.security, clock::now_ms()));
        let row = found.into_iter().find(|(name, _)| *name == sign_in).map(|(_, row)| row);
        let row = row.ok_or_else(problem::not_authenticated)?;
        check_password(new.expose()).map_err(|must| problem::invalid_field("new", &must))?;
        let proved = sign_in::prove(self, &row.account, current.expose().to_owned(), address).await;
        let account = proved.map_err(|failure| self.not_proved(failure, &row.account, address))?;
        let secret = random::secret("").map_err(|_| problem::internal())?;
        let hash = tokio::task::spawn_blocking(move || hash_now(new.expose())).await;
        let hash = hash.ok().and_then(Result::ok).ok_or_else(problem::internal)?;
        self.sign_ins.expect_password(&row.hash, &hash).map_err(|refused| match refused {
            NotExpected::Ended => problem::not_authenticated(),
            NotExpected::Busy => {
                problem::unavailable("busy", "Your password is being changed already. Nothing was changed.")
            }
        })?;
        let told = "changed their own password";
        let reason = reason.map_or_else(|| told.to_owned(), |reason| format!("{told}: {reason}"));
        let changed = self.change_zone(&account.name, "security", None, Some(reason), |settings| {
            // An administrator may have changed it meanwhile: then what was proved is not the present one.
            let mut accounts = settings.security.accounts.iter_mut();
            let present = accounts.find(|known| **known == account).ok_or_else(problem::wrong_password)?;
            present.password_hash.clone_from(&hash);
            Ok(())
        });
        match changed.await {
            Ok(()) => Ok(self.sign_ins.go_on(&row.hash, &secret).await),
            Err(refusal) => {
                self.sign_ins.give_up(&row.hash);
                Err(refusal)
            }
        }
    }

    /// Why the present password was not proved; a wrong one is told, as a sign-in that failed is.
    fn not_proved(&self, failure: SignInFailure, account: &str, address: &str) -> Refusal {
        match failure {
            SignInFailure::Wrong => {
                self.journal.record(
                    catalogue::PASSWORD_CHANGE_REFUSED,
                    format!("A change of the password of {account} from {address} failed: the present one was wrong"),
                    details([("account", &account), ("address", &address)]),
                );
                problem::wrong_password()
            }
            SignInFailure::TooMany(too_many) => problem::too_many_attempts(too_many.retry_after.as_secs()),
            SignInFailure::Busy => problem::unavailable("busy", format!("{failure}. Nothing was changed: try again.")),
        }
    }
}
