//! A page of Properties, as the server lays it out: what can be changed in a form, tables, and what else can be done.
//!
//! The browser knows how a form looks, not which sections there are: a section costs it nothing.

use serde::{Deserialize, Serialize};
use userlock_core::api::{Problem, ReadOnly, TestReport};

/// A page of Properties.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// What it is called.
    pub title: String,
    /// Beside it: how many there are.
    pub count: String,
    /// What it is about.
    pub note: String,
    /// Why it cannot be changed here, where it cannot.
    pub read_only: Option<ReadOnly>,
    /// Its form.
    pub form: Option<Form>,
    /// Whether the form stands below the tables, which show what it is about.
    pub form_last: bool,
    /// What tests what stands in the form.
    pub test: Option<Test>,
    /// What came of the form before this page, without JavaScript.
    pub again: Again,
    /// Its tables.
    pub tables: Vec<Table>,
}

/// Fields that are changed together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The server function that takes it.
    pub action: String,
    /// Which section, or which part of one.
    pub slug: String,
    /// The revision that was read.
    pub etag: String,
    /// Whether who reads it may change it here; else it is text.
    pub editable: bool,
    /// What the button says.
    pub button: String,
    /// What it says meanwhile, where that is not "Saving…".
    pub busy: String,
    /// Whether it destroys something.
    pub danger: bool,
    /// Whether it is refused without a reason.
    pub reason_required: bool,
    /// Its fields, in groups.
    pub groups: Vec<Group>,
}

/// A test of what stands in the form, saved or not: a button of the form, which is sent elsewhere by it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The server function that makes it.
    pub action: String,
    /// What the button says.
    pub button: String,
    /// What it does.
    pub note: String,
    /// What it needs besides.
    pub fields: Vec<Field>,
}

/// What came of a form, on the page that follows it. What was typed is in the fields of the form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Again {
    /// The reason that was typed.
    pub reason: String,
    /// Why it was refused.
    pub problem: Option<Problem>,
    /// What the test found.
    pub report: Option<TestReport>,
}

/// Fields that belong together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What they are about.
    pub heading: String,
    /// More of that.
    pub note: String,
    /// The fields.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in the form.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// How to give it.
    pub help: String,
    /// What is to be known of it, also where it is only read.
    pub note: String,
    /// How it is given.
    pub kind: Kind,
    /// Its value, as the form has it.
    pub value: String,
    /// Its value, as it is read.
    pub text: String,
    /// The least number; of a line of text: whether something must stand there.
    pub min: u32,
    /// The greatest number, or the longest text.
    pub max: u32,
    /// Values to choose from, with their words.
    pub options: Vec<(String, String)>,
}

/// How a field is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A line of text.
    #[default]
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Check,
    /// One of some values.
    Choice,
    /// Lines of text.
    Lines,
    /// A secret: empty leaves it as it is.
    Secret,
    /// Not given here.
    Fact,
}

/// Something that is done to a row with a click, and asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The server function that does it.
    pub action: String,
    /// What the button says.
    pub button: String,
    /// Fields that go with it.
    pub hidden: Vec<(String, String)>,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What it lists.
    pub heading: String,
    /// Whether it is opened first by who wants to see it.
    pub folded: bool,
    /// More of that.
    pub note: String,
    /// A link that adds to it: the address, and what it says.
    pub add: Option<(String, String)>,
    /// The heads of its columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What stands there when there are none.
    pub empty: String,
    /// The next page: the address, and what it says.
    pub next: Option<(String, String)>,
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Where its first cell leads.
    pub href: Option<String>,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// What can be done with it on a page of its own: the address, and what it says.
    pub link: Option<(String, String)>,
    /// What can be done with it at once.
    pub action: Option<Action>,
}

/// A cell: a text, or a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// A time, in ms since 1970 UTC.
    pub at: Option<i64>,
}

/// What became of a form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The revision that there is now.
    pub etag: String,
    /// In words.
    pub text: String,
    /// The page to go to; empty to stay.
    pub to: String,
    /// A secret that is told once.
    pub secret: Option<String>,
    /// Of a test: what it found. Then nothing was saved.
    pub report: Option<TestReport>,
}
