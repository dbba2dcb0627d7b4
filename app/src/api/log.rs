//! The application log.

use leptos::{server, server_fn::codec::GetUrl};
use userlock_core::api::{LogEvent, LogQuery, Page};

use super::{Refused, text::Json};

/// One page of the application log, the newest first.
#[server(name = GetApplicationLog, prefix = "/fn", endpoint = "application-log", input = GetUrl, output = Json)]
pub async fn application_log(#[server(default)] query: LogQuery) -> Result<Page<LogEvent>, Refused> {
    super::answer::read(super::Right::Read(super::Area::Log), |ports| async move { ports.application_log(query).await })
        .await
}
