//! The section `database`.

use userlock_core::{
    api::{DatabaseReport, DatabaseSection, DatabaseStatus, DatabaseTest, Section},
    settings::{Database, FieldError},
};

use crate::{
    archive::{self, Mark},
    http::{
        problem::{self, Answer},
        state::App,
    },
    log::{catalogue, details},
};

impl App {
    /// The section `database` of this server, without its password.
    #[must_use]
    pub fn database_section(&self) -> Section<DatabaseSection> {
        let own = self.zone.own();
        let database = own.database_of(self.role());
        Section { value: DatabaseSection::from(&database), etag: own.etag(), read_only: None }
    }

    /// Whether the database is in use, and how much is archived.
    pub async fn database_status(&self) -> DatabaseStatus {
        self.archive.status(archive::COUNT_LIMIT).await
    }

    /// Changes the section `database`. Another database is opened and marked first: one that cannot be reached, or is
    /// another server's, is refused and the one in use stays.
    ///
    /// # Errors
    /// 412, 422.
    pub async fn change_database(
        &self,
        by: &str,
        etag: &str,
        change: DatabaseSection,
        reason: Option<String>,
    ) -> Answer<Section<DatabaseSection>> {
        let (app, by, etag) = (self.clone(), by.to_owned(), etag.to_owned());
        // Whoever asked may go away meanwhile: the database is marked and set all the same, or neither.
        let change = async move { app.change_database_now(&by, &etag, change, reason).await };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(problem::internal()))
    }

    async fn change_database_now(
        &self,
        by: &str,
        etag: &str,
        change: DatabaseSection,
        reason: Option<String>,
    ) -> Answer<Section<DatabaseSection>> {
        let role = self.role();
        let _turn = self.zone.own_turn().lock().await;
        let draft = self.draft_own(etag, reason.as_deref(), |own| {
            let present = own.database_of(role);
            let wanted = change.applied_to(&present)?;
            wanted.check()?;
            if wanted != present {
                own.database = Some(wanted);
            }
            Ok(())
        })?;
        let wanted = draft.after.database_of(role);
        if draft.before.database_of(role).connects_like(&wanted) {
            self.keep_own(by, "database", reason, draft).await?;
            return Ok(self.database_section());
        }
        let _archive = self.archive.turn().await;
        let me = Mark::of(&self.zone);
        let opened = self.archive.open(&wanted, &me).await.map_err(|error| error.refusal(wanted.kind))?;
        if let Err(refusal) = self.keep_own(by, "database", reason, draft).await {
            if let Some(opened) = opened {
                opened.give_up(&me).await;
            }
            return Err(refusal);
        }
        if let Some(opened) = opened.as_ref().filter(|opened| opened.new) {
            let place = opened.place();
            let message = format!("The Database is in use. {place}");
            self.journal.record(catalogue::DATABASE_OPENED, message, details([("place", &place)]));
        }
        self.archive.install(opened).await;
        Ok(self.database_section())
    }

    /// Checks the database that is set, or the one that is given, without changing anything in it. It takes no longer
    /// than 25 s.
    ///
    /// # Errors
    /// 422 with the field; then nothing was tried.
    pub async fn test_database(&self, test: DatabaseTest) -> Answer<DatabaseReport> {
        let kept = self.zone.own().database_of(self.role());
        let database: Database = match test.settings {
            Some(settings) => {
                let within = |error: FieldError| FieldError::new(format!("settings.{}", error.field), error.message);
                let database = settings.applied_to(&kept).map_err(within)?;
                database.check().map_err(within)?;
                database
            }
            None => kept,
        };
        Ok(archive::test(self.archive.dir(), &database, &Mark::of(&self.zone)).await)
    }
}
