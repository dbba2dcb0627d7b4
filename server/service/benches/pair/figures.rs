//! Figures with their spread, and the table of them.

use std::time::Duration;

/// The same thing measured several times.
#[derive(Debug, Clone, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Of these.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Of these durations, in milliseconds.
    pub fn ms(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(durations.into_iter().map(|d| d.as_secs_f64() * 1000.0).collect())
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value below which this share of them is (nearest rank).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a count of measurements"
    )]
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil().max(1.0) as usize - 1;
        self.0.get(rank).or(self.0.last()).copied().unwrap_or(f64::NAN)
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The greatest.
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At least so much.
    AtLeast(f64),
    /// Less than so much.
    Under(f64),
    /// Nothing: it is told for its own sake.
    None,
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    what: String,
    unit: &'static str,
    spread: Spread,
    target: Target,
}

impl Line {
    /// A line.
    pub fn new(what: impl Into<String>, unit: &'static str, spread: Spread, target: Target) -> Self {
        Self { what: what.into(), unit, spread, target }
    }

    /// A line of one figure.
    pub fn one(what: impl Into<String>, unit: &'static str, value: f64, target: Target) -> Self {
        Self::new(what, unit, Spread::of(vec![value]), target)
    }

    /// Whether its target was reached, by the median; `None`: it has none.
    pub fn reached(&self) -> Option<bool> {
        match self.target {
            Target::AtLeast(least) => Some(self.spread.median() >= least),
            Target::Under(limit) => Some(self.spread.median() < limit),
            Target::None => None,
        }
    }

    /// For people, while it runs.
    pub fn told(&self) -> String {
        let spread = match self.spread.count() {
            1 => number(self.spread.median()),
            n => format!(
                "{} (from {} to {}, {n} runs)",
                number(self.spread.median()),
                number(self.spread.min()),
                number(self.spread.max())
            ),
        };
        let verdict = match self.reached() {
            Some(true) => ": reached",
            Some(false) => ": MISSED",
            None => "",
        };
        format!("{}: {spread} {}{}{verdict}", self.what, self.unit, self.target_told(", target "))
    }

    fn target_told(&self, before: &str) -> String {
        match self.target {
            Target::AtLeast(least) => format!("{before}≥ {}", number(least)),
            Target::Under(limit) => format!("{before}< {}", number(limit)),
            Target::None => String::new(),
        }
    }

    fn row(&self) -> String {
        let verdict = match self.reached() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let Self { what, unit, spread, .. } = self;
        let (min, median, max) = (number(spread.min()), number(spread.median()), number(spread.max()));
        let (min, max) = if spread.count() == 1 { (String::new(), String::new()) } else { (min, max) };
        let (target, n) = (self.target_told(""), spread.count());
        format!("| {what} | {unit} | {min} | {median} | {max} | {n} | {target} | {verdict} |")
    }
}

/// The table, in Markdown.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "| what | unit | min | median | max | runs | target | reached |\n|---|---|--:|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        text.push_str(&line.row());
        text.push('\n');
    }
    text
}

/// A number with as many digits as say something, thousands apart.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "none".to_owned();
    }
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (index, sign) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(sign);
    }
    out + rest
}
