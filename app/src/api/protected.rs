//! Protected accounts: rules with limits of simultaneous sessions.

use leptos::{server, server_fn::codec::GetUrl};
use serde::{Deserialize, Serialize};
use userlock_core::{
    api::{Page, ProtectedAccountView, Section},
    settings::{Limits, ProtectedAccountInput, Subject, SubjectKind},
};

use super::{Refused, RuleId, text::Json};

/// One page of the rules.
#[server(name = GetProtectedAccounts, prefix = "/fn", endpoint = "protected-accounts", input = GetUrl, output = Json)]
pub async fn protected_accounts(
    #[server(default)] cursor: Option<String>,
) -> Result<Section<Page<ProtectedAccountView>>, Refused> {
    super::answer::read(super::Right::Read(super::Area::ProtectedAccounts), |ports| async move {
        ports.protected_accounts(100, cursor).await
    })
    .await
}

/// One rule.
#[server(name = GetProtectedAccount, prefix = "/fn", endpoint = "protected-account", input = GetUrl, output = Json)]
pub async fn protected_account(id: RuleId) -> Result<Section<ProtectedAccountView>, Refused> {
    super::answer::read(super::Right::Read(super::Area::ProtectedAccounts), |ports| async move {
        ports.protected_account(id).await
    })
    .await
}

/// The fields of a rule as a form gives them: an empty limit is "not configured".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the limits are named for their types of session")]
pub struct ProtectedAccountForm {
    /// Of the rule that is changed; empty for a new one.
    pub id: String,
    /// The one that was read; empty for a new one.
    pub etag: String,
    /// `everybody`, `user` or `group`.
    pub kind: String,
    /// The subject's name.
    pub name: String,
    pub total: String,
    pub workstation: String,
    pub terminal: String,
    pub vpn: String,
    pub wifi: String,
    pub web: String,
    /// Why.
    pub reason: String,
}

impl ProtectedAccountForm {
    /// The rule, checked as far as its form goes.
    ///
    /// # Errors
    /// [`Refused`] names the field.
    pub fn input(&self) -> Result<ProtectedAccountInput, Refused> {
        let kind = match self.kind.as_str() {
            "everybody" => SubjectKind::Everybody,
            "user" => SubjectKind::User,
            "group" => SubjectKind::Group,
            _ => return Err(Refused::field("kind", "Choose whom the rule is about.")),
        };
        let name = if kind == SubjectKind::Everybody { String::new() } else { self.name.trim().to_owned() };
        let limits = Limits {
            total: limit("total", &self.total)?,
            workstation: limit("workstation", &self.workstation)?,
            terminal: limit("terminal", &self.terminal)?,
            vpn: limit("vpn", &self.vpn)?,
            wifi: limit("wifi", &self.wifi)?,
            web: limit("web", &self.web)?,
        };
        let reason = crate::present::words::given(&self.reason);
        Ok(ProtectedAccountInput { subject: Subject { kind, name }, limits, reason })
    }
}

fn limit(field: &str, text: &str) -> Result<Option<u32>, Refused> {
    match text.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(n) if n <= 100_000 => Ok(Some(n)),
            _ => Err(Refused::field(
                field,
                "Must be a number from 0 to 100000, or empty for \u{201c}not configured\u{201d}.",
            )),
        },
    }
}

/// Makes a rule, or changes it when the form names one.
#[server(name = SaveProtectedAccount, prefix = "/fn", endpoint = "save-protected-account", output = Json)]
pub async fn save_protected_account(form: ProtectedAccountForm) -> Result<ProtectedAccountView, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        let input = match form.input() {
            Ok(input) => input,
            Err(refused) => {
                let section = ports.protected_accounts(1, None).await?;
                return Err(section.read_only.map_or(refused.0, |r| super::settings::read_only(&r.reason)));
            }
        };
        if form.id.is_empty() {
            ports.create_protected_account(caller, input).await
        } else {
            let id = form.id.parse().map_err(|_| Refused::field("id", "There is no such rule.").0)?;
            ports.change_protected_account(caller, id, form.etag, input).await
        }
    };
    super::answer::act(super::Right::Write(super::Area::ProtectedAccounts), call, |view: &ProtectedAccountView| {
        let text = format!("The rule for {} is saved. It holds from the next logon.", view.account.subject);
        super::answer::Told::at("/protected-accounts", text)
    })
    .await
}

/// Deletes a rule.
#[server(name = DeleteProtectedAccount, prefix = "/fn", endpoint = "delete-protected-account", output = Json)]
pub async fn delete_protected_account(
    id: RuleId,
    etag: String,
    #[server(default)] reason: String,
) -> Result<(), Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        ports.delete_protected_account(caller, id, etag, crate::present::words::given(&reason)).await
    };
    super::answer::act(super::Right::Write(super::Area::ProtectedAccounts), call, |(): &()| {
        super::answer::Told::at("/protected-accounts", "The rule is deleted. It holds no longer from the next logon.")
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_limit_is_not_configured_and_zero_forbids() {
        let form = ProtectedAccountForm {
            kind: "user".into(),
            name: " alice ".into(),
            total: String::new(),
            terminal: "0".into(),
            ..Default::default()
        };
        let input = form.input().unwrap();
        assert_eq!(input.subject.name, "alice");
        assert_eq!((input.limits.total, input.limits.terminal), (None, Some(0)));
        let bad = ProtectedAccountForm { vpn: "-1".into(), ..form };
        assert_eq!(bad.input().unwrap_err().0.field.as_deref(), Some("vpn"));
    }
}
