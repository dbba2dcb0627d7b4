//! Areas, what a role says of them, and the rights that follow.

use serde::{Deserialize, Serialize};

/// A part of the product that rights are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Area {
    /// The list of sessions and the session events. To write: log off, reset.
    Sessions = 0,
    /// The synchronizations and their runs. To write: start, cancel, test.
    Synchronization = 1,
    /// The rules.
    ProtectedAccounts = 2,
    /// All sections of Properties but Security, and what is done to a server itself.
    Settings = 3,
    /// The machines. To write: revoke, release, make a zone key.
    Agents = 4,
    /// Accounts, roles, tokens and sign-ins.
    Security = 5,
    /// The application log and the metrics.
    Log = 6,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Sessions,
        Self::Synchronization,
        Self::ProtectedAccounts,
        Self::Settings,
        Self::Agents,
        Self::Security,
        Self::Log,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Synchronization => "synchronization",
            Self::ProtectedAccounts => "protected_accounts",
            Self::Settings => "settings",
            Self::Agents => "agents",
            Self::Security => "security",
            Self::Log => "log",
        }
    }
}

/// What a role says of an area. An area that it does not name is not given by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Access {
    /// To see it.
    Read,
    /// To see and to change it.
    Write,
    /// Neither, whatever another role of the same account gives.
    Deny,
}

/// What a call needs: to read or to write in an area, or only to be signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To be somebody who is known.
    SignedIn,
    /// To see an area.
    Read(Area),
    /// To change something in an area.
    Write(Area),
    /// To do everything: what touches the zone as a whole.
    Administer,
}

/// The rights of somebody: for each area two bits, to read and to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(u32);

impl Rights {
    /// All rights in all areas.
    pub const ALL: Self = Self((1 << (2 * Area::ALL.len())) - 1);
    const READ: u32 = 1;
    const WRITE: u32 = 2;

    const fn bits(area: Area, bits: u32) -> u32 {
        bits << (2 * area as u32)
    }

    /// To see an area.
    pub(super) const fn reading(area: Area) -> Self {
        Self(Self::bits(area, Self::READ))
    }

    /// To see and to change an area.
    pub(super) const fn writing(area: Area) -> Self {
        Self(Self::bits(area, Self::READ | Self::WRITE))
    }

    /// These and others together.
    pub(super) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// To see all areas, and to change these.
    #[must_use]
    pub fn reading_all_and_writing(areas: &[Area]) -> Self {
        let reads = Area::ALL.iter().fold(0, |all, area| all | Self::bits(*area, Self::READ));
        Self(areas.iter().fold(reads, |all, area| all | Self::bits(*area, Self::WRITE)))
    }

    /// Whether they include a right.
    #[must_use]
    pub const fn include(self, right: Right) -> bool {
        match right {
            Right::SignedIn => true,
            Right::Administer => self.0 == Self::ALL.0,
            Right::Read(area) => self.0 & Self::bits(area, Self::READ) != 0,
            Right::Write(area) => self.0 & Self::bits(area, Self::WRITE) != 0,
        }
    }

    /// Whether they include all of these: nobody gives more than they have.
    #[must_use]
    pub const fn cover(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Without an area.
    #[must_use]
    pub const fn without(self, area: Area) -> Self {
        Self(self.0 & !Self::bits(area, Self::READ | Self::WRITE))
    }
}

/// The roles that are always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// See everything, change nothing.
    ReadOnly,
    /// Act on sessions, start synchronizations.
    Operator,
    /// Everything.
    Administrator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::Operator, Self::Administrator];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// What it gives.
    #[must_use]
    pub fn rights(self) -> Rights {
        match self {
            Self::ReadOnly => Rights::reading_all_and_writing(&[]),
            Self::Operator => Rights::reading_all_and_writing(&[Area::Sessions, Area::Synchronization]),
            Self::Administrator => Rights::ALL,
        }
    }

    /// The role of this name, if it is one of these.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What people call the role of this name: one of the zone's own is called by its name.
#[must_use]
pub fn role_title(name: &str) -> &str {
    Role::named(name).map_or(name, |role| role.title())
}

/// What people call some roles.
#[must_use]
pub fn role_titles(names: &[String]) -> String {
    names.iter().map(|name| role_title(name)).collect::<Vec<_>>().join(", ")
}
