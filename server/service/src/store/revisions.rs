//! The revisions of the zone's settings: the documents, and beside them what the list of revisions shows of each.

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use userlock_core::{api::RevisionView, settings::ZoneDocument};

use super::state::{StateError, StateStore, number, unsigned};

/// A page of all revisions. It reads `zone_revision` alone: the documents are large.
const PAGE: &str = "select number, n, epoch, at, by, section, reason from zone_revision
                    where number < ?1 order by number desc limit ?2";
/// The same of one section, by the index of it.
const PAGE_OF_SECTION: &str = "select number, n, epoch, at, by, section, reason from zone_revision
                               where number < ?1 and section = ?3 order by number desc limit ?2";
/// The document with a number of its epoch; of two epochs the later one.
const DOCUMENT: &str = "select document from zone_settings where n = ? order by number desc limit 1";

/// Adds a revision, in the transaction that begins with it.
pub(super) async fn add(connection: &mut SqliteConnection, document: &ZoneDocument) -> Result<(), StateError> {
    let (epoch, n) = (number(document.revision.epoch.number), number(document.revision.n));
    let added = sqlx::query("insert into zone_settings (epoch, n, hash, document) values (?, ?, ?, ?)")
        .bind(epoch)
        .bind(n)
        .bind(document.revision.hash.0.as_slice())
        .bind(serde_json::to_string(document).map_err(|_| StateError::Corrupt("the settings"))?)
        .execute(&mut *connection)
        .await?;
    sqlx::query("insert into zone_revision (number, epoch, n, at, by, section, reason) values (?, ?, ?, ?, ?, ?, ?)")
        .bind(added.last_insert_rowid())
        .bind(epoch)
        .bind(n)
        .bind(document.at)
        .bind(&document.by)
        .bind(&document.section)
        .bind(&document.reason)
        .execute(connection)
        .await?;
    Ok(())
}

impl StateStore {
    /// Revisions of the zone's settings that this server has worked by, the newest first, with the number by which the
    /// next page goes on; of one section, if it is named. What it costs is that of the page.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn revisions(
        &self,
        section: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, RevisionView)>, StateError> {
        let mut query = sqlx::query(if section.is_some() { PAGE_OF_SECTION } else { PAGE });
        query = query.bind(number(before.unwrap_or(u64::MAX))).bind(limit);
        if let Some(section) = section {
            query = query.bind(section);
        }
        query.fetch_all(self.pool()).await?.iter().map(view).collect()
    }

    /// The revision with this number; of two epochs the later one.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn revision(&self, n: u64) -> Result<Option<ZoneDocument>, StateError> {
        let text: Option<String> = sqlx::query_scalar(DOCUMENT).bind(number(n)).fetch_optional(self.pool()).await?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| StateError::Corrupt("the settings"))).transpose()
    }
}

fn view(row: &SqliteRow) -> Result<(u64, RevisionView), StateError> {
    let view = RevisionView {
        n: unsigned(row.try_get("n")?),
        epoch: unsigned(row.try_get("epoch")?),
        at: row.try_get("at")?,
        by: row.try_get("by")?,
        section: row.try_get("section")?,
        reason: row.try_get("reason")?,
    };
    Ok((unsigned(row.try_get("number")?), view))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, sqlite::SqliteConnectOptions};
    use userlock_core::{
        id::{Epoch, EpochName},
        settings::{Change, ZoneSettings},
    };

    use super::*;
    use crate::store::state::{self, Commit};

    /// So many revisions, of two sections by turns.
    fn documents(count: usize) -> Vec<ZoneDocument> {
        let epoch = Epoch { number: 1, name: EpochName([1; 16]) };
        let mut made: Vec<ZoneDocument> = Vec::new();
        for n in 0..count {
            let section = if n % 2 == 0 { "general" } else { "messages" };
            let (at, reason) = (i64::try_from(n).unwrap(), (n > 0).then_some("why"));
            let change = Change { epoch, at, by: "alice", section, reason };
            let mut settings = ZoneSettings::default();
            settings.general.zone_name = format!("zone {n}");
            let next = ZoneDocument::next(made.last(), settings, change).unwrap();
            made.push(next);
        }
        made
    }

    #[tokio::test]
    async fn a_page_of_revisions_is_found_by_keys_and_reads_no_document() {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut writer) = state::open(dir.path()).await.unwrap();
        for document in &documents(9) {
            writer.commit(Commit { settings: Some(document), ..Commit::default() }).await.unwrap();
        }
        let page = async |section, before, limit| {
            let found = store.revisions(section, before, limit).await.unwrap();
            found.into_iter().map(|(number, view)| (number, view.n)).collect::<Vec<_>>()
        };
        assert_eq!(page(None, None, 2).await, [(9, 9), (8, 8)]);
        assert_eq!(page(None, Some(8), 2).await, [(7, 7), (6, 6)]);
        assert_eq!(page(Some("messages"), Some(8), 2).await, [(6, 6), (4, 4)]);
        assert_eq!(page(Some("agents"), None, 2).await, []);
        let (_, latest) = store.revisions(None, None, 1).await.unwrap().remove(0);
        let told = (latest.at, latest.by.as_str(), latest.section.as_str(), latest.reason.as_deref());
        assert_eq!(told, (8, "alice", "general", Some("why")));
        assert_eq!(store.revision(4).await.unwrap().unwrap().settings.general.zone_name, "zone 3");

        let plan = async |query: &'static str| {
            let query = sqlx::AssertSqlSafe(format!("explain query plan {query}"));
            let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(query).fetch_all(store.pool()).await.unwrap();
            steps.into_iter().map(|step| step.3).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(plan(PAGE).await, "SEARCH zone_revision USING INTEGER PRIMARY KEY (rowid<?)");
        let by_section = "SEARCH zone_revision USING INDEX zone_revision_section (section=? AND number<?)";
        assert_eq!(plan(PAGE_OF_SECTION).await, by_section);
        assert_eq!(plan(DOCUMENT).await, "SEARCH zone_settings USING INDEX zone_settings_n (n=?)");

        // Even where no document can be read, the list can.
        let spoil = "update zone_settings set document = 'no document'";
        sqlx::query(spoil).execute(writer.connection()).await.unwrap();
        assert_eq!(page(Some("general"), None, 1).await, [(9, 9)]);
    }

    #[tokio::test]
    async fn what_was_kept_before_there_was_a_list_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(dir.path().join(state::FILE)).create_if_missing(true);
        let mut before = SqliteConnection::connect_with(&options).await.unwrap();
        let migrations: Vec<_> = state::MIGRATIONS.iter().filter(|m| m.version < 3).cloned().collect();
        sqlx::migrate::Migrator::with_migrations(migrations).run(&mut before).await.unwrap();
        // Of those that are damaged none holds the start up.
        let lacks = |field: &str| {
            let mut document = serde_json::to_value(&documents(1)[0]).unwrap();
            document.as_object_mut().unwrap().remove(field);
            document.to_string()
        };
        let damaged = ["no document", "{}", "null", "5", "[]", r#"{"at":9e99,"by":"x","section":"y"}"#]
            .map(str::to_owned)
            .into_iter()
            .chain(["at", "by", "section"].map(lacks))
            .chain([r#"{"at":99999999999999999999,"by":"x","section":"y"}"#.to_owned()]);
        let readable = documents(3).into_iter().map(|document| (document.revision.n, serde_json::to_string(&document)));
        let readable = readable.map(|(n, document)| (n, document.unwrap()));
        for (n, document) in readable.chain((4..).zip(damaged)) {
            sqlx::query("insert into zone_settings (epoch, n, hash, document) values (1, ?, x'00', ?)")
                .bind(number(n))
                .bind(document)
                .execute(&mut before)
                .await
                .unwrap();
        }
        before.close().await.unwrap();
        let (store, _writer) = state::open(dir.path()).await.unwrap();
        let found = store.revisions(None, None, 9).await.unwrap();
        let reasons: Vec<_> = found.iter().map(|(_, view)| (view.n, view.at, view.reason.as_deref())).collect();
        assert_eq!(reasons, [(3, 2, Some("why")), (2, 1, Some("why")), (1, 0, None)]);
    }
}
