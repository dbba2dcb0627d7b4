//! This server's own settings with each of their revisions, in `state.sqlite`.

use sqlx::{Connection as _, Row as _, sqlite::SqliteRow};
use userlock_core::{api::OwnRevision, settings::OwnSettings};

use super::state::{StateError, StateStore, StateWriter, put_meta};

/// The name under which they are kept.
pub const KEY: &str = "own_settings";

/// A page of the revisions, each with its two documents, which are small.
const PAGE: &str = "select revision, at, by, section, reason, changed, before, after from own_revision
                    where revision < ? order by revision desc limit ?";

impl StateWriter {
    /// Writes this server's own settings and the revision that made them, in one transaction.
    ///
    /// # Errors
    /// [`StateError`]; then neither was written.
    pub async fn change_own(&mut self, settings: &OwnSettings, revision: &OwnRevision) -> Result<(), StateError> {
        let json = |value: &serde_json::Value| value.to_string();
        let changed = serde_json::to_string(&revision.changed).map_err(|_| StateError::Corrupt("a value"))?;
        let mut transaction = self.connection().begin().await?;
        put_meta(&mut transaction, KEY, settings).await?;
        sqlx::query(
            "insert into own_revision (revision, at, by, section, reason, changed, before, after)
             values (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::try_from(revision.revision).unwrap_or(i64::MAX))
        .bind(revision.at)
        .bind(&revision.by)
        .bind(&revision.section)
        .bind(&revision.reason)
        .bind(changed)
        .bind(json(&revision.before))
        .bind(json(&revision.after))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl StateStore {
    /// The revisions of this server's own settings, the newest first: at most so many, and only those before a number
    /// where one is given.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn own_revisions(&self, limit: u32, before: Option<u64>) -> Result<Vec<OwnRevision>, StateError> {
        let rows = sqlx::query(PAGE)
            .bind(before.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(revision_of).collect()
    }

    /// One revision of this server's own settings.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn own_revision(&self, revision: u64) -> Result<Option<OwnRevision>, StateError> {
        let Ok(number) = i64::try_from(revision) else { return Ok(None) };
        let row = sqlx::query(
            "select revision, at, by, section, reason, changed, before, after from own_revision where revision = ?",
        )
        .bind(number)
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(revision_of).transpose()
    }
}

fn revision_of(row: &SqliteRow) -> Result<OwnRevision, StateError> {
    let bad = |_| StateError::Corrupt("a revision of this server's own settings");
    let json = |text: &str| serde_json::from_str(text).map_err(bad);
    Ok(OwnRevision {
        revision: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(),
        at: row.try_get(1)?,
        by: row.try_get(2)?,
        section: row.try_get(3)?,
        reason: row.try_get(4)?,
        changed: serde_json::from_str(row.try_get(5)?).map_err(bad)?,
        before: json(row.try_get(6)?)?,
        after: json(row.try_get(7)?)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::state;

    fn revision(number: u64) -> OwnRevision {
        OwnRevision {
            revision: number,
            at: 7,
            by: "alice".into(),
            section: "email".into(),
            reason: None,
            changed: vec!["server".into()],
            before: json!({ "n": number - 1 }),
            after: json!({ "n": number }),
        }
    }

    #[tokio::test]
    async fn a_revision_is_written_with_what_it_made_and_never_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut writer) = state::open(dir.path()).await.unwrap();
        for number in 1..=5 {
            let own = OwnSettings { revision: number, ..OwnSettings::default() };
            writer.change_own(&own, &revision(number)).await.unwrap();
        }
        let numbers = async |limit, before| {
            let found = store.own_revisions(limit, before).await.unwrap();
            found.iter().map(|revision| revision.revision).collect::<Vec<_>>()
        };
        assert_eq!((numbers(3, None).await, numbers(3, Some(3)).await), (vec![5, 4, 3], vec![2, 1]));
        assert_eq!(store.own_revision(4).await.unwrap(), Some(revision(4)));
        assert_eq!(store.own_revision(6).await.unwrap(), None);

        let plan = sqlx::AssertSqlSafe(format!("explain query plan {PAGE}"));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(store.pool()).await.unwrap();
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(
            steps[0].3, "SEARCH own_revision USING INTEGER PRIMARY KEY (rowid<?)",
            "no more than the page is read"
        );

        // The number is taken: neither the settings nor the revision is written.
        let again = OwnSettings { revision: 99, ..OwnSettings::default() };
        assert!(writer.change_own(&again, &revision(5)).await.is_err());
        let kept: OwnSettings = store.get(KEY).await.unwrap().unwrap();
        assert_eq!(kept.revision, 5);
        for statement in ["update own_revision set by = 'mallory'", "delete from own_revision"] {
            assert!(sqlx::query(statement).execute(writer.connection()).await.is_err(), "{statement}");
        }
    }
}
