//! What belongs to each server alone, and what it was.

use serde::{Deserialize, Serialize};

use super::{DatabaseSection, EmailSection, SynchronizationSection};

/// All that belongs to a server alone, secrets left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnDocument {
    /// Section `synchronization`; on a Backup.
    pub synchronization: Option<SynchronizationSection>,
    /// Section `email`.
    pub email: EmailSection,
    /// Section `database`.
    pub database: DatabaseSection,
}

/// One change of what belongs to a server alone. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnRevision {
    /// Its number, as the `ETag` has it. Each change makes the next.
    pub revision: u64,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// Who.
    pub by: String,
    /// Which section, by its slug.
    pub section: String,
    /// Why, if told.
    pub reason: Option<String>,
    /// The fields of the section that changed, a replaced secret among them.
    pub changed: Vec<String>,
    /// All as it was: an [`OwnDocument`] as the version had it that wrote it down.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub before: serde_json::Value,
    /// All as it became.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub after: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{Database, Email, MailTls, Secret};

    #[test]
    fn what_is_read_can_be_written_back_and_has_no_secret() {
        let email =
            Email { password: Secret::new("hunter2"), server: "mail".into(), user: "me".into(), ..Email::default() };
        let read = serde_json::to_value(EmailSection::from(&email)).unwrap();
        assert_eq!(read["password"], json!({ "set": true }));
        let change: EmailSection = serde_json::from_value(read).unwrap();
        assert_eq!(change.applied_to(&email), Ok(email));
        let database = Database { password: Secret::new("hunter2"), user: "me".into(), ..Database::default() };
        let read = serde_json::to_value(DatabaseSection::from(&database)).unwrap();
        assert!(!read.to_string().contains("hunter2"));
        let change: DatabaseSection = serde_json::from_value(read).unwrap();
        assert!(!format!("{change:?}").contains("hunter2"));
        assert_eq!(change.applied_to(&database), Ok(database));
    }

    #[test]
    fn a_kept_password_goes_nowhere_else() {
        let email = Email {
            server: "mail".into(),
            user: "me".into(),
            password: Secret::new("hunter2"),
            tls: MailTls::StartTls,
            ..Email::default()
        };
        let change = |field: &str, value: serde_json::Value| {
            let mut read = serde_json::to_value(EmailSection::from(&email)).unwrap();
            read[field] = value;
            serde_json::from_value::<EmailSection>(read).unwrap().applied_to(&email)
        };
        for (field, value) in
            [("server", json!("elsewhere")), ("port", json!(25)), ("user", json!("you")), ("tls", json!("none"))]
        {
            assert_eq!(change(field, value).unwrap_err().field, "password", "{field}");
        }
        assert!(change("tls", json!("tls")).unwrap().password.is_set(), "better protected");
        assert!(change("from", json!("a@b")).unwrap().password.is_set());
        assert!(!change("user", json!("")).unwrap().password.is_set(), "without an account there is no password");
        let database =
            Database { host: "db".into(), user: "me".into(), password: Secret::new("x"), ..Database::default() };
        let mut read = serde_json::to_value(DatabaseSection::from(&database)).unwrap();
        read["host"] = json!("elsewhere");
        let change: DatabaseSection = serde_json::from_value(read).unwrap();
        assert_eq!(change.applied_to(&database).unwrap_err().field, "password");
    }
}
