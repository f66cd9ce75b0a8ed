//! The report: a table of the tiers, then one machine-readable line.

use std::fmt::{Display, Write as _};
use std::process::ExitCode;

/// How many of the slowest tests to list.
const SLOWEST: usize = 10;

/// The result of one tier, or of all checks.
#[derive(Debug, Default)]
pub struct Outcome {
    name: String,
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
    pub seconds: f64,
    /// The duration of each test in seconds.
    pub durations: Vec<(f64, String)>,
    /// Errors besides those that failed tests have printed.
    pub errors: Vec<String>,
}

impl Outcome {
    /// An empty outcome.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The outcome of a tier that could not run: one failure with its reason.
    pub fn not_run(name: &str, error: impl Display) -> Self {
        let mut outcome = Self::new(name);
        outcome.fail(error.to_string());
        outcome
    }

    /// Counts a failure that no test has printed.
    pub fn fail(&mut self, error: String) {
        self.failed += 1;
        self.errors.push(error);
    }
}

/// All outcomes of one run.
#[derive(Default)]
pub struct Report {
    outcomes: Vec<Outcome>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a row.
    pub fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Adds a note, which is not a failure.
    pub fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// Prints everything and returns the exit code.
    pub fn print(&self) -> ExitCode {
        print!("\n{}", self.render());
        if self.total(|outcome| outcome.failed) == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn render(&self) -> String {
        let width = self
            .outcomes
            .iter()
            .map(|outcome| outcome.name.len())
            .fold("tier".len(), usize::max);
        let mut text = format!(
            "{:width$}  {:>7}  {:>7}  {:>7}  {:>8}\n",
            "tier", "passed", "failed", "ignored", "seconds"
        );
        // Writing to a String cannot fail.
        for outcome in &self.outcomes {
            let Outcome {
                name,
                passed,
                failed,
                ignored,
                seconds,
                ..
            } = outcome;
            let _ = writeln!(
                text,
                "{name:width$}  {passed:>7}  {failed:>7}  {ignored:>7}  {seconds:>8.1}"
            );
        }
        let mut durations: Vec<_> = self
            .outcomes
            .iter()
            .flat_map(|outcome| &outcome.durations)
            .collect();
        durations.sort_by(|one, other| other.0.total_cmp(&one.0));
        if !durations.is_empty() {
            text.push_str("\nslowest tests\n");
        }
        for (seconds, test) in durations.into_iter().take(SLOWEST) {
            let _ = writeln!(text, "{seconds:>8.1}  {test}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "\nNOTE: {note}");
        }
        for outcome in &self.outcomes {
            for error in &outcome.errors {
                let _ = writeln!(text, "\nFAILED {}: {}", outcome.name, error.trim_end());
            }
        }
        let _ = writeln!(
            text,
            "\n{} passed, {} failed",
            self.total(|outcome| outcome.passed),
            self.total(|outcome| outcome.failed)
        );
        text
    }

    fn total(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.outcomes.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_sum_alone() {
        let mut report = Report::default();
        let mut unit = Outcome::new("unit");
        unit.passed = 12;
        unit.ignored = 3;
        unit.durations = vec![(1.0, "quick".to_owned()), (20.25, "slow".to_owned())];
        report.add(unit);
        report.add(Outcome::not_run("acceptance", std::fmt::Error));
        report.note("no OpenTofu");
        let text = report.render();
        assert_eq!(text.lines().last(), Some("12 passed, 1 failed"));
        assert!(text.contains("FAILED acceptance: "), "{text}");
        assert!(
            text.contains("slowest tests\n    20.2  slow\n     1.0  quick\n"),
            "{text}"
        );
        assert!(text.contains("NOTE: no OpenTofu"), "{text}");
    }

    #[test]
    fn columns_line_up_under_long_names() {
        let mut report = Report::default();
        report.add(Outcome::new("acceptance (Terraform 1.11.4)"));
        let text = report.render();
        let mut lines = text.lines();
        assert_eq!(lines.next().map(str::len), lines.next().map(str::len));
    }
}
