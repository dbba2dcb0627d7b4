//! What everybody does with their own account, whatever their role.

use serde::Deserialize;
use userlock_core::{id::Digest, settings::Secret};

use crate::{
    auth::{check_password, hash_now},
    clock,
    http::{
        problem::{self, Answer, Refusal},
        sign_in::{self, SignInFailure},
        state::App,
    },
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

    /// Changes the password of the account of a sign-in, which goes on; the account's other sign-ins end.
    ///
    /// # Errors
    /// 401 when the sign-in has ended, 403 when the present password is another, 409, 422, 429, 503.
    pub async fn change_own_password(
        &self,
        sign_in: Option<Digest>,
        address: &str,
        request: OwnPassword,
    ) -> Answer<()> {
        let sign_in = self.check_own_password(sign_in)?;
        let (app, address) = (self.clone(), address.to_owned());
        // Whoever asked may go away meanwhile: password and sign-in change both, or neither.
        let change = async move { app.change_own_password_now(sign_in, &address, request).await };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(problem::internal()))
    }

    async fn change_own_password_now(&self, sign_in: Digest, address: &str, request: OwnPassword) -> Answer<()> {
        let OwnPassword { current, new, reason } = request;
        let found = self.zone.read(|server| self.sign_ins.list(&server.settings.settings.security, clock::now_ms()));
        let row = found.into_iter().find(|(name, _)| *name == sign_in).map(|(_, row)| row);
        let row = row.ok_or_else(problem::not_authenticated)?;
        check_password(new.expose()).map_err(|must| problem::invalid_field("new", &must))?;
        let proved = sign_in::prove(self, &row.account, current.expose().to_owned(), address).await;
        let account = proved.map_err(refusal_of)?;
        let hash = tokio::task::spawn_blocking(move || hash_now(new.expose())).await;
        let hash = hash.ok().and_then(Result::ok).ok_or_else(problem::internal)?;
        if !self.sign_ins.expect_password(&row.hash, &hash) {
            return Err(problem::unavailable("busy", "Your password is being changed already. Nothing was changed."));
        }
        let told = "changed their own password";
        let reason = reason.map_or_else(|| told.to_owned(), |reason| format!("{told}: {reason}"));
        let changed = self.change_zone(&account.name, "security", None, Some(reason), |settings| {
            // An administrator may have changed it meanwhile: then what was proved is not the present one.
            let mut accounts = settings.security.accounts.iter_mut();
            let present = accounts.find(|known| **known == account).ok_or_else(problem::wrong_password)?;
            present.password_hash.clone_from(&hash);
            Ok(())
        });
        let changed = changed.await;
        if let Err(error) = self.sign_ins.settle_password(&row.hash, changed.is_ok()).await {
            tracing::error!(%error, "a sign-in goes on with a new password until the next start only");
        }
        changed
    }
}

fn refusal_of(failure: SignInFailure) -> Refusal {
    match failure {
        SignInFailure::Wrong => problem::wrong_password(),
        SignInFailure::TooMany(too_many) => problem::too_many_attempts(too_many.retry_after.as_secs()),
        SignInFailure::Busy => problem::unavailable("busy", format!("{failure}. Nothing was changed: try again.")),
    }
}
