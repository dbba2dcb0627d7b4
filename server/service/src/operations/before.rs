//! What somebody read who was overtaken since: by the `ETag` that it had.

use serde_json::Value;
use userlock_core::{
    id::DecisionId as RuleId,
    settings::{ProtectedAccount, ZoneDocument},
};

use super::{protected, sections::value_of};
use crate::http::{problem::Answer, state::App};

/// So many changes of the rules are looked through for one that was read: who reads is overtaken by few.
const LATELY: u32 = 10;

impl App {
    /// The settings of the zone by their `ETag`, where they are still known.
    pub(super) async fn document_of(&self, etag: &str) -> Option<ZoneDocument> {
        // `"EPOCH.N-HASH"`, as it was told.
        let n = etag.trim_matches('"').split('-').next()?.split('.').nth(1)?.parse().ok()?;
        let read = self.zone.store().revision(n).await.ok().flatten();
        read.filter(|read| read.revision.etag() == etag)
    }

    /// A section of Properties as it was by an `ETag`, where that is still known. No secret is in it.
    ///
    /// # Errors
    /// 404 for a name that is none.
    pub async fn section_before(&self, slug: &str, etag: &str) -> Answer<Option<Value>> {
        if !matches!(slug, "synchronization" | "email" | "database") {
            let Some(document) = self.document_of(etag).await else { return Ok(None) };
            return value_of(slug, &document.settings).map(Some);
        }
        let n = etag.strip_prefix("\"own-").and_then(|rest| rest.strip_suffix('"')?.parse::<u64>().ok());
        let Some(n) = n else { return Ok(None) };
        let of = |document: Value| document.get(slug).cloned();
        // Of the first one, with which the server was set up, the change after it tells.
        Ok(match self.own_revision(n).await {
            Ok(change) => of(change.after),
            Err(_) => self.own_revision(n.saturating_add(1)).await.ok().and_then(|change| of(change.before)),
        })
    }

    /// A rule as it was by its `ETag`, where that is not long ago.
    pub async fn rule_before(&self, id: RuleId, etag: &str) -> Option<ProtectedAccount> {
        let store = self.zone.store();
        let changes = store.revisions(Some(protected::SECTION), None, LATELY).await.unwrap_or_default();
        for (_, change) in changes {
            let document = store.revision(change.n).await.ok().flatten();
            let rules = document.map(|document| document.settings.protected_accounts.clone()).unwrap_or_default();
            if let Some(rule) = rules.into_iter().find(|rule| rule.id == id && rule.etag() == etag) {
                return Some(rule);
            }
        }
        None
    }
}
