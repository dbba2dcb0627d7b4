//! Every event of the application log. An id, once given, never means anything else.

use userlock_core::api::Level;

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Stable.
    pub id: u32,
    /// How much it matters.
    pub level: Level,
    /// A name for programs and people: the constant's, in lower case.
    pub name: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// What to do; "Nothing." where nothing is.
    pub advice: &'static str,
}

macro_rules! catalogue {
    ($($id:literal $name:ident $level:ident $meaning:literal $advice:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Kind =
                Kind { id: $id, level: Level::$level, name: stringify!($name), meaning: $meaning, advice: $advice };
        )*
        /// All of them, by id.
        pub const ALL: &[Kind] = &[$($name),*];
    };
}

catalogue! {
    1000 STARTED Information
        "The server has started."
        "Nothing."
    1001 STOPPED Information
        "The server was told to stop and has stopped."
        "Nothing."
    1002 SETTINGS_CHANGED Information
        "Somebody changed settings of the zone on this Primary."
        "Nothing. The details say who, which section and why."
    1003 OWN_SETTINGS_CHANGED Information
        "Somebody changed settings that belong to this server alone."
        "Nothing. The details say who, which section and why."
    1004 PHASE_CHANGED Information
        "The server is in another phase."
        "Nothing, unless it stays in one that is not meant to last. The details say why it is there and what it waits for."
    1005 TOKEN_CREATED Information
        "Somebody made an API token."
        "Nothing. If nobody of yours did, remove the token and change the administrator's password."
    1006 ZONE_KEY_CHANGED Information
        "Somebody made a new zone key. Enrolment strings from before no longer work; agents that are enrolled stay so."
        "Use the new enrolment string for new machines."
    1007 SET_UP Information
        "The server was set up."
        "Nothing."
    1008 START_FAILED Error
        "The server could not start."
        "The message says why, and what to do."
    1010 CERTIFICATE_PREPARED Information
        "This server has a next certificate, which is announced to the other server and to agents. The one in use stays."
        "Use it when everybody knows it, under Properties > Certificate. One from the files that the configuration names is used by itself then."
    1011 CERTIFICATE_REPLACED Warning
        "This server's certificate was replaced by the one that was announced."
        "Nothing. If nobody of yours did, find out who; browsers ask again for a self-signed one."
    1012 CERTIFICATE_DISCARDED Information
        "The next certificate was given up: by somebody, or because the files that the configuration names have another one now. The one in use stays."
        "Nothing."
    1013 CERTIFICATE_ENDS Warning
        "This server's certificate ends within 30 days, or has ended. Browsers refuse it then; agents and the other server do not look at dates."
        "Put another one into the files that the configuration names, or make one under Properties > Certificate."
    1014 CERTIFICATE_UNUSABLE Error
        "The next certificate cannot be used, or the files that the configuration names cannot be read. The one in use stays."
        "The message says why. Mend the files; they are looked at again within half a minute."
    1015 CERTIFICATE_FILES_GOOD Information
        "The certificate's files that the configuration names can be used again."
        "Nothing."
    1020 NOT_SET_UP Information
        "The server is not set up: it serves the Configuration wizard and nothing else."
        "Open the address in a browser and enter the one-time code, or use `userlock setup`."
    1021 ZONE_LEFT Warning
        "An administrator took this server out of its zone. Its data was set aside in the data directory; nothing was deleted."
        "Set it up anew with the Configuration wizard. Remove the folder when nothing of it is wanted any more."

    1100 PEER_UP Information
        "The other server answers."
        "Nothing."
    1102 PEER_SILENT Warning
        "The Backup has not been heard of for 60 s: there is no spare."
        "Look after the Backup before it is needed."
    1103 PEER_JOINED Information
        "A Backup has joined this Primary."
        "Nothing."
    1104 PEER_CLOCK_SKEW Warning
        "The two servers' clocks differ by more than 2 s. Nothing is decided by that, but times shown are hard to compare."
        "Set both clocks by NTP."
    1105 TAKEOVER_STARTED Warning
        "The Primary is lost and this Backup has taken over."
        "Bring the Primary back. Agents and events return to it by themselves."
    1106 TAKEOVER_ENDED Information
        "The Primary serves again and this Backup stands by."
        "Nothing."
    1107 PEER_RESTORED Warning
        "The other server continues from an older state of its disk: it was restored, or its disk was replaced."
        "Nothing: what it lacks is sent to it. Check that it was restored on purpose."
    1108 PEER_CLONED Error
        "Two servers speak under one server id. The later one is refused."
        "Stop the copy and set it up anew."
    1109 SERVED_DEGRADED Warning
        "This Primary serves without having met its Backup: decisions made meanwhile may not know all sessions."
        "Look after the Backup."
    1110 PEER_CANNOT_COMMIT Error
        "The other server answers and cannot write to its disk."
        "Make room on its disk, or repair it."
    1111 PEER_CERTIFICATE Warning
        "The Primary has replaced its certificate, as it had announced, and this Backup goes by the new one."
        "Nothing. If nobody of yours replaced it, find out who did."
    1112 PEER_REFUSED Error
        "The Backup asks and is refused: its service account is not an administrator of this Primary any more."
        "Give the service account the role administrator under Properties > Security: the Backup goes on by itself then."
    1120 PEER_REMOVED Warning
        "An administrator removed the Backup from the zone: its token is void, and nothing waits for it any more."
        "Set up another Backup. Stop the removed one, or take it out of its zone."
    1121 PEER_LEFT Warning
        "The Backup says that it leaves the zone."
        "Remove the Backup on the Primary, or set up another one in its place."

    1200 SYNC_SUCCEEDED Information
        "A synchronization that somebody started, or the first after a failure, has succeeded."
        "Nothing. The details say what it did."
    1201 SYNC_NAME Error
        "Synchronization failed: the Primary's name does not resolve."
        "Check the address under Properties > Synchronization, and the name service of this machine."
    1202 SYNC_REFUSED Error
        "Synchronization failed: nothing listens at the Primary's address, or the way there is blocked."
        "Start the Primary; check its address and port and the firewalls between the servers."
    1203 SYNC_TIMEOUT Error
        "Synchronization failed: the Primary did not answer in time."
        "Check that the Primary is not hung or overloaded, and the network between the servers."
    1204 SYNC_TLS Error
        "Synchronization failed: the certificate is not the one that was confirmed when this Backup joined, or TLS failed."
        "If the Primary's certificate was replaced while this Backup was away, compare the fingerprint and enter the new one under Properties > Synchronization; else find out who answers."
    1205 SYNC_AUTHENTICATION Error
        "Synchronization failed: the Primary refused this Backup's token."
        "Set up this Backup again; it was forgotten by the Primary, or another one has joined."
    1206 SYNC_NOT_ADMINISTRATOR Error
        "Synchronization failed: the service account is not an administrator of the Primary."
        "Give the service account the role administrator on the Primary, or join with another account."
    1207 SYNC_NOT_PRIMARY Error
        "Synchronization failed: the server at that address is not a Primary."
        "Check the address under Properties > Synchronization."
    1208 SYNC_OTHER_ZONE Error
        "Synchronization failed: the server at that address belongs to another protected zone."
        "Check the address under Properties > Synchronization."
    1209 SYNC_VERSION Error
        "Synchronization failed: the two servers' versions cannot speak to each other."
        "Upgrade the older server; one version apart is supported."
    1210 SYNC_LOCAL_COMMIT Error
        "Synchronization failed: what was received could not be written to this server's disk. Nothing of that batch was kept; it is fetched again."
        "Make room on the disk of the data directory, or repair it."
    1211 SYNC_SNAPSHOT_CORRUPT Error
        "Sessions synchronization failed: what arrived is not what the Primary had sent. The list stays as it was."
        "Try again. If it lasts, look for a proxy or a defect between the servers."
    1212 SYNC_DIGEST_ALARM Error
        "Both servers hold the same records and yet their lists of sessions differ. That must not be."
        "Run a Sessions synchronization with preview to see the difference, and report it to the makers with both versions."
    1213 SYNC_HTTP Error
        "Synchronization failed: the Primary answered with an error."
        "Look into the application log of the Primary at the same time."
    1214 SYNC_PROTOCOL Error
        "Synchronization failed: the Primary's answer is not understood."
        "Check that nothing stands between the servers that changes what they say, and that their versions fit."
    1215 SYNC_LOST_CONNECTION Error
        "Synchronization failed: the connection to the Primary broke. What had been received stays."
        "Nothing, unless it repeats: then look at the network between the servers."
    1216 SYNC_CANCELLED Information
        "Somebody cancelled a synchronization. What it had done by then stays."
        "Nothing."
    1217 SYNC_FULL_NEEDED Warning
        "Records that are needed were removed from the other server's log: a Sessions synchronization starts by itself."
        "Nothing."
    1218 SYNC_FORK Error
        "The two servers hold different records under one name. Both are kept."
        "Find the machine or server that was cloned or restored; the details name it."

    1300 AGENT_ENROLLED Information
        "A machine was enrolled."
        "Nothing."
    1301 AGENT_REVOKED Information
        "An agent's token was revoked, for good."
        "Nothing. To use the machine again, release its name and enrol it."
    1302 AGENT_RELEASED Information
        "The name of a machine was released and may be enrolled again."
        "Nothing."
    1303 AGENT_ENROLMENT_REFUSED Warning
        "A machine asked to be enrolled and was refused."
        "Check the enrolment string; if the machine was enrolled before, release its name. Many of these from one address may be an attack."
    1304 RECORD_REJECTED Warning
        "A record of an agent could not be accepted. It is kept as rejected, and the agent goes on."
        "Look at the details; upgrade the agent if it is old. If the machine's name is wrong, look who uses its token."
    1305 RECORD_HOLE Warning
        "An agent's numbering skips records that no server has."
        "Nothing, if they arrive later. Else the machine lost them: look at its disk."
    1306 AGENT_CLOCK_SKEW Warning
        "A machine's clock differs from this server's by more than 60 s. Its events are taken as it wrote them."
        "Set the machine's clock by NTP."
    1307 MACHINE_CLONED Error
        "Two machines speak under one name and token."
        "Revoke the token, release the name and enrol each machine under a name of its own."
    1308 RECORDS_LOST Error
        "An agent reports that it had to drop records before both servers had them."
        "Look why the servers could not be reached for so long; give the agent's spool more room."
    1309 AGENT_REWOUND Warning
        "An agent came back with an older state of its disk and starts a new numbering. Nothing is lost."
        "Check that the machine was restored on purpose."
    1310 AGENT_OFFLINE_DECISION Warning
        "A machine reached no server and decided by its offline policy."
        "Look why neither server could be reached."

    1400 SIGNED_IN Information
        "Somebody signed in."
        "Nothing."
    1401 SIGN_IN_FAILED Warning
        "A sign-in failed: wrong account or password, or the account is disabled."
        "Nothing, unless it repeats."
    1402 SIGN_IN_LIMITED Warning
        "Too many passwords were wrong, at sign-in or at a change of one's own, for one account or from one address: no more are tried for a while."
        "Find out who tries. The details name the account and the address."
    1403 ORIGIN_REFUSED Warning
        "A request in the name of somebody who is signed in came from a page of another server, and was refused."
        "Find out which page that was; the details name it."
    1404 SIGNED_OUT Information
        "Somebody signed out."
        "Nothing."
    1405 TOKEN_REFUSED Warning
        "A token that is not valid was used."
        "Find out who uses it; the details name the address."
    1406 JOIN_REFUSED Warning
        "A server asked to join as Backup and was refused."
        "The details say why. If nobody of yours tried, find out who did."
    1407 PASSWORD_CHANGE_REFUSED Warning
        "Somebody who is signed in gave a wrong present password to change it: nothing was changed."
        "Nothing, unless it repeats: then end that sign-in under Properties > Security, and ask whose account it is. The details name the account and the address."

    1500 STORAGE_FAILED Error
        "A commit to this server's disk failed. What was to be written was not acknowledged to anybody; the server is not ready until a commit succeeds."
        "Make room on the disk of the data directory, or repair it."
    1501 STORAGE_RECOVERED Information
        "Commits to this server's disk succeed again."
        "Nothing."
    1502 STORAGE_CORRUPT Error
        "The database of this server cannot be read."
        "Restore it from a backup, or set up this server again and let it synchronize from the other."
    1503 LOG_DROPPED Warning
        "Events of the application log came faster than they could be written, and some were dropped."
        "Look at the events before this one for what happens so often."
    1504 DATABASE_OPENED Information
        "The Database is in use: it was opened for the first time, or again after it could not be."
        "Nothing."
    1505 DATABASE_FAILED Error
        "The Database that is set cannot be used. Everything else goes on; it is tried again every 30 s."
        "The message says why. Test it under Properties > Database."
    1506 DATABASE_OF_OTHER_SERVER Error
        "The Database that is set belongs to another server, by the mark in it: it stays off, and nothing was written to it. Everything else goes on."
        "Name another database under Properties > Database; the same database server will do. The details name the server that uses this one."
    1507 DATABASE_MARK_LEFT Warning
        "The server that was here before could not take its mark out of its Database when it left its zone: the database may still be refused to any other server."
        "The details say which database and why. To use it again, take the mark away as its owner, with no server using it: delete from userlock.mark in PostgreSQL, delete from userlock_mark in SQLite."
}

/// The kind with this id.
#[must_use]
pub fn find(id: u32) -> Option<&'static Kind> {
    ALL.binary_search_by_key(&id, |kind| kind.id).ok().and_then(|index| ALL.get(index))
}

/// The page of `docs/OPERATIONS.md` on these events, as it must read.
#[must_use]
pub fn as_markdown() -> String {
    let mut page = "| id | name | level | what has happened | what to do |\n|---|---|---|---|---|\n".to_owned();
    for kind in ALL {
        let level = match kind.level {
            Level::Information => "information",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let name = kind.name.to_lowercase();
        page.push_str(&format!("| {} | `{name}` | {level} | {} | {} |\n", kind.id, kind.meaning, kind.advice));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(find(1204), Some(&SYNC_TLS));
        assert_eq!(find(1), None);
    }

    #[test]
    fn the_documentation_has_every_event_as_it_is() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
        let page = std::fs::read_to_string(path).unwrap();
        let begin = page.find("| id | name | level |").expect("the table of events");
        let end = page[begin..].find("\n\n").map_or(page.len(), |at| begin + at + 1);
        assert_eq!(
            &page[begin..end],
            as_markdown(),
            "docs/OPERATIONS.md must have the table that `userlock events` prints"
        );
    }
}
