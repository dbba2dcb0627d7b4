//! Audited session events, out of the log.

use userlock_core::{
    api::{EventView, Page},
    event::{Event, SessionKey, kind_name},
    record::Entry,
    settings::Rights,
};

use super::{SOMEBODY, may_read};
use crate::http::{
    body::{number_cursor, page_limit},
    problem::{self, Answer},
    state::App,
};

/// Segments of the log that are read at a time, at most.
const SEGMENTS: u32 = 32;

impl App {
    /// One page of events, the newest first. The cursor is the position before which the page begins.
    ///
    /// # Errors
    /// 422, naming the parameter; 503.
    pub async fn events(&self, rights: Rights, limit: Option<u32>, cursor: Option<&str>) -> Answer<Page<EventView>> {
        let limit = page_limit(limit)? as usize;
        let cursor = number_cursor(cursor.filter(|cursor| !cursor.is_empty()))?;
        let end = cursor.unwrap_or(u64::MAX).min(self.zone.read(|server| server.position).saturating_add(1));
        let mut before = end;
        let mut found: Vec<(u64, Entry)> = Vec::with_capacity(limit + 1);
        let unreadable = |error| {
            tracing::error!(%error, "the log cannot be read");
            problem::unavailable("storage", "The log cannot be read now.")
        };
        while found.len() <= limit {
            let lacking = (limit + 1 - found.len()) as u64;
            let segments = self.zone.store().segments_before(before, lacking, SEGMENTS).await.map_err(unreadable)?;
            let Some(oldest) = segments.last() else { break };
            let next_before = oldest.first_position;
            for raw in segments {
                let segment = raw.read().map_err(unreadable)?;
                let entries = segment.runs.into_iter().flat_map(|run| run.entries);
                let mut entries: Vec<(u64, Entry)> = (segment.first_position..).zip(entries).collect();
                entries.reverse();
                let wanted = entries.into_iter().filter(|(position, _)| *position < end);
                let room = (limit + 1).saturating_sub(found.len());
                found.extend(wanted.take(room));
            }
            before = next_before;
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(position, _)| position.to_string());
        let items = found.into_iter().map(|(position, entry)| self.event_view(rights, position, &entry)).collect();
        // To count them would cost as much as there are.
        Ok(Page { total: None, items, next })
    }

    fn event_view(&self, rights: Rights, position: u64, entry: &Entry) -> EventView {
        let record = &entry.record;
        let mut event = if entry.rejected.is_some() { None } else { Event::read(record).ok() };
        let masked = match &mut event {
            Some(Event::SettingsChanged(e)) if !may_read(rights, &e.section) => {
                e.by = SOMEBODY.to_owned();
                true
            }
            _ => false,
        };
        let (user, summary) = match &event {
            Some(event) => self.summary(&record.machine, event),
            None => (None, "A record that could not be accepted".to_owned()),
        };
        let mut payload: Option<serde_json::Value> = serde_json::from_slice(&record.payload).ok();
        if let Some(fields) = payload.as_mut().and_then(serde_json::Value::as_object_mut) {
            fields.remove("token_hash");
            if masked {
                fields.remove("reason");
                fields.insert("by".to_owned(), SOMEBODY.into());
            }
        }
        EventView {
            position,
            id: record.id(),
            kind: kind_name(record.kind).to_owned(),
            kind_number: record.kind,
            machine: record.machine.to_string(),
            at: record.at,
            user,
            summary,
            rejected: entry.rejected,
            payload,
        }
    }

    /// Who and what, in words.
    fn summary(&self, machine: &std::sync::Arc<str>, event: &Event) -> (Option<String>, String) {
        let session_user = |boot, logon: &userlock_core::event::LogonId| {
            let key = SessionKey { machine: machine.clone(), boot, logon: logon.clone() };
            self.zone.read(|server| {
                let (session, _) = server.state.get(&key)?;
                session.who.as_ref().map(|(_, who, _)| who.user.clone())
            })
        };
        let named = |user: Option<String>, text: String| (user, text);
        match event {
            Event::Boot(_) => named(None, "The machine has started".into()),
            Event::Inventory(e) => named(None, format!("{} sessions are alive on the machine", e.sessions.len())),
            Event::Logon(e) => {
                named(Some(e.who.user.clone()), format!("{} logged on, {}", e.who.user, e.who.session_type.as_str()))
            }
            Event::Logoff(e) => {
                let user = session_user(e.boot, &e.logon);
                let text = format!("{} logged off", user.as_deref().unwrap_or("A session's user"));
                named(user, text)
            }
            Event::State(e, state) => {
                let user = session_user(e.boot, &e.logon);
                let text = format!("The session of {} is {state:?}", user.as_deref().unwrap_or("an unknown user"))
                    .to_lowercase();
                named(user, text)
            }
            Event::Denied(e) => {
                named(Some(e.who.user.clone()), format!("The machine refused {}: {}", e.who.user, e.reason))
            }
            Event::OfflineDecision(e) => {
                let answer = if e.allow { "admitted" } else { "refused" };
                named(
                    Some(e.who.user.clone()),
                    format!("No server answered; the offline policy {answer} {}", e.who.user),
                )
            }
            Event::CommandResult(e) => named(None, format!("A command was answered: {:?}", e.outcome).to_lowercase()),
            Event::Decision(e) => {
                let answer = if e.allow { "may" } else { "may not" };
                named(Some(e.who.user.clone()), format!("{} {answer} log on: {}", e.who.user, e.reason))
            }
            Event::SessionReset(e) => named(None, format!("{} had a session forgotten: {}", e.by, e.reason)),
            Event::AgentEnrolled(_) => named(None, "The machine was enrolled".into()),
            Event::AgentRevoked(e) => named(None, format!("{} revoked the machine's token: {}", e.by, e.reason)),
            Event::AgentReleased(e) => named(None, format!("{} released the machine's name: {}", e.by, e.reason)),
            Event::Command(e) => named(None, format!("{} told the machine: {:?}", e.by, e.action).to_lowercase()),
            Event::SettingsChanged(e) => {
                named(None, format!("{} changed the settings: {}, revision {}", e.by, e.section, e.revision))
            }
            Event::RoleChanged(e) => named(None, format!("{} is {} now: {}", e.server, e.role, e.reason)),
            Event::Lost(e) => named(None, format!("Records {} to {} are lost", e.first, e.last)),
            Event::Other => named(None, "An event of a later version".into()),
        }
    }
}
